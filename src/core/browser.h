/* The browser of a request, and the answer to it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_BROWSER_H
#define KC_BROWSER_H

#include <apr_tables.h>

/* The browser, as far as a sign-in needs to know it. In the request's pool. */
typedef struct kc_browser_t {
    const char *public_url; /* scheme://host[:port] as the browser sees it */
    int is_https;           /* 0 or 1 */
    const char *cookies;    /* the Cookie header or NULL */
    const char *address;    /* the browser's; NULL: not known */
    const char *agent;      /* its User-Agent header or NULL */
    int is_program; /* at logout: the client is no browser, and does not follow the redirect in the
                       answer */
} kc_browser_t;

/* The answer. Everything is in the request's pool. */
typedef struct kc_browser_answer_t {
    const char *location;        /* of the redirect */
    apr_array_header_t *cookies; /* const char *, values of Set-Cookie; also on failure */
    const char *user;            /* the user who signed in; NULL before that, like sub */
    const char *sub;
    const char *lost; /* why the browser does not return to the requested page; NULL: it does */
    int dropped;      /* groups and headers that could not become header values */
    int may_again;    /* on failure: nothing was sent, so the same callback may come again in a
                         moment */
} kc_browser_answer_t;

#endif

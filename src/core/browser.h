/* The browser of a request, and what it is answered.
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
    int is_program; /* of a sign-out: no browser, so that nobody goes where the answer leads */
} kc_browser_t;

/* What to answer. Everything in the request's pool. */
typedef struct kc_browser_answer_t {
    const char *location;        /* where to go */
    apr_array_header_t *cookies; /* const char *, values of Set-Cookie; also on failure */
    const char *user;            /* who signed in; NULL before that, as sub */
    const char *sub;
    const char *lost; /* why the page that was asked for is not come back to; NULL: it is */
    int dropped;      /* groups and headers that could not become header values */
    int may_again; /* of a failure: nothing was sent, the same callback may come again in a moment
                    */
} kc_browser_answer_t;

#endif

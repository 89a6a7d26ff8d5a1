/* The decision table: what is done for each kind of request in each state of its session.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_FLOW_H
#define KC_FLOW_H

#include "session/session.h"

/* What a request is: the rows. */
typedef enum {
    KC_FLOW_NAVIGATION, /* a browser that wants a page: may be sent to Keycloak */
    KC_FLOW_API,        /* a script: wants 401, never a redirect */
    KC_FLOW_OPEN,     /* goes on without identity when nobody is signed in (KeycloakUnauth pass) */
    KC_FLOW_CALLBACK, /* wants to be signed in: the login address, or an answer of Keycloak with an
                         unknown, spent or expired state */
    KC_FLOW_LOGOUT,   /* wants to sign out */
    KC_FLOW_SUBREQUEST, /* made by httpd for another request */
    KC_FLOW_KINDS
} kc_flow_kind_t;

/* What is done: the cells. */
typedef enum {
    KC_FLOW_GO,          /* export the identity and let it pass */
    KC_FLOW_GO_NAMELESS, /* let it pass without identity */
    KC_FLOW_LOGIN,       /* begin a sign-in */
    KC_FLOW_DENY,        /* 401 with the reason */
    KC_FLOW_RETURN,      /* already signed in: on to the page */
    KC_FLOW_END,         /* end the session here and at Keycloak */
    KC_FLOW_LEAVE,       /* nothing to end: on to the page after logout */
    KC_FLOW_UNAVAILABLE  /* 503: nobody knows who this is */
} kc_flow_action_t;

/* The cell. Thread safe, pure. */
kc_flow_action_t kc_flow_decide(kc_session_state_t state, kc_flow_kind_t kind);
/* 1 when navigations, API calls, open pages and subrequests are all decided alike in this state, so
 * that nobody needs to find out which one a request is. */
int kc_flow_is_settled(kc_session_state_t state);

/* What the glue knows of a request that nobody has recognised yet. NULL when a header is absent. */
typedef struct kc_flow_signs_t {
    const char *method;
    const char *accept;
    const char *requested_with; /* X-Requested-With */
    const char *fetch_mode;     /* Sec-Fetch-Mode */
    const char *upgrade;
} kc_flow_signs_t;

/* Page or API call: API when Accept is there without text/html, X-Requested-With is
 * there, Sec-Fetch-Mode is other than navigate, Upgrade is there, or the method is neither GET nor
 * HEAD. Every other request is a page. */
kc_flow_kind_t kc_flow_kind(const kc_flow_signs_t *signs);

/* Who has made a browser send a request. */
typedef enum {
    KC_FLOW_OWN,     /* a page of this site, or the person by hand */
    KC_FLOW_FOREIGN, /* another site's page, or nobody knows whose */
    KC_FLOW_UNTOLD   /* nothing is said: no browser, or an old one */
} kc_flow_source_t;

typedef struct kc_flow_traces_t {
    const char *fetch_site; /* Sec-Fetch-Site; NULL when absent, as the others */
    const char *origin;     /* Origin */
    const char *referer;    /* Referer */
} kc_flow_traces_t;

/* Sec-Fetch-Site decides where it is there, else Origin, else Referer. Pages of public_origin and
 * of hosts (array of const char *, as of kc_url_return; may be NULL) are this site's. */
kc_flow_source_t kc_flow_source(const kc_flow_traces_t *traces, const char *public_origin,
                                const apr_array_header_t *hosts, apr_pool_t *pool);

#endif

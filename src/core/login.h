/* A sign-in: its sealed state in the browser, the way to Keycloak, and the way back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_H
#define KC_LOGIN_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "err.h"
#include "rp.h"
#include "session.h"
#include "url.h"

enum {
    KC_LOGIN_AT_ONCE_MAX = 5,      /* sign-ins under way in one browser */
    KC_LOGIN_COOKIES_MAX = 4096,   /* bytes of their cookies together */
    KC_LOGIN_RETURN_MAX = 2000,    /* bytes of a return URL that is carried */
    KC_LOGIN_ROUNDS_MAX = 3,       /* rounds within KC_LOGIN_ROUNDS_SECONDS */
    KC_LOGIN_ROUNDS_SECONDS = 60
};

/* What the browser is: everything about the request that a sign-in needs. All in the request's pool. */
typedef struct kc_login_client_t {
    const char *public_url; /* scheme://host[:port] as the browser sees it */
    int is_https;
    const char *cookies; /* the Cookie header or NULL */
} kc_login_client_t;

/* What to answer: cookies to set (array of const char *, values of Set-Cookie) and where to go. */
typedef struct kc_login_answer_t {
    const char *location;
    apr_array_header_t *cookies;
    const char *user; /* who signed in; NULL before that */
    const char *session_id; /* text, never logged; NULL before that */
    int dropped;      /* groups or headers left out of the identity */
} kc_login_answer_t;

/* Begins: makes state, nonce and PKCE verifier, seals them with the return URL into a cookie, makes room among earlier
 * ones, and gives the authorization URL (OpenID Connect Core 1.0 section 3.1.2.1, RFC 7636 S256). return_url is checked here. round: 0, or one more than the round that failed. */
kc_rc_t kc_login_begin(const kc_rp_t *rp, const kc_login_client_t *client, const char *return_url,
                       unsigned int round, apr_pool_t *pool, kc_login_answer_t *answer,
                       kc_err_t *err);

/* Finishes: state, iss (RFC 9207), one-use marker, code for tokens, ID token, userinfo if needed, identity, a new session, the old one
 * destroyed. On failure answer->cookies may still hold cookies to set. KC_MISS with KC_ERR_STATE_UNKNOWN, _SPENT or _EXPIRED: decide by the flow table; all else is final. */
kc_rc_t kc_login_finish(const kc_rp_t *rp, const kc_login_client_t *client, const char *query,
                        apr_pool_t *pool, kc_login_answer_t *answer, kc_err_t *err);

/* After a KC_MISS of finish: the round that the unknown state was in (from the state itself, so that a browser without cookies is stopped too), or KC_LOGIN_ROUNDS_MAX + 1 … when it
 * was the last: then KC_REFUSED with KC_ERR_LOGIN_LOOP. */
kc_rc_t kc_login_next_round(const kc_rp_t *rp, const char *query, apr_pool_t *pool,
                            unsigned int *round, kc_err_t *err);

/* The URL that ends Keycloak's session too (OpenID Connect RP-Initiated Logout 1.0), or the page after logout when the provider has none. */
const char *kc_login_end_url(const kc_rp_t *rp, const kc_login_client_t *client,
                             const kc_session_t *session, apr_pool_t *pool);
/* Set-Cookie values that delete the session's cookie. */
const char *kc_login_forget(const kc_rp_t *rp, const kc_login_client_t *client, apr_pool_t *pool);

#endif

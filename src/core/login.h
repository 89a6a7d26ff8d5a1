/* A sign-in: the way to Keycloak, the way back, and the way out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_H
#define KC_LOGIN_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "err.h"
#include "login_state.h"
#include "rp.h"
#include "session.h"

/* What to answer. Everything in the request's pool. */
typedef struct kc_login_answer_t {
    const char *location;        /* where to go */
    apr_array_header_t *cookies; /* const char *, values of Set-Cookie; also on failure */
    const char *user;            /* who signed in; NULL before that */
    int dropped;                 /* groups and headers that could not become header values */
} kc_login_answer_t;

/* Where Keycloak sends the browser back to: KeycloakRedirectURI, or made of the public URL. */
const char *kc_login_redirect_uri(const kc_rp_t *rp, const kc_login_client_t *client,
                                  apr_pool_t *pool);

/* Begins: makes state, nonce and PKCE verifier, keeps them in a sealed cookie, makes room among
 * earlier ones, and gives the authorization URL (OpenID Connect Core 1.0 section 3.1.2.1, RFC 7636
 * with S256). return_url is judged here (kc_url_return). KC_REFUSED with KC_ERR_LOGIN_LOOP after
 * KC_LOGIN_ROUNDS_MAX finished sign-ins within a minute, KC_DOWN when the provider is not to be
 * had. Thread safe, as all here. */
kc_rc_t kc_login_begin(const kc_rp_t *rp, const kc_login_client_t *client, const char *return_url,
                       const kc_login_round_t *round, apr_pool_t *pool, kc_login_answer_t *answer,
                       kc_err_t *err);

/* Finishes with a callback's query: state, iss (RFC 9207), one-use marker, code for tokens, ID
 * token, userinfo where needed, identity, a new session, the old one destroyed. KC_MISS with
 * KC_ERR_STATE_UNKNOWN, _SPENT or _EXPIRED: nothing wrong was done, decide by the flow table; every
 * other failure is final. */
kc_rc_t kc_login_finish(const kc_rp_t *rp, const kc_login_client_t *client, const char *query,
                        apr_pool_t *pool, kc_login_answer_t *answer, kc_err_t *err);

/* After a KC_MISS of finish: where the sign-in was to lead, and the round to begin again with.
 * KC_REFUSED with KC_ERR_LOGIN_LOOP when there were enough; return_url is set also then. */
kc_rc_t kc_login_again(const kc_rp_t *rp, const char *query, apr_pool_t *pool,
                       const char **return_url, kc_login_round_t *round, kc_err_t *err);

/* The page after signing out. */
const char *kc_login_after_logout(const kc_rp_t *rp, const kc_login_client_t *client,
                                  apr_pool_t *pool);
/* The URL that ends Keycloak's session too (OpenID Connect RP-Initiated Logout 1.0 section 2), or
 * the page after signing out when the provider has none or is not to be had. */
const char *kc_login_end_url(const kc_rp_t *rp, const kc_login_client_t *client,
                             const kc_session_t *session, apr_pool_t *pool);
/* Adds the Set-Cookie values that delete the session's cookies. */
void kc_login_forget(const kc_rp_t *rp, const kc_login_client_t *client, apr_pool_t *pool,
                     apr_array_header_t *cookies);

#endif

/* A sign-in: the way to Keycloak and the way back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_H
#define KC_LOGIN_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/err.h"
#include "browser.h"
#include "login/login_state.h"
#include "rp.h"
#include "session/session.h"

enum {
    KC_LOGIN_FOLLOW_SECONDS = 60,
    KC_LOGIN_LINGER_SECONDS = 5, /* since a sign-in was begun: longer nobody lingers for it */
    KC_LOGIN_LINGER_MS = 1000
};

/* Begins: makes state, nonce and PKCE verifier, keeps them with what is demanded in a sealed
 * cookie, makes room among earlier ones, and gives the authorization URL (OpenID Connect Core 1.0
 * section 3.1.2.1, with acr_values, max_age and prompt as the request says; RFC 7636 with S256).
 * The request's return URL is judged here (kc_url_return). KC_REFUSED with KC_ERR_LOGIN_LOOP after
 * KC_LOGIN_ROUNDS_MAX finished sign-ins, or KC_LOGIN_STEPS_MAX where somebody was signed in, within
 * a minute; KC_DOWN when the provider is not to be had. Thread safe, as all here. */
kc_rc_t kc_login_begin(const kc_rp_t *rp, const kc_browser_t *client,
                       const kc_login_request_t *request, apr_pool_t *pool,
                       kc_browser_answer_t *answer, kc_err_t *err);

/* Finishes with a callback's query: state, iss (RFC 9207), one-use marker, code for tokens, ID
 * token, what was demanded of it, userinfo where needed, identity, a new session, the old one
 * destroyed. KC_MISS with KC_ERR_STATE_UNKNOWN, _SPENT or _EXPIRED: nothing wrong was done, decide
 * by the flow table; every other failure is final, and leaves the old session as it was unless the
 * store failed. KC_ERR_TOKEN_WEAK: the provider did not do what was demanded; KC_ERR_SILENT: it
 * would have to ask the person; KC_ERR_TOKEN_SUBJECT: a silent sign-in has brought somebody else
 * than who is signed in.
 * KC_DOWN with may_again: it was not tried, as too many wait; no cookie is to be set.
 * KC_OK with user NULL: nor was this one, but another tab of this browser has signed in since the
 * state was made, less than KC_LOGIN_FOLLOW_SECONDS ago and as strongly as was demanded. */
kc_rc_t kc_login_finish(const kc_rp_t *rp, const kc_browser_t *client, const char *query,
                        apr_pool_t *pool, kc_browser_answer_t *answer, kc_err_t *err);

/* After a KC_MISS of finish: the request to begin again with, its demand too when the cookie is
 * there. KC_REFUSED with KC_ERR_LOGIN_LOOP when there were enough. KC_DOWN with
 * KC_ERR_PROVIDER_BUSY when there were enough, but other tabs of this browser are signing in, whose
 * cookies have made this one's go: the same callback is to come again, and goes on by the session
 * that they make; for twice KeycloakHTTPTimeout. *out is filled also then. */
kc_rc_t kc_login_again(const kc_rp_t *rp, const kc_browser_t *client, const char *query,
                       apr_pool_t *pool, kc_login_request_t *out, kc_err_t *err);

/* After KC_DOWN of again: waits KC_LOGIN_LINGER_MS, so that the same callback can be led to itself
 * (then 1); or 0 at once: too many wait, or it has gone on for KC_LOGIN_LINGER_SECONDS. */
int kc_login_linger(const kc_rp_t *rp, const kc_login_request_t *again);
/* Its query: nothing but the state, as the code of a sign-in without its cookie is of no use. NULL
 * when there is none. */
const char *kc_login_linger_query(const char *query, apr_pool_t *pool);

#endif

/* A sign-in: the redirect to Keycloak, and the callback.
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
    KC_LOGIN_LINGER_SECONDS = 5, /* after a sign-in was begun, callbacks wait at most this long */
    KC_LOGIN_LINGER_MS = 1000
};

/* Begins a sign-in. Makes state, nonce and PKCE verifier, and keeps them with the step-up
 * requirement in a sealed cookie, deleting earlier ones to make room. Gives the authorization URL
 * (OpenID Connect Core 1.0 section 3.1.2.1, with acr_values, max_age and prompt as the request
 * says; RFC 7636 with S256). The request's return URL is checked here (kc_url_return).
 *
 * KC_REFUSED with KC_ERR_LOGIN_LOOP after too many sign-ins within a minute: KC_LOGIN_ROUNDS_MAX,
 * or KC_LOGIN_STEPS_MAX for a user that was signed in. KC_DOWN when the provider is not available.
 * Thread safe, like all functions here. */
kc_rc_t kc_login_begin(const kc_rp_t *rp, const kc_browser_t *client,
                       const kc_login_request_t *request, apr_pool_t *pool,
                       kc_browser_answer_t *answer, kc_err_t *err);

/* Finishes a sign-in with a callback's query. Checks state, iss (RFC 9207) and the one-use marker.
 * Exchanges the code for tokens. Checks the ID token and the step-up requirement, requests userinfo
 * where needed, makes the identity and a new session, and destroys the old one.
 *
 * KC_MISS with KC_ERR_STATE_UNKNOWN, _SPENT or _EXPIRED: no fault of the user; the decision table
 * says what follows. Every other failure is final, and leaves the old session as it was unless the
 * store failed. KC_ERR_TOKEN_WEAK: the provider did not meet the step-up requirement.
 * KC_ERR_SILENT: the provider cannot sign in without asking the user. KC_ERR_TOKEN_SUBJECT: a
 * silent sign-in returned another user than the one signed in.
 *
 * KC_DOWN with may_again: it was not tried, because too many requests wait; no cookie must be set.
 * KC_OK with user NULL: it was not tried either, because another tab of this browser has signed in.
 * That was after the state was made, less than KC_LOGIN_FOLLOW_SECONDS ago, and meets the step-up
 * requirement. */
kc_rc_t kc_login_finish(const kc_rp_t *rp, const kc_browser_t *client, const char *query,
                        apr_pool_t *pool, kc_browser_answer_t *answer, kc_err_t *err);

/* After a KC_MISS of finish: the request to begin again with. It has the step-up requirement too
 * if the cookie is there. KC_REFUSED with KC_ERR_LOGIN_LOOP after too many rounds. In that case,
 * KC_DOWN with KC_ERR_PROVIDER_BUSY when other tabs of this browser are signing in and their
 * cookies have replaced this one's. The same callback must then be repeated; it continues with
 * the session that those tabs make. That lasts for twice KeycloakHTTPTimeout. *out is filled
 * then too. */
kc_rc_t kc_login_again(const kc_rp_t *rp, const kc_browser_t *client, const char *query,
                       apr_pool_t *pool, kc_login_request_t *out, kc_err_t *err);

/* After KC_DOWN of again: waits KC_LOGIN_LINGER_MS and returns 1; the same callback is then
 * redirected to itself. 0 at once when too many requests wait, or KC_LOGIN_LINGER_SECONDS have
 * passed. */
int kc_login_linger(const kc_rp_t *rp, const kc_login_request_t *again);
/* The query for that: only the state, because the code of a sign-in without its cookie is useless.
 * NULL when there is none. */
const char *kc_login_linger_query(const char *query, apr_pool_t *pool);

#endif

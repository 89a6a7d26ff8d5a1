/* A logout that begins here: ends the session, its tokens and Keycloak's session, and returns to a
 * page.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGOUT_H
#define KC_LOGOUT_H

#include <apr_pools.h>

#include "base/err.h"
#include "browser.h"
#include "rp.h"
#include "session/session.h"

/* Keycloak redirects the browser to the redirect URI, which every client has registered. From there
 * it is redirected to the page in a sealed cookie, which Keycloak need not know. */

/* The page that a browser gets after logout. return_url: checked here (kc_url_return); NULL:
 * KeycloakAfterLogoutURL. Thread safe, like all functions here. */
const char *kc_logout_page(const kc_rp_t *rp, const kc_browser_t *client, const char *return_url,
                           apr_pool_t *pool);

/* Ends the session of the browser's cookie (session: as it was found; NULL: there is none).
 * Redirects the browser to the end_session_endpoint: OpenID Connect RP-Initiated Logout 1.0 section
 * 2, with client_id, state and, when it is known and not too long, id_token_hint. It does so even
 * without a session here, because the provider's may live on. Without such an endpoint it redirects
 * to the page (kc_logout_page).
 *
 * The refresh token is revoked (RFC 7009) when the browser has not come back within
 * KC_LOGOUT_PENDING_SECONDS. It is revoked at once when there is no such endpoint, when
 * client->is_program is set, or when it cannot be kept (logout_pending.h). answer->cookies delete
 * the session's. What the provider cannot do now is logged, and is no failure. KC_DOWN: the session
 * may live on. */
kc_rc_t kc_logout_begin(const kc_rp_t *rp, const kc_browser_t *client, const kc_session_t *session,
                        const char *return_url, apr_pool_t *pool, kc_browser_answer_t *answer,
                        kc_err_t *err);

/* Handles a callback's query: the browser is back from a logout, and answer->location is the page.
 * KC_MISS: it is no answer to a logout. KC_REFUSED with KC_ERR_LOGOUT_STATE: it answers a logout
 * that this browser did not begin. An answer without a state counts when the browser has begun a
 * logout. */
kc_rc_t kc_logout_finish(const kc_rp_t *rp, const kc_browser_t *client, const char *query,
                         apr_pool_t *pool, kc_browser_answer_t *answer, kc_err_t *err);

#endif

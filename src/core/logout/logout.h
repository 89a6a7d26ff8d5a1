/* A sign-out that begins here: the session, its tokens, Keycloak's session, and the way back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGOUT_H
#define KC_LOGOUT_H

#include <apr_pools.h>

#include "base/err.h"
#include "browser.h"
#include "rp.h"
#include "session/session.h"

/* Keycloak sends the browser back to the redirect URI, which every client has registered; from
 * there it goes on to the page that a sealed cookie names, and that Keycloak need not know of. */

/* Where a browser arrives after signing out. return_url: judged here (kc_url_return); NULL:
 * KeycloakAfterLogoutURL. Thread safe, as all here. */
const char *kc_logout_page(const kc_rp_t *rp, const kc_browser_t *client, const char *return_url,
                           apr_pool_t *pool);

/* Ends the session of the browser's cookie (session: as it was found; NULL: there is none) and
 * sends the browser to the end_session_endpoint (OpenID Connect RP-Initiated Logout 1.0 section 2,
 * with client_id, state and, when it is known and not too long, id_token_hint): also without a
 * session here, for the provider's may live on. Where there is no such endpoint, straight on to the
 * page (kc_logout_page). The refresh token is revoked (RFC 7009) when the browser has not come back
 * within KC_LOGOUT_PENDING_SECONDS; at once when there is no such endpoint, when
 * client->is_program, or when it cannot be kept (logout_pending.h). answer->cookies delete the
 * session's. What the provider cannot do now is logged, and no failure. KC_DOWN: the session may
 * live on. */
kc_rc_t kc_logout_begin(const kc_rp_t *rp, const kc_browser_t *client, const kc_session_t *session,
                        const char *return_url, apr_pool_t *pool, kc_browser_answer_t *answer,
                        kc_err_t *err);

/* Of a callback's query: the browser is back from a sign-out, answer->location is the page.
 * KC_MISS: it is no answer to a sign-out; KC_REFUSED with KC_ERR_LOGOUT_STATE: not to one that this
 * browser began. An answer without any state is taken for one when the browser has begun some. */
kc_rc_t kc_logout_finish(const kc_rp_t *rp, const kc_browser_t *client, const char *query,
                         apr_pool_t *pool, kc_browser_answer_t *answer, kc_err_t *err);

#endif

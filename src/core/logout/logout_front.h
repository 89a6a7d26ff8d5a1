/* Front-channel logout: the provider's page makes the browser report that its session has ended.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGOUT_FRONT_H
#define KC_LOGOUT_FRONT_H

#include <apr_pools.h>

#include "base/err.h"
#include "rp.h"
#include "session/session.h"

/* The request comes from a frame in a page of the provider. Browsers send the session cookie there
 * only when the provider is on the same site, or when KeycloakCookieSameSite is None and
 * third-party cookies are not blocked. Only the back channel (logout_token.h) is reliable. */

/* Handles a front-channel request (OpenID Connect Front-Channel Logout 1.0 section 2). query has
 * iss, exactly this issuer, and sid, each once. Any site can make a browser send this. So only the
 * session of this browser's cookie ends, and only when it is of that sid; all others of the sid end
 * with it, on all nodes. With KeycloakFrontchannelSession optional, a query with neither ends only
 * the cookie's session.
 *
 * *is_ended tells whether a session ended, and session, which needs the pool, which one. When there
 * was nothing to end, that is KC_OK as well and nothing is written. KC_REFUSED with KC_ERR_FORM.
 * KC_DOWN: the session may live on. Thread safe. */
kc_rc_t kc_logout_front_take(const kc_rp_t *rp, kc_bytes_t cookie, const char *query,
                             apr_pool_t *pool, kc_session_t *session, int *is_ended, kc_err_t *err);

#endif

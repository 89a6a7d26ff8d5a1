/* Front-channel logout: the provider has the browser itself say that its session has ended.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGOUT_FRONT_H
#define KC_LOGOUT_FRONT_H

#include <apr_pools.h>

#include "base/err.h"
#include "rp.h"
#include "session/session.h"

/* The request comes from a frame in a page of the provider's, and browsers send our cookie there
 * only where the provider is of the same site, or KeycloakCookieSameSite is None (and third-party
 * cookies are not blocked). It is the back channel (logout_token.h) that can be relied on. */

/* Takes a front-channel request (OpenID Connect Front-Channel Logout 1.0 section 2): query has iss,
 * this issuer exactly, and sid, each once. Anybody may have a browser call this, so only the
 * session of this browser's cookie ends, and only when it is of that sid; with it go all others of
 * the sid, on all nodes. With KeycloakFrontchannelSession optional a query with neither ends the
 * cookie's session alone. *is_ended tells, and session, which needs the pool, whose it was; when
 * there was nothing to end, that is KC_OK as well and nothing is written. KC_REFUSED with
 * KC_ERR_FORM; KC_DOWN: the session may live on. Thread safe. */
kc_rc_t kc_logout_front_take(const kc_rp_t *rp, kc_bytes_t cookie, const char *query,
                             apr_pool_t *pool, kc_session_t *session, int *is_ended, kc_err_t *err);

#endif

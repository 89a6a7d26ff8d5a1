/* Refresh: new tokens for a session before the old ones expire, by one request in the cluster.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_REFRESH_H
#define KC_REFRESH_H

#include <apr_pools.h>

#include "base/err.h"
#include "rp.h"
#include "session/session.h"

/* Renews a session that was found LIVE or STALE, if that is due. *session is then filled with the
 * new one, and the new state is returned. The request that gets the lease (a key in the store that
 * expires by itself) asks Keycloak. All other requests continue with a LIVE session as it is. With
 * a STALE one they wait for the request that has the lease, within env->waiters and what is left of
 * the request's time (deadline.h).
 *
 * ENDED: Keycloak has ended the session (invalid_grant, invalid_scope), or the new tokens belong to
 * another user. It is then gone from the store. UNKNOWN: too many requests wait, or the store does
 * not answer.
 *
 * When it could not be renewed the state stays the same. The session is then not tried again for
 * one second, then for two, and so on up to 15 (pause.h), and no request waits in that time. When
 * Keycloak does not answer, no other session is renewed on this host in that time either. err has
 * the reason of everything except a renewal that succeeded or was not due; then its reason is
 * KC_ERR_NONE. Thread safe. */
kc_session_state_t kc_refresh_session(kc_session_state_t state, kc_session_t *session,
                                      apr_pool_t *pool, kc_err_t *err);

#endif

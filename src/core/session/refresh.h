/* Refresh: new tokens for a session before the old ones expire, by one request in the cluster.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_REFRESH_H
#define KC_REFRESH_H

#include <apr_pools.h>

#include "base/err.h"
#include "rp.h"
#include "session/session.h"

/* Renews a session that was found LIVE or STALE, if it is time; *session, filled, is then the new
 * one, and the new state is returned. Whoever gets the lease (a key in the store that ends by
 * itself) asks Keycloak; of a LIVE session all others go on with what they have, of a STALE one
 * they wait for who is at it, within env->waiters and what is left of the request's time
 * (deadline.h).
 *
 * ENDED: Keycloak has ended it (invalid_grant, invalid_scope), or the new tokens are somebody
 * else's; it is then gone from the store. UNKNOWN: too many wait, or the store does not answer.
 * Where it could not be renewed the state stays what it was, and it is not tried for a second, then
 * for two, up to 15 (pause.h), in which nobody waits; where Keycloak does not answer, no other
 * session's renewal is on this host either. err tells why of everything but a renewal that
 * succeeded or was not due; then its reason is KC_ERR_NONE. Thread safe. */
kc_session_state_t kc_refresh_session(kc_session_state_t state, kc_session_t *session,
                                      apr_pool_t *pool, kc_err_t *err);

#endif

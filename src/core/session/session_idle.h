/* Idle time: when a session was used last, and when it ends unless it is used.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_IDLE_H
#define KC_SESSION_IDLE_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "rp.h"
#include "session/session_codec.h"

/* The last use of a session is a separate value in the store, its record. It is read in the same
 * round trip as the session. Only the record decides whether the session is idle too long. The
 * expiry given to the store only removes what is no longer needed. So no session is prolonged by a
 * restored copy with a longer expiry, a wrong clock of the store, or a renewal of tokens.
 *
 * A record carries a hash keyed by the session's id, which the store never sees. A record that is
 * not genuine, or belongs to another session, is ignored. The last use of a session without a
 * record is its creation, or the time in its entry of the session index. */

/* The key of a session's record. It is made of the session's store key (KC_STORE_KEY_LEN
 * characters): the ends are kept, so that both are on the same servers, and the middle is reversed.
 * name has room for KC_STORE_KEY_LEN + 1 bytes. Thread safe, like all functions here. */
void kc_session_idle_name(const char *key, char *name);
/* When a session was used last, in seconds since 1970, never later than now. record: the value that
 * the store has under the record's key (data is NULL: nothing). Reads from the session rp, id, key,
 * created and what finds its index entry. May ask the store once more, when there is no record and
 * the session would be over without one. A record in the future, from before a clock was set back,
 * is written anew, so that idle time counts again. */
int64_t kc_session_idle_read(const kc_session_t *session, kc_bytes_t record, apr_pool_t *pool);
/* When the session ends unless it is used, in seconds since 1970. used: the last use. */
int64_t kc_session_idle_end(const kc_session_t *session, int64_t used);
/* Until when the store must keep the values of a session that is used or renewed now. */
int64_t kc_session_idle_keep(const kc_session_t *session, const kc_rp_t *rp);
/* Notes a use now: writes the record, and extends the session's expiry in the store. If it fails,
 * at most the time since the last use is lost to the session. */
void kc_session_idle_use(const kc_session_t *session);

#endif

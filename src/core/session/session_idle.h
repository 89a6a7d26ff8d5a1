/* Idle time: when a session was used last, and when it ends unless it is used.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_IDLE_H
#define KC_SESSION_IDLE_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "rp.h"
#include "session/session_codec.h"

/*
 * A session's last use is a value of its own in the store, its record, read in one question with
 * the session. From it alone whoever finds the session decides whether it is over. The expiry that
 * the store is given only clears away what nobody needs any more: a copy that is put back with a
 * longer one, a store whose clock is wrong, or a renewal of tokens prolongs no session.
 *
 * A record carries a keyed hash under the session's id, which the store never sees. One that is not
 * genuine, or is not this session's, is none. A session without a record was used last when it was
 * created, or when its entry in the list of the user's sessions says.
 */

/* The name of a session's record: the session's name in the store (KC_STORE_KEY_LEN characters)
 * with the same ends, so that both have the same homes, and its middle read backwards. name has
 * room for KC_STORE_KEY_LEN + 1 bytes. Thread safe, as all here. */
void kc_session_idle_name(const char *key, char *name);
/* When a session was used last, in seconds since 1970, and not later than now. record: what the
 * store has under its name (data is NULL: nothing). Of the session are read rp, id, key, created
 * and what its entry in the list is found by. May ask the store once more, when there is no record
 * and the session is over without one. A record of a clock that has been set back since is written
 * anew, so that time counts again. */
int64_t kc_session_idle_read(const kc_session_t *session, kc_bytes_t record, apr_pool_t *pool);
/* When it ends unless it is used, in seconds since 1970; used: the last use. */
int64_t kc_session_idle_end(const kc_session_t *session, int64_t used);
/* Until when the store is to keep what is of use to a session that is used or renewed now. */
int64_t kc_session_idle_keep(const kc_session_t *session, const kc_rp_t *rp);
/* Notes a use of now: the record is written, and the store keeps the session for as long. What
 * fails costs the session at most the time since the use before. */
void kc_session_idle_use(const kc_session_t *session);

#endif

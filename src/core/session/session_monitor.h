/* Watch: sessions that something long goes on with, looked after until they end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_MONITOR_H
#define KC_SESSION_MONITOR_H

#include <apr_pools.h>

#include "base/err.h"
#include "session/session.h"

/* A session that is looked after, and what was found out. */
typedef struct kc_session_monitor_entry_t {
    kc_session_t session; /* what names it, what ends it, its user; the rest is empty */
    /* LIVE: it goes on; ENDED: it is over; UNKNOWN: the store does not answer, which ends nothing
     */
    kc_session_state_t state;
    kc_err_t err; /* why it has ended, or could not be renewed; else KC_ERR_NONE */
    struct kc_session_monitor_entry_t *next;
} kc_session_monitor_entry_t;

/* A set of sessions, each once. For one thread. */
typedef struct kc_session_monitor_t kc_session_monitor_t;

kc_session_monitor_t *kc_session_monitor_create(apr_pool_t *pool);
/* Takes in a session that was found, as a copy in the watch's pool: the same for an equal one.
 * refresh_at: when its tokens are to be renewed, as kc_session_monitor_entry_t.session has it after
 * a renewal; of several the latest counts. */
kc_session_monitor_entry_t *kc_session_monitor_add(kc_session_monitor_t *watch,
                                                   const kc_session_t *session, int64_t refresh_at);
/* NULL when there is none; the others by next. */
kc_session_monitor_entry_t *kc_session_monitor_first(const kc_session_monitor_t *watch);

/* Asks the store about all of them, several at a time: fills state and err. A session has ended
 * when it is gone or a mark ends it, when it is past its end, or when its ID token is and nothing
 * can renew that. None of this is use of a session: its idle end stays. */
void kc_session_monitor_look(kc_session_monitor_t *watch);
/* Renews one that was found LIVE, if it is time (kc_refresh_session): fills state, err, and the
 * times of the session that may have changed. Waits for the provider, but for no other request. A
 * provider that does not answer ends nothing. */
void kc_session_monitor_renew(kc_session_monitor_entry_t *watched, apr_pool_t *pool);

#endif

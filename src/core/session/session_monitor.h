/* The session monitor: checks the sessions of long-running streams until they end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_MONITOR_H
#define KC_SESSION_MONITOR_H

#include <apr_pools.h>

#include "base/err.h"
#include "session/session.h"

/* A session that is monitored, and the result of the last check. */
typedef struct kc_session_monitor_entry_t {
    kc_session_t session; /* what identifies it, what ends it, its user; the rest is empty */
    /* LIVE: it is valid. ENDED: it is over. UNKNOWN: the store does not answer, which ends
     * nothing. */
    kc_session_state_t state;
    kc_err_t err; /* why it has ended, or could not be renewed; else KC_ERR_NONE */
    struct kc_session_monitor_entry_t *next;
} kc_session_monitor_entry_t;

/* A set of sessions, each once. For use by one thread. */
typedef struct kc_session_monitor_t kc_session_monitor_t;

kc_session_monitor_t *kc_session_monitor_create(apr_pool_t *pool);
/* Adds a copy, in the monitor's pool, of a session that was found; returns the existing entry for
 * an equal one. refresh_at: when its tokens are due for renewal, as
 * kc_session_monitor_entry_t.session has it after a renewal. The latest value counts. */
kc_session_monitor_entry_t *kc_session_monitor_add(kc_session_monitor_t *monitor,
                                                   const kc_session_t *session, int64_t refresh_at);
/* NULL when there is none; follow next for the others. */
kc_session_monitor_entry_t *kc_session_monitor_first(const kc_session_monitor_t *monitor);

/* Asks the store about all sessions, several in one request, and fills in state and err. A session
 * has ended when it is gone, revoked, or past its end, or when its ID token has expired and cannot
 * be renewed. This does not count as activity: the idle end is not moved. */
void kc_session_monitor_look(kc_session_monitor_t *monitor);
/* Renews a session that was found LIVE, if that is due (kc_refresh_session). Fills in state, err,
 * and the times of the session that may have changed. Waits for the provider, not for other
 * requests. A provider that does not answer ends nothing. */
void kc_session_monitor_renew(kc_session_monitor_entry_t *entry, apr_pool_t *pool);

#endif

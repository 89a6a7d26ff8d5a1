/* The session index: the sessions of a user, as listed for the user or an operator.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_INDEX_H
#define KC_SESSION_INDEX_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

#include "base/err.h"
#include "rp.h"
#include "session/session_codec.h"

/* Each user has a fixed number of slots in the store. Their keys are derived from the user's name.
 * A session takes one slot when it begins, and notes there when it was used. When a user has more
 * sessions than slots, those used last are listed. The index is for information only: it does not
 * decide whether a session is valid. Ending all sessions of a user (revocation.h) also ends those
 * without a slot. */

enum {
    KC_SESSION_INDEX_SLOTS = 16,
    KC_SESSION_INDEX_TEXT_MAX = 120 /* bytes kept of an address or agent */
};

typedef struct kc_session_index_entry_t {
    char key[KC_STORE_KEY_LEN + 1]; /* of the session in the store */
    int64_t created;                /* seconds since 1970 */
    int64_t used; /* seconds since 1970 of the last noted use; noted once in each tenth of the idle
                     time */
    const char *sub;
    const char *address; /* address of the browser at sign-in; "" when not known */
    const char *agent;   /* User-Agent of the browser at sign-in */
} kc_session_index_entry_t;

/* Chooses the slot for a new session: a free one, or that of the least recently used session.
 * KC_SESSION_NO_SLOT when the store does not answer. Thread safe, like all functions here. */
unsigned int kc_session_index_choose_slot(const kc_rp_t *rp, const char *user, apr_pool_t *pool);
/* Lists a session that has just been created and has a slot. address and agent may be NULL. If the
 * store does not take the entry, the session is not listed. */
void kc_session_index_add(const kc_rp_t *rp, const kc_session_t *session, const char *address,
                          const char *agent, apr_pool_t *pool);
/* Notes that a session that was found is used now. The entry is kept until end, unless it is used
 * again. */
void kc_session_index_touch(const kc_session_t *session, int64_t now, int64_t end,
                            apr_pool_t *pool);
/* When the session was used last, as noted; 0: not known. */
int64_t kc_session_index_touched(const kc_session_t *session, apr_pool_t *pool);
/* Removes a session that was found and has ended from the list. */
void kc_session_index_remove(const kc_session_t *session, apr_pool_t *pool);
/* The user's live sessions: an array of kc_session_index_entry_t, the most recently used first.
 * *is_partial (may be NULL): servers that do not answer may have more. KC_DOWN when no server
 * answers, or when some do not and the others have no session. */
kc_rc_t kc_session_index_list(const kc_rp_t *rp, const char *user, apr_pool_t *pool,
                              const apr_array_header_t **entries, int *is_partial, kc_err_t *err);

#endif

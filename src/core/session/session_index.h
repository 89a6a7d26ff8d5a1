/* The roster: which sessions a user has, as far as the user or an operator is to see it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_INDEX_H
#define KC_SESSION_INDEX_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

#include "base/err.h"
#include "rp.h"
#include "session/session_codec.h"

/*
 * A user has a bounded number of slots in the store, whose names come from the user's. A session
 * takes one when it begins, and says there when it was used; of more sessions than slots those that
 * were used last are listed. It is for looking: nothing here decides whether a session is good, and
 * what ends all of a user's sessions (revocation.h) ends those without a slot as well.
 */

enum {
    KC_SESSION_INDEX_SLOTS = 16,
    KC_SESSION_INDEX_TEXT_MAX = 120 /* bytes kept of an address or agent */
};

typedef struct kc_session_index_entry_t {
    char key[KC_STORE_KEY_LEN + 1]; /* of the session in the store */
    int64_t created;                /* seconds since 1970 */
    int64_t used; /* the same, when it was last noted: each tenth of the idle time */
    const char *sub;
    const char *address; /* where the browser was at the sign-in; "" when not known */
    const char *agent;   /* what it said it was */
} kc_session_index_entry_t;

/* The slot for a new session: a free one, or that of the session whose last use is longest ago;
 * KC_SESSION_NO_SLOT when the store does not answer. Thread safe, as all here. */
unsigned int kc_session_index_choose_slot(const kc_rp_t *rp, const char *user, apr_pool_t *pool);
/* Enters a session that has just been created, with a slot. address and agent may be NULL. What the
 * store does not take is not listed. */
void kc_session_index_add(const kc_rp_t *rp, const kc_session_t *session, const char *address,
                          const char *agent, apr_pool_t *pool);
/* A session that was found has been used: now, and it ends at end unless it is used again. */
void kc_session_index_touch(const kc_session_t *session, int64_t now, int64_t end,
                            apr_pool_t *pool);
/* When the session was used last, as noted; 0: not known. */
int64_t kc_session_index_touched(const kc_session_t *session, apr_pool_t *pool);
/* A session that was found has ended: it is listed no more. */
void kc_session_index_remove(const kc_session_t *session, apr_pool_t *pool);
/* The user's sessions that are live: an array of kc_session_index_entry_t, the last used one first.
 * *is_partial (may be NULL): there may be others where nobody could look. KC_DOWN when the store
 * does not answer, or a part of it alone, which knows of none. */
kc_rc_t kc_session_index_list(const kc_rp_t *rp, const char *user, apr_pool_t *pool,
                              const apr_array_header_t **entries, int *is_partial, kc_err_t *err);

#endif

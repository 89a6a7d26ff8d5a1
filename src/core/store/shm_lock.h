/* A lock in shared memory that outlives whoever dies with it in hand.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SHM_LOCK_H
#define KC_SHM_LOCK_H

#include <pthread.h>
#include <stdint.h>

enum {
    /* How long a lock is waited for whose owner lives but does not go on, because it was stopped:
     * a busy machine lets it go on long before, and when it dies the wait ends at once. */
    KC_SHM_LOCK_PATIENCE_MS = 5000
};

/* Makes a lock in memory that is to be inherited by fork: 0, or what pthread says. */
int kc_shm_lock_init(pthread_mutex_t *mutex);
/* Takes it: 0; EOWNERDEAD: taken from a process that died, which may have left what the lock guards
 * half done: mend that, then call kc_shm_lock_mended; EBUSY: not to be had at once, and
 * *patience_ms is 0; ETIMEDOUT: not within *patience_ms milliseconds; others: broken for good. What
 * the wait has used up is taken off *patience_ms. A time in which this process was stopped itself
 * counts for no more than a tenth of a second. */
int kc_shm_lock_take(pthread_mutex_t *mutex, int64_t *patience_ms);
/* What the lock guards is whole again: 0, or what pthread says. */
int kc_shm_lock_mended(pthread_mutex_t *mutex);
void kc_shm_lock_give(pthread_mutex_t *mutex);

#endif

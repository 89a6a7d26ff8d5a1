/* A lock in shared memory that survives the death of its owner.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SHM_LOCK_H
#define KC_SHM_LOCK_H

#include <pthread.h>
#include <stdint.h>

enum {
    /* How long to wait for a lock whose owner is alive but stopped. On a busy machine the owner
     * continues long before that. When it dies, the wait ends at once. */
    KC_SHM_LOCK_WAIT_MS = 5000
};

/* Makes a lock in memory that fork will share. 0, or the error number of pthread. */
int kc_shm_lock_init(pthread_mutex_t *mutex);
/* Takes the lock. Returns:
 *   0: taken.
 *   EOWNERDEAD: taken from a process that died and may have left the protected data half written.
 *   Repair it, then call kc_shm_lock_mended.
 *   EBUSY: not free now, and *wait_ms is 0.
 *   ETIMEDOUT: not free within *wait_ms milliseconds.
 *   Other numbers: the lock is broken for good.
 *
 * The time that was waited is taken off *wait_ms. A time in which this process itself was
 * stopped counts for at most a tenth of a second. */
int kc_shm_lock_take(pthread_mutex_t *mutex, int64_t *wait_ms);
/* The protected data is consistent again. 0, or the error number of pthread. */
int kc_shm_lock_mended(pthread_mutex_t *mutex);
void kc_shm_lock_give(pthread_mutex_t *mutex);

#endif

/* The store in shared memory of this host.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_SHM_H
#define KC_STORE_SHM_H

#include "store/store.h"

/* Shared memory, made before fork and inherited by the children. A child killed at any instruction
 * leaves it usable. Values of any size share all of it, except a twentieth that is reserved for
 * KC_STORE_OPEN. KC_STORE_CRITICAL may take up to an eighth. When it is full, expired values are
 * removed, then the oldest (written or touched). An operation waits for a lock until its owner
 * continues or dies, at most KC_SHM_LOCK_WAIT_MS (shm_lock.h); then it is KC_DOWN. size in
 * bytes (at least 1 MiB, else KC_REFUSED). now/context: the clock, in seconds. The mapping is
 * released with pool (the process pool, to live across graceful restarts). */
kc_rc_t kc_store_shm_create(size_t size, int64_t (*now)(void *context), void *context,
                            apr_pool_t *pool, kc_store_t **out, kc_err_t *err);
/* httpd unloads the module's code at each restart, and a store's functions with it. Only the memory
 * can be kept over a restart. Remember kc_store_shm_memory and its size in the process pool; the
 * reloaded code attaches to it with its own handle, in pool. attach is KC_REFUSED when the memory
 * has another size or the layout of another version; then make a new store. */
void *kc_store_shm_memory(const kc_store_t *store);
kc_rc_t kc_store_shm_attach(void *memory, size_t size, int64_t (*now)(void *context), void *context,
                            apr_pool_t *pool, kc_store_t **out, kc_err_t *err);

/* Calls report when values were evicted before they expired, with their count since the last call:
 * at most once a minute for all processes, without a lock. Set it before the store is shared. */
void kc_store_shm_report(kc_store_t *store, void (*report)(void *context, uint64_t count),
                         void *context);
/* How many values were evicted before they expired, since the memory was made. */
uint64_t kc_store_shm_evicted(const kc_store_t *store);

#endif

/* The store in shared memory of this host.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_SHM_H
#define KC_STORE_SHM_H

#include "store/store.h"

/* Shared memory, made before fork and inherited by the children; a child killed at any instruction
 * leaves it usable. Values of any size share all of it, but for a twentieth that KC_STORE_OPEN has
 * for itself; marks may have an eighth. Full: expired values, then the oldest (written or touched)
 * make room. An operation waits for a lock as long as its owner goes on or dies, at most
 * KC_SHM_LOCK_PATIENCE_MS (shm_lock.h), then it is KC_DOWN. size in bytes (at least 1 MiB, else
 * KC_REFUSED). now/context: the clock, in seconds. The mapping is released with pool (the process
 * pool, to live across graceful restarts). */
kc_rc_t kc_store_shm_create(size_t size, int64_t (*now)(void *context), void *context,
                            apr_pool_t *pool, kc_store_t **out, kc_err_t *err);
/* httpd unloads the module's code at each restart, and a store's functions with it. What may be
 * kept over a restart is the memory alone: remember kc_store_shm_memory and its size in the process
 * pool; the reloaded code attaches to it with a handle of its own, in pool. attach is KC_REFUSED
 * when the memory has another size or another version's layout; then make a new one. */
void *kc_store_shm_memory(const kc_store_t *store);
kc_rc_t kc_store_shm_attach(void *memory, size_t size, int64_t (*now)(void *context), void *context,
                            apr_pool_t *pool, kc_store_t **out, kc_err_t *err);

/* Has report called when values that lived had to make room, with their count since the last call:
 * at most once a minute for all processes, without a lock. Before the store is shared. */
void kc_store_shm_report(kc_store_t *store, void (*report)(void *context, uint64_t count),
                         void *context);
/* How many there have been since the memory was made. */
uint64_t kc_store_shm_evicted(const kc_store_t *store);

#endif

/* The first tier: views of sessions, ready for use, in the shared memory of a host.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_VIEW_CACHE_H
#define KC_VIEW_CACHE_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/siphash.h"
#include "store/view_cache_view.h"

enum {
    KC_VIEW_CACHE_SIZE_MIN = 320 * 1024, /* bytes */
    KC_VIEW_CACHE_SCOPE_SIZE = 16,       /* bytes that tell relying parties apart */
    KC_VIEW_CACHE_ID_SIZE = 32           /* bytes of a session's id */
};

/* Views by session id, for all children of a host. Reading takes no lock and never waits. A child
 * killed at any instruction leaves every other view readable. It is a cache: any view may be gone
 * at any time, and nothing here fails or decides. Every function is safe to call from several
 * threads and processes at once. */
typedef struct kc_view_cache_t kc_view_cache_t;

/* One look-up, which the later calls refer to; on the caller's stack. */
typedef struct kc_view_cache_ticket_t {
    uint64_t name[2];
    uint64_t drops; /* how many drops there had been */
    void *slot;     /* where the view was; NULL: not found */
} kc_view_cache_ticket_t;

/* How many bytes of KeycloakCacheSize belong to the first tier; the rest is the store's. */
size_t kc_view_cache_share(size_t size);
/* Shared memory of size bytes, made before fork and inherited. key: random. It is released with
 * pool (the process pool, to live across graceful restarts). KC_REFUSED when size is below
 * KC_VIEW_CACHE_SIZE_MIN; KC_FAULT when the system has no such memory or no robust locks. */
kc_rc_t kc_view_cache_create(size_t size, const kc_siphash_key_t *key, apr_pool_t *pool,
                             kc_view_cache_t **out, kc_err_t *err);
/* Only the memory outlives the module's code in a restart, see kc_store_shm_attach. KC_REFUSED when
 * it has another size or the layout of another version. */
void *kc_view_cache_memory(const kc_view_cache_t *cache);
kc_rc_t kc_view_cache_attach(void *memory, size_t size, apr_pool_t *pool, kc_view_cache_t **out,
                             kc_err_t *err);

/* Looks up a session: 1 with *view filled, or 0. scope: KC_VIEW_CACHE_SCOPE_SIZE bytes. id:
 * KC_VIEW_CACHE_ID_SIZE bytes. now in seconds. The ticket is filled either way; take it before
 * asking the store. */
int kc_view_cache_find(kc_view_cache_t *cache, const unsigned char *scope, const unsigned char *id,
                       int64_t now, apr_pool_t *pool, kc_view_cache_ticket_t *ticket,
                       kc_view_cache_view_t *view);
/* Keeps what the store has answered, in place of the old view. Does nothing when the session (or,
 * rarely, another one) was dropped since the ticket was taken, when another thread is writing, or
 * when it is too large. Returns how many views made room for it. */
size_t kc_view_cache_put(kc_view_cache_t *cache, const kc_view_cache_ticket_t *ticket,
                         const kc_view_cache_view_t *view, int64_t now);
/* The stamp of a stored value: a keyed hash of all of it, which stays the same while the memory
 * exists. Even a writer to the store cannot make another value with the same stamp. */
void kc_view_cache_stamp(const kc_view_cache_t *cache, kc_bytes_t value,
                         unsigned char stamp[KC_VIEW_CACHE_STAMP_SIZE]);
/* 1 for the one caller in span_ms milliseconds that must ask the store about the view found. */
int kc_view_cache_claim(const kc_view_cache_ticket_t *ticket, int64_t now_ms, int64_t span_ms);
/* Notes that the store has confirmed the view found. */
void kc_view_cache_vouch(const kc_view_cache_ticket_t *ticket, const kc_view_cache_view_t *view,
                         int64_t now_ms);
/* Changes the moment of the view found. 1 for the one caller that must tell the store. */
int kc_view_cache_touch(const kc_view_cache_ticket_t *ticket, const kc_view_cache_view_t *view,
                        int64_t moment);
/* Call it when the session has ended: removes its view, and keeps earlier look-ups from putting it
 * again. Waits for a lock up to KC_SHM_LOCK_WAIT_MS (shm_lock.h). A view that it cannot reach
 * ends by its age. */
void kc_view_cache_drop(kc_view_cache_t *cache, const kc_view_cache_ticket_t *ticket);

/* How full it is. */
typedef struct kc_view_cache_fill_t {
    uint64_t entries;
    uint64_t used; /* bytes, in whole blocks */
    uint64_t size; /* bytes that views may take */
} kc_view_cache_fill_t;

/* Reads counters of each area, without a lock: numbers of the same moment, or nearly. A millisecond
 * for a thousand areas, a MiB each. */
void kc_view_cache_fill(const kc_view_cache_t *cache, kc_view_cache_fill_t *fill);

#endif

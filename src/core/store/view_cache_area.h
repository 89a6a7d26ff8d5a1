/* An area of the first tier: slots in sets, and the bytes of views in blocks.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_VIEW_CACHE_AREA_H
#define KC_VIEW_CACHE_AREA_H

#include <pthread.h>

#include "store/shm_blocks.h"
#include "store/view_cache_view.h"

/* The memory holds a header, the stripes (a lock each), and as many areas of equal size. An area
 * has sets of slots, and blocks. A set is a line of tags and as many slots ("ways"). A name may be
 * in either of two sets of one area, so that sets fill evenly. The bytes of a view are in a chain
 * of blocks: its key in the store, its stamp, and the view.
 *
 * Readers take no lock. A slot's sequence is odd while it is written. A reader that finds it odd,
 * or changed after copying, discards what it read. Slots stay slots for ever, and a chain is
 * changed only while its slot's sequence is odd. So no reader takes the bytes of another view for
 * those of this one. A process that gets the stripe's lock from a dead owner frees the slots with
 * an odd sequence, and names the chains of the others again.
 *
 * Every word that several processes may access is read with acquire and written with release. A
 * sequence lock needs no stronger order, and on common processors these cost nothing. */

enum { KC_VIEW_CACHE_AREA_WAYS = 8 /* their tags fill one cache line */ };

/* What the processes share of an area besides its memory; zeros at first, except the lock. */
typedef struct kc_view_cache_stripe_t {
    pthread_mutex_t mutex __attribute__((aligned(128)));
    kc_shm_blocks_state_t blocks;
    uint64_t hand;    /* the slot where the next search for space begins */
    uint64_t entries; /* views */
} kc_view_cache_stripe_t;

/* As large as a cache line. */
typedef struct kc_view_cache_slot_t {
    uint64_t sequence;
    uint64_t name[2];
    int64_t checked_ms;
    int64_t moment;
    int64_t asked_ms; /* when a request last went to ask the store */
    uint32_t used;    /* seconds */
    uint32_t first;   /* of its blocks */
    uint64_t len;     /* of the view */
} kc_view_cache_slot_t;

typedef struct kc_view_cache_tags_t {
    uint64_t tag[KC_VIEW_CACHE_AREA_WAYS]; /* the first word of the name of each slot; 0: free */
} kc_view_cache_tags_t;

/* One area as this process sees it. */
typedef struct kc_view_cache_area_t {
    kc_view_cache_stripe_t *stripe;
    kc_view_cache_tags_t *tags;
    kc_view_cache_slot_t *slots;
    size_t sets;
    kc_shm_blocks_t blocks;
} kc_view_cache_area_t;

/* Lays out an area in size bytes (256 KiB or more) at memory, aligned to the block size. */
void kc_view_cache_area_place(kc_view_cache_area_t *area, kc_view_cache_stripe_t *stripe,
                              unsigned char *memory, size_t size);
/* Without the lock: fills view with what the area has under name, and returns its slot; NULL:
 * nothing. */
kc_view_cache_slot_t *kc_view_cache_area_find(const kc_view_cache_area_t *area,
                                              const uint64_t name[2], apr_pool_t *pool,
                                              kc_view_cache_view_t *view);
/* 1 when a view of len bytes may be written: up to KC_VIEW_CACHE_VIEW_MAX, and half of the area, so
 * that the view of one user never evicts those of all others. Without the lock. */
int kc_view_cache_area_fits(const kc_view_cache_area_t *area, size_t len);
/* Takes the area's lock, waiting up to wait_ms milliseconds: 1, or 0. */
int kc_view_cache_area_lock(kc_view_cache_area_t *area, int64_t wait_ms);
void kc_view_cache_area_unlock(kc_view_cache_area_t *area);
/* With the lock: writes the view (which must fit) under name, in place of the old one. Less
 * recently used views are evicted for it, and their bytes are cleared. Returns how many. */
size_t kc_view_cache_area_write(kc_view_cache_area_t *area, const uint64_t name[2],
                                const kc_view_cache_view_t *view, int64_t now);
void kc_view_cache_area_forget(kc_view_cache_area_t *area, const uint64_t name[2]);
/* With the lock: counts the views anew. */
void kc_view_cache_area_count(kc_view_cache_area_t *area);

/* How words that several processes may access are read and written. */
static inline uint64_t kc_view_cache_area_load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline uint32_t kc_view_cache_area_load_number(const uint32_t *number)
{
    return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static inline void kc_view_cache_area_store_number(uint32_t *number, uint32_t value)
{
    __atomic_store_n(number, value, __ATOMIC_RELEASE);
}

static inline int64_t kc_view_cache_area_load_time(const int64_t *time)
{
    return __atomic_load_n(time, __ATOMIC_ACQUIRE);
}

#endif

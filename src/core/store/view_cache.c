/* The first tier: views by name, in areas of shared memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/view_cache.h"

#include <apr_shm.h>
#include <string.h>

#include "store/shm_lock.h"
#include "store/view_cache_area.h"

/* The memory holds a header, the stripes (a lock each), and as many areas (view_cache_area.h) of
 * equal size. A name belongs to one area. */

enum {
    LINE = 128,
    AREA_MIN = 1024 * 1024, /* bytes */
    DROPS = 1024,           /* counters of drops: a power of two */
    SHARE = 38, /* per cent: about the share of a session's view in everything that is stored of the
                   session and its user, for small and large ones */
    USED_SECONDS = 8 /* precision of the time of last use */
};

/* The last digits are the layout's version. */
static const uint64_t magic = UINT64_C(0x6b63636163680003);

typedef struct {
    uint64_t magic;
    uint64_t size;
    kc_siphash_key_t key;
    uint64_t drops[DROPS];
} __attribute__((aligned(LINE))) header_t;

struct kc_view_cache_t {
    void *memory; /* as returned by the system */
    header_t *header;
    kc_view_cache_area_t *areas;
    size_t count; /* of areas: a power of two */
};

static int swap_time(int64_t *time, int64_t from, int64_t to)
{
    return __atomic_compare_exchange_n(time, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* ---------------------------------------------------------------- layout */

/* Computes all addresses; the same size gives the same layout in each process. */
static void layout(kc_view_cache_t *cache, void *memory, size_t size, apr_pool_t *pool)
{
    size_t skip = (LINE - (uintptr_t)memory % LINE) % LINE;
    unsigned char *base = (unsigned char *)memory + skip, *next;
    kc_view_cache_stripe_t *stripes = (kc_view_cache_stripe_t *)(void *)(base + sizeof(header_t));
    size_t area_size, i;

    cache->memory = memory;
    cache->header = (header_t *)(void *)base;
    cache->count = 1;
    while (cache->count * 2 * AREA_MIN <= size)
        cache->count *= 2;
    cache->areas = apr_palloc(pool, cache->count * sizeof(*cache->areas));
    next = (unsigned char *)(stripes + cache->count);
    area_size = (size - LINE - (size_t)(next - base)) / cache->count / LINE * LINE;
    for (i = 0; i < cache->count; i++)
        kc_view_cache_area_place(&cache->areas[i], &stripes[i], next + i * area_size, area_size);
}

static kc_view_cache_area_t *area_of(const kc_view_cache_t *cache, const uint64_t name[2])
{
    return &cache->areas[(size_t)name[1] & (cache->count - 1)];
}

static uint64_t *drops_of(const kc_view_cache_t *cache, const uint64_t name[2])
{
    return &cache->header->drops[(size_t)name[1] & (DROPS - 1)];
}

/* ---------------------------------------------------------------- reading */

/* The name does not reveal the id or the user. */
static void make_name(const kc_view_cache_t *cache, const unsigned char *scope,
                      const unsigned char *id, uint64_t name[2])
{
    kc_siphash_t hash;

    kc_siphash_init(&hash, &cache->header->key);
    kc_siphash_put(&hash, scope, KC_VIEW_CACHE_SCOPE_SIZE);
    kc_siphash_put(&hash, id, KC_VIEW_CACHE_ID_SIZE);
    kc_siphash_end(&hash, name);
    name[0] |= !name[0];
}

void kc_view_cache_stamp(const kc_view_cache_t *cache, kc_bytes_t value,
                         unsigned char stamp[KC_VIEW_CACHE_STAMP_SIZE])
{
    size_t rest = value.len % sizeof(uint64_t), whole = value.len - rest;
    uint64_t last[2] = {0, value.len}, result[2];
    kc_siphash_t hash;

    if (rest)
        memcpy(last, value.data + whole, rest);
    kc_siphash_init(&hash, &cache->header->key);
    kc_siphash_put(&hash, value.data, whole);
    kc_siphash_put(&hash, (const unsigned char *)last, sizeof(last));
    kc_siphash_end(&hash, result);
    memcpy(stamp, result, sizeof(result));
}

int kc_view_cache_find(kc_view_cache_t *cache, const unsigned char *scope, const unsigned char *id,
                       int64_t now, apr_pool_t *pool, kc_view_cache_ticket_t *ticket,
                       kc_view_cache_view_t *view)
{
    kc_view_cache_slot_t *slot;

    make_name(cache, scope, id, ticket->name);
    ticket->drops = kc_view_cache_area_load(drops_of(cache, ticket->name));
    ticket->slot = slot =
        kc_view_cache_area_find(area_of(cache, ticket->name), ticket->name, pool, view);
    if (slot && (uint32_t)now - kc_view_cache_area_load_number(&slot->used) >= USED_SECONDS)
        kc_view_cache_area_store_number(&slot->used, (uint32_t)now);
    return slot != NULL;
}

/* ---------------------------------------------------------------- small changes, without a lock */

/* Each function changes one word of the slot that was found. If the slot has been given to another
 * session meanwhile, that word was written a moment ago. A wrong change then costs no more than
 * that moment. */

int kc_view_cache_claim(const kc_view_cache_ticket_t *ticket, int64_t now_ms, int64_t span_ms)
{
    kc_view_cache_slot_t *slot = ticket->slot;
    int64_t asked = kc_view_cache_area_load_time(&slot->asked_ms);

    if (now_ms >= asked && now_ms - asked < span_ms)
        return 0;
    return swap_time(&slot->asked_ms, asked, now_ms);
}

void kc_view_cache_vouch(const kc_view_cache_ticket_t *ticket, const kc_view_cache_view_t *view,
                         int64_t now_ms)
{
    kc_view_cache_slot_t *slot = ticket->slot;

    (void)swap_time(&slot->checked_ms, view->checked_ms, now_ms);
}

int kc_view_cache_touch(const kc_view_cache_ticket_t *ticket, const kc_view_cache_view_t *view,
                        int64_t moment)
{
    kc_view_cache_slot_t *slot = ticket->slot;

    return swap_time(&slot->moment, view->moment, moment);
}

/* ---------------------------------------------------------------- writing */

size_t kc_view_cache_put(kc_view_cache_t *cache, const kc_view_cache_ticket_t *ticket,
                         const kc_view_cache_view_t *view, int64_t now)
{
    kc_view_cache_area_t *area = area_of(cache, ticket->name);
    size_t evicted = 0;

    if (!kc_view_cache_area_fits(area, view->bytes.len) || !kc_view_cache_area_lock(area, 0))
        return 0;
    if (kc_view_cache_area_load(drops_of(cache, ticket->name)) == ticket->drops)
        evicted = kc_view_cache_area_write(area, ticket->name, view, now);
    kc_view_cache_area_unlock(area);
    return evicted;
}

/* The drop counter is increased first and without the lock: from then on no older answer is put. */
void kc_view_cache_drop(kc_view_cache_t *cache, const kc_view_cache_ticket_t *ticket)
{
    kc_view_cache_area_t *area = area_of(cache, ticket->name);

    (void)__atomic_add_fetch(drops_of(cache, ticket->name), 1, __ATOMIC_ACQ_REL);
    if (!kc_view_cache_area_lock(area, KC_SHM_LOCK_WAIT_MS))
        return;
    kc_view_cache_area_forget(area, ticket->name);
    kc_view_cache_area_unlock(area);
}

/* ---------------------------------------------------------------- filling */

void kc_view_cache_fill(const kc_view_cache_t *cache, kc_view_cache_fill_t *fill)
{
    size_t i;

    memset(fill, 0, sizeof(*fill));
    for (i = 0; i < cache->count; i++) {
        const kc_view_cache_area_t *area = &cache->areas[i];
        const uint64_t left = kc_shm_blocks_left(&area->blocks);

        fill->entries += kc_view_cache_area_load(&area->stripe->entries);
        fill->used += (area->blocks.count - left) * KC_SHM_BLOCK_SIZE;
        fill->size += (uint64_t)area->blocks.count * KC_SHM_BLOCK_SIZE;
    }
}

/* Views that a version without this counter has written are counted once, at a restart. */
static void count_all(const kc_view_cache_t *cache)
{
    size_t i;

    for (i = 0; i < cache->count; i++) {
        if (!kc_view_cache_area_lock(&cache->areas[i], KC_SHM_LOCK_WAIT_MS))
            continue;
        kc_view_cache_area_count(&cache->areas[i]);
        kc_view_cache_area_unlock(&cache->areas[i]);
    }
}

/* ---------------------------------------------------------------- making */

size_t kc_view_cache_share(size_t size)
{
    return size / 100 * SHARE;
}

static int stripes_init(const kc_view_cache_t *cache)
{
    size_t i;
    int status = 0;

    for (i = 0; !status && i < cache->count; i++)
        status = kc_shm_lock_init(&cache->areas[i].stripe->mutex);
    return status;
}

static kc_rc_t handle_make(void *memory, size_t size, apr_pool_t *pool, kc_view_cache_t **out,
                           kc_err_t *err)
{
    if (size < KC_VIEW_CACHE_SIZE_MIN)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "first tier: at least 320 KiB are needed");
    *out = apr_pcalloc(pool, sizeof(**out));
    layout(*out, memory, size, pool);
    return KC_OK;
}

kc_rc_t kc_view_cache_create(size_t size, const kc_siphash_key_t *key, apr_pool_t *pool,
                             kc_view_cache_t **out, kc_err_t *err)
{
    apr_shm_t *mapping;
    kc_rc_t rc;

    /* anonymous, all zeros, without pages until used; released by APR's code, not the module's */
    if (apr_shm_create(&mapping, size, NULL, pool) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "first tier: %zu bytes cannot be had", size);
    rc = handle_make(apr_shm_baseaddr_get(mapping), size, pool, out, err);
    if (rc != KC_OK)
        return rc;
    if (stripes_init(*out))
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "first tier: robust locks are missing");
    (*out)->header->key = *key;
    (*out)->header->size = size;
    (*out)->header->magic = magic;
    return KC_OK;
}

void *kc_view_cache_memory(const kc_view_cache_t *cache)
{
    return cache->memory;
}

kc_rc_t kc_view_cache_attach(void *memory, size_t size, apr_pool_t *pool, kc_view_cache_t **out,
                             kc_err_t *err)
{
    kc_rc_t rc = handle_make(memory, size, pool, out, err);

    if (rc != KC_OK)
        return rc;
    if ((*out)->header->magic != magic || (*out)->header->size != size)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "first tier: of another size or version");
    count_all(*out);
    return KC_OK;
}

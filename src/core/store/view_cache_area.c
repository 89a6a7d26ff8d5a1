/* An area of the first tier: read under sequence counters, written under a robust lock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/view_cache_area.h"

#include <errno.h>
#include <string.h>

#include "store/shm_lock.h"

enum {
    SETS = 2,            /* that a name may be in */
    BLOCKS_PER_SLOT = 6, /* a small view has four, one with many groups twenty */
    VIEWS_LOOKED_AT = 8 * KC_VIEW_CACHE_AREA_WAYS, /* the one to evict is chosen among these */
    LARGEST_SHARE = 2,                             /* a view may take at most 1/2 of an area */
    TRIES = 4 /* of a read that meets a writer; then the store is asked */
};

/* What precedes the view in its blocks. */
typedef struct {
    uint64_t key[KC_VIEW_CACHE_KEY_SIZE / sizeof(uint64_t)];
    uint64_t stamp[KC_VIEW_CACHE_STAMP_SIZE / sizeof(uint64_t)];
} prefix_t;

enum { BLOCK_WORDS = KC_SHM_BLOCK_SIZE / sizeof(uint64_t), QUAD = 4 };

static void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static void store_time(int64_t *time, int64_t value)
{
    __atomic_store_n(time, value, __ATOMIC_RELEASE);
}

/* ---------------------------------------------------------------- layout */

static size_t set_size(void)
{
    return sizeof(kc_view_cache_tags_t) + KC_VIEW_CACHE_AREA_WAYS * sizeof(kc_view_cache_slot_t);
}

void kc_view_cache_area_place(kc_view_cache_area_t *area, kc_view_cache_stripe_t *stripe,
                              unsigned char *memory, size_t size)
{
    size_t blocks_per_set = (size_t)KC_VIEW_CACHE_AREA_WAYS * BLOCKS_PER_SLOT;
    size_t each = set_size() + blocks_per_set * (KC_SHM_BLOCK_SIZE + sizeof(uint32_t));
    size_t sets = size / each / 2 * 2; /* keeps the following memory aligned */
    uint32_t count = (uint32_t)(sets * blocks_per_set);

    while (sets * set_size() + kc_shm_blocks_size(count) > size)
        count--;
    area->stripe = stripe;
    area->sets = sets;
    area->tags = (kc_view_cache_tags_t *)(void *)memory;
    area->slots = (kc_view_cache_slot_t *)(void *)(memory + sets * sizeof(kc_view_cache_tags_t));
    kc_shm_blocks_place(&area->blocks, &stripe->blocks, memory + sets * set_size(), count);
}

/* The sets of a name, chosen by two halves of it that are used for nothing else. */
static void find_sets(const kc_view_cache_area_t *area, const uint64_t name[2], size_t sets[SETS])
{
    sets[0] = (size_t)(((name[1] >> 32) * area->sets) >> 32);
    sets[1] = (size_t)(((name[0] >> 32) * area->sets) >> 32);
}

static kc_view_cache_slot_t *slot_at(const kc_view_cache_area_t *area, size_t set, size_t way)
{
    return &area->slots[set * KC_VIEW_CACHE_AREA_WAYS + way];
}

static uint64_t *word_at(const kc_view_cache_area_t *area, uint32_t number)
{
    return (uint64_t *)(void *)kc_shm_blocks_at(&area->blocks, number);
}

static uint32_t blocks_for(size_t len)
{
    return (uint32_t)((sizeof(prefix_t) + len + KC_SHM_BLOCK_SIZE - 1) / KC_SHM_BLOCK_SIZE);
}

/* ---------------------------------------------------------------- reading */

static int is_named(const kc_view_cache_slot_t *slot, const uint64_t name[2])
{
    return kc_view_cache_area_load(&slot->name[0]) == name[0] &&
           kc_view_cache_area_load(&slot->name[1]) == name[1];
}

/* Copies count words of a chain to `to`, which has room for QUAD - 1 more, because QUAD words are
 * copied at a time. 0 when the chain ends before that, as it may while it is changed. */
static int read_chain(const kc_view_cache_area_t *area, uint32_t number, uint64_t *to, size_t count)
{
    while (count) {
        size_t part = count < BLOCK_WORDS ? count : BLOCK_WORDS, i;
        const uint64_t *from;

        if (!number || number > area->blocks.count)
            return 0;
        from = word_at(area, number);
        for (i = 0; i < part; i += QUAD) {
            to[i] = kc_view_cache_area_load(&from[i]);
            to[i + 1] = kc_view_cache_area_load(&from[i + 1]);
            to[i + 2] = kc_view_cache_area_load(&from[i + 2]);
            to[i + 3] = kc_view_cache_area_load(&from[i + 3]);
        }
        to += part;
        count -= part;
        number = kc_shm_blocks_next(&area->blocks, number);
    }
    return 1;
}

/* 1 when the slot holds this name and did not change while it was copied. */
static int read_slot(const kc_view_cache_area_t *area, const kc_view_cache_slot_t *slot,
                     const uint64_t name[2], apr_pool_t *pool, kc_view_cache_view_t *view)
{
    uint64_t sequence = kc_view_cache_area_load(&slot->sequence);
    size_t len = (size_t)kc_view_cache_area_load(&slot->len),
           count = sizeof(prefix_t) / sizeof(uint64_t);
    uint64_t *words;

    if (sequence & 1 || !is_named(slot, name) || len > KC_VIEW_CACHE_VIEW_MAX)
        return 0;
    count += (len + sizeof(uint64_t) - 1) / sizeof(uint64_t);
    words = apr_palloc(pool, (count + QUAD) * sizeof(*words));
    view->checked_ms = kc_view_cache_area_load_time(&slot->checked_ms);
    view->moment = kc_view_cache_area_load_time(&slot->moment);
    if (!read_chain(area, kc_view_cache_area_load_number(&slot->first), words, count) ||
        kc_view_cache_area_load(&slot->sequence) != sequence)
        return 0;
    memcpy(view->key, words, sizeof(view->key));
    memcpy(view->stamp, words + sizeof(view->key) / sizeof(*words), sizeof(view->stamp));
    view->bytes.data = (const unsigned char *)words + sizeof(prefix_t);
    view->bytes.len = len;
    return 1;
}

/* The slot with this tag; NULL when there is none. */
static kc_view_cache_slot_t *find_slot(const kc_view_cache_area_t *area, size_t set, uint64_t tag)
{
    const kc_view_cache_tags_t *tags = &area->tags[set];
    size_t way;

    for (way = 0; way < KC_VIEW_CACHE_AREA_WAYS; way++) {
        if (kc_view_cache_area_load(&tags->tag[way]) == tag)
            return slot_at(area, set, way);
    }
    return NULL;
}

kc_view_cache_slot_t *kc_view_cache_area_find(const kc_view_cache_area_t *area,
                                              const uint64_t name[2], apr_pool_t *pool,
                                              kc_view_cache_view_t *view)
{
    size_t sets[SETS], i, tries;

    find_sets(area, name, sets);
    for (i = 0; i < SETS; i++) {
        kc_view_cache_slot_t *slot = find_slot(area, sets[i], name[0]);

        for (tries = 0; slot && tries < TRIES; tries++) {
            if (read_slot(area, slot, name, pool, view))
                return slot;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- writing */

int kc_view_cache_area_fits(const kc_view_cache_area_t *area, size_t len)
{
    return len <= KC_VIEW_CACHE_VIEW_MAX && blocks_for(len) <= area->blocks.count / LARGEST_SHARE;
}

static void begin(kc_view_cache_slot_t *slot)
{
    store(&slot->sequence, kc_view_cache_area_load(&slot->sequence) | 1);
}

static void end(kc_view_cache_slot_t *slot)
{
    store(&slot->sequence, kc_view_cache_area_load(&slot->sequence) + 1);
}

static uint64_t *tag_of(const kc_view_cache_area_t *area, const kc_view_cache_slot_t *slot)
{
    size_t index = (size_t)(slot - area->slots);

    return &area->tags[index / KC_VIEW_CACHE_AREA_WAYS].tag[index % KC_VIEW_CACHE_AREA_WAYS];
}

/* Clears a view's bytes, so that its user's data does not stay in memory. */
static void blank(const kc_view_cache_area_t *area, uint32_t number, uint32_t count)
{
    size_t i;

    for (; count; count--) {
        uint64_t *words = word_at(area, number);

        for (i = 0; i < BLOCK_WORDS; i++)
            store(&words[i], 0);
        number = kc_shm_blocks_next(&area->blocks, number);
    }
}

/* Starts writing the slot, and frees the blocks of its view. */
static void empty(kc_view_cache_area_t *area, kc_view_cache_slot_t *slot)
{
    uint32_t count = blocks_for((size_t)slot->len), first = slot->first;

    if (first)
        store(&area->stripe->entries, area->stripe->entries - 1);
    begin(slot);
    store(tag_of(area, slot), 0);
    store(&slot->name[0], 0);
    store(&slot->len, 0);
    kc_view_cache_area_store_number(&slot->first, 0);
    if (!first)
        return;
    blank(area, first, count);
    kc_shm_blocks_give(&area->blocks, first, count);
}

/* The owner of the lock died. The slot that it was writing is emptied, and blocks that no slot uses
 * are freed. */
static void mend(kc_view_cache_area_t *area)
{
    size_t i;

    kc_shm_blocks_mend_begin(&area->blocks);
    for (i = 0; i < area->sets * KC_VIEW_CACHE_AREA_WAYS; i++) {
        kc_view_cache_slot_t *slot = &area->slots[i];

        if (!slot->sequence)
            continue; /* never used */
        if (!(kc_view_cache_area_load(&slot->sequence) & 1) &&
            slot->len <= KC_VIEW_CACHE_VIEW_MAX && slot->first &&
            kc_shm_blocks_name(&area->blocks, slot->first, blocks_for((size_t)slot->len)))
            continue;
        kc_view_cache_area_store_number(&slot->first, 0);
        empty(area, slot);
        end(slot);
    }
    kc_shm_blocks_mend_end(&area->blocks);
    kc_view_cache_area_count(area);
}

void kc_view_cache_area_count(kc_view_cache_area_t *area)
{
    uint64_t count = 0;
    size_t i;

    for (i = 0; i < area->sets * KC_VIEW_CACHE_AREA_WAYS; i++)
        count += area->slots[i].first != 0;
    store(&area->stripe->entries, count);
}

int kc_view_cache_area_lock(kc_view_cache_area_t *area, int64_t wait_ms)
{
    pthread_mutex_t *mutex = &area->stripe->mutex;
    int status = kc_shm_lock_take(mutex, &wait_ms);

    if (status == EOWNERDEAD) {
        mend(area);
        status = kc_shm_lock_mended(mutex);
    }
    return status == 0;
}

/* The slot for a new view: the name's own slot, else a free one in the emptier of its sets, else
 * the least recently used one of both. */
static kc_view_cache_slot_t *choose_slot(const kc_view_cache_area_t *area, const uint64_t name[2])
{
    kc_view_cache_slot_t *oldest = NULL, *free_slot = NULL;
    size_t sets[SETS], most = 0, i, way;

    find_sets(area, name, sets);
    for (i = 0; i < SETS; i++) {
        const kc_view_cache_tags_t *tags = &area->tags[sets[i]];
        kc_view_cache_slot_t *last_free = NULL;
        size_t free_count = 0;

        for (way = 0; way < KC_VIEW_CACHE_AREA_WAYS; way++) {
            kc_view_cache_slot_t *slot = slot_at(area, sets[i], way);

            if (tags->tag[way] == name[0])
                return slot;
            if (!tags->tag[way]) {
                free_count++;
                last_free = slot;
            }
            if (!oldest || kc_view_cache_area_load_number(&slot->used) <
                               kc_view_cache_area_load_number(&oldest->used))
                oldest = slot;
        }
        if (free_count > most) {
            most = free_count;
            free_slot = last_free;
        }
    }
    return free_slot ? free_slot : oldest;
}

/* The least recently used of the next views at the hand; NULL when there is no view at all. kept:
 * never this one. */
static kc_view_cache_slot_t *choose_to_go(const kc_view_cache_area_t *area,
                                          const kc_view_cache_slot_t *kept)
{
    size_t all = area->sets * KC_VIEW_CACHE_AREA_WAYS, seen = 0, i;
    kc_view_cache_slot_t *oldest = NULL;

    for (i = 0; i < all && seen < VIEWS_LOOKED_AT; i++) {
        kc_view_cache_slot_t *slot;

        area->stripe->hand = (area->stripe->hand + 1) % all;
        slot = &area->slots[area->stripe->hand];
        if (!slot->first || slot == kept)
            continue;
        seen++;
        if (!oldest || kc_view_cache_area_load_number(&slot->used) <
                           kc_view_cache_area_load_number(&oldest->used))
            oldest = slot;
    }
    return oldest;
}

/* Evicts views until count blocks are free. 0 when the area does not have that many. *evicted is
 * increased by their number. */
static int make_room(kc_view_cache_area_t *area, const kc_view_cache_slot_t *kept, uint32_t count,
                     size_t *evicted)
{
    while (kc_shm_blocks_left(&area->blocks) < count) {
        kc_view_cache_slot_t *slot = choose_to_go(area, kept);

        if (!slot)
            return 0;
        empty(area, slot);
        end(slot);
        ++*evicted;
    }
    return 1;
}

/* Where the next word of a chain is written. */
typedef struct {
    const kc_view_cache_area_t *area;
    uint32_t number;
    size_t index; /* of the word in the block */
} pen_t;

/* Writes bytes; the last word is filled up with zeros. */
static void write_bytes(pen_t *pen, const void *data, size_t size)
{
    const unsigned char *from = data;

    while (size) {
        size_t part = size < sizeof(uint64_t) ? size : sizeof(uint64_t);
        uint64_t word = 0;

        memcpy(&word, from, part);
        if (pen->index == BLOCK_WORDS) {
            pen->number = kc_shm_blocks_next(&pen->area->blocks, pen->number);
            pen->index = 0;
        }
        store(&word_at(pen->area, pen->number)[pen->index++], word);
        from += part;
        size -= part;
    }
}

size_t kc_view_cache_area_write(kc_view_cache_area_t *area, const uint64_t name[2],
                                const kc_view_cache_view_t *view, int64_t now)
{
    kc_view_cache_slot_t *slot = choose_slot(area, name);
    uint32_t count = blocks_for(view->bytes.len);
    size_t evicted = slot->first && !is_named(slot, name);

    empty(area, slot);
    if (make_room(area, slot, count, &evicted)) {
        pen_t pen = {area, kc_shm_blocks_take(&area->blocks, count), 0};

        store(&area->stripe->entries, area->stripe->entries + 1);
        kc_view_cache_area_store_number(&slot->first, pen.number);
        write_bytes(&pen, view->key, sizeof(view->key));
        write_bytes(&pen, view->stamp, sizeof(view->stamp));
        write_bytes(&pen, view->bytes.data, view->bytes.len);
        store(tag_of(area, slot), name[0]);
        store(&slot->name[0], name[0]);
        store(&slot->name[1], name[1]);
        store_time(&slot->checked_ms, view->checked_ms);
        store_time(&slot->moment, view->moment);
        store_time(&slot->asked_ms, 0);
        kc_view_cache_area_store_number(&slot->used, (uint32_t)now);
        store(&slot->len, view->bytes.len);
    }
    end(slot);
    return evicted;
}

void kc_view_cache_area_forget(kc_view_cache_area_t *area, const uint64_t name[2])
{
    size_t sets[SETS], i;

    find_sets(area, name, sets);
    for (i = 0; i < SETS; i++) {
        kc_view_cache_slot_t *slot = find_slot(area, sets[i], name[0]);

        if (!slot)
            continue;
        empty(area, slot);
        end(slot);
    }
}

void kc_view_cache_area_unlock(kc_view_cache_area_t *area)
{
    kc_shm_lock_give(&area->stripe->mutex);
}

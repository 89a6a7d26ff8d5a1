/* Values in one area of shared memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/shm_values.h"

#include <string.h>

enum {
    BLOCKS_PER_BUCKET = 4,
    OPEN_SHARE = 20, /* the fraction of the blocks that is reserved for KC_STORE_OPEN */
    CRITICAL_SHARE =
        8, /* the fraction that KC_STORE_CRITICAL may take at most; others use it meanwhile */
    SORT_BINS = 32
};

/* The beginning of a value's first block. */
typedef struct {
    int64_t expires_at;
    uint64_t stamp;
    uint32_t len;
    uint32_t kind;
    uint32_t chained; /* the next entry of the bucket */
    uint32_t newer;
    uint32_t older;
    uint32_t unused;
    unsigned char key[KC_SHM_VALUES_KEY_SIZE];
} entry_t;

enum { FIRST_ROOM = KC_SHM_BLOCK_SIZE - sizeof(entry_t) };

static entry_t *entry_at(const kc_shm_values_t *values, uint32_t number)
{
    return (entry_t *)(void *)kc_shm_blocks_at(&values->blocks, number);
}

static uint32_t blocks_for(size_t len)
{
    if (len <= FIRST_ROOM)
        return 1;
    return (uint32_t)(1 + (len - FIRST_ROOM + KC_SHM_BLOCK_SIZE - 1) / KC_SHM_BLOCK_SIZE);
}

static uint32_t bucket_count(uint32_t count)
{
    return count / BLOCKS_PER_BUCKET / (KC_SHM_BLOCK_SIZE / sizeof(uint32_t)) *
           (KC_SHM_BLOCK_SIZE / sizeof(uint32_t));
}

/* About the largest number of blocks that fits, with their numbers and buckets. */
void kc_shm_values_place(kc_shm_values_t *values, kc_shm_values_state_t *state, void *memory,
                         size_t size)
{
    size_t each = KC_SHM_BLOCK_SIZE + sizeof(uint32_t) + sizeof(uint32_t) / BLOCKS_PER_BUCKET;
    size_t most = size / each;
    uint32_t count = (uint32_t)(most > KC_SHM_BLOCKS_MAX ? KC_SHM_BLOCKS_MAX : most);

    while (kc_shm_blocks_size(count) + bucket_count(count) * sizeof(uint32_t) > size)
        count--;
    values->state = state;
    values->buckets = memory;
    values->bucket_count = bucket_count(count);
    kc_shm_blocks_place(&values->blocks, &state->blocks, values->buckets + values->bucket_count,
                        count);
}

/* ---------------------------------------------------------------- finding */

static uint64_t hash_of(const unsigned char *key)
{
    uint64_t hash = 0;
    size_t i;

    for (i = 0; i < KC_SHM_VALUES_KEY_SIZE; i += sizeof(hash)) {
        uint64_t word;

        memcpy(&word, key + i, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static unsigned int digit(char c)
{
    return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

kc_shm_values_key_t kc_shm_values_key(const char *text)
{
    kc_shm_values_key_t key;
    size_t i;

    for (i = 0; i < KC_SHM_VALUES_KEY_SIZE; i++)
        key.bytes[i] = (unsigned char)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    key.hash = hash_of(key.bytes);
    return key;
}

static uint32_t *bucket_of(const kc_shm_values_t *values, uint64_t hash)
{
    return &values->buckets[((hash >> 32) * values->bucket_count) >> 32];
}

static uint32_t find(const kc_shm_values_t *values, const unsigned char *key, uint64_t hash)
{
    uint32_t number = *bucket_of(values, hash);

    while (number && memcmp(entry_at(values, number)->key, key, KC_SHM_VALUES_KEY_SIZE) != 0)
        number = entry_at(values, number)->chained;
    return number;
}

uint32_t kc_shm_values_find(const kc_shm_values_t *values, const kc_shm_values_key_t *key)
{
    return find(values, key->bytes, key->hash);
}

uint32_t kc_shm_values_find_live(const kc_shm_values_t *values, const kc_shm_values_key_t *key,
                                 int64_t now)
{
    uint32_t number = kc_shm_values_find(values, key);

    return number && entry_at(values, number)->expires_at > now ? number : 0;
}

int64_t kc_shm_values_expiry(const kc_shm_values_t *values, uint32_t number)
{
    return entry_at(values, number)->expires_at;
}

size_t kc_shm_values_read(const kc_shm_values_t *values, uint32_t number, unsigned char *room,
                          size_t size)
{
    const entry_t *entry = entry_at(values, number);
    const unsigned char *from = (const unsigned char *)(entry + 1);
    size_t left = entry->len, part = FIRST_ROOM;

    if (left > size)
        return left;
    for (;;) {
        if (part > left)
            part = left;
        memcpy(room, from, part);
        room += part;
        left -= part;
        if (!left)
            return entry->len;
        number = kc_shm_blocks_next(&values->blocks, number);
        from = kc_shm_blocks_at(&values->blocks, number);
        part = KC_SHM_BLOCK_SIZE;
    }
}

/* ---------------------------------------------------------------- lists and buckets */

static void list_put(kc_shm_values_t *values, uint32_t number)
{
    entry_t *entry = entry_at(values, number);
    kc_shm_values_list_t *list = &values->state->lists[entry->kind];

    entry->newer = 0;
    entry->older = list->newest;
    if (list->newest)
        entry_at(values, list->newest)->newer = number;
    else
        list->oldest = number;
    list->newest = number;
}

static void list_cut(kc_shm_values_t *values, uint32_t number)
{
    const entry_t *entry = entry_at(values, number);
    kc_shm_values_list_t *list = &values->state->lists[entry->kind];

    if (entry->newer)
        entry_at(values, entry->newer)->older = entry->older;
    else
        list->newest = entry->older;
    if (entry->older)
        entry_at(values, entry->older)->newer = entry->newer;
    else
        list->oldest = entry->newer;
}

static void bucket_cut(const kc_shm_values_t *values, uint32_t number)
{
    const entry_t *entry = entry_at(values, number);
    uint32_t *at = bucket_of(values, hash_of(entry->key));

    while (*at != number)
        at = &entry_at(values, *at)->chained;
    *at = entry->chained;
}

/* Links a signed entry into its bucket and lists. */
static void enter(kc_shm_values_t *values, uint32_t number)
{
    entry_t *entry = entry_at(values, number);
    uint32_t *bucket = bucket_of(values, hash_of(entry->key));
    kc_shm_values_state_t *state = values->state;

    entry->chained = *bucket;
    *bucket = number;
    list_put(values, number);
    state->lists[entry->kind].blocks += blocks_for(entry->len);
    if (entry->expires_at < state->expiry)
        state->expiry = entry->expires_at;
}

static void leave(kc_shm_values_t *values, uint32_t number)
{
    const entry_t *entry = entry_at(values, number);

    bucket_cut(values, number);
    list_cut(values, number);
    values->state->lists[entry->kind].blocks -= blocks_for(entry->len);
}

/* First clears the flag: from then on the value does not exist. */
void kc_shm_values_drop(kc_shm_values_t *values, uint32_t number)
{
    uint32_t count = blocks_for(entry_at(values, number)->len);

    kc_shm_blocks_sign(&values->blocks, number, 0);
    leave(values, number);
    kc_shm_blocks_give(&values->blocks, number, count);
}

void kc_shm_values_touch(kc_shm_values_t *values, uint32_t number, int64_t expires_at)
{
    entry_t *entry = entry_at(values, number);

    entry->expires_at = expires_at;
    entry->stamp = ++values->state->sequence; /* a value in use is not old */
    if (expires_at < values->state->expiry)
        values->state->expiry = expires_at;
    list_cut(values, number);
    list_put(values, number);
}

/* ---------------------------------------------------------------- space */

static uint32_t share(const kc_shm_values_t *values, kc_store_kind_t kind)
{
    return values->blocks.count / (kind == KC_STORE_OPEN ? OPEN_SHARE : CRITICAL_SHARE);
}

static uint32_t below(uint32_t limit, uint32_t used)
{
    return used < limit ? limit - used : 0;
}

/* Blocks that a value of this kind can get without an eviction. Other kinds cannot take what is
 * reserved for KC_STORE_OPEN. */
static uint32_t room_for(const kc_shm_values_t *values, kc_store_kind_t kind)
{
    const kc_shm_values_list_t *lists = values->state->lists;
    uint32_t open = below(share(values, KC_STORE_OPEN), lists[KC_STORE_OPEN].blocks);
    uint32_t rest = below(kc_shm_blocks_left(&values->blocks), open), critical;

    if (kind == KC_STORE_OPEN)
        return open;
    critical = below(share(values, KC_STORE_CRITICAL), lists[KC_STORE_CRITICAL].blocks);
    return kind == KC_STORE_CRITICAL && critical < rest ? critical : rest;
}

/* The kind of the values that are evicted when this kind needs count blocks. */
static kc_store_kind_t kind_that_yields(const kc_shm_values_t *values, kc_store_kind_t kind,
                                        uint32_t count)
{
    const kc_shm_values_list_t *critical = &values->state->lists[KC_STORE_CRITICAL];

    if (kind == KC_STORE_CRITICAL && critical->blocks + count <= share(values, KC_STORE_CRITICAL))
        return KC_STORE_OWNED;
    return kind;
}

/* Drops all expired values, and finds when the next one will expire. */
static void drop_expired(kc_shm_values_t *values, int64_t now)
{
    int64_t next = INT64_MAX;
    int kind;

    for (kind = 0; kind < KC_STORE_KINDS; kind++) {
        uint32_t number = values->state->lists[kind].oldest;

        while (number) {
            const entry_t *entry = entry_at(values, number);
            uint32_t newer = entry->newer;

            if (entry->expires_at <= now)
                kc_shm_values_drop(values, number);
            else if (entry->expires_at < next)
                next = entry->expires_at;
            number = newer;
        }
    }
    values->state->expiry = next;
}

/* When nothing is free, this key's own old value is dropped first. If the process is killed now,
 * that value is lost; evicting another key's value would lose that for certain. *old becomes 0 when
 * it is dropped. 0: that much space is impossible. */
static int make_room(kc_shm_values_t *values, kc_store_kind_t kind, uint32_t count, uint32_t *old,
                     int64_t now)
{
    if (room_for(values, kind) < count && values->state->expiry <= now) {
        if (*old && entry_at(values, *old)->expires_at <= now)
            *old = 0;
        drop_expired(values, now);
    }
    if (room_for(values, kind) < count && *old) {
        kc_shm_values_drop(values, *old);
        *old = 0;
    }
    while (room_for(values, kind) < count) {
        kc_store_kind_t yielding = kind_that_yields(values, kind, count);
        uint32_t oldest = values->state->lists[yielding].oldest;

        if (!oldest)
            return 0;
        kc_shm_values_drop(values, oldest);
        values->state->evicted += yielding != KC_STORE_OPEN;
    }
    return 1;
}

/* ---------------------------------------------------------------- writing */

static void fill(const kc_shm_values_t *values, uint32_t number, kc_bytes_t value)
{
    unsigned char *to = (unsigned char *)(entry_at(values, number) + 1);
    const unsigned char *from = value.data;
    size_t left = value.len, part = FIRST_ROOM;

    while (left) {
        if (part > left)
            part = left;
        memcpy(to, from, part);
        from += part;
        left -= part;
        number = kc_shm_blocks_next(&values->blocks, number);
        if (left)
            to = kc_shm_blocks_at(&values->blocks, number);
        part = KC_SHM_BLOCK_SIZE;
    }
}

/* A KC_STORE_CRITICAL larger than the share of its kind is treated as OWNED. */
static kc_store_kind_t kind_for(const kc_shm_values_t *values, kc_store_kind_t kind, uint32_t count)
{
    return kind == KC_STORE_CRITICAL && count > share(values, kind) ? KC_STORE_OWNED : kind;
}

kc_rc_t kc_shm_values_write(kc_shm_values_t *values, const kc_shm_values_key_t *key, uint32_t old,
                            const kc_store_write_t *write, int64_t now)
{
    uint32_t count = blocks_for(write->value.len), number;
    kc_store_kind_t kind = kind_for(values, write->kind, count);
    entry_t *entry;

    if (kind == KC_STORE_OPEN && count > share(values, kind))
        return KC_REFUSED;
    if (!make_room(values, kind, count, &old, now))
        return KC_REFUSED;
    number = kc_shm_blocks_take(&values->blocks, count);
    entry = entry_at(values, number);
    entry->expires_at = write->expires_at;
    entry->stamp = ++values->state->sequence;
    entry->len = (uint32_t)write->value.len;
    entry->kind = (uint32_t)kind;
    memcpy(entry->key, key->bytes, sizeof(entry->key));
    fill(values, number, write->value);
    kc_shm_blocks_sign(&values->blocks, number, 1);
    enter(values, number);
    if (old)
        kc_shm_values_drop(values, old);
    return KC_OK;
}

/* ---------------------------------------------------------------- repair */

/* Of two values with one key the later one counts. */
static int is_the_later(kc_shm_values_t *values, uint32_t number)
{
    const entry_t *entry = entry_at(values, number);
    uint32_t twin = find(values, entry->key, hash_of(entry->key));

    if (!twin)
        return 1;
    if (entry_at(values, twin)->stamp > entry->stamp)
        return 0;
    kc_shm_blocks_sign(&values->blocks, twin, 0);
    leave(values, twin);
    kc_shm_blocks_unname(&values->blocks, twin, blocks_for(entry_at(values, twin)->len));
    return 1;
}

static int admit(kc_shm_values_t *values, uint32_t number)
{
    const entry_t *entry = entry_at(values, number);
    uint32_t count = blocks_for(entry->len);

    if (entry->len > KC_STORE_VALUE_MAX || entry->kind >= KC_STORE_KINDS ||
        !kc_shm_blocks_name(&values->blocks, number, count))
        return 0;
    if (!is_the_later(values, number)) {
        kc_shm_blocks_unname(&values->blocks, number, count);
        return 0;
    }
    enter(values, number);
    return 1;
}

/* Merges two chains linked by `older`, each newest first. */
static uint32_t merge(const kc_shm_values_t *values, uint32_t a, uint32_t b)
{
    uint32_t first = 0, *end = &first;

    while (a && b) {
        uint32_t *later = entry_at(values, a)->stamp > entry_at(values, b)->stamp ? &a : &b;

        *end = *later;
        end = &entry_at(values, *later)->older;
        *later = *end;
    }
    *end = a ? a : b;
    return first;
}

/* Merges chains of 1, 2, 4, … entries in turn, so that it needs no memory besides the bins. */
static void sort(const kc_shm_values_t *values, kc_shm_values_list_t *list)
{
    uint32_t bins[SORT_BINS] = {0}, rest = list->newest, newer = 0, number;
    size_t i;

    while ((number = rest)) {
        rest = entry_at(values, number)->older;
        entry_at(values, number)->older = 0;
        for (i = 0; i < SORT_BINS - 1 && bins[i]; i++) {
            number = merge(values, bins[i], number);
            bins[i] = 0;
        }
        bins[i] = number;
    }
    for (i = 0; i < SORT_BINS; i++)
        rest = merge(values, rest, bins[i]);
    list->newest = rest;
    for (; rest; rest = entry_at(values, rest)->older) {
        entry_at(values, rest)->newer = newer;
        newer = rest;
    }
    list->oldest = newer;
}

void kc_shm_values_mend(kc_shm_values_t *values)
{
    kc_shm_values_state_t *state = values->state;
    uint32_t i;

    kc_shm_blocks_mend_begin(&values->blocks);
    memset(values->buckets, 0, values->bucket_count * sizeof(*values->buckets));
    memset(state->lists, 0, sizeof(state->lists));
    state->expiry = INT64_MAX;
    for (i = 1; i <= values->blocks.count && i <= state->blocks.begun; i++) {
        if (kc_shm_blocks_is_signed(&values->blocks, i) && !admit(values, i))
            kc_shm_blocks_sign(&values->blocks, i, 0);
    }
    kc_shm_blocks_mend_end(&values->blocks);
    for (i = 0; i < KC_STORE_KINDS; i++)
        sort(values, &state->lists[i]);
}

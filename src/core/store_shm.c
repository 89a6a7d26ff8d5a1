/* The store in shared memory: slots in buckets, striped robust locks, made before fork.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <apr_shm.h>
#include <apr_strings.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/*
 * The memory holds a header, the stripes (locks), and five classes of slots by the size of the
 * value. A class is an array of buckets; a bucket is a line of tags and as many slots ("ways"). A
 * key has one bucket in each class, and all of them belong to one stripe: its lock is all that an
 * operation takes.
 *
 * A slot exists when its tag is not 0, and only then. A writer clears the tag, writes the slot,
 * sets the tag; so a child killed at any instruction leaves the old value, the new one or none, and
 * never a part of one. An overwritten value stays until the new one stands in another slot; the
 * stripe notes the pair, so that whoever finds the lock's owner dead can finish the exchange.
 *
 * Nothing but copying happens under a lock: no allocation, no system call, no clock.
 */

enum {
    LINE = 128, /* bytes: two cache lines, which processors fetch in pairs */
    TAG_LINE = 64,
    KEY_LEN = KC_STORE_KEY_LEN,
    CLASS_COUNT = 5,
    BIG = CLASS_COUNT - 1,
    STRIPES_MAX = 256,
    LOCK_WAIT_MS = 200, /* a child stopped while it holds a lock must not hang the others */
    COPY_MAX = 2088     /* values up to the third class are copied by way of the stack */
};

/* The last digits are the layout's version: code of another version makes memory of its own. */
static const uint64_t magic = UINT64_C(0x6b6373686d303032);

typedef struct {
    uint64_t magic;
    uint64_t size;
} header_t;

typedef struct {
    pthread_mutex_t mutex;
    uint64_t sequence; /* of writes: the age of slots */
    uint64_t fresh_at; /* the exchange under way: where the tags of the new */
    uint64_t old_at;   /* and of the old slot are, from the base; old_at 0: none */
} __attribute__((aligned(LINE))) stripe_t;

/* What stands before the value's bytes. */
typedef struct {
    int64_t expires_at;
    uint64_t stamp;
    uint64_t len;
    char key[KEY_LEN];
} slot_t;

/* One class as this process sees it. */
typedef struct {
    uint64_t *tags;
    unsigned char *slots;
    size_t per_stripe; /* buckets */
    size_t ways;
    size_t stride; /* bytes from slot to slot */
} class_t;

typedef struct {
    kc_store_t store;
    void *memory; /* as the system gave it */
    unsigned char *base;
    stripe_t *stripes;
    size_t stripe_count; /* a power of two */
    class_t classes[CLASS_COUNT];
    int64_t (*now)(void *context);
    void *context;
} shm_t;

typedef struct {
    const char *text;
    uint64_t hash; /* never 0: the tag */
    stripe_t *stripe;
    size_t stripe_index;
} kc_key_t;

typedef struct {
    uint64_t *tag; /* NULL: no place */
    slot_t *slot;
} place_t;

static const struct {
    size_t stride;
    size_t ways;
    size_t share; /* per cent of what is left when its turn comes, see layout_order */
} shape[CLASS_COUNT] = {
    {256, 8, 15},         /* marks: nobody writes any but for a reason */
    {640, 8, 12},         /* rosters, and the one-use markers of sign-ins, which strangers can have
                             written: they push out neither marks nor sessions */
    {2048 + 128, 8, 100}, /* sessions */
    {16384 + 128, 8, 20}, /* sessions with many groups, snapshots of metadata and keys */
    {262144 + 128, 2, 15}}; /* the largest that is allowed */

static const size_t layout_order[CLASS_COUNT] = {4, 3, 0, 1, 2};

/* ---------------------------------------------------------------- layout */

static size_t bucket_size(size_t class_index)
{
    return TAG_LINE + shape[class_index].ways * shape[class_index].stride;
}

/* As many stripes as the class of large slots has room for: each stripe needs a bucket of each
 * class. */
static size_t stripes_for(size_t size)
{
    size_t room = size / 100 * shape[BIG].share;
    size_t count = 1;

    while (count < STRIPES_MAX && count * 2 * bucket_size(BIG) <= room)
        count *= 2;
    return count;
}

/* Where everything is; the same size gives the same places in each process. */
static void layout(shm_t *shm, void *memory, size_t size)
{
    size_t skip = (LINE - (uintptr_t)memory % LINE) % LINE;
    size_t left = size - LINE;
    unsigned char *next;
    size_t i;

    shm->memory = memory;
    shm->base = (unsigned char *)memory + skip;
    shm->stripe_count = stripes_for(size);
    shm->stripes = (stripe_t *)(void *)(shm->base + LINE);
    next = (unsigned char *)(shm->stripes + shm->stripe_count);
    left -= (size_t)(next - shm->base);
    for (i = 0; i < CLASS_COUNT; i++) {
        size_t at = layout_order[i];
        class_t *class = &shm->classes[at];
        size_t row = bucket_size(at) * shm->stripe_count;
        size_t rows = left / 100 * shape[at].share / row;

        class->ways = shape[at].ways;
        class->stride = shape[at].stride;
        class->per_stripe = rows ? rows : 1;
        class->tags = (uint64_t *)(void *)next;
        class->slots = next + TAG_LINE * shm->stripe_count * class->per_stripe;
        next += row * class->per_stripe;
        left -= row * class->per_stripe;
    }
}

static kc_key_t key_make(const shm_t *shm, const char *text)
{
    kc_key_t key;
    uint64_t hash = 0;
    size_t i;

    for (i = 0; i < KEY_LEN; i += sizeof(hash)) {
        uint64_t word;

        memcpy(&word, text + i, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    key.text = text;
    key.hash = hash ? hash : 1;
    key.stripe_index = (size_t)hash & (shm->stripe_count - 1);
    key.stripe = &shm->stripes[key.stripe_index];
    return key;
}

static size_t bucket_index(const class_t *class, const kc_key_t *key)
{
    size_t row = (size_t)(((key->hash >> 32) * class->per_stripe) >> 32);

    return key->stripe_index * class->per_stripe + row;
}

static place_t place_at(const class_t *class, size_t bucket, size_t way)
{
    place_t place;

    place.tag = class->tags + bucket * (TAG_LINE / sizeof(uint64_t)) + way;
    place.slot = (slot_t *)(void *)(class->slots + (bucket * class->ways + way) * class->stride);
    return place;
}

static unsigned char *slot_value(slot_t *slot)
{
    return (unsigned char *)(slot + 1);
}

/* ---------------------------------------------------------------- locks */

/* Keeps the compiler's order. A killed child has done everything before the instruction it died at,
 * and the next owner of its lock sees all of it, so that no more is needed. */
static void step(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void tag_set(uint64_t *tag, uint64_t value)
{
    step();
    __atomic_store_n(tag, value, __ATOMIC_RELAXED);
    step();
}

/* The owner died: finish its exchange if the new value stands, else forget it. */
static void stripe_repair(const shm_t *shm, stripe_t *stripe)
{
    uint64_t *fresh = (uint64_t *)(void *)(shm->base + stripe->fresh_at);
    uint64_t *old = (uint64_t *)(void *)(shm->base + stripe->old_at);

    if (stripe->old_at && *fresh)
        tag_set(old, 0);
    stripe->old_at = 0;
}

/* By the calendar clock, for want of a monotonic one in POSIX: were it set back just now, a live
 * owner's unlock still ends the wait. */
static int lock_within_limit(pthread_mutex_t *mutex)
{
    struct timespec limit;

    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += LOCK_WAIT_MS * 1000000L;
    if (limit.tv_nsec >= 1000000000L) {
        limit.tv_nsec -= 1000000000L;
        limit.tv_sec++;
    }
    return pthread_mutex_timedlock(mutex, &limit);
}

static kc_rc_t stripe_lock(const shm_t *shm, stripe_t *stripe, kc_err_t *err)
{
    int status = pthread_mutex_trylock(&stripe->mutex);

    if (status == EBUSY)
        status = lock_within_limit(&stripe->mutex);
    if (status == EOWNERDEAD) {
        stripe_repair(shm, stripe);
        status = pthread_mutex_consistent(&stripe->mutex);
    }
    if (status)
        return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "shm: a lock cannot be had: %s",
                       status == ETIMEDOUT ? "another child holds it for too long" : "broken");
    return KC_OK;
}

static void stripe_unlock(stripe_t *stripe)
{
    (void)pthread_mutex_unlock(&stripe->mutex);
}

/* ---------------------------------------------------------------- slots, under the stripe's lock
 */

/* The one slot that holds key, expired or not. */
static place_t find(const shm_t *shm, const kc_key_t *key)
{
    place_t none = {NULL, NULL};
    size_t c, way;

    for (c = 0; c < CLASS_COUNT; c++) {
        const class_t *class = &shm->classes[c];
        size_t bucket = bucket_index(class, key);

        for (way = 0; way < class->ways; way++) {
            place_t place = place_at(class, bucket, way);

            if (*place.tag == key->hash && !memcmp(place.slot->key, key->text, KEY_LEN))
                return place;
        }
    }
    return none;
}

static place_t find_live(const shm_t *shm, const kc_key_t *key, int64_t now)
{
    place_t place = find(shm, key);

    if (place.tag && place.slot->expires_at <= now)
        place.tag = NULL;
    return place;
}

static const class_t *class_for(const shm_t *shm, size_t len)
{
    size_t c = 0;

    while (c < BIG && sizeof(slot_t) + len > shm->classes[c].stride)
        c++;
    return &shm->classes[c];
}

/* Where a new value goes: a free slot, an expired one, the key's own when the bucket is full
 * (better to risk this value, if we are killed, than to lose another for certain), the oldest. */
static place_t choose(const class_t *class, const kc_key_t *key, const uint64_t *old, int64_t now)
{
    size_t bucket = bucket_index(class, key);
    place_t expired = {NULL, NULL}, own = {NULL, NULL}, oldest = {NULL, NULL};
    size_t way;

    for (way = 0; way < class->ways; way++) {
        place_t place = place_at(class, bucket, way);

        if (!*place.tag)
            return place;
        if (place.tag == old)
            own = place;
        else if (place.slot->expires_at <= now)
            expired = place;
        if (!oldest.tag || place.slot->stamp < oldest.slot->stamp)
            oldest = place;
    }
    if (expired.tag)
        return expired;
    return own.tag ? own : oldest;
}

static void slot_fill(slot_t *slot, const kc_key_t *key, kc_bytes_t value, int64_t expires_at)
{
    slot->expires_at = expires_at;
    slot->stamp = ++key->stripe->sequence;
    slot->len = value.len;
    memcpy(slot->key, key->text, KEY_LEN);
    if (value.len)
        memcpy(slot_value(slot), value.data, value.len);
}

static void write_value(const shm_t *shm, const kc_key_t *key, uint64_t *old, kc_bytes_t value,
                        int64_t expires_at, int64_t now)
{
    stripe_t *stripe = key->stripe;
    place_t fresh = choose(class_for(shm, value.len), key, old, now);

    tag_set(fresh.tag, 0);
    if (old && old != fresh.tag) {
        stripe->fresh_at = (uint64_t)((unsigned char *)fresh.tag - shm->base);
        step();
        stripe->old_at = (uint64_t)((unsigned char *)old - shm->base);
        step();
    }
    slot_fill(fresh.slot, key, value, expires_at);
    tag_set(fresh.tag, key->hash);
    if (stripe->old_at) {
        tag_set(old, 0);
        stripe->old_at = 0;
    }
}

/* Copies a live value when it fits into room; *len is its length either way. KC_MISS: not there. */
static kc_rc_t read_value(const shm_t *shm, const kc_key_t *key, int64_t now, unsigned char *room,
                          size_t size, size_t *len, int64_t *expires_at)
{
    place_t place = find_live(shm, key, now);

    if (!place.tag)
        return KC_MISS;
    *len = (size_t)place.slot->len;
    *expires_at = place.slot->expires_at;
    if (*len <= size)
        memcpy(room, slot_value(place.slot), *len);
    return KC_OK;
}

/* ---------------------------------------------------------------- the vtable */

/* A pool may ask the system for memory, or end the process: never under a lock. So the value is
 * copied to the stack, and from there to exactly its size; a larger one is measured first and read
 * again. If it has grown in between, there is room for the largest. */
static kc_rc_t get_one(const shm_t *shm, const char *text, int64_t now, kc_store_item_t *item,
                       apr_pool_t *pool, kc_err_t *err)
{
    kc_key_t key = key_make(shm, text);
    unsigned char copy[COPY_MAX];
    unsigned char *room = copy;
    size_t size = sizeof(copy);
    size_t len = 0;

    for (;;) {
        kc_rc_t rc = stripe_lock(shm, key.stripe, err);

        if (rc != KC_OK)
            return rc;
        rc = read_value(shm, &key, now, room, size, &len, &item->expires_at);
        stripe_unlock(key.stripe);
        if (rc == KC_MISS) {
            item->expires_at = 0;
            return KC_OK;
        }
        if (len <= size)
            break;
        size = room == copy ? len : KC_STORE_VALUE_MAX;
        room = apr_palloc(pool, size);
    }
    item->value.data = room == copy ? apr_pmemdup(pool, copy, len + !len) : room;
    item->value.len = len;
    return KC_OK;
}

static kc_rc_t shm_get(kc_store_t *store, const char *const *keys, size_t count,
                       kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err)
{
    const shm_t *shm = (const shm_t *)(void *)store;
    int64_t now = shm->now(shm->context);
    size_t i;

    for (i = 0; i < count; i++) {
        kc_rc_t rc = get_one(shm, keys[i], now, &items[i], pool, err);

        if (rc != KC_OK)
            return rc;
    }
    return KC_OK;
}

static kc_rc_t shm_write(kc_store_t *store, const char *text, kc_bytes_t value, int64_t expires_at,
                         int is_add, kc_err_t *err)
{
    const shm_t *shm = (const shm_t *)(void *)store;
    int64_t now = shm->now(shm->context);
    kc_key_t key = key_make(shm, text);
    kc_rc_t rc = stripe_lock(shm, key.stripe, err);
    place_t old;

    if (rc != KC_OK)
        return rc;
    old = find(shm, &key);
    if (is_add && old.tag && old.slot->expires_at > now)
        rc = KC_EXISTS;
    else
        write_value(shm, &key, old.tag, value, expires_at, now);
    stripe_unlock(key.stripe);
    return rc;
}

static kc_rc_t shm_put(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                       kc_err_t *err)
{
    return shm_write(store, key, value, expires_at, 0, err);
}

static kc_rc_t shm_add(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                       kc_err_t *err)
{
    return shm_write(store, key, value, expires_at, 1, err);
}

static kc_rc_t shm_touch(kc_store_t *store, const char *text, int64_t expires_at, kc_err_t *err)
{
    const shm_t *shm = (const shm_t *)(void *)store;
    int64_t now = shm->now(shm->context);
    kc_key_t key = key_make(shm, text);
    kc_rc_t rc = stripe_lock(shm, key.stripe, err);
    place_t place;

    if (rc != KC_OK)
        return rc;
    place = find_live(shm, &key, now);
    if (place.tag) {
        place.slot->expires_at = expires_at;
        place.slot->stamp = ++key.stripe->sequence; /* what is in use is not old */
    }
    stripe_unlock(key.stripe);
    return place.tag ? KC_OK : KC_MISS;
}

static kc_rc_t shm_drop(kc_store_t *store, const char *text, kc_err_t *err)
{
    const shm_t *shm = (const shm_t *)(void *)store;
    kc_key_t key = key_make(shm, text);
    kc_rc_t rc = stripe_lock(shm, key.stripe, err);
    place_t place;

    if (rc != KC_OK)
        return rc;
    place = find(shm, &key);
    if (place.tag)
        tag_set(place.tag, 0);
    stripe_unlock(key.stripe);
    return KC_OK;
}

static const kc_store_vtable_t vtable = {"shm",     shm_get,  shm_put, shm_add,
                                         shm_touch, shm_drop, NULL};

/* ---------------------------------------------------------------- making */

static int stripes_init(shm_t *shm)
{
    pthread_mutexattr_t attributes;
    size_t i;
    int status = pthread_mutexattr_init(&attributes);

    if (status)
        return status;
    status = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (!status)
        status = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    for (i = 0; !status && i < shm->stripe_count; i++)
        status = pthread_mutex_init(&shm->stripes[i].mutex, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return status;
}

static shm_t *handle_make(void *memory, size_t size, int64_t (*now)(void *context), void *context,
                          apr_pool_t *pool)
{
    shm_t *shm = apr_pcalloc(pool, sizeof(*shm));

    shm->store.vtable = &vtable;
    shm->now = now;
    shm->context = context;
    layout(shm, memory, size);
    return shm;
}

kc_rc_t kc_store_shm_create(size_t size, int64_t (*now)(void *context), void *context,
                            apr_pool_t *pool, kc_store_t **out, kc_err_t *err)
{
    apr_shm_t *mapping;
    header_t *header;
    shm_t *shm;

    if (size < KC_STORE_SHM_SIZE_MIN)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "shared memory: at least 1 MiB is needed");
    /* An anonymous mapping, all zeros, whose pages cost nothing until they are used. Its cleanup is
     * APR's code and not ours, which may be unloaded by the time the process pool goes. */
    if (apr_shm_create(&mapping, size, NULL, pool) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "shared memory: %zu bytes cannot be had",
                       size);
    shm = handle_make(apr_shm_baseaddr_get(mapping), size, now, context, pool);
    if (stripes_init(shm))
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "shared memory: robust locks are missing");
    header = (header_t *)(void *)shm->base;
    header->size = size;
    header->magic = magic;
    *out = &shm->store;
    return KC_OK;
}

void *kc_store_shm_memory(const kc_store_t *store)
{
    return ((const shm_t *)(const void *)store)->memory;
}

kc_rc_t kc_store_shm_attach(void *memory, size_t size, int64_t (*now)(void *context), void *context,
                            apr_pool_t *pool, kc_store_t **out, kc_err_t *err)
{
    shm_t *shm;
    const header_t *header;

    if (size < KC_STORE_SHM_SIZE_MIN)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "shared memory: at least 1 MiB is needed");
    shm = handle_make(memory, size, now, context, pool);
    header = (const header_t *)(const void *)shm->base;
    if (header->magic != magic || header->size != size)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "shared memory: of another size or version");
    *out = &shm->store;
    return KC_OK;
}

/* The first tier: slots in sets, read under sequence counters, written under striped robust locks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"

#include <apr_shm.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/*
 * The memory holds a header, the stripes (locks), and two classes of slots by the size of the view.
 * A class is an array of sets; a set is a line of tags and as many slots ("ways"). A name has one
 * set in each class, and both belong to one stripe, whose lock writers take.
 *
 * Readers take none. A slot's sequence is odd while it is written: a reader who finds it odd, or
 * changed after copying, has read nothing. Whoever holds the stripe's lock and finds an odd
 * sequence knows that its writer was killed: such a slot is free, and nothing needs repair.
 *
 * Every word that several processes may touch is read with acquire and written with release, which
 * is all that the order of a sequence lock needs and costs nothing on common processors.
 */

enum {
    LINE = 128,
    WAYS_MAX = 8, /* their tags fill one cache line */
    CLASS_COUNT = 2,
    SMALL = 0,
    LARGE = 1,
    LARGE_SHARE = 25, /* per cent of the memory */
    STRIPES_MAX = 256,
    TRIES = 4,        /* of a read that meets a writer; then the store is asked */
    USED_SECONDS = 8, /* how exactly it is known when a view was used last */
    DROP_WAIT_MS = 200
};

/* The last digits are the layout's version. */
static const uint64_t magic = UINT64_C(0x6b63636163680002);

typedef struct {
    uint64_t magic;
    uint64_t size;
    kc_siphash_key_t key;
} header_t;

typedef struct {
    pthread_mutex_t mutex;
    uint64_t drops;
} __attribute__((aligned(LINE))) stripe_t;

typedef struct {
    uint64_t sequence;
    uint64_t name[2];
    int64_t checked_ms;
    int64_t moment;
    int64_t asked_ms; /* when somebody last went to ask the store */
    int64_t used;     /* seconds */
    uint64_t key[KC_CACHE_KEY_SIZE / sizeof(uint64_t)];
    uint64_t stamp[KC_CACHE_STAMP_SIZE / sizeof(uint64_t)];
    uint64_t len;
    uint64_t words[]; /* the view */
} slot_t;

typedef struct {
    uint64_t tag[WAYS_MAX]; /* the first word of the name of each slot; 0: free */
} tags_t;

/* One class as this process sees it. */
typedef struct {
    tags_t *tags;
    unsigned char *slots;
    size_t per_stripe; /* sets */
    size_t ways;
    size_t slot_size;
} class_t;

struct kc_cache_t {
    void *memory; /* as the system gave it */
    header_t *header;
    stripe_t *stripes;
    size_t stripe_count; /* a power of two */
    class_t classes[CLASS_COUNT];
};

static const struct {
    size_t slot_size; /* bytes, the slot's head included */
    size_t ways;
} shape[CLASS_COUNT] = {[SMALL] = {1024, 8}, [LARGE] = {16 * 1024, 4}};

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static int64_t load_time(const int64_t *time)
{
    return __atomic_load_n(time, __ATOMIC_ACQUIRE);
}

static void store_time(int64_t *time, int64_t value)
{
    __atomic_store_n(time, value, __ATOMIC_RELEASE);
}

static int swap_time(int64_t *time, int64_t from, int64_t to)
{
    return __atomic_compare_exchange_n(time, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* ---------------------------------------------------------------- layout */

static size_t set_size(size_t which)
{
    return sizeof(tags_t) + shape[which].ways * shape[which].slot_size;
}

/* Where everything is; the same size gives the same places in each process. */
static void layout(kc_cache_t *cache, void *memory, size_t size)
{
    size_t skip = (LINE - (uintptr_t)memory % LINE) % LINE;
    size_t rest = size - 2 * LINE - STRIPES_MAX * sizeof(stripe_t);
    size_t large = rest / 100 * LARGE_SHARE;
    size_t room[CLASS_COUNT] = {rest - large, large};
    unsigned char *next = (unsigned char *)memory + skip;
    size_t i;

    cache->memory = memory;
    cache->header = (header_t *)(void *)next;
    cache->stripes = (stripe_t *)(void *)(next + LINE);
    next = (unsigned char *)(cache->stripes + STRIPES_MAX);
    /* each stripe needs a set of each class */
    cache->stripe_count = 1;
    while (cache->stripe_count < STRIPES_MAX && cache->stripe_count * 2 * set_size(LARGE) <= large)
        cache->stripe_count *= 2;
    for (i = 0; i < CLASS_COUNT; i++) {
        class_t *class = &cache->classes[i];
        size_t sets;

        class->ways = shape[i].ways;
        class->slot_size = shape[i].slot_size;
        class->per_stripe = room[i] / set_size(i) / cache->stripe_count;
        sets = class->per_stripe * cache->stripe_count;
        class->tags = (tags_t *)(void *)next;
        class->slots = next + sets * sizeof(tags_t);
        next += sets * set_size(i);
    }
}

static size_t stripe_index(const kc_cache_t *cache, const uint64_t name[2])
{
    return (size_t)name[1] & (cache->stripe_count - 1);
}

static size_t set_index(const kc_cache_t *cache, const class_t *class, const uint64_t name[2])
{
    size_t row = (size_t)(((name[1] >> 32) * class->per_stripe) >> 32);

    return row * cache->stripe_count + stripe_index(cache, name);
}

static slot_t *slot_at(const class_t *class, size_t set, size_t way)
{
    return (slot_t *)(void *)(class->slots + (set * class->ways + way) * class->slot_size);
}

/* ---------------------------------------------------------------- reading */

static int is_named(const slot_t *slot, const uint64_t name[2])
{
    return load(&slot->name[0]) == name[0] && load(&slot->name[1]) == name[1];
}

/* Small fields of a known number of words, out of the slot and into it. */
static void read_words(const uint64_t *words, size_t size, void *out)
{
    unsigned char *place = out;
    size_t i;

    for (i = 0; i < size / sizeof(*words); i++) {
        uint64_t word = load(&words[i]);

        memcpy(place + i * sizeof(word), &word, sizeof(word));
    }
}

static void write_words(uint64_t *words, const void *data, size_t size)
{
    const unsigned char *place = data;
    size_t i;

    for (i = 0; i < size / sizeof(*words); i++) {
        uint64_t word;

        memcpy(&word, place + i * sizeof(word), sizeof(word));
        store(&words[i], word);
    }
}

static const unsigned char *copy_words(const slot_t *slot, size_t len, apr_pool_t *pool)
{
    size_t count = (len + sizeof(uint64_t) - 1) / sizeof(uint64_t);
    uint64_t *copy = apr_palloc(pool, (count + 1) * sizeof(*copy));
    size_t i;

    for (i = 0; i < count; i++)
        copy[i] = load(&slot->words[i]);
    return (const unsigned char *)copy;
}

/* 1 when the slot holds this name and stood still while it was copied. */
static int read_slot(const slot_t *slot, size_t slot_size, const uint64_t name[2], apr_pool_t *pool,
                     kc_cache_view_t *view)
{
    uint64_t sequence = load(&slot->sequence);

    if (sequence & 1 || !is_named(slot, name))
        return 0;
    view->bytes.len = (size_t)load(&slot->len);
    if (view->bytes.len > slot_size - sizeof(slot_t))
        return 0; /* a writer has come in between */
    view->checked_ms = load_time(&slot->checked_ms);
    view->moment = load_time(&slot->moment);
    read_words(slot->key, sizeof(slot->key), view->key);
    read_words(slot->stamp, sizeof(slot->stamp), view->stamp);
    view->bytes.data = copy_words(slot, view->bytes.len, pool);
    return load(&slot->sequence) == sequence;
}

/* The slot with this tag; NULL when there is none. */
static slot_t *find_slot(const class_t *class, size_t set, uint64_t tag)
{
    const tags_t *tags = &class->tags[set];
    size_t way;

    for (way = 0; way < class->ways; way++) {
        if (load(&tags->tag[way]) == tag)
            return slot_at(class, set, way);
    }
    return NULL;
}

/* The name tells nobody the id, nor whose it is. */
static void make_name(const kc_cache_t *cache, const unsigned char *scope, const unsigned char *id,
                      uint64_t name[2])
{
    kc_siphash_t hash;

    kc_siphash_init(&hash, &cache->header->key);
    kc_siphash_put(&hash, scope, KC_CACHE_SCOPE_SIZE);
    kc_siphash_put(&hash, id, KC_CACHE_ID_SIZE);
    kc_siphash_end(&hash, name);
    name[0] |= !name[0];
}

void kc_cache_stamp(const kc_cache_t *cache, kc_bytes_t value,
                    unsigned char stamp[KC_CACHE_STAMP_SIZE])
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

int kc_cache_find(kc_cache_t *cache, const unsigned char *scope, const unsigned char *id,
                  int64_t now, apr_pool_t *pool, kc_cache_ticket_t *ticket, kc_cache_view_t *view)
{
    size_t i, tries;

    make_name(cache, scope, id, ticket->name);
    ticket->drops = load(&cache->stripes[stripe_index(cache, ticket->name)].drops);
    ticket->slot = NULL;
    for (i = 0; i < CLASS_COUNT; i++) {
        const class_t *class = &cache->classes[i];
        slot_t *slot = find_slot(class, set_index(cache, class, ticket->name), ticket->name[0]);

        for (tries = 0; slot && tries < TRIES; tries++) {
            if (!read_slot(slot, class->slot_size, ticket->name, pool, view))
                continue;
            ticket->slot = slot;
            if (now - load_time(&slot->used) >= USED_SECONDS)
                store_time(&slot->used, now);
            return 1;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- small changes, without a lock */

/* Each changes one word of the slot that was found. Should the slot have been given to another
 * session meanwhile, the word is one that was written a moment ago, and that one moment is all that
 * a wrong change can cost. */

int kc_cache_claim(const kc_cache_ticket_t *ticket, int64_t now_ms, int64_t span_ms)
{
    slot_t *slot = ticket->slot;
    int64_t asked = load_time(&slot->asked_ms);

    if (now_ms >= asked && now_ms - asked < span_ms)
        return 0;
    return swap_time(&slot->asked_ms, asked, now_ms);
}

void kc_cache_vouch(const kc_cache_ticket_t *ticket, const kc_cache_view_t *view, int64_t now_ms)
{
    slot_t *slot = ticket->slot;

    (void)swap_time(&slot->checked_ms, view->checked_ms, now_ms);
}

int kc_cache_touch(const kc_cache_ticket_t *ticket, const kc_cache_view_t *view, int64_t moment)
{
    slot_t *slot = ticket->slot;

    return swap_time(&slot->moment, view->moment, moment);
}

/* ---------------------------------------------------------------- writing */

/* A killed owner leaves nothing to repair. */
static int is_locked(pthread_mutex_t *mutex, int status)
{
    if (status == EOWNERDEAD)
        status = pthread_mutex_consistent(mutex);
    return status == 0;
}

static void begin(slot_t *slot)
{
    store(&slot->sequence, load(&slot->sequence) | 1);
}

static void end(slot_t *slot)
{
    store(&slot->sequence, load(&slot->sequence) + 1);
}

/* The way for a new view: the name's own, a free one (also one that a killed writer left), or the
 * one that was used the longest ago. */
static size_t choose_way(const class_t *class, size_t set, uint64_t tag)
{
    const tags_t *tags = &class->tags[set];
    size_t oldest = 0, free_way = class->ways, way;

    for (way = 0; way < class->ways; way++) {
        const slot_t *slot = slot_at(class, set, way);

        if (tags->tag[way] == tag)
            return way;
        if (!tags->tag[way] || load(&slot->sequence) & 1)
            free_way = way;
        if (load_time(&slot->used) < load_time(&slot_at(class, set, oldest)->used))
            oldest = way;
    }
    return free_way < class->ways ? free_way : oldest;
}

static void fill(slot_t *slot, const uint64_t name[2], const kc_cache_view_t *view, int64_t now)
{
    size_t rest = view->bytes.len % sizeof(uint64_t), whole = view->bytes.len - rest;

    store(&slot->name[0], name[0]);
    store(&slot->name[1], name[1]);
    store_time(&slot->checked_ms, view->checked_ms);
    store_time(&slot->moment, view->moment);
    store_time(&slot->asked_ms, 0);
    store_time(&slot->used, now);
    write_words(slot->key, view->key, sizeof(slot->key));
    write_words(slot->stamp, view->stamp, sizeof(slot->stamp));
    store(&slot->len, view->bytes.len);
    write_words(slot->words, view->bytes.data, whole);
    if (rest) {
        uint64_t word = 0;

        memcpy(&word, view->bytes.data + whole, rest);
        store(&slot->words[whole / sizeof(word)], word);
    }
}

/* Whose it was nobody needs to know any more. */
static void blank(slot_t *slot, size_t slot_size)
{
    size_t i, count = (size_t)load(&slot->len) / sizeof(uint64_t) + 1;

    for (i = 0; i < count && i < (slot_size - sizeof(*slot)) / sizeof(uint64_t); i++)
        store(&slot->words[i], 0);
    store(&slot->len, 0);
}

/* Forgets the name in one class. */
static void forget(const kc_cache_t *cache, const class_t *class, const uint64_t name[2])
{
    size_t set = set_index(cache, class, name), way;

    for (way = 0; way < class->ways; way++) {
        slot_t *slot = slot_at(class, set, way);

        if (class->tags[set].tag[way] != name[0])
            continue;
        begin(slot);
        store(&class->tags[set].tag[way], 0);
        store(&slot->name[0], 0);
        blank(slot, class->slot_size);
        end(slot);
    }
}

static void write_view(const kc_cache_t *cache, const uint64_t name[2], const kc_cache_view_t *view,
                       int64_t now)
{
    size_t which = view->bytes.len > shape[SMALL].slot_size - sizeof(slot_t) ? LARGE : SMALL;
    const class_t *class = &cache->classes[which];
    size_t set = set_index(cache, class, name);
    size_t way = choose_way(class, set, name[0]);
    slot_t *slot = slot_at(class, set, way);

    forget(cache, &cache->classes[!which], name);
    begin(slot);
    store(&class->tags[set].tag[way], name[0]);
    fill(slot, name, view, now);
    end(slot);
}

void kc_cache_put(kc_cache_t *cache, const kc_cache_ticket_t *ticket, const kc_cache_view_t *view,
                  int64_t now)
{
    stripe_t *stripe = &cache->stripes[stripe_index(cache, ticket->name)];

    if (view->bytes.len > KC_CACHE_VIEW_MAX ||
        !is_locked(&stripe->mutex, pthread_mutex_trylock(&stripe->mutex)))
        return;
    if (load(&stripe->drops) == ticket->drops)
        write_view(cache, ticket->name, view, now);
    (void)pthread_mutex_unlock(&stripe->mutex);
}

/* By the calendar clock, for want of a monotonic one in POSIX. */
static int lock_within_limit(pthread_mutex_t *mutex)
{
    struct timespec limit;

    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += DROP_WAIT_MS * 1000000L;
    limit.tv_sec += limit.tv_nsec / 1000000000L;
    limit.tv_nsec %= 1000000000L;
    return pthread_mutex_timedlock(mutex, &limit);
}

/* The count comes first and without the lock: whatever happens next, no older answer is put. */
void kc_cache_drop(kc_cache_t *cache, const kc_cache_ticket_t *ticket)
{
    stripe_t *stripe = &cache->stripes[stripe_index(cache, ticket->name)];
    size_t i;

    (void)__atomic_add_fetch(&stripe->drops, 1, __ATOMIC_ACQ_REL);
    if (!is_locked(&stripe->mutex, lock_within_limit(&stripe->mutex)))
        return;
    for (i = 0; i < CLASS_COUNT; i++)
        forget(cache, &cache->classes[i], ticket->name);
    (void)pthread_mutex_unlock(&stripe->mutex);
}

/* ---------------------------------------------------------------- making */

static int stripes_init(kc_cache_t *cache)
{
    pthread_mutexattr_t attributes;
    size_t i;
    int status = pthread_mutexattr_init(&attributes);

    if (status)
        return status;
    status = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (!status)
        status = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    for (i = 0; !status && i < cache->stripe_count; i++)
        status = pthread_mutex_init(&cache->stripes[i].mutex, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return status;
}

static kc_rc_t handle_make(void *memory, size_t size, apr_pool_t *pool, kc_cache_t **out,
                           kc_err_t *err)
{
    if (size < KC_CACHE_SIZE_MIN)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "first tier: at least 320 KiB are needed");
    *out = apr_pcalloc(pool, sizeof(**out));
    layout(*out, memory, size);
    return KC_OK;
}

kc_rc_t kc_cache_create(size_t size, const kc_siphash_key_t *key, apr_pool_t *pool,
                        kc_cache_t **out, kc_err_t *err)
{
    apr_shm_t *mapping;
    kc_rc_t rc;

    /* anonymous, all zeros, and without cost until it is used; released by APR's code, not ours */
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

void *kc_cache_memory(const kc_cache_t *cache)
{
    return cache->memory;
}

kc_rc_t kc_cache_attach(void *memory, size_t size, apr_pool_t *pool, kc_cache_t **out,
                        kc_err_t *err)
{
    kc_rc_t rc = handle_make(memory, size, pool, out, err);

    if (rc != KC_OK)
        return rc;
    if ((*out)->header->magic != magic || (*out)->header->size != size)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "first tier: of another size or version");
    return KC_OK;
}

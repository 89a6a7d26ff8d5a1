/* The store in shared memory: areas with a robust lock each, made before fork.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_shm.h"

#include <apr_shm.h>
#include <apr_strings.h>
#include <errno.h>
#include <string.h>

#include "store/shm_lock.h"
#include "store/shm_values.h"
#include "store/store.h"

/* The memory holds a header, the stripes (a lock each, and its data), and as many areas of equal
 * size. A key belongs to one area, and an operation takes only the lock of that area.
 *
 * Only copying happens under a lock: no allocation, no system call, no clock. */

enum {
    LINE = 128,
    AREA_MIN = 2 * 1024 * 1024, /* bytes: many values each, so that all areas fill evenly */
    COPY_MAX = 4096,            /* bytes; values up to this size are copied through the stack */
    REPORT_SECONDS = 60
};

/* The last digits are the layout's version. Code of another version makes its own memory. */
static const uint64_t magic = UINT64_C(0x6b6373686d303033);

typedef struct {
    uint64_t magic;
    uint64_t size;
    uint64_t evicted;    /* values evicted before they expired, of all areas */
    uint64_t reported;   /* how many of them have been logged */
    int64_t reported_at; /* seconds */
} header_t;

typedef struct {
    pthread_mutex_t mutex;
    kc_shm_values_state_t values;
} __attribute__((aligned(LINE))) stripe_t;

typedef struct {
    kc_store_t store;
    void *memory; /* as returned by the system */
    header_t *header;
    stripe_t *stripes;
    size_t count;           /* of stripes: a power of two */
    kc_shm_values_t *areas; /* one for each stripe */
    int64_t (*now)(void *context);
    void *context;
    void (*report)(void *context, uint64_t count);
    void *report_context;
} shm_t;

/* ---------------------------------------------------------------- layout */

/* Computes all addresses; the same size gives the same layout in each process. */
static void layout(shm_t *shm, void *memory, size_t size, apr_pool_t *pool)
{
    size_t skip = (LINE - (uintptr_t)memory % LINE) % LINE;
    unsigned char *base = (unsigned char *)memory + skip, *next;
    size_t area_size, i;

    shm->memory = memory;
    shm->header = (header_t *)(void *)base;
    shm->stripes = (stripe_t *)(void *)(base + LINE);
    shm->count = 1;
    while (shm->count * 2 * AREA_MIN <= size)
        shm->count *= 2;
    shm->areas = apr_palloc(pool, shm->count * sizeof(*shm->areas));
    next = (unsigned char *)(shm->stripes + shm->count);
    area_size = (size - LINE - (size_t)(next - base)) / shm->count / LINE * LINE;
    for (i = 0; i < shm->count; i++)
        kc_shm_values_place(&shm->areas[i], &shm->stripes[i].values, next + i * area_size,
                            area_size);
}

/* What the operation on a key uses. */
typedef struct {
    kc_shm_values_key_t key;
    stripe_t *stripe;
    kc_shm_values_t *values;
    int64_t now;
} work_t;

static work_t work_on(const shm_t *shm, const char *key)
{
    work_t work;
    size_t index;

    work.key = kc_shm_values_key(key);
    work.now = shm->now(shm->context);
    index = (size_t)work.key.hash & (shm->count - 1);
    work.stripe = &shm->stripes[index];
    work.values = &shm->areas[index];
    return work;
}

/* ---------------------------------------------------------------- locks */

static kc_rc_t hold(const work_t *work, int64_t *wait_ms, kc_err_t *err)
{
    pthread_mutex_t *mutex = &work->stripe->mutex;
    int status = kc_shm_lock_take(mutex, wait_ms);

    if (status == EOWNERDEAD) {
        kc_shm_values_mend(work->values);
        status = kc_shm_lock_mended(mutex);
    }
    if (status)
        return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "shared memory: a lock cannot be taken: %s",
                       status == ETIMEDOUT ? "another child holds it for too long" : "broken");
    return KC_OK;
}

static void let_go(const work_t *work)
{
    kc_shm_lock_give(&work->stripe->mutex);
}

/* ---------------------------------------------------------------- vtable */

/* A pool may ask the system for memory, or end the process, so it is never used under a lock. The
 * value is copied to the stack, and from there to memory of its exact size. A larger value is
 * measured first and read again. If it has grown in between, there is room for the largest. */
static kc_rc_t get_one(const shm_t *shm, const char *text, int64_t *wait_ms, kc_store_item_t *item,
                       apr_pool_t *pool, kc_err_t *err)
{
    work_t work = work_on(shm, text);
    unsigned char copy[COPY_MAX];
    unsigned char *room = copy;
    size_t size = sizeof(copy), len;

    for (;;) {
        kc_rc_t rc = hold(&work, wait_ms, err);
        uint32_t number;

        if (rc != KC_OK)
            return rc;
        number = kc_shm_values_find_live(work.values, &work.key, work.now);
        len = number ? kc_shm_values_read(work.values, number, room, size) : 0;
        item->expires_at = number ? kc_shm_values_expiry(work.values, number) : 0;
        let_go(&work);
        if (!number)
            return KC_OK;
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
    int64_t wait_ms = KC_SHM_LOCK_WAIT_MS; /* for all of them */
    size_t i;

    for (i = 0; i < count; i++) {
        kc_rc_t rc = get_one(shm, keys[i], &wait_ms, &items[i], pool, err);

        if (rc != KC_OK)
            return rc;
    }
    return KC_OK;
}

/* Reports evictions, once a minute. now may be a little before the last report, because it was
 * taken before waiting for a lock. If it is much before, a clock was set back. Other threads may
 * count meanwhile: a thread whose count is already reported says nothing. */
static void tell(const shm_t *shm, uint64_t evicted, int64_t now)
{
    header_t *header = shm->header;
    uint64_t all, before;
    int64_t last;

    (void)__atomic_add_fetch(&header->evicted, evicted, __ATOMIC_ACQ_REL);
    last = __atomic_load_n(&header->reported_at, __ATOMIC_ACQUIRE);
    if (!shm->report || (now - last > -REPORT_SECONDS && now - last < REPORT_SECONDS) ||
        !__atomic_compare_exchange_n(&header->reported_at, &last, now, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return;
    all = __atomic_load_n(&header->evicted, __ATOMIC_ACQUIRE);
    before = __atomic_exchange_n(&header->reported, all, __ATOMIC_ACQ_REL);
    if (all > before)
        shm->report(shm->report_context, all - before);
}

static kc_rc_t shm_write(kc_store_t *store, const kc_store_write_t *write, kc_err_t *err)
{
    const shm_t *shm = (const shm_t *)(void *)store;
    int64_t wait_ms = KC_SHM_LOCK_WAIT_MS;
    work_t work = work_on(shm, write->key);
    uint64_t evicted;
    uint32_t old;
    kc_rc_t rc = hold(&work, &wait_ms, err);

    if (rc != KC_OK)
        return rc;
    evicted = work.values->state->evicted;
    old = kc_shm_values_find(work.values, &work.key);
    if (write->is_add && old && kc_shm_values_expiry(work.values, old) > work.now)
        rc = KC_EXISTS;
    else
        rc = kc_shm_values_write(work.values, &work.key, old, write, work.now);
    evicted = work.values->state->evicted - evicted;
    let_go(&work);
    if (evicted)
        tell(shm, evicted, work.now);
    if (rc == KC_REFUSED)
        return KC_FAIL(err, rc, KC_ERR_STORE_VALUE, "shm: a value of %zu bytes is too large",
                       write->value.len);
    return rc;
}

static kc_rc_t shm_put(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                       kc_err_t *err)
{
    const kc_store_write_t write = {key, value, expires_at, KC_STORE_OWNED, 0};

    return shm_write(store, &write, err);
}

static kc_rc_t shm_add(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                       kc_err_t *err)
{
    const kc_store_write_t write = {key, value, expires_at, KC_STORE_OWNED, 1};

    return shm_write(store, &write, err);
}

static kc_rc_t shm_touch(kc_store_t *store, const char *text, int64_t expires_at, kc_err_t *err)
{
    const shm_t *shm = (const shm_t *)(void *)store;
    int64_t wait_ms = KC_SHM_LOCK_WAIT_MS;
    work_t work = work_on(shm, text);
    uint32_t number;
    kc_rc_t rc = hold(&work, &wait_ms, err);

    if (rc != KC_OK)
        return rc;
    number = kc_shm_values_find_live(work.values, &work.key, work.now);
    if (number)
        kc_shm_values_touch(work.values, number, expires_at);
    let_go(&work);
    return number ? KC_OK : KC_MISS;
}

static kc_rc_t shm_drop(kc_store_t *store, const char *text, kc_err_t *err)
{
    const shm_t *shm = (const shm_t *)(void *)store;
    int64_t wait_ms = KC_SHM_LOCK_WAIT_MS;
    work_t work = work_on(shm, text);
    uint32_t number;
    kc_rc_t rc = hold(&work, &wait_ms, err);

    if (rc != KC_OK)
        return rc;
    number = kc_shm_values_find(work.values, &work.key);
    if (number)
        kc_shm_values_drop(work.values, number);
    let_go(&work);
    return KC_OK;
}

static const kc_store_vtable_t vtable = {"shm",     shm_get,  shm_put, shm_add,
                                         shm_touch, shm_drop, NULL,    shm_write};

/* ---------------------------------------------------------------- making */

static int stripes_init(const shm_t *shm)
{
    size_t i;
    int status = 0;

    for (i = 0; !status && i < shm->count; i++)
        status = kc_shm_lock_init(&shm->stripes[i].mutex);
    return status;
}

static shm_t *handle_make(void *memory, size_t size, int64_t (*now)(void *context), void *context,
                          apr_pool_t *pool)
{
    shm_t *shm = apr_pcalloc(pool, sizeof(*shm));

    shm->store.vtable = &vtable;
    shm->now = now;
    shm->context = context;
    layout(shm, memory, size, pool);
    return shm;
}

kc_rc_t kc_store_shm_create(size_t size, int64_t (*now)(void *context), void *context,
                            apr_pool_t *pool, kc_store_t **out, kc_err_t *err)
{
    apr_shm_t *mapping;
    shm_t *shm;

    if (size < KC_STORE_SHM_SIZE_MIN)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "shared memory: at least 1 MiB is needed");
    /* An anonymous mapping, all zeros, without pages until they are used. Its cleanup is code of
     * APR. Code of the module may be unloaded by the time the process pool is destroyed. */
    if (apr_shm_create(&mapping, size, NULL, pool) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "shared memory: %zu bytes cannot be had",
                       size);
    shm = handle_make(apr_shm_baseaddr_get(mapping), size, now, context, pool);
    if (stripes_init(shm))
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "shared memory: robust locks are missing");
    shm->header->size = size;
    shm->header->magic = magic;
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

    if (size < KC_STORE_SHM_SIZE_MIN)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "shared memory: at least 1 MiB is needed");
    shm = handle_make(memory, size, now, context, pool);
    if (shm->header->magic != magic || shm->header->size != size)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "shared memory: of another size or version");
    *out = &shm->store;
    return KC_OK;
}

void kc_store_shm_report(kc_store_t *store, void (*report)(void *context, uint64_t count),
                         void *context)
{
    shm_t *shm = (shm_t *)(void *)store;

    shm->report = report;
    shm->report_context = context;
}

uint64_t kc_store_shm_evicted(const kc_store_t *store)
{
    const shm_t *shm = (const shm_t *)(const void *)store;

    return __atomic_load_n(&shm->header->evicted, __ATOMIC_ACQUIRE);
}

/* Leases in a store: the right to do something, for one holder at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/lease.h"

#include <string.h>

void kc_lease_init(kc_lease_t *lease, kc_store_t *store, const char *key,
                   const unsigned char *random)
{
    lease->store = store;
    lease->key = key;
    memset(lease->value, 0, KC_LEASE_END_SIZE);
    memcpy(lease->value + KC_LEASE_END_SIZE, random, KC_LEASE_RANDOM_SIZE);
}

kc_bytes_t kc_lease_write_end(int64_t end_ms, unsigned char out[KC_LEASE_END_SIZE])
{
    const kc_bytes_t bytes = {out, KC_LEASE_END_SIZE};

    kc_buf_write_u64((uint64_t)end_ms, out);
    return bytes;
}

/* The value of this holder with another end. */
static kc_bytes_t value_until(const kc_lease_t *lease, int64_t end_ms,
                              unsigned char value[KC_LEASE_SIZE])
{
    const kc_bytes_t bytes = {value, KC_LEASE_SIZE};

    memcpy(value, lease->value, KC_LEASE_SIZE);
    (void)kc_lease_write_end(end_ms, value);
    return bytes;
}

/* A holder that tries again and gets nothing is still the holder of what it has. */
static kc_rc_t take(kc_lease_t *lease, int64_t end_ms, int64_t expires_at, kc_err_t *err)
{
    unsigned char value[KC_LEASE_SIZE];
    kc_bytes_t bytes = value_until(lease, end_ms, value);
    kc_rc_t rc = kc_store_add(lease->store, lease->key, bytes, expires_at, err);

    if (rc == KC_OK)
        memcpy(lease->value, value, sizeof(value));
    return rc;
}

kc_rc_t kc_lease_take(kc_lease_t *lease, int64_t expires_at, kc_err_t *err)
{
    return take(lease, 0, expires_at, err);
}

static int find(const kc_lease_t *lease, apr_pool_t *pool, kc_bytes_t *value)
{
    kc_store_item_t item;

    if (kc_store_get(lease->store, &lease->key, 1, &item, pool, NULL) != KC_OK)
        return 0;
    *value = item.value;
    return item.value.data != NULL;
}

int kc_lease_is_over(kc_bytes_t value, int64_t elapsed_ms)
{
    kc_reader_t reader;

    if (value.len != KC_LEASE_SIZE && value.len != KC_LEASE_END_SIZE)
        return 0;
    kc_buf_reader_init(&reader, value);
    return kc_buf_read_u64(&reader) <= (uint64_t)elapsed_ms;
}

kc_rc_t kc_lease_take_on_host(kc_lease_t *lease, int64_t now, int64_t elapsed_ms, int64_t seconds,
                              apr_pool_t *pool, kc_err_t *err)
{
    const int64_t end_ms = elapsed_ms + seconds * 1000;
    kc_rc_t rc = take(lease, end_ms, now + seconds, err);
    kc_bytes_t value;

    if (rc != KC_EXISTS || !find(lease, pool, &value) || !kc_lease_is_over(value, elapsed_ms))
        return rc;
    (void)kc_store_drop(lease->store, lease->key, NULL);
    return take(lease, end_ms, now + seconds, err);
}

int kc_lease_is_own(const kc_lease_t *lease, apr_pool_t *pool)
{
    kc_bytes_t value;

    return find(lease, pool, &value) && value.len == KC_LEASE_SIZE &&
           memcmp(value.data, lease->value, KC_LEASE_SIZE) == 0;
}

void kc_lease_prolong_on_host(kc_lease_t *lease, int64_t now, int64_t elapsed_ms, int64_t seconds,
                              apr_pool_t *pool)
{
    unsigned char value[KC_LEASE_SIZE];
    kc_bytes_t bytes = value_until(lease, elapsed_ms + seconds * 1000, value);

    if (kc_lease_is_own(lease, pool) &&
        kc_store_put(lease->store, lease->key, bytes, now + seconds, NULL) == KC_OK)
        memcpy(lease->value, value, sizeof(value));
}

void kc_lease_replace(const kc_lease_t *lease, kc_bytes_t value, int64_t expires_at,
                      apr_pool_t *pool)
{
    if (kc_lease_is_own(lease, pool))
        (void)kc_store_put(lease->store, lease->key, value, expires_at, NULL);
}

void kc_lease_pause_on_host(const kc_lease_t *lease, int64_t now, int64_t elapsed_ms,
                            int64_t seconds, apr_pool_t *pool)
{
    unsigned char end[KC_LEASE_END_SIZE];

    kc_lease_replace(lease, kc_lease_write_end(elapsed_ms + seconds * 1000, end), now + seconds,
                     pool);
}

int kc_lease_is_paused(const kc_lease_t *lease, int64_t elapsed_ms, apr_pool_t *pool)
{
    kc_bytes_t value;

    return find(lease, pool, &value) && value.len != KC_LEASE_SIZE &&
           !kc_lease_is_over(value, elapsed_ms);
}

void kc_lease_give(const kc_lease_t *lease, apr_pool_t *pool)
{
    if (kc_lease_is_own(lease, pool))
        (void)kc_store_drop(lease->store, lease->key, NULL);
}

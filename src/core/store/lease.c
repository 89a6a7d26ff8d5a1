/* Leases in a store: the right to do something, for one holder at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/lease.h"

#include <string.h>

enum { TIME_SIZE = KC_LEASE_SIZE - KC_LEASE_RANDOM_SIZE };

/* Seconds. A larger difference means that the value is not a time: earlier versions stored only
 * random bytes. */
static const int64_t longest = (int64_t)10 * 365 * 86400;

void kc_lease_init(kc_lease_t *lease, kc_store_t *store, const char *key,
                   const unsigned char *random)
{
    lease->store = store;
    lease->key = key;
    memset(lease->value, 0, TIME_SIZE);
    memcpy(lease->value + TIME_SIZE, random, KC_LEASE_RANDOM_SIZE);
}

kc_rc_t kc_lease_take(kc_lease_t *lease, int64_t now, int64_t seconds, kc_err_t *err)
{
    const kc_bytes_t value = {lease->value, KC_LEASE_SIZE};
    int i;

    for (i = 0; i < TIME_SIZE; i++)
        lease->value[i] = (unsigned char)((uint64_t)now >> (8 * (TIME_SIZE - 1 - i)));
    return kc_store_add(lease->store, lease->key, value, now + seconds, err);
}

static int find(const kc_lease_t *lease, apr_pool_t *pool, kc_bytes_t *value)
{
    kc_store_item_t item;

    if (kc_store_get(lease->store, &lease->key, 1, &item, pool, NULL) != KC_OK)
        return 0;
    *value = item.value;
    return item.value.data != NULL;
}

static int is_ahead(kc_bytes_t value, int64_t now)
{
    kc_reader_t reader;
    int64_t ahead;

    kc_buf_reader_init(&reader, value);
    ahead = (int64_t)(kc_buf_read_u64(&reader) - (uint64_t)now);
    return !reader.is_short && ahead > KC_LEASE_CLOCK_SLACK && ahead < longest;
}

kc_rc_t kc_lease_take_on_host(kc_lease_t *lease, int64_t now, int64_t seconds, apr_pool_t *pool,
                              kc_err_t *err)
{
    kc_rc_t rc = kc_lease_take(lease, now, seconds, err);
    kc_bytes_t value;

    if (rc != KC_EXISTS || !find(lease, pool, &value) || !is_ahead(value, now))
        return rc;
    (void)kc_store_drop(lease->store, lease->key, NULL);
    return kc_lease_take(lease, now, seconds, err);
}

int kc_lease_is_own(const kc_lease_t *lease, apr_pool_t *pool)
{
    kc_bytes_t value;

    return find(lease, pool, &value) && value.len == KC_LEASE_SIZE &&
           memcmp(value.data, lease->value, KC_LEASE_SIZE) == 0;
}

void kc_lease_prolong(const kc_lease_t *lease, int64_t expires_at, apr_pool_t *pool)
{
    if (kc_lease_is_own(lease, pool))
        (void)kc_store_touch(lease->store, lease->key, expires_at, NULL);
}

void kc_lease_replace(const kc_lease_t *lease, kc_bytes_t value, int64_t expires_at,
                      apr_pool_t *pool)
{
    if (kc_lease_is_own(lease, pool))
        (void)kc_store_put(lease->store, lease->key, value, expires_at, NULL);
}

void kc_lease_give(const kc_lease_t *lease, apr_pool_t *pool)
{
    if (kc_lease_is_own(lease, pool))
        (void)kc_store_drop(lease->store, lease->key, NULL);
}

/* Stores: the argument checks that every store shares.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <string.h>

#include "base/caller.h"

/* The only accepted spelling of a key, so that no store can treat two keys alike. No early exit:
 * the loop then compiles to a few vector instructions, and this runs on each request. */
static int is_key(const char *key)
{
    unsigned int is_bad = 0;
    size_t i;

    if (!key || strnlen(key, KC_STORE_KEY_LEN + 1) != KC_STORE_KEY_LEN)
        return 0;
    for (i = 0; i < KC_STORE_KEY_LEN; i++) {
        unsigned char c = (unsigned char)key[i];

        is_bad |= (unsigned int)(((unsigned char)(c - '0') > 9) & ((unsigned char)(c - 'a') > 5));
    }
    return !is_bad;
}

static kc_rc_t refuse(kc_err_t *err, const char *what)
{
    return KC_FAIL(err, KC_REFUSED, KC_ERR_INTERNAL, "store: %s", what);
}

static kc_rc_t check_key(const char *key, kc_err_t *err)
{
    return is_key(key) ? KC_OK : refuse(err, "a key is 64 lower-case hexadecimal characters");
}

/* Zero would mean "never" to memcached and "long ago" to others. */
static kc_rc_t check_expiry(int64_t expires_at, kc_err_t *err)
{
    return expires_at > 0 ? KC_OK : refuse(err, "an expiry is a time after 1970");
}

static kc_rc_t check_write(const char *key, kc_bytes_t value, int64_t expires_at, kc_err_t *err)
{
    kc_rc_t rc = check_key(key, err);

    if (rc == KC_OK)
        rc = check_expiry(expires_at, err);
    if (rc != KC_OK)
        return rc;
    if (value.len && !value.data)
        return refuse(err, "a value has a length and no bytes");
    if (value.len > KC_STORE_VALUE_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_STORE_VALUE, "a value of %zu bytes is over %d",
                       value.len, (int)KC_STORE_VALUE_MAX);
    return KC_OK;
}

kc_rc_t kc_store_get(kc_store_t *store, const char *const *keys, size_t count,
                     kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err)
{
    int64_t begun;
    kc_rc_t rc;
    size_t i;

    if (count < 1 || count > KC_STORE_GET_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_INTERNAL, "store: a get asks for 1 to %d keys",
                       (int)KC_STORE_GET_MAX);
    memset(items, 0, count * sizeof(*items));
    for (i = 0; i < count; i++) {
        if (!is_key(keys[i]))
            return check_key(keys[i], err);
    }
    begun = kc_caller_begin();
    rc = store->vtable->get(store, keys, count, items, pool, err);
    kc_caller_end(KC_CALLER_STORE, begun);
    return rc;
}

kc_rc_t kc_store_put(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                     kc_err_t *err)
{
    kc_rc_t rc = check_write(key, value, expires_at, err);
    int64_t begun;

    if (rc != KC_OK)
        return rc;
    begun = kc_caller_begin();
    rc = store->vtable->put(store, key, value, expires_at, err);
    kc_caller_end(KC_CALLER_STORE, begun);
    return rc;
}

kc_rc_t kc_store_add(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                     kc_err_t *err)
{
    kc_rc_t rc = check_write(key, value, expires_at, err);
    int64_t begun;

    if (rc != KC_OK)
        return rc;
    begun = kc_caller_begin();
    rc = store->vtable->add(store, key, value, expires_at, err);
    kc_caller_end(KC_CALLER_STORE, begun);
    return rc;
}

kc_rc_t kc_store_write(kc_store_t *store, const kc_store_write_t *write, kc_err_t *err)
{
    const kc_store_vtable_t *vtable = store->vtable;
    int64_t begun;
    kc_rc_t rc = check_write(write->key, write->value, write->expires_at, err);

    if (rc != KC_OK)
        return rc;
    begun = kc_caller_begin();
    if (vtable->write)
        rc = vtable->write(store, write, err);
    else
        rc = (write->is_add ? vtable->add : vtable->put)(store, write->key, write->value,
                                                         write->expires_at, err);
    kc_caller_end(KC_CALLER_STORE, begun);
    return rc;
}

kc_rc_t kc_store_touch(kc_store_t *store, const char *key, int64_t expires_at, kc_err_t *err)
{
    kc_rc_t rc = check_key(key, err);
    int64_t begun;

    if (rc == KC_OK)
        rc = check_expiry(expires_at, err);
    if (rc != KC_OK)
        return rc;
    begun = kc_caller_begin();
    rc = store->vtable->touch(store, key, expires_at, err);
    kc_caller_end(KC_CALLER_STORE, begun);
    return rc;
}

kc_rc_t kc_store_drop(kc_store_t *store, const char *key, kc_err_t *err)
{
    kc_rc_t rc = check_key(key, err);
    int64_t begun;

    if (rc != KC_OK)
        return rc;
    begun = kc_caller_begin();
    rc = store->vtable->drop(store, key, err);
    kc_caller_end(KC_CALLER_STORE, begun);
    return rc;
}

kc_rc_t kc_store_probe(kc_store_t *store, apr_pool_t *pool, kc_err_t *err)
{
    static const char nobodys[] = /* not the digest of any known key */
        "0000000000000000000000000000000000000000000000000000000000000000";

    return store->vtable->probe ? store->vtable->probe(store, nobodys, pool, err) : KC_OK;
}

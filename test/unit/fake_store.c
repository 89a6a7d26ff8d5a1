/* A store in memory for unit tests. It counts its requests, and can be switched off.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"

#include <apr_strings.h>
#include <string.h>

static kc_rc_t check_up(kc_fake_store_t *store, kc_err_t *err)
{
    if (!store->is_down && store->down_after > 0)
        store->down_after--;
    else if (!store->is_down && store->down_after == 0)
        store->is_down = 1;
    if (store->is_down)
        return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "fake: told to be down");
    return KC_OK;
}

static kc_fake_entry_t *entry_at(kc_fake_store_t *store, int index)
{
    return &((kc_fake_entry_t *)(void *)store->entries->elts)[index];
}

kc_fake_entry_t *kc_fake_store_entry(kc_fake_store_t *store, const char *key)
{
    int i;

    for (i = 0; i < store->entries->nelts; i++) {
        if (!strcmp(entry_at(store, i)->key, key))
            return entry_at(store, i);
    }
    return NULL;
}

static int is_live(const kc_fake_store_t *store, const kc_fake_entry_t *entry)
{
    return entry->key[0] && entry->expires_at > store->fake->now;
}

static kc_fake_entry_t *live_entry(kc_fake_store_t *store, const char *key)
{
    kc_fake_entry_t *entry = kc_fake_store_entry(store, key);

    return entry && is_live(store, entry) ? entry : NULL;
}

kc_fake_entry_t *kc_fake_store_nth(kc_fake_store_t *store, int index)
{
    int i;

    for (i = 0; i < store->entries->nelts; i++) {
        if (entry_at(store, i)->key[0] && index-- == 0)
            return entry_at(store, i);
    }
    return NULL;
}

int kc_fake_store_count(kc_fake_store_t *store)
{
    int count = 0;
    int i;

    for (i = 0; i < store->entries->nelts; i++)
        count += is_live(store, entry_at(store, i));
    return count;
}

static void entry_write(kc_fake_store_t *store, const char *key, kc_bytes_t value,
                        int64_t expires_at)
{
    kc_fake_entry_t *entry = kc_fake_store_entry(store, key);

    if (!entry)
        entry = kc_fake_store_entry(store, "");
    if (!entry)
        entry = apr_array_push(store->entries);
    memset(entry, 0, sizeof(*entry));
    apr_cpystrn(entry->key, key, sizeof(entry->key));
    entry->data = apr_pmemdup(store->fake->pool, value.len ? (const void *)value.data : "",
                              value.len + !value.len);
    entry->len = value.len;
    entry->expires_at = expires_at;
}

static kc_rc_t fake_get(kc_store_t *handle, const char *const *keys, size_t count,
                        kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err)
{
    kc_fake_store_t *store = (kc_fake_store_t *)handle;
    size_t i;

    store->gets++;
    store->keys_asked += (int)count;
    memset(items, 0, count * sizeof(*items));
    if (check_up(store, err) != KC_OK)
        return KC_DOWN;
    for (i = 0; i < count; i++) {
        const kc_fake_entry_t *entry = live_entry(store, keys[i]);

        items[i].is_partial = !entry && store->is_partial;
        if (!entry)
            continue;
        items[i].value.data = apr_pmemdup(pool, entry->data, entry->len + !entry->len);
        items[i].value.len = entry->len;
        items[i].expires_at = store->is_silent ? 0 : entry->expires_at;
    }
    return KC_OK;
}

static kc_rc_t fake_put(kc_store_t *handle, const char *key, kc_bytes_t value, int64_t expires_at,
                        kc_err_t *err)
{
    kc_fake_store_t *store = (kc_fake_store_t *)handle;

    store->puts++;
    if (check_up(store, err) != KC_OK)
        return KC_DOWN;
    entry_write(store, key, value, expires_at);
    return KC_OK;
}

static kc_rc_t fake_add(kc_store_t *handle, const char *key, kc_bytes_t value, int64_t expires_at,
                        kc_err_t *err)
{
    kc_fake_store_t *store = (kc_fake_store_t *)handle;

    store->adds++;
    if (check_up(store, err) != KC_OK)
        return KC_DOWN;
    if (live_entry(store, key))
        return KC_EXISTS;
    entry_write(store, key, value, expires_at);
    return KC_OK;
}

static kc_rc_t fake_touch(kc_store_t *handle, const char *key, int64_t expires_at, kc_err_t *err)
{
    kc_fake_store_t *store = (kc_fake_store_t *)handle;
    kc_fake_entry_t *entry;

    store->touches++;
    if (check_up(store, err) != KC_OK)
        return KC_DOWN;
    entry = live_entry(store, key);
    if (!entry)
        return KC_MISS;
    entry->expires_at = expires_at;
    return KC_OK;
}

static kc_rc_t fake_drop(kc_store_t *handle, const char *key, kc_err_t *err)
{
    kc_fake_store_t *store = (kc_fake_store_t *)handle;
    kc_fake_entry_t *entry;

    store->drops++;
    if (check_up(store, err) != KC_OK)
        return KC_DOWN;
    entry = kc_fake_store_entry(store, key);
    if (entry)
        entry->key[0] = '\0';
    return KC_OK;
}

static const kc_store_vtable_t fake_vtable = {"fake",     fake_get,  fake_put, fake_add,
                                              fake_touch, fake_drop, NULL,     NULL};

void kc_fake_store_init(kc_fake_store_t *store, kc_fake_t *fake)
{
    memset(store, 0, sizeof(*store));
    store->store.vtable = &fake_vtable;
    store->fake = fake;
    store->entries = apr_array_make(fake->pool, 16, sizeof(kc_fake_entry_t));
    store->down_after = KC_FAKE_NEVER;
}

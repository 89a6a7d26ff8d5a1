/* Values with their own check bytes, for tests of stores.
 * SPDX-License-Identifier: Apache-2.0 */
#include "values.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testlib.h"

values_key_t values_key(unsigned int number)
{
    values_key_t key;

    (void)snprintf(key.text, sizeof(key.text), "%064x", number);
    return key;
}

/* len bytes: key number and version, then bytes that follow from them and from the length. */
static void pattern_fill(unsigned char *out, size_t len, unsigned int number, unsigned int version)
{
    uint32_t state = number * 2654435761U + version * 40503U + (uint32_t)len;
    size_t i;

    memcpy(out, &number, sizeof(number));
    memcpy(out + sizeof(number), &version, sizeof(version));
    for (i = sizeof(number) + sizeof(version); i < len; i++) {
        state = state * 1664525U + 1013904223U;
        out[i] = (unsigned char)(state >> 24);
    }
}

int values_is_whole(kc_bytes_t value, unsigned int number)
{
    unsigned char *copy;
    unsigned int version;
    int is_same;

    if (value.len < 8)
        return 0;
    memcpy(&version, value.data + sizeof(number), sizeof(version));
    copy = malloc(value.len);
    if (!copy)
        return 0;
    pattern_fill(copy, value.len, number, version);
    is_same = !memcmp(copy, value.data, value.len);
    free(copy);
    return is_same;
}

kc_store_item_t values_get(kc_store_t *store, unsigned int number)
{
    values_key_t key = values_key(number);
    const char *keys[] = {key.text};
    kc_store_item_t item;
    kc_err_t err;

    ck_assert_int_eq(kc_store_get(store, keys, 1, &item, testlib_pool, &err), KC_OK);
    return item;
}

int values_is_there(kc_store_t *store, unsigned int number)
{
    kc_store_item_t item = values_get(store, number);

    if (!item.value.data)
        return 0;
    ck_assert(values_is_whole(item.value, number));
    return 1;
}

kc_rc_t values_put(kc_store_t *store, unsigned int number, unsigned int version, size_t len,
                   int64_t expires_at)
{
    unsigned char *data = malloc(len);
    kc_bytes_t value = {data, len};
    values_key_t key = values_key(number);
    kc_rc_t rc;

    if (!data)
        return KC_FAULT;
    pattern_fill(data, len, number, version);
    rc = kc_store_put(store, key.text, value, expires_at, NULL);
    free(data);
    return rc;
}

unsigned int values_random(unsigned int *state)
{
    *state = *state * 1103515245U + 12345U;
    return *state >> 8;
}

size_t values_size(unsigned int number)
{
    static const size_t sizes[] = {64, 150, 900, 1500, 1600, 2000, 5000, 20000};

    return sizes[number % 8] + number % 7;
}

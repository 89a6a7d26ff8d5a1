/* Values with their own check bytes, for tests of stores: torn or mixed values are detected.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_VALUES_H
#define KC_VALUES_H

#include "store/store.h"

typedef struct {
    char text[KC_STORE_KEY_LEN + 1];
} values_key_t;

values_key_t values_key(unsigned int number);

/* Puts number's value of len bytes (8 or more): number and version, then bytes that follow from
 * them and from len. */
kc_rc_t values_put(kc_store_t *store, unsigned int number, unsigned int version, size_t len,
                   int64_t expires_at);
/* 1 when the bytes are whole, and number's. */
int values_is_whole(kc_bytes_t value, unsigned int number);
/* What the store, which has to answer, has for number, in testlib_pool; and whether that is a
 * value, which then has to be whole. */
kc_store_item_t values_get(kc_store_t *store, unsigned int number);
int values_is_there(kc_store_t *store, unsigned int number);

/* A simple generator, for threads and processes of tests. */
unsigned int values_random(unsigned int *state);
/* A size out of several classes, always the same for the same number; those of 7 mod 8 are over 16
 * KiB. */
size_t values_size(unsigned int number);

#endif

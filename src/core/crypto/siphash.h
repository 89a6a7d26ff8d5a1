/* SipHash-2-4 with 128 bits: a keyed hash that is cheap enough for each request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SIPHASH_H
#define KC_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* A secret key. Without it results can be neither predicted nor forged. */
typedef struct kc_siphash_key_t {
    uint64_t word[2];
} kc_siphash_key_t;

/* The state of an unfinished hash. Parts may be added one after the other; the size of each must be
 * a multiple of 8 bytes (ids, keys and fingerprints have such sizes). */
typedef struct kc_siphash_t {
    uint64_t v[4];
    size_t len;
} kc_siphash_t;

/* Thread safe; no failures. J.-P. Aumasson, D. J. Bernstein: SipHash, a fast short-input PRF. */
void kc_siphash_init(kc_siphash_t *hash, const kc_siphash_key_t *key);
void kc_siphash_put(kc_siphash_t *hash, const unsigned char *data, size_t len);
void kc_siphash_end(kc_siphash_t *hash, uint64_t out[2]);

#endif

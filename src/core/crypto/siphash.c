/* SipHash-2-4 with a result of 128 bits, over whole words.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crypto/siphash.h"

#include <string.h>

enum { ROUNDS = 2, LAST_ROUNDS = 4, WORD = 8 /* bytes */ };

static uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(uint64_t v[4], int rounds)
{
    for (; rounds; rounds--) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static void put_word(kc_siphash_t *hash, uint64_t word)
{
    hash->v[3] ^= word;
    mix(hash->v, ROUNDS);
    hash->v[0] ^= word;
}

void kc_siphash_init(kc_siphash_t *hash, const kc_siphash_key_t *key)
{
    hash->v[0] = UINT64_C(0x736f6d6570736575) ^ key->word[0];
    hash->v[1] = UINT64_C(0x646f72616e646f6d) ^ key->word[1] ^ 0xee; /* 0xee: for a result of 128
                                                                        bits */
    hash->v[2] = UINT64_C(0x6c7967656e657261) ^ key->word[0];
    hash->v[3] = UINT64_C(0x7465646279746573) ^ key->word[1];
    hash->len = 0;
}

/* Words are read in the machine's byte order. So results are the same on machines with the same
 * byte order only, unless the parts are words already. */
void kc_siphash_put(kc_siphash_t *hash, const unsigned char *data, size_t len)
{
    kc_siphash_t state = *hash; /* a copy, which stays in registers */

    state.len += len;
    for (; len >= WORD; data += WORD, len -= WORD) {
        uint64_t word;

        memcpy(&word, data, sizeof(word));
        put_word(&state, word);
    }
    *hash = state;
}

void kc_siphash_end(kc_siphash_t *hash, uint64_t out[2])
{
    uint64_t *v = hash->v;

    put_word(hash, (uint64_t)hash->len << 56);
    v[2] ^= 0xee;
    mix(v, LAST_ROUNDS);
    out[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    mix(v, LAST_ROUNDS);
    out[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}

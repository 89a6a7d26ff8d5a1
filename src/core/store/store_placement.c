/* Which servers have a key: rendezvous hashing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_placement.h"

#include "store/store.h"

static uint64_t mix(uint64_t word)
{
    word = (word ^ word >> 33) * UINT64_C(0xff51afd7ed558ccd);
    word = (word ^ word >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return word ^ word >> 33;
}

uint64_t kc_store_placement_hash(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return mix(hash);
}

static uint64_t read_forward(const char *at)
{
    uint64_t word = 0;
    size_t i;

    for (i = 0; i < sizeof(word); i++)
        word = word << 8 | (unsigned char)at[i];
    return word;
}

static uint64_t read_backward(const char *at)
{
    uint64_t word = 0;
    size_t i;

    for (i = sizeof(word); i; i--)
        word = word << 8 | (unsigned char)at[i - 1];
    return word;
}

/* The same for a key and for the reversed key. Keys are random, so two words of each end are
 * enough. */
static uint64_t hash_of(const char *key)
{
    const char *last = key + KC_STORE_KEY_LEN - sizeof(uint64_t);

    return mix(read_forward(key)) + mix(read_backward(last));
}

void kc_store_placement_start(kc_store_placement_t *placement, const uint64_t *hashes, size_t count,
                              const char *key)
{
    placement->hashes = hashes;
    placement->count = count;
    placement->key_hash = count > 1 ? hash_of(key) : 0;
    placement->passed = 0;
}

/* The server with the highest score among the rest. */
size_t kc_store_placement_next(kc_store_placement_t *placement)
{
    uint64_t best_score = 0;
    size_t best = placement->count, i;

    for (i = 0; i < placement->count; i++) {
        uint64_t score;

        if (placement->passed >> i & 1)
            continue;
        score = mix(placement->key_hash ^ placement->hashes[i]);
        if (best == placement->count || score > best_score) {
            best = i;
            best_score = score;
        }
    }
    if (best < placement->count)
        placement->passed |= UINT64_C(1) << best;
    return best;
}

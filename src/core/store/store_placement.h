/* Which servers have a key: rendezvous hashing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_PLACEMENT_H
#define KC_STORE_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>

/* What a server is called decides what it has: the hash of its text, as it was configured. */
uint64_t kc_store_placement_hash(const char *text);

/* The servers of a key, from the first of its order to the last; on the caller's stack. Its members
 * are private. */
typedef struct kc_store_placement_t {
    const uint64_t *hashes;
    size_t count;
    uint64_t place;
    uint64_t passed; /* a bit for each of up to 64 servers that was given out */
} kc_store_placement_t;

/* hashes: one for each of count servers (1 to 64), kept. key: KC_STORE_KEY_LEN characters, of which
 * the key read backwards has the same order. */
void kc_store_placement_start(kc_store_placement_t *placement, const uint64_t *hashes, size_t count,
                              const char *key);
/* The index of the next one; count at the end. */
size_t kc_store_placement_next(kc_store_placement_t *placement);

#endif

/* Which servers have a key: rendezvous hashing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_PLACEMENT_H
#define KC_STORE_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>

/* The hash of a server's configured text. It decides which keys the server has. */
uint64_t kc_store_placement_hash(const char *text);

/* The servers of a key in its order, from the first to the last; on the caller's stack. Its members
 * are private. */
typedef struct kc_store_placement_t {
    const uint64_t *hashes;
    size_t count;
    uint64_t key_hash;
    uint64_t passed; /* a bit for each of up to 64 servers that was returned */
} kc_store_placement_t;

/* hashes: one for each of count servers (1 to 64), kept. key: KC_STORE_KEY_LEN characters. The
 * reversed key has the same order. */
void kc_store_placement_start(kc_store_placement_t *placement, const uint64_t *hashes, size_t count,
                              const char *key);
/* The index of the next server; count at the end. */
size_t kc_store_placement_next(kc_store_placement_t *placement);

#endif

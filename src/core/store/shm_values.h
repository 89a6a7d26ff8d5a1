/* Values in one area of shared memory, under its lock: found by key, with expiry and eviction of
 * the oldest.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SHM_VALUES_H
#define KC_SHM_VALUES_H

#include "base/buf.h"
#include "store/shm_blocks.h"
#include "store/store.h"

/* A value begins in a block with an entry: its key, times and length. Entries are found by hash
 * buckets with chained numbers. Each kind of value has a list by age. A value exists exactly while
 * the first block of its chain is signed. Everything else (buckets, lists, counts, free blocks)
 * follows from that, and is rebuilt when a process died with the lock. So a process killed at any
 * instruction leaves the old value, the new one or none, and never a part of one. */

enum { KC_SHM_VALUES_KEY_SIZE = KC_STORE_KEY_LEN / 2 /* bytes */ };

typedef struct kc_shm_values_list_t {
    uint32_t newest;
    uint32_t oldest;
    uint32_t blocks; /* that these values take */
    uint32_t unused;
} kc_shm_values_list_t;

/* What the processes share of an area besides its memory; zeros at first. */
typedef struct kc_shm_values_state_t {
    uint64_t sequence; /* of writes: the age of values */
    int64_t expiry;    /* no value expires before it */
    uint64_t evicted;  /* values that were evicted before they expired */
    kc_shm_blocks_state_t blocks;
    kc_shm_values_list_t lists[KC_STORE_KINDS];
} kc_shm_values_state_t;

/* An area as one process sees it. */
typedef struct kc_shm_values_t {
    kc_shm_values_state_t *state;
    uint32_t *buckets;
    uint32_t bucket_count;
    kc_shm_blocks_t blocks;
} kc_shm_values_t;

typedef struct kc_shm_values_key_t {
    unsigned char bytes[KC_SHM_VALUES_KEY_SIZE];
    uint64_t hash; /* the upper half chooses a bucket; the lower half may choose an area */
} kc_shm_values_key_t;

/* Converts KC_STORE_KEY_LEN characters of lower-case hex. */
kc_shm_values_key_t kc_shm_values_key(const char *text);

/* Lays out an area in size bytes at memory, which is aligned to the block size. At least 512 KiB,
 * at most 16 GiB. */
void kc_shm_values_place(kc_shm_values_t *values, kc_shm_values_state_t *state, void *memory,
                         size_t size);

/* All functions below need the lock. They allocate no memory, make no system call, and are fast. */

/* The number of the key's entry, expired or not; 0: there is none. */
uint32_t kc_shm_values_find(const kc_shm_values_t *values, const kc_shm_values_key_t *key);
/* The same, of an entry that has not expired at now. */
uint32_t kc_shm_values_find_live(const kc_shm_values_t *values, const kc_shm_values_key_t *key,
                                 int64_t now);
int64_t kc_shm_values_expiry(const kc_shm_values_t *values, uint32_t number);
/* Copies a value if it fits into size bytes at room. Returns its length either way. */
size_t kc_shm_values_read(const kc_shm_values_t *values, uint32_t number, unsigned char *room,
                          size_t size);
/* Writes a value in place of old (0: none). Space comes first from expired values, then from old,
 * then from the oldest values. KC_STORE_OPEN evicts only its own kind; the others never evict that
 * kind. KC_REFUSED: the value is larger than its kind may be. */
kc_rc_t kc_shm_values_write(kc_shm_values_t *values, const kc_shm_values_key_t *key, uint32_t old,
                            const kc_store_write_t *write, int64_t now);
/* Changes the expiry, and makes the value the newest. */
void kc_shm_values_touch(kc_shm_values_t *values, uint32_t number, int64_t expires_at);
void kc_shm_values_drop(kc_shm_values_t *values, uint32_t number);
/* Rebuilds everything after a process died with the lock. */
void kc_shm_values_mend(kc_shm_values_t *values);

#endif

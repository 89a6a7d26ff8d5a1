/* Values in one area of shared memory, under its lock: by key, with expiry, the oldest make room.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SHM_VALUES_H
#define KC_SHM_VALUES_H

#include "base/buf.h"
#include "store/shm_blocks.h"
#include "store/store.h"

/*
 * A value begins in a block with an entry: its key, times, length. Entries are found by buckets of
 * chained numbers, and each kind has a list by age. A value exists when the first block of its
 * chain is signed, and only then; everything else (buckets, lists, counts, free blocks) follows
 * from that and is made anew when somebody died with the lock in hand. So a process killed at any
 * instruction leaves the old value, the new one or none, and never a part of one.
 */

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
    uint64_t evicted;  /* values that lived and had to make room */
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
    uint64_t hash; /* the upper half chooses a bucket; the lower one is free to choose an area */
} kc_shm_values_key_t;

/* Of KC_STORE_KEY_LEN characters of lower-case hex. */
kc_shm_values_key_t kc_shm_values_key(const char *text);

/* Lays an area out in size bytes at memory, which is aligned to a block's size. At least 512 KiB,
 * at most 16 GiB. */
void kc_shm_values_place(kc_shm_values_t *values, kc_shm_values_state_t *state, void *memory,
                         size_t size);

/* Under the lock from here on: no call takes memory, asks the system, or takes long. */

/* The number of the key's entry, expired or not; 0: there is none. */
uint32_t kc_shm_values_find(const kc_shm_values_t *values, const kc_shm_values_key_t *key);
/* The same of one that lives at now. */
uint32_t kc_shm_values_find_live(const kc_shm_values_t *values, const kc_shm_values_key_t *key,
                                 int64_t now);
int64_t kc_shm_values_expiry(const kc_shm_values_t *values, uint32_t number);
/* Copies a value when it fits into size bytes at room; its length either way. */
size_t kc_shm_values_read(const kc_shm_values_t *values, uint32_t number, unsigned char *room,
                          size_t size);
/* Writes a value in place of old (0: none). Room is made by expired values, then by old, then by
 * the oldest: KC_STORE_OPEN pushes out only its own kind, the others never that. KC_REFUSED: larger
 * than its kind may be. */
kc_rc_t kc_shm_values_write(kc_shm_values_t *values, const kc_shm_values_key_t *key, uint32_t old,
                            const kc_store_write_t *write, int64_t now);
/* Moves the expiry, and makes it the newest. */
void kc_shm_values_touch(kc_shm_values_t *values, uint32_t number, int64_t expires_at);
void kc_shm_values_drop(kc_shm_values_t *values, uint32_t number);
/* After a death. */
void kc_shm_values_mend(kc_shm_values_t *values);

#endif

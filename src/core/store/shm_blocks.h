/* Blocks in shared memory: values of any size as chains of small blocks of equal size.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SHM_BLOCKS_H
#define KC_SHM_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* An area of memory is an array of blocks and an array of numbers: for each block, the number of
 * the next block of its chain. The chain of free blocks is only for speed. Which blocks are in use
 * follows from the chains that their owner knows. So a process can be killed at any point: the next
 * process that gets the area's lock names the used chains again, and the rest is free. */

enum {
    KC_SHM_BLOCK_SIZE = 128, /* bytes: two cache lines, which processors fetch in pairs */
    KC_SHM_BLOCKS_MAX = (1 << 28) - 1
};

/* What the processes share besides the two arrays; zeros at first. */
typedef struct kc_shm_blocks_state_t {
    uint32_t free; /* the first block of the free chain */
    uint32_t free_count;
    uint32_t begun; /* blocks up to this number have been used; the memory behind them has no pages
                       yet */
    uint32_t unused;
} kc_shm_blocks_state_t;

/* An area as one process sees it. Blocks are numbered from 1 to count; 0 means none. */
typedef struct kc_shm_blocks_t {
    kc_shm_blocks_state_t *state;
    uint32_t *next; /* count + 1 words */
    unsigned char *bytes;
    uint32_t count;
} kc_shm_blocks_t;

/* Bytes of memory that an area of count blocks takes, a multiple of the block size. */
size_t kc_shm_blocks_size(uint32_t count);
/* Lays out the area at memory, which is aligned to the block size. */
void kc_shm_blocks_place(kc_shm_blocks_t *blocks, kc_shm_blocks_state_t *state, void *memory,
                         uint32_t count);

/* All functions below need the area's lock, except kc_shm_blocks_next and kc_shm_blocks_at. These
 * may run while another process writes: the next number is then any from 0 to count. */
uint32_t kc_shm_blocks_left(const kc_shm_blocks_t *blocks);
/* Takes a chain of count blocks (1 or more) and returns its first. At least as many must be
 * left. */
uint32_t kc_shm_blocks_take(kc_shm_blocks_t *blocks, uint32_t count);
/* Frees a chain of count blocks. */
void kc_shm_blocks_give(kc_shm_blocks_t *blocks, uint32_t first, uint32_t count);
uint32_t kc_shm_blocks_next(const kc_shm_blocks_t *blocks, uint32_t number);
unsigned char *kc_shm_blocks_at(const kc_shm_blocks_t *blocks, uint32_t number);

/* A flag on a block, for its owner: a whole value begins there. Setting and clearing it is a single
 * store. It comes after all earlier stores and before all later ones. Taking a chain clears it. */
void kc_shm_blocks_sign(kc_shm_blocks_t *blocks, uint32_t number, int is_on);
int kc_shm_blocks_is_signed(const kc_shm_blocks_t *blocks, uint32_t number);

/* Repair after a process died with the lock. Call begin, name each chain that is in use, and end,
 * which frees the rest. name returns 1; or 0 when it is no such chain, or runs into a named one.
 * unname takes a name back. */
void kc_shm_blocks_mend_begin(kc_shm_blocks_t *blocks);
int kc_shm_blocks_name(kc_shm_blocks_t *blocks, uint32_t first, uint32_t count);
void kc_shm_blocks_unname(kc_shm_blocks_t *blocks, uint32_t first, uint32_t count);
void kc_shm_blocks_mend_end(kc_shm_blocks_t *blocks);

#endif

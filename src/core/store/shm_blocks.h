/* Blocks in shared memory: values of any size as chains of small blocks of one size.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SHM_BLOCKS_H
#define KC_SHM_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/*
 * An area of memory is an array of blocks and, beside it, an array of numbers: for each block the
 * next one of its chain. A chain of free blocks is kept as well, but only for speed: which blocks
 * are in use follows from the chains that their owner knows of. So when a process is killed in the
 * middle of anything, the next one to have the area's lock names these chains anew, and the rest is
 * free.
 */

enum {
    KC_SHM_BLOCK_SIZE = 128, /* bytes: two cache lines, which processors fetch in pairs */
    KC_SHM_BLOCKS_MAX = (1 << 28) - 1
};

/* What the processes share besides the two arrays; zeros at first. */
typedef struct kc_shm_blocks_state_t {
    uint32_t free; /* the first of the free chain */
    uint32_t free_count;
    uint32_t begun; /* blocks up to this number have been used; memory behind costs nothing yet */
    uint32_t unused;
} kc_shm_blocks_state_t;

/* An area as one process sees it. Blocks have the numbers 1 to count; 0 is none. */
typedef struct kc_shm_blocks_t {
    kc_shm_blocks_state_t *state;
    uint32_t *next; /* count + 1 words */
    unsigned char *bytes;
    uint32_t count;
} kc_shm_blocks_t;

/* Bytes of memory that an area of count blocks takes, a multiple of the block's size. */
size_t kc_shm_blocks_size(uint32_t count);
/* Lays the area out at memory, which is aligned to the block's size. */
void kc_shm_blocks_place(kc_shm_blocks_t *blocks, kc_shm_blocks_state_t *state, void *memory,
                         uint32_t count);

/* Everything below needs the area's lock but for kc_shm_blocks_next and kc_shm_blocks_at, which may
 * meet a writer: the next number is then any, but 0 to count. */
uint32_t kc_shm_blocks_left(const kc_shm_blocks_t *blocks);
/* A chain of count blocks (1 or more), of which there must be as many left: its first. */
uint32_t kc_shm_blocks_take(kc_shm_blocks_t *blocks, uint32_t count);
/* Gives a chain of count blocks back. */
void kc_shm_blocks_give(kc_shm_blocks_t *blocks, uint32_t first, uint32_t count);
uint32_t kc_shm_blocks_next(const kc_shm_blocks_t *blocks, uint32_t number);
unsigned char *kc_shm_blocks_at(const kc_shm_blocks_t *blocks, uint32_t number);

/* A sign on a block, for its owner: that a whole value begins there. Setting and clearing it is one
 * store, which comes after all that was stored before and before all that is stored later. Taking a
 * chain clears it. */
void kc_shm_blocks_sign(kc_shm_blocks_t *blocks, uint32_t number, int is_on);
int kc_shm_blocks_is_signed(const kc_shm_blocks_t *blocks, uint32_t number);

/* After a death: begin, name each chain that is in use (1; 0 when it is no such chain, or runs into
 * one that was named; unname takes it back), and end, which makes the rest free. */
void kc_shm_blocks_mend_begin(kc_shm_blocks_t *blocks);
int kc_shm_blocks_name(kc_shm_blocks_t *blocks, uint32_t first, uint32_t count);
void kc_shm_blocks_unname(kc_shm_blocks_t *blocks, uint32_t first, uint32_t count);
void kc_shm_blocks_mend_end(kc_shm_blocks_t *blocks);

#endif

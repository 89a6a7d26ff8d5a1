/* Blocks in shared memory: chains of numbers, and the free blocks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/shm_blocks.h"

static const uint32_t NUMBER = KC_SHM_BLOCKS_MAX;
static const uint32_t SIGNED = UINT32_C(1) << 31;
static const uint32_t NAMED = UINT32_C(1) << 30;

/* Readers without the lock read these words as well. */
static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static size_t round_up(size_t size)
{
    return (size + KC_SHM_BLOCK_SIZE - 1) / KC_SHM_BLOCK_SIZE * KC_SHM_BLOCK_SIZE;
}

static size_t numbers_size(uint32_t count)
{
    return round_up(((size_t)count + 1) * sizeof(uint32_t));
}

size_t kc_shm_blocks_size(uint32_t count)
{
    return numbers_size(count) + (size_t)count * KC_SHM_BLOCK_SIZE;
}

void kc_shm_blocks_place(kc_shm_blocks_t *blocks, kc_shm_blocks_state_t *state, void *memory,
                         uint32_t count)
{
    blocks->state = state;
    blocks->next = memory;
    blocks->bytes = (unsigned char *)memory + numbers_size(count);
    blocks->count = count;
}

/* ---------------------------------------------------------------- chains */

uint32_t kc_shm_blocks_left(const kc_shm_blocks_t *blocks)
{
    return blocks->state->free_count + blocks->count - blocks->state->begun;
}

uint32_t kc_shm_blocks_next(const kc_shm_blocks_t *blocks, uint32_t number)
{
    uint32_t next = load(&blocks->next[number]) & NUMBER;

    return next <= blocks->count ? next : 0;
}

unsigned char *kc_shm_blocks_at(const kc_shm_blocks_t *blocks, uint32_t number)
{
    return blocks->bytes + (size_t)(number - 1) * KC_SHM_BLOCK_SIZE;
}

static uint32_t take_one(kc_shm_blocks_t *blocks)
{
    kc_shm_blocks_state_t *state = blocks->state;
    uint32_t number = state->free;

    if (!state->free_count)
        return ++state->begun;
    state->free = kc_shm_blocks_next(blocks, number);
    state->free_count--;
    return number;
}

uint32_t kc_shm_blocks_take(kc_shm_blocks_t *blocks, uint32_t count)
{
    uint32_t first = 0;

    while (count--) {
        uint32_t number = take_one(blocks);

        store(&blocks->next[number], first);
        first = number;
    }
    return first;
}

void kc_shm_blocks_give(kc_shm_blocks_t *blocks, uint32_t first, uint32_t count)
{
    kc_shm_blocks_state_t *state = blocks->state;

    while (count--) {
        uint32_t next = kc_shm_blocks_next(blocks, first);

        store(&blocks->next[first], state->free);
        state->free = first;
        state->free_count++;
        first = next;
    }
}

/* ---------------------------------------------------------------- flags */

/* A killed process has completed everything before the instruction it died at, and the next owner
 * of the lock sees all of that. So only the compiler must be kept from changing the order. */
void kc_shm_blocks_sign(kc_shm_blocks_t *blocks, uint32_t number, int is_on)
{
    uint32_t word = load(&blocks->next[number]);

    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    store(&blocks->next[number], is_on ? word | SIGNED : word & ~SIGNED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

int kc_shm_blocks_is_signed(const kc_shm_blocks_t *blocks, uint32_t number)
{
    return (load(&blocks->next[number]) & SIGNED) != 0;
}

/* ---------------------------------------------------------------- repair */

static uint32_t begun(const kc_shm_blocks_t *blocks)
{
    return blocks->state->begun < blocks->count ? blocks->state->begun : blocks->count;
}

void kc_shm_blocks_mend_begin(kc_shm_blocks_t *blocks)
{
    uint32_t i, end = begun(blocks);

    for (i = 1; i <= end; i++)
        store(&blocks->next[i], load(&blocks->next[i]) & ~NAMED);
}

static int can_be_named(const kc_shm_blocks_t *blocks, uint32_t first, uint32_t count)
{
    for (; count; count--) {
        if (!first || first > begun(blocks) || load(&blocks->next[first]) & NAMED)
            return 0;
        first = kc_shm_blocks_next(blocks, first);
    }
    return 1;
}

/* A chain that returns to itself is detected by its own names, and unnamed. */
int kc_shm_blocks_name(kc_shm_blocks_t *blocks, uint32_t first, uint32_t count)
{
    uint32_t at = first, i;

    if (!can_be_named(blocks, first, count))
        return 0;
    for (i = 0; i < count; i++) {
        uint32_t word = load(&blocks->next[at]);

        if (word & NAMED) {
            kc_shm_blocks_unname(blocks, first, i);
            return 0;
        }
        store(&blocks->next[at], word | NAMED);
        at = kc_shm_blocks_next(blocks, at);
    }
    return 1;
}

void kc_shm_blocks_unname(kc_shm_blocks_t *blocks, uint32_t first, uint32_t count)
{
    while (count--) {
        uint32_t next = kc_shm_blocks_next(blocks, first);

        store(&blocks->next[first], load(&blocks->next[first]) & ~NAMED);
        first = next;
    }
}

void kc_shm_blocks_mend_end(kc_shm_blocks_t *blocks)
{
    kc_shm_blocks_state_t *state = blocks->state;
    uint32_t i;

    state->begun = begun(blocks);
    state->free = state->free_count = 0;
    for (i = state->begun; i; i--) {
        uint32_t word = load(&blocks->next[i]);

        if (word & NAMED)
            continue;
        store(&blocks->next[i], state->free);
        state->free = i;
        state->free_count++;
    }
}

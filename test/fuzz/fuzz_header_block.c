/* Fuzzes header blocks: they give the same result in pieces and at once, and no cookie of this
 * module is left.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include "base/header_block.h"
#include "input.h"
#include "reach.h"

enum { WHOLE, STATUS, DROPPED };

reach_t reach[] = {{"whole block", 0}, {"status", 0}, {"cookie dropped", 0}, {NULL, 0}};

static const char *const names[] = {"session", "login_*"};

static void check_pieces(const kc_header_block_t *block, const char *data, size_t used,
                         apr_pool_t *pool)
{
    kc_header_block_t again = {NULL, 0, 0};
    size_t at, one;

    for (at = 0; at < used; at++)
        HOLDS(kc_header_block_put(&again, data + at, 1, &one, pool) ==
                  (at + 1 == used ? KC_OK : KC_MISS) &&
              one == 1);
    HOLDS(again.len == block->len && memcmp(again.text, block->text, again.len) == 0);
}

static void check(const char *data, size_t size, apr_pool_t *pool)
{
    kc_header_block_t block = {NULL, 0, 0}, again = {NULL, 0, 0};
    size_t used, left;
    int status;

    if (kc_header_block_put(&block, data, size, &used, pool) != KC_OK)
        return;
    reach_note(WHOLE);
    HOLDS(used <= size && block.len <= used);
    check_pieces(&block, data, used, pool);
    status = kc_header_block_status(&block);
    HOLDS(status >= 0 && status <= 999);
    if (status)
        reach_note(STATUS);
    if (kc_header_block_drop(&block, names, 2, pool))
        reach_note(DROPPED);
    HOLDS(block.len > 0 && block.len <= used && kc_header_block_status(&block) == status);
    HOLDS(kc_header_block_drop(&block, names, 2, pool) == 0);
    /* what is left is still one block */
    HOLDS(kc_header_block_put(&again, block.text, block.len, &left, pool) == KC_OK);
    HOLDS(left == block.len && again.len == block.len);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return input_start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return input_bytes(data, size, check);
}

/* Header blocks of HTTP/1.1 as they are sent: where one ends, and how this module's cookies are
 * removed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HEADER_BLOCK_H
#define KC_HEADER_BLOCK_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/err.h"

enum { KC_HEADER_BLOCK_MAX = 128 * 1024 };

/* A block that is being collected, including the status line. All zero: nothing of it is there
 * yet. */
typedef struct kc_header_block_t {
    char *text;
    size_t len;
    size_t size;
} kc_header_block_t;

/* Adds received data, up to the block's end (RFC 9112 section 2.1). Lines may end in a line feed
 * only. Blank lines before the first line are left out. A carriage return without a line feed
 * becomes a space (section 2.2). used: bytes of data that were needed.
 *
 * KC_OK: the block is complete. KC_MISS: more must come; all of data is used. KC_REFUSED: it would
 * exceed KC_HEADER_BLOCK_MAX bytes. err is not filled. The text is in pool, which must be the same
 * for all of a block. Linear in the data. */
kc_rc_t kc_header_block_put(kc_header_block_t *block, const char *data, size_t len, size_t *used,
                            apr_pool_t *pool);

/* The status of a complete block; 0 when its first line has none. */
int kc_header_block_status(const kc_header_block_t *block);

/* Removes Set-Cookie and Set-Cookie2 lines that set one of these names (kc_cookie_is_set), and
 * Clear-Site-Data that clears cookies (kc_cookie_keep_uncleared), with their continuation lines.
 * Other lines stay byte for byte, in their order. Returns how many were removed. */
int kc_header_block_drop(kc_header_block_t *block, const char *const *names, size_t count,
                         apr_pool_t *pool);

#endif

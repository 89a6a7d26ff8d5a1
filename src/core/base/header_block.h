/* Header blocks of HTTP/1.1 as they are sent: where one ends, and cookies of ours taken out of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HEADER_BLOCK_H
#define KC_HEADER_BLOCK_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/err.h"

enum { KC_HEADER_BLOCK_MAX = 128 * 1024 };

/* A block that is being gathered, status line included. All zero: nothing of it is there yet. */
typedef struct kc_header_block_t {
    char *text;
    size_t len;
    size_t size;
} kc_header_block_t;

/* Adds what has come, up to the block's end (RFC 9112 section 2.1); lines may end in a line feed
 * alone, what is blank before the first line is left out, and a carriage return alone becomes a
 * blank (section 2.2). used: bytes of data that were
 * needed. KC_OK: the block is whole; KC_MISS: there is more to come, all of data is used;
 * KC_REFUSED: it would be over KC_HEADER_BLOCK_MAX bytes. err is not filled. The text is in pool,
 * which has to be the same for all of a block. Linear in what comes. */
kc_rc_t kc_header_block_put(kc_header_block_t *block, const char *data, size_t len, size_t *used,
                            apr_pool_t *pool);

/* The status of a whole block; 0 when its first line has none. */
int kc_header_block_status(const kc_header_block_t *block);

/* Takes out Set-Cookie and Set-Cookie2 that set one of these names (kc_cookie_is_set), and
 * Clear-Site-Data that clears cookies (kc_cookie_keep_uncleared), with their continuation lines.
 * Other lines stay byte for byte, in their order. Returns how many were taken out. */
int kc_header_block_drop(kc_header_block_t *block, const char *const *names, size_t count,
                         apr_pool_t *pool);

#endif

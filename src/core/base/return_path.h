/* The path that a browser returns to: whether any software could read it as another host.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_RETURN_PATH_H
#define KC_RETURN_PATH_H

#include <apr_pools.h>
#include <stddef.h>

/* 1 when a browser that is redirected to the path stays on the host, for every way in which
 * software may decode it. The path has len bytes, without query, as in a request line. It begins
 * with one slash. Then follows no slash, backslash, control character, or character that looks like
 * a slash or dot; also after resolving dot segments and decoding escapes repeatedly. The whole path
 * has no raw backslash, no control character (escaped or not), and no malformed escape. Its dot
 * segments do not lead above the first slash. It need not be UTF-8, nor in its shortest form.
 * Thread safe; pool is for scratch. */
int kc_return_path_is_safe(const char *raw, size_t len, apr_pool_t *pool);

#endif

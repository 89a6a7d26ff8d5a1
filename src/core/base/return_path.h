/* The path that somebody comes back to: whether anybody could read it as another host.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_RETURN_PATH_H
#define KC_RETURN_PATH_H

#include <apr_pools.h>
#include <stddef.h>

/* 1 when a browser that is sent to the path (len bytes, without query, as it stands in a request
 * line) stays on the host, whoever has decoded it on the way: it begins with one slash; then, also
 * with dot segments resolved and escapes undone, several times if there are any, comes no slash,
 * backslash, control character, nor one that looks like a slash or dot. In the whole path there is
 * no raw backslash, no control character, escaped or not, and no malformed escape, and its dot
 * segments do not lead above the first slash. It need be neither UTF-8 nor in its shortest form:
 * nobody reads it here. Thread safe; pool is for scratch. */
int kc_return_path_is_safe(const char *raw, size_t len, apr_pool_t *pool);

#endif

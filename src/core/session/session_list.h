/* Lists of texts inside a session: one behind the other, each with its NUL or with a comma between.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_LIST_H
#define KC_SESSION_LIST_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stddef.h>

#include "base/buf.h"

/* A view into memory that a pool owns. */
typedef struct kc_session_list_t {
    const char *text;
    size_t size; /* bytes, the NULs included */
    char
        separator; /* NUL: each text ends with one; a comma: only the last does, and none has any */
} kc_session_list_t;

/* Walks a list of either kind: *at (no data: before the first) becomes the next text, and the
 * result is 1; 0 at the end. Behind the text stands the separator or a NUL. Thread safe, as all
 * here. */
int kc_session_list_walk(const kc_session_list_t *list, kc_bytes_t *at);
/* Walks a list whose texts have a NUL each: the text after `at` (one of the list's; NULL: the
 * first), NULL at the end. */
const char *kc_session_list_next(const kc_session_list_t *list, const char *at);
/* Makes a list of an array of const char *, in pool, with a NUL each. */
kc_session_list_t kc_session_list_make(const apr_array_header_t *texts, apr_pool_t *pool);

#endif

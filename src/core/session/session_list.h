/* Lists of texts inside a session: consecutive texts that each end with a NUL, or have commas
 * between.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_LIST_H
#define KC_SESSION_LIST_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stddef.h>

#include "base/buf.h"

/* Points into memory that a pool owns. */
typedef struct kc_session_list_t {
    const char *text;
    size_t size;    /* bytes, including the NULs */
    char separator; /* NUL: each text ends with one. Comma: only the last text ends with a NUL, and
                       no text contains a comma */
} kc_session_list_t;

/* Steps through a list of either kind. *at (no data: before the first) becomes the next text. 1,
 * or 0 at the end. Behind each text is the separator or a NUL. Thread safe, like all functions
 * here. */
int kc_session_list_walk(const kc_session_list_t *list, kc_bytes_t *at);
/* Steps through a list whose texts all end with a NUL. Returns the text after `at` (one of the
 * list's; NULL: the first), NULL at the end. */
const char *kc_session_list_next(const kc_session_list_t *list, const char *at);
/* Makes a list of an array of const char *, in pool; each text ends with a NUL. */
kc_session_list_t kc_session_list_make(const apr_array_header_t *texts, apr_pool_t *pool);

#endif

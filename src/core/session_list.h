/* Lists of texts inside a session: one behind the other, each with its NUL.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_LIST_H
#define KC_SESSION_LIST_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stddef.h>

/* A view into memory that a pool owns. */
typedef struct kc_session_list_t {
    const char *text;
    size_t size; /* bytes, the NULs included */
} kc_session_list_t;

/* Walks a list: the text after `at` (one of the list's; NULL: the first), NULL at the end. Thread
 * safe, as all here. */
const char *kc_session_list_next(const kc_session_list_t *list, const char *at);
/* Makes a list of an array of const char *, in pool. */
kc_session_list_t kc_session_list_make(const apr_array_header_t *texts, apr_pool_t *pool);

#endif

/* The lines of an answer's head that are kept.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_HEAD_H
#define KC_HTTP_HEAD_H

#include <apr_pools.h>
#include <stddef.h>

enum { KC_HTTP_HEAD_MAX = 8192 /* bytes of a value; a longer one counts as absent */ };

/* Values without white space at their ends; NULL: absent. All zeros at first. */
typedef struct kc_http_head_t {
    const char *location;
    const char *date;
} kc_http_head_t;

/* Keeps the value of a line (RFC 9112 section 5, with or without its end) when its name is one of
 * these; the first of several counts. A value with control characters counts as absent. In pool. */
void kc_http_head_take(kc_http_head_t *head, const char *line, size_t len, apr_pool_t *pool);

#endif

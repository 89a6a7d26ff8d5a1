/* The body of an answer, as it arrives: bounded, and cleansed with its pool, because bodies contain
 * tokens.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_BODY_H
#define KC_HTTP_BODY_H

#include <apr_pools.h>
#include <stddef.h>

typedef struct kc_http_body_t {
    char *data;
    size_t len;  /* bytes */
    size_t size; /* bytes of data */
    size_t max;  /* of len */
    apr_pool_t *pool;
} kc_http_body_t;

/* An empty body of up to max bytes. Its memory is cleansed with pool. */
void kc_http_body_init(kc_http_body_t *body, size_t max, apr_pool_t *pool);
/* Appends a copy of data: 1, or 0 when the body would exceed its max, and is not changed. One
 * thread at a time, like all functions here. */
int kc_http_body_add(kc_http_body_t *body, const char *data, size_t len);
/* The body followed by a NUL, in its pool; valid until the next kc_http_body_add. */
const char *kc_http_body_text(kc_http_body_t *body);

#endif

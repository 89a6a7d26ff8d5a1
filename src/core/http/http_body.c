/* The body of an answer, as it arrives.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/http_body.h"

#include <string.h>

#include "crypto/crypto.h"

enum { FIRST = 16 * 1024 /* bytes: a discovery document, keys or tokens */ };

typedef struct secret_t {
    char *data;
    size_t size;
} secret_t;

/* Bodies contain tokens, so they are cleansed with their pool. */
static apr_status_t secret_cleanse(void *data)
{
    secret_t *secret = data;

    kc_crypto_cleanse(secret->data, secret->size);
    return APR_SUCCESS;
}

static char *secret_room(size_t size, apr_pool_t *pool)
{
    secret_t *secret = apr_palloc(pool, sizeof(*secret));

    secret->data = apr_palloc(pool, size);
    secret->size = size;
    apr_pool_cleanup_register(pool, secret, secret_cleanse, apr_pool_cleanup_null);
    return secret->data;
}

void kc_http_body_init(kc_http_body_t *body, size_t max, apr_pool_t *pool)
{
    memset(body, 0, sizeof(*body));
    body->max = max;
    body->pool = pool;
}

/* Makes room for len more bytes and the closing NUL. Growing by a factor of four copies at most
 * twice. */
static void reserve(kc_http_body_t *body, size_t len)
{
    size_t size = body->size ? body->size : FIRST;
    char *grown;

    if (body->len + len + 1 <= body->size)
        return;
    while (size < body->len + len + 1)
        size *= 4;
    if (size > body->max + 1)
        size = body->max + 1;
    grown = secret_room(size, body->pool);
    if (body->len)
        memcpy(grown, body->data, body->len);
    body->data = grown;
    body->size = size;
}

int kc_http_body_add(kc_http_body_t *body, const char *data, size_t len)
{
    if (len > body->max - body->len)
        return 0;
    reserve(body, len);
    memcpy(body->data + body->len, data, len);
    body->len += len;
    return 1;
}

const char *kc_http_body_text(kc_http_body_t *body)
{
    reserve(body, 0);
    body->data[body->len] = '\0';
    return body->data;
}

/* An input's copy and its pool. SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <apr_general.h>
#include <string.h>

int input_start(void)
{
    return apr_initialize() == APR_SUCCESS ? 0 : 1;
}

int input_text(const uint8_t *data, size_t size, void (*check)(const char *text, apr_pool_t *pool))
{
    apr_pool_t *pool;
    char *text;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return 0;
    text = malloc(size + 1);
    if (text) {
        if (size)
            memcpy(text, data, size);
        text[size] = '\0';
        check(text, pool);
        free(text);
    }
    apr_pool_destroy(pool);
    return 0;
}

int input_bytes(const uint8_t *data, size_t size,
                void (*check)(const char *bytes, size_t size, apr_pool_t *pool))
{
    apr_pool_t *pool;
    char *bytes;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return 0;
    bytes = malloc(size ? size : 1);
    if (bytes) {
        if (size)
            memcpy(bytes, data, size);
        check(bytes, size, pool);
        free(bytes);
    }
    apr_pool_destroy(pool);
    return 0;
}

/* Writes one byte behind a pool's memory. Tests that rely on detecting that run this first.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_pools.h>
#include <stdio.h>

enum { SIZE = 16 /* bytes; an ordinary pool has room behind them */ };

int main(void)
{
    /* unknown to the compiler, whose own checks are not what is tried */
    volatile size_t size = SIZE;
    char *volatile piece;
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return 1;
    piece = apr_palloc(pool, size);
    piece[size] = 'x';
    (void)printf("it was written\n");
    apr_pool_destroy(pool);
    return 0;
}

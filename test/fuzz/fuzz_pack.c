/* Fuzz target: packed tokens and claims from arbitrary bytes. What is unpacked is the same after
 * packing it again.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reach.h"
#include "session/pack.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPENED, CLOSED };

reach_t reach[] = {{"pack opened", 0}, {"pack closed again", 0}, {NULL, 0}};

static void need(int is_right)
{
    if (!is_right)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    need(apr_initialize() == APR_SUCCESS);
    return 0;
}

static int is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* An empty pack has no bytes, so that one of nothing but absent tokens is not made again. */
static void use(const kc_pack_t *contents, apr_pool_t *pool)
{
    kc_bytes_t packed;
    kc_pack_t back;

    reach_note(OPENED);
    if (kc_pack_close(contents, pool, &packed, NULL) != KC_OK)
        return;
    reach_note(CLOSED);
    need(kc_pack_open(packed, pool, &back, NULL) == KC_OK);
    need(is_same(back.id_token, contents->id_token));
    need(is_same(back.access_token, contents->access_token));
    need(is_same(back.refresh_token, contents->refresh_token));
    need(back.claims.len == contents->claims.len);
    need(!back.claims.len || !memcmp(back.claims.data, contents->claims.data, back.claims.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kc_bytes_t packed = {data, size};
    kc_pack_t contents;
    apr_pool_t *pool;

    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    if (kc_pack_open(packed, pool, &contents, NULL) == KC_OK)
        use(&contents, pool);
    apr_pool_destroy(pool);
    return 0;
}

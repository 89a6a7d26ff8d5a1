/* Fuzzes Cache-Control: what an answer has to say is said, whatever was there before.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "cache_control.h"
#include "reach.h"

enum { KEPT, LIMITED };

reach_t reach[] = {{"line kept", 0}, {"line limited", 0}, {NULL, 0}};

#define HOLDS(condition)  \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

static void check(const char *line, apr_pool_t *pool)
{
    kc_cache_control_t said = {0, 0, 0}, again = {0, 0, 0};
    const char *one, *nobody;

    kc_cache_control_read(line, &said);
    one = kc_cache_control_limit(line, &said, KC_CACHE_CONTROL_ONE, pool);
    kc_cache_control_read(one, &again);
    reach_note(one == line ? KEPT : LIMITED);
    HOLDS(again.is_public || again.is_private || again.is_no_store);
    HOLDS(kc_cache_control_is_shared(&again) == kc_cache_control_is_shared(&said));
    /* once said, it need not be said again */
    HOLDS(kc_cache_control_limit(one, &again, KC_CACHE_CONTROL_ONE, pool) == one);
    nobody = kc_cache_control_limit(line, &said, KC_CACHE_CONTROL_NOBODY, pool);
    kc_cache_control_read(nobody, &again);
    HOLDS(again.is_no_store);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return apr_initialize() == APR_SUCCESS ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    char *line;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return 0;
    /* From malloc, so that a read behind the end is seen. */
    line = malloc(size + 1);
    if (line) {
        if (size)
            memcpy(line, data, size);
        line[size] = '\0';
        check(line, pool);
        free(line);
    }
    apr_pool_destroy(pool);
    return 0;
}

/* Fuzzes Cache-Control: an answer says what it must say, whatever was there before.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "base/cache_control.h"
#include "input.h"
#include "reach.h"

enum { KEPT, LIMITED };

reach_t reach[] = {{"line kept", 0}, {"line limited", 0}, {NULL, 0}};

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
    return input_start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return input_text(data, size, check);
}

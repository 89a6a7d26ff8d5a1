/* Fuzzes the callback's query: accepted values are clean text, and repeated parameters are
 * detected.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include <apr_strings.h>

#include "base/query.h"
#include "input.h"
#include "reach.h"

enum { PARSED, FOUND };

reach_t reach[] = {{"query parsed", 0}, {"parameter found", 0}, {NULL, 0}};

static const char *const names[] = {"state", "code", "iss", "error", "error_description", ""};

static void check_value(const char *value)
{
    for (const char *c = value; *c; c++)
        HOLDS((unsigned char)*c >= ' ' && *c != 0x7f);
}

static void check_query(const char *text, apr_pool_t *pool)
{
    const char *twice = apr_pstrcat(pool, text, "&", text, NULL);
    const kc_query_t *query, *doubled;
    kc_err_t err = {0};

    if (kc_query_parse(text, pool, &query, &err) != KC_OK) {
        HOLDS(err.reason == KC_ERR_CALLBACK && *err.detail);
        return;
    }
    reach_note(PARSED);
    if (kc_query_parse(twice, pool, &doubled, NULL) != KC_OK)
        doubled = NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = NULL;
        kc_rc_t rc = kc_query_single(query, names[i], &value, &err);

        HOLDS(rc == KC_OK || rc == KC_MISS || rc == KC_REFUSED);
        if (rc == KC_OK) {
            reach_note(FOUND);
            check_value(value);
        }
        /* Whatever was there once is there twice now. */
        if (doubled)
            HOLDS(kc_query_single(doubled, names[i], &value, NULL) ==
                  (rc == KC_MISS ? KC_MISS : KC_REFUSED));
    }
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
    return input_text(data, size, check_query);
}

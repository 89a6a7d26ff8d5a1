/* Fuzzes the check of paths: a plain path means the same to backends that decode escapes once, take
 * backslashes for slashes, cut off parameters, merge slashes and resolve dots.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <stdint.h>
#include <string.h>

#include "base/path.h"
#include "input.h"
#include "reach.h"

enum { PLAIN, ODD, PUBLIC, MATCHED, NOT_MATCHED };

reach_t reach[] = {{"plain", 0},   {"odd", 0},         {"public", 0},
                   {"matched", 0}, {"not matched", 0}, {NULL, 0}};

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Escapes undone, and backslashes made slashes. */
static char *undo(const char *text, size_t len, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, len + 1), *end = out;
    size_t i;

    for (i = 0; i < len; i++) {
        int high = text[i] == '%' && i + 2 < len ? hex(text[i + 1]) : -1;
        int low = high >= 0 ? hex(text[i + 2]) : -1;

        *end = text[i];
        if (low >= 0) {
            *end = (char)(high * 16 + low);
            i += 2;
        }
        if (*end == '\\')
            *end = '/';
        end++;
    }
    *end = '\0';
    HOLDS(strlen(out) == (size_t)(end - out)); /* no NUL was in it */
    return out;
}

/* No segment of it is empty but the last, and none is dots, with or without parameters. */
static void hold_segments(const char *path)
{
    const char *slash = path;

    HOLDS(*path == '/');
    for (; slash; slash = strchr(slash + 1, '/')) {
        size_t len = strcspn(slash + 1, "/"), dots = strspn(slash + 1, ".");
        size_t name = strcspn(slash + 1, "/;");

        HOLDS(len > 0 || !slash[1]);
        HOLDS(!(dots >= 1 && dots <= 2 && dots == name));
    }
}

static void check_path(const char *text, apr_pool_t *pool)
{
    static const char *const own[] = {"/public", "/a/*/c", "/x*y"};
    apr_array_header_t *list = apr_array_make(pool, 3, sizeof(const char *));
    size_t len = strcspn(text, "?#"), i;

    for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        APR_ARRAY_PUSH(list, const char *) = own[i];
    reach_note(kc_path_is_matched(text, list) ? MATCHED : NOT_MATCHED);
    list->nelts = 1;
    if (kc_path_is_public(text, text, list)) {
        reach_note(PUBLIC);
        HOLDS(strncmp(text, "/public", 7) == 0 && kc_path_is_plain(text));
        HOLDS(!strchr(text, '%') && !strchr(text, ';'));
    }
    reach_note(kc_path_is_plain(text) ? PLAIN : ODD);
    if (kc_path_is_plain(text))
        hold_segments(undo(text, len, pool));
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
    return input_text(data, size, check_path);
}

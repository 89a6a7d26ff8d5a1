/* Fuzzes the Cookie header: what is found, listed and removed must agree.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include <apr_strings.h>

#include "base/cookie.h"
#include "input.h"
#include "reach.h"

enum { FOUND, LISTED, STRIPPED };

reach_t reach[] = {{"cookie found", 0}, {"cookies listed", 0}, {"cookies stripped", 0}, {NULL, 0}};

static const char *const names[] = {"session", "login_*"};

static int is_within(kc_bytes_t view, const char *text, size_t len)
{
    const unsigned char *begin = (const unsigned char *)text;

    return view.data >= begin && view.len <= len && view.data + view.len <= begin + len;
}

static void check_find(const char *header, size_t len)
{
    kc_bytes_t value = {NULL, 0};
    kc_rc_t rc = kc_cookie_find(header, "session", 7, &value);

    HOLDS(rc == KC_OK || rc == KC_MISS || rc == KC_REFUSED);
    if (rc == KC_OK)
        reach_note(FOUND);
    HOLDS(rc != KC_OK || (value.len > 0 && is_within(value, header, len)));
    HOLDS(rc != KC_OK || !memchr(value.data, ';', value.len));
}

static void check_list(const char *header, size_t len)
{
    kc_cookie_item_t items[3];
    size_t count = kc_cookie_list(header, "login_", items, 3);

    for (size_t i = 0; i < count && i < 3; i++) {
        HOLDS(is_within(items[i].name, header, len) && is_within(items[i].value, header, len));
        HOLDS(items[i].name.len >= 6 && !memcmp(items[i].name.data, "login_", 6));
    }
    HOLDS(kc_cookie_list(header, "login_", NULL, 0) == count);
    if (count)
        reach_note(LISTED);
}

static void check_strip(const char *header, size_t len, apr_pool_t *pool)
{
    const char *rest = kc_cookie_strip(header, names, 2, pool);
    kc_bytes_t value;

    HOLDS(!rest || strlen(rest) <= len);
    if (!rest || strlen(rest) < len)
        reach_note(STRIPPED);
    HOLDS(kc_cookie_find(rest, "session", 7, &value) != KC_OK);
    HOLDS(!rest || kc_cookie_list(rest, "login_", NULL, 0) == 0);
    /* Nothing is left to take out the second time. */
    HOLDS(kc_cookie_strip(rest, names, 2, pool) == rest);
}

static void check_header(const char *header, apr_pool_t *pool)
{
    check_find(header, strlen(header));
    check_list(header, strlen(header));
    check_strip(header, strlen(header), pool);
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
    return input_text(data, size, check_header);
}

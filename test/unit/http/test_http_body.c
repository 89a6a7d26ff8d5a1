/* The body of an answer: what it holds, and where it stops.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_pools.h>
#include <check.h>
#include <string.h>

#include "http/http_body.h"
#include "testlib.h"

Suite *kc_test_http_body(void);

START_TEST(empty_body_is_empty_text)
{
    kc_http_body_t body;

    kc_http_body_init(&body, 0, testlib_pool);
    ck_assert_str_eq(kc_http_body_text(&body), "");
    ck_assert_uint_eq(body.len, 0);
    ck_assert(!kc_http_body_add(&body, "a", 1));
}
END_TEST

/* In parts of several sizes, so that it grows at many lengths. */
static const size_t part_sizes[] = {1, 7, 4096, 16383, 16384, 16385, 65536};
enum { WHOLE = 100 * 1024 };

START_TEST(parts_are_kept_in_order)
{
    size_t part = part_sizes[_i], len = 0, i;
    char *data = apr_palloc(testlib_pool, WHOLE);
    kc_http_body_t body;
    const char *text;

    for (i = 0; i < WHOLE; i++)
        data[i] = (char)('a' + i % 26);
    kc_http_body_init(&body, WHOLE, testlib_pool);
    while (len < WHOLE) {
        size_t more = part < WHOLE - len ? part : WHOLE - len;

        ck_assert(kc_http_body_add(&body, data + len, more));
        len += more;
    }
    text = kc_http_body_text(&body);
    ck_assert_uint_eq(body.len, WHOLE);
    ck_assert_int_eq(memcmp(text, data, WHOLE), 0);
    ck_assert_int_eq(text[WHOLE], '\0');
}
END_TEST

START_TEST(body_over_its_bound_stays_as_it_was)
{
    kc_http_body_t body;

    kc_http_body_init(&body, 5, testlib_pool);
    ck_assert(kc_http_body_add(&body, "abc", 3));
    ck_assert(!kc_http_body_add(&body, "def", 3));
    ck_assert(!kc_http_body_add(&body, "d", (size_t)-1));
    ck_assert_str_eq(kc_http_body_text(&body), "abc");
    ck_assert(kc_http_body_add(&body, "de", 2));
    ck_assert(!kc_http_body_add(&body, "f", 1));
    ck_assert_str_eq(kc_http_body_text(&body), "abcde");
}
END_TEST

Suite *kc_test_http_body(void)
{
    Suite *suite = suite_create("http_body");
    TCase *tests = tcase_create("body");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_test(tests, empty_body_is_empty_text);
    tcase_add_loop_test(tests, parts_are_kept_in_order, 0,
                        sizeof(part_sizes) / sizeof(part_sizes[0]));
    tcase_add_test(tests, body_over_its_bound_stays_as_it_was);
    suite_add_tcase(suite, tests);
    return suite;
}

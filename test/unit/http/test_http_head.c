/* Tests of http_head.h: which lines of an answer's head are kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "http/http_head.h"
#include "testlib.h"

Suite *kc_test_http_head(void);

static kc_http_head_t head;

static void setup(void)
{
    testlib_setup();
    memset(&head, 0, sizeof(head));
}

static void take(const char *line)
{
    kc_http_head_take(&head, line, strlen(line), testlib_pool);
}

START_TEST(location_and_date_are_kept_in_any_case)
{
    take("Server: x\r\n");
    take("LOCATION:  https://a.example.com/x \r\n");
    take("date:Tue, 14 Nov 2023 22:13:20 GMT\r\n");
    ck_assert_str_eq(head.location, "https://a.example.com/x");
    ck_assert_str_eq(head.date, "Tue, 14 Nov 2023 22:13:20 GMT");
}
END_TEST

START_TEST(the_first_of_several_counts)
{
    take("Location: /a\r\n");
    take("Location: /b\r\n");
    take("Date: a\r\n");
    take("Date: b\r\n");
    ck_assert_str_eq(head.location, "/a");
    ck_assert_str_eq(head.date, "a");
}
END_TEST

START_TEST(other_names_and_controls_are_not_kept)
{
    char longest[KC_HTTP_HEAD_MAX + 32] = "Location: ";

    take("Locations: /a\r\n");
    take("X-Location: /a\r\n");
    take("Loc");
    take("Dat");
    take("Location: /a\x1b[31m\r\n");
    take("Date: \x7f\r\n");
    ck_assert_ptr_null(head.location);
    ck_assert_ptr_null(head.date);
    memset(longest + 10, 'x', sizeof(longest) - 11);
    longest[sizeof(longest) - 1] = '\0';
    take(longest);
    ck_assert_ptr_null(head.location);
    take("Location:");
    ck_assert_str_eq(head.location, "");
}
END_TEST

Suite *kc_test_http_head(void)
{
    Suite *suite = suite_create("http_head");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, setup, testlib_teardown);
    tcase_add_test(all, location_and_date_are_kept_in_any_case);
    tcase_add_test(all, the_first_of_several_counts);
    tcase_add_test(all, other_names_and_controls_are_not_kept);
    suite_add_tcase(suite, all);
    return suite;
}

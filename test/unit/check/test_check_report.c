/* Tests of check_report.h: the same results as text and JSON, without secrets and without control
 * characters.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/json.h"
#include "check/check_report.h"
#include "testlib.h"

Suite *kc_test_check_report(void);

static kc_check_report_t report;

static void setup(void)
{
    testlib_setup();
    kc_check_report_init(&report, testlib_pool);
    kc_check_report_begin(&report, "www.example.com:443");
}

static const kc_check_fault_t down = {KC_CHECK_FAILED, "issuer.tcp", KC_ERR_PROVIDER_DOWN,
                                      "start Keycloak"};

static const kc_check_result_t *result(int index)
{
    return &APR_ARRAY_IDX(report.results, index, kc_check_result_t);
}

START_TEST(text_has_one_line_for_each_result_and_a_count)
{
    const kc_check_fault_t doubt = {KC_CHECK_WARNING, "issuer.clock", KC_ERR_NONE, "use NTP"};

    kc_check_report_ok(&report, "issuer.dns", "%s is known", "keycloak.example.com");
    kc_check_report_add(&report, &down, "port %d is closed", 443);
    kc_check_report_add(&report, &doubt, "the clocks differ");
    ck_assert_str_eq(
        kc_check_report_text(&report, testlib_pool),
        "ok       www.example.com:443  issuer.dns  keycloak.example.com is known\n"
        "failed   www.example.com:443  issuer.tcp  KC0201: port 443 is closed. Cure: start "
        "Keycloak\n"
        "warning  www.example.com:443  issuer.clock  the clocks differ. Cure: use NTP\n"
        "3 checks: 1 ok, 1 warning, 1 failed, 0 unknown, 0 skipped\n");
}
END_TEST

static const char *member(const kc_json_t *object, const char *name)
{
    return kc_json_member_string(object, name);
}

START_TEST(json_has_the_same_results)
{
    const kc_json_t *root, *results, *second;
    const char *text;
    int64_t count;

    kc_check_report_ok(&report, "issuer.dns", "it is \"known\"");
    kc_check_report_add(&report, &down, "closed");
    text = kc_check_report_json(&report, testlib_pool);
    ck_assert_int_eq(kc_json_parse(text, strlen(text), testlib_pool, &root, NULL), KC_OK);
    ck_assert(!kc_json_is_true(kc_json_member(root, "well")));
    ck_assert(kc_json_integer(kc_json_path(root, "counts.failed"), &count));
    ck_assert_int_eq(count, 1);
    results = kc_json_member(root, "results");
    ck_assert_uint_eq(kc_json_size(results), 2);
    ck_assert_str_eq(member(kc_json_at(results, 0), "text"), "it is \"known\"");
    ck_assert_str_eq(member(kc_json_at(results, 0), "cure"), "");
    second = kc_json_at(results, 1);
    ck_assert_str_eq(member(second, "server"), "www.example.com:443");
    ck_assert_str_eq(member(second, "check"), "issuer.tcp");
    ck_assert_str_eq(member(second, "outcome"), "failed");
    ck_assert_str_eq(member(second, "tag"), "KC0201");
    ck_assert_str_eq(member(second, "cure"), "start Keycloak");
}
END_TEST

START_TEST(well_is_what_has_no_failure)
{
    const kc_check_fault_t others[] = {{KC_CHECK_WARNING, "a", KC_ERR_NONE, "x"},
                                       {KC_CHECK_UNKNOWN, "b", KC_ERR_NONE, "x"},
                                       {KC_CHECK_SKIPPED, "c", KC_ERR_NONE, "x"}};
    size_t i;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        kc_check_report_add(&report, &others[i], "text");
    ck_assert_ptr_nonnull(strstr(kc_check_report_json(&report, testlib_pool), "\"well\":true"));
    ck_assert_int_eq(kc_check_report_count(&report, KC_CHECK_UNKNOWN), 1);
    ck_assert_int_eq(kc_check_report_count(&report, KC_CHECK_FAILED), 0);
}
END_TEST

START_TEST(foreign_text_cannot_make_lines_or_move_a_terminal)
{
    kc_check_report_ok(&report, "issuer.equal", "%s",
                       "a\nfailed\r\x1b[31m\x7f"
                       "\xc2\x9b\xe2\x80\xae");
    ck_assert_str_eq(result(0)->sentence,
                     "a\\x0afailed\\x0d\\x1b[31m\\x7f\\xc2\\x9b\\xe2\\x80\\xae");
}
END_TEST

START_TEST(no_secret_is_repeated)
{
    const kc_check_fault_t told = {KC_CHECK_FAILED, "client.secret", KC_ERR_NONE,
                                   "not s3cret-canary!"};

    kc_check_report_hide(&report, "s3cret-canary");
    kc_check_report_hide(&report, "s3cret-canary-longer");
    kc_check_report_hide(&report, NULL);
    kc_check_report_hide(&report, "abc");
    kc_check_report_add(&report, &told, "s3cret-canary s3cret-canary-longer abc");
    ck_assert_str_eq(result(0)->sentence, "(secret) (secret) abc");
    ck_assert_str_eq(result(0)->cure, "not (secret)!");
    kc_check_report_begin(&report, "s3cret-canary.example.com");
    kc_check_report_ok(&report, "a", "b");
    ck_assert_str_eq(result(1)->server, "(secret).example.com");
}
END_TEST

START_TEST(a_secret_at_the_cut_is_not_shown_in_part)
{
    char text[KC_CHECK_REPORT_TEXT_MAX + 16];

    memset(text, 'x', sizeof(text));
    memcpy(text + KC_CHECK_REPORT_TEXT_MAX - 6, "s3cret-canary", 14);
    kc_check_report_hide(&report, "s3cret-canary");
    kc_check_report_ok(&report, "a", "%s", text);
    ck_assert_ptr_null(strstr(result(0)->sentence, "s3cret"));
    ck_assert_uint_le(strlen(result(0)->sentence), KC_CHECK_REPORT_TEXT_MAX + 3);
}
END_TEST

Suite *kc_test_check_report(void)
{
    Suite *suite = suite_create("check_report");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, setup, testlib_teardown);
    tcase_add_test(all, text_has_one_line_for_each_result_and_a_count);
    tcase_add_test(all, json_has_the_same_results);
    tcase_add_test(all, well_is_what_has_no_failure);
    tcase_add_test(all, foreign_text_cannot_make_lines_or_move_a_terminal);
    tcase_add_test(all, no_secret_is_repeated);
    tcase_add_test(all, a_secret_at_the_cut_is_not_shown_in_part);
    suite_add_tcase(suite, all);
    return suite;
}

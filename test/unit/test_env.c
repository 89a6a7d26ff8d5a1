/* Tests of env.h: log lines have the tag and the level of their reason.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "fake.h"
#include "testlib.h"

Suite *kc_test_env(void);

static const kc_fake_log_t *last_line(const kc_fake_t *fake)
{
    ck_assert_int_eq(fake->log->nelts, 1);
    return &APR_ARRAY_IDX(fake->log, 0, kc_fake_log_t);
}

START_TEST(a_line_begins_with_its_tag_and_has_the_level_of_its_row)
{
    kc_fake_t *fake = kc_fake_make(testlib_pool);
    const kc_err_row_t *row = kc_err_row((kc_reason_t)_i);

    kc_env_log(&fake->env, (kc_reason_t)_i, "%d of %s", 2, "three");
    ck_assert_int_eq((int)last_line(fake)->level, (int)row->level);
    ck_assert_int_eq(strncmp(last_line(fake)->text, row->tag, 6), 0);
    ck_assert_str_eq(last_line(fake)->text + 6, ": 2 of three");
}
END_TEST

START_TEST(another_level_changes_nothing_else)
{
    kc_fake_t *fake = kc_fake_make(testlib_pool);

    kc_env_log_at(&fake->env, KC_LOG_DEBUG, KC_ERR_STORE_DOWN, "server %s", "one");
    ck_assert_int_eq((int)last_line(fake)->level, KC_LOG_DEBUG);
    ck_assert_str_eq(last_line(fake)->text, "KC0501: server one");
}
END_TEST

START_TEST(a_long_line_is_cut_and_keeps_its_tag)
{
    kc_fake_t *fake = kc_fake_make(testlib_pool);
    char text[2 * 4096];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    kc_env_log(&fake->env, KC_ERR_STORE_DOWN, "%s", text);
    ck_assert_uint_eq(strlen(last_line(fake)->text), 4096 - 1);
    ck_assert_int_eq(strncmp(last_line(fake)->text, "KC0501: x", 9), 0);
}
END_TEST

Suite *kc_test_env(void)
{
    Suite *suite = suite_create("env");
    TCase *lines = tcase_create("lines");

    tcase_add_checked_fixture(lines, testlib_setup, testlib_teardown);
    tcase_add_loop_test(lines, a_line_begins_with_its_tag_and_has_the_level_of_its_row, 1,
                        KC_ERR_COUNT);
    tcase_add_test(lines, another_level_changes_nothing_else);
    tcase_add_test(lines, a_long_line_is_cut_and_keeps_its_tag);
    suite_add_tcase(suite, lines);
    return suite;
}

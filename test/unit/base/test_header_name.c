/* Tests of header_name.h: which spellings of a header's name are the same name for some backends.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/header_name.h"
#include "testlib.h"

Suite *kc_test_header_name(void);

static const struct {
    const char *name;
    const char *folded;
    int is_same;
} names[] = {
    {"kubeflow-userid", "kubeflowuserid", 1},
    {"Kubeflow_UserID", "kubeflowuserid", 1},
    {"KUBEFLOW.USERID", "kubeflowuserid", 1},
    {"k-u-b-e-f-l-o-w-u-s-e-r-i-d", "kubeflowuserid", 1},
    {"-kubeflow-userid-", "kubeflowuserid", 1},
    {"kubeflow-useri", "kubeflowuserid", 0},
    {"kubeflow-userids", "kubeflowuserid", 0},
    {"xkubeflow-userid", "kubeflowuserid", 0},
    {"", "kubeflowuserid", 0},
    {"x-2", "x2", 1},
    {"x-3", "x2", 0},
};

START_TEST(names_are_told_apart_by_letters_and_digits_alone)
{
    ck_assert_int_eq(kc_header_name_is_same(names[_i].name, NULL, names[_i].folded),
                     names[_i].is_same);
    ck_assert_int_eq(
        strcmp(kc_header_name_folded(names[_i].name, testlib_pool), names[_i].folded) == 0,
        names[_i].is_same);
}
END_TEST

START_TEST(a_name_may_end_before_its_text_does)
{
    static const char text[] = "kubeflow-userid, close";

    ck_assert_int_eq(kc_header_name_is_same(text, text + 15, "kubeflowuserid"), 1);
    ck_assert_int_eq(kc_header_name_is_same(text, text + 14, "kubeflowuserid"), 0);
    ck_assert_int_eq(kc_header_name_is_same(text, text, "kubeflowuserid"), 0);
    ck_assert_int_eq(kc_header_name_is_same(text, NULL, "kubeflowuserid"), 0);
}
END_TEST

/* ASCII letters and digits alone, whatever the locale says of other octets. */
START_TEST(an_octet_folds_to_a_letter_a_digit_or_nothing)
{
    char c = (char)_i, folded = kc_header_name_fold(c);

    if (c >= 'A' && c <= 'Z')
        ck_assert_int_eq(folded, c + ('a' - 'A'));
    else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        ck_assert_int_eq(folded, c);
    else
        ck_assert_int_eq(folded, '\0');
}
END_TEST

static int has(const char *list, const char *name)
{
    return strstr(apr_pstrcat(testlib_pool, ",", list, ",", NULL),
                  apr_pstrcat(testlib_pool, ",", name, ",", NULL)) != NULL;
}

static size_t count_of(const char *list)
{
    size_t count = *list != '\0';

    for (; *list; list++)
        count += *list == ',';
    return count;
}

START_TEST(all_orders_of_hyphens_and_underscores_are_spelled)
{
    const char *list = kc_header_name_add_spellings("", "x-user-id", testlib_pool);

    ck_assert_int_eq(has(list, "x_user-id"), 1);
    ck_assert_int_eq(has(list, "x-user_id"), 1);
    ck_assert_int_eq(has(list, "x_user_id"), 1);
    ck_assert_int_eq(has(list, "x.user.id"), 1);
    ck_assert_int_eq(has(list, "x~user~id"), 1);
    ck_assert_int_eq(has(list, "x-user-id"), 0); /* the name itself is not another one */
    ck_assert_uint_eq(count_of(list), 3 + 13);
}
END_TEST

START_TEST(spellings_are_added_to_what_is_there)
{
    const char *list = kc_header_name_add_spellings("first", "a-b", testlib_pool);

    ck_assert_int_eq(strncmp(list, "first,a_b,", 10), 0);
    ck_assert_str_eq(kc_header_name_add_spellings("first", "plain", testlib_pool), "first");
    ck_assert_str_eq(kc_header_name_add("", "a", testlib_pool), "a");
    ck_assert_str_eq(kc_header_name_add("a", "b", testlib_pool), "a,b");
}
END_TEST

/* From the sixth joint on they share one separator: 64 spellings and 13 more, one of them ours. */
START_TEST(a_name_of_many_words_has_few_spellings)
{
    const char *list = kc_header_name_add_spellings("", "a-b-c-d-e-f-g-h-i-j-k", testlib_pool);

    ck_assert_uint_eq(count_of(list), 63 + 13);
}
END_TEST

Suite *kc_test_header_name(void)
{
    Suite *suite = suite_create("header_name");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, testlib_setup, testlib_teardown);
    tcase_add_loop_test(all, names_are_told_apart_by_letters_and_digits_alone, 0,
                        sizeof(names) / sizeof(names[0]));
    tcase_add_test(all, a_name_may_end_before_its_text_does);
    tcase_add_loop_test(all, an_octet_folds_to_a_letter_a_digit_or_nothing, 0, 256);
    tcase_add_test(all, all_orders_of_hyphens_and_underscores_are_spelled);
    tcase_add_test(all, spellings_are_added_to_what_is_there);
    tcase_add_test(all, a_name_of_many_words_has_few_spellings);
    suite_add_tcase(suite, all);
    return suite;
}

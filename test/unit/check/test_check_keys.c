/* Tests of check_keys.h: which algorithms the realm's keys are for.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "check/check_keys.h"
#include "checking.h"
#include "testlib.h"

Suite *kc_test_check_keys(void);

static void keys(const char *first, const char *second)
{
    kc_fake_answer(checking_site->fake, KC_FAKE_JWKS, 200, CHECKING_JSON,
                   apr_pstrcat(testlib_pool, "{\"keys\":[", first, ",", second, "]}", NULL));
    kc_check_keys_ask(&checking);
}

static const char rs256[] = ",\"kid\":\"a\",\"use\":\"sig\",\"alg\":\"RS256\"";
static const char oaep[] = ",\"kid\":\"b\",\"use\":\"enc\",\"alg\":\"RSA-OAEP\"";

START_TEST(allowed_algorithms_are_named)
{
    keys(testlib_jwk(TESTLIB_RSA, rs256), testlib_jwk(TESTLIB_RSA_OTHER, oaep));
    ck_assert_str_eq(checking_find("keys.algorithms")->sentence, "the realm signs with RS256");
    ck_assert_int_eq(checking_find("keys.algorithms")->outcome, KC_CHECK_OK);
    ck_assert_int_eq(checking_find("keys.set")->outcome, KC_CHECK_OK);
    ck_assert_str_eq(checking_find("keys.set")->sentence, "keys that can verify signatures: 1");
}
END_TEST

static void allow(const char *algorithm)
{
    apr_array_header_t *words = apr_array_make(testlib_pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(words, const char *) = algorithm;
    checking_site->conf->algorithms = words;
}

START_TEST(one_that_is_not_allowed_is_a_warning)
{
    allow("ES256");
    keys(testlib_jwk(TESTLIB_RSA, rs256),
         testlib_jwk(TESTLIB_P256, ",\"kid\":\"c\",\"alg\":\"ES256\""));
    checking_assert("keys.algorithms", KC_CHECK_WARNING, "keys for RS256, which",
                    "KeycloakAlgorithms");
    checking_assert("keys.algorithms", KC_CHECK_WARNING, "it allows: ES256", "");
}
END_TEST

START_TEST(none_that_is_allowed_has_failed)
{
    allow("ES256");
    keys(testlib_jwk(TESTLIB_RSA, rs256), testlib_jwk(TESTLIB_RSA_OTHER, oaep));
    checking_assert("keys.algorithms", KC_CHECK_FAILED, "it allows: none", "KeycloakAlgorithms");
}
END_TEST

START_TEST(a_key_without_an_algorithm_is_none_that_is_refused)
{
    allow("ES256");
    keys(testlib_jwk(TESTLIB_RSA, ",\"kid\":\"a\""), testlib_jwk(TESTLIB_RSA_OTHER, oaep));
    checking_assert("keys.algorithms", KC_CHECK_OK, "name no algorithm", "");
}
END_TEST

static const struct {
    int status;
    const char *body;
    const char *text;
} faults[] = {{200, "{\"keys\":[]}", ""}, {200, "<html>", "status 200"}, {404, "{}", "status 404"}};

START_TEST(a_set_of_no_use_has_failed)
{
    kc_fake_answer(checking_site->fake, KC_FAKE_JWKS, faults[_i].status, CHECKING_JSON,
                   faults[_i].body);
    kc_check_keys_ask(&checking);
    checking_assert("keys.set", KC_CHECK_FAILED, faults[_i].text, "realm's keys");
}
END_TEST

START_TEST(no_answer_has_failed)
{
    kc_fake_answer_down(checking_site->fake, KC_FAKE_JWKS, KC_ERR_PROVIDER_DOWN);
    kc_check_keys_ask(&checking);
    checking_assert("keys.set", KC_CHECK_FAILED, "not fetched", "realm's keys");
    ck_assert_str_eq(checking_find("keys.set")->tag, "KC0201");
}
END_TEST

START_TEST(a_key_that_cannot_be_used_is_a_warning)
{
    keys(testlib_jwk(TESTLIB_RSA, rs256), testlib_jwk(TESTLIB_RSA_SMALL, rs256));
    checking_assert("keys.set", KC_CHECK_WARNING, "not used", "realm's keys");
}
END_TEST

/* Once for all tests, which run in processes of their own. */
static void make_keys(void)
{
    ck_assert_ptr_nonnull(testlib_key(TESTLIB_RSA));
    ck_assert_ptr_nonnull(testlib_key(TESTLIB_RSA_OTHER));
    ck_assert_ptr_nonnull(testlib_key(TESTLIB_RSA_SMALL));
    ck_assert_ptr_nonnull(testlib_key(TESTLIB_P256));
}

Suite *kc_test_check_keys(void)
{
    Suite *suite = suite_create("check_keys");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(all, checking_setup_discovered, testlib_teardown);
    tcase_add_test(all, allowed_algorithms_are_named);
    tcase_add_test(all, one_that_is_not_allowed_is_a_warning);
    tcase_add_test(all, none_that_is_allowed_has_failed);
    tcase_add_test(all, a_key_without_an_algorithm_is_none_that_is_refused);
    tcase_add_loop_test(all, a_set_of_no_use_has_failed, 0, CHECKING_ROWS(faults));
    tcase_add_test(all, no_answer_has_failed);
    tcase_add_test(all, a_key_that_cannot_be_used_is_a_warning);
    suite_add_tcase(suite, all);
    return suite;
}

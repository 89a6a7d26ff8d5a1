/* Tests of check_logout.h: the way back after a sign-out, and the address of logout tokens.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "check/check_logout.h"
#include "checking.h"
#include "testlib.h"

Suite *kc_test_check_logout(void);

#define BACKCHANNEL KC_FAKE_PUBLIC "/authservice/backchannel-logout"

static const struct {
    int status;
    const char *body;
    kc_check_outcome_t outcome;
    const char *text;
    const char *cure;
} returns[] = {
    {302, "", KC_CHECK_OK, "returns to " KC_FAKE_PUBLIC "/authservice/oidc/callback", ""},
    {200, "<html>", KC_CHECK_OK, "returns to", ""},
    {400, "{\"error\":\"Invalid redirect uri\"}", KC_CHECK_FAILED, "Invalid redirect uri",
     "Valid post logout redirect URIs"},
    {500, "", KC_CHECK_UNKNOWN, "status 500", "with a browser"},
};

START_TEST(the_way_back_is_asked)
{
    const char *url;

    kc_fake_answer(checking_site->fake, KC_FAKE_LOGOUT, returns[_i].status, "", returns[_i].body);
    kc_check_logout_ask(&checking);
    checking_assert("logout.return", returns[_i].outcome, returns[_i].text, returns[_i].cure);
    url = kc_fake_request_last(checking_site->fake, KC_FAKE_LOGOUT)->url;
    ck_assert_ptr_nonnull(strstr(url, "client_id=kubeflow-oidc-authservice&"));
    ck_assert_ptr_nonnull(strstr(url, "&post_logout_redirect_uri=https%3A%2F%2Fkubeflow."));
}
END_TEST

static const struct {
    int status;
    kc_check_outcome_t outcome;
} answers[] = {{400, KC_CHECK_OK},     {200, KC_CHECK_FAILED}, {302, KC_CHECK_FAILED},
               {401, KC_CHECK_FAILED}, {404, KC_CHECK_FAILED}, {503, KC_CHECK_FAILED}};

START_TEST(the_address_of_logout_tokens_is_asked)
{
    kc_fake_answer(checking_site->fake, BACKCHANNEL, answers[_i].status, "", "");
    kc_check_logout_ask(&checking);
    ck_assert_int_eq(checking_find("logout.backchannel")->outcome, answers[_i].outcome);
    ck_assert_ptr_nonnull(kc_fake_request_last(checking_site->fake, BACKCHANNEL)->form);
}
END_TEST

START_TEST(an_httpd_that_is_not_up_is_unknown)
{
    kc_fake_answer_down(checking_site->fake, BACKCHANNEL, KC_ERR_PROVIDER_DOWN);
    kc_fake_answer_down(checking_site->fake, KC_FAKE_LOGOUT, KC_ERR_PROVIDER_DOWN);
    kc_check_logout_ask(&checking);
    checking_assert("logout.backchannel", KC_CHECK_UNKNOWN, BACKCHANNEL, "start httpd");
    checking_assert("logout.return", KC_CHECK_UNKNOWN, "not reached from here", "with a browser");
}
END_TEST

START_TEST(what_follows_from_another_fault_is_not_asked)
{
    checking.is_redirect_refused = 1;
    kc_fake_answer(checking_site->fake, BACKCHANNEL, 400, "", "");
    kc_check_logout_ask(&checking);
    ck_assert_int_eq(checking_count("logout.return"), 0);
    checking.client = NULL;
    apr_array_clear(checking_report.results);
    kc_check_logout_ask(&checking);
    ck_assert_int_eq(checking_report.results->nelts, 0);
    ck_assert_ptr_null(kc_check_logout_address(&checking));
}
END_TEST

START_TEST(a_provider_without_sign_out_is_a_warning)
{
    kc_provider_t provider = *checking.provider;

    provider.end_session_endpoint = NULL;
    checking.provider = &provider;
    kc_fake_answer(checking_site->fake, BACKCHANNEL, 400, "", "");
    kc_check_logout_ask(&checking);
    checking_assert("logout.return", KC_CHECK_WARNING, "no end_session_endpoint", "stay signed in");
}
END_TEST

Suite *kc_test_check_logout(void)
{
    Suite *suite = suite_create("check_logout");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, checking_setup_discovered, testlib_teardown);
    tcase_add_loop_test(all, the_way_back_is_asked, 0, CHECKING_ROWS(returns));
    tcase_add_loop_test(all, the_address_of_logout_tokens_is_asked, 0, CHECKING_ROWS(answers));
    tcase_add_test(all, an_httpd_that_is_not_up_is_unknown);
    tcase_add_test(all, what_follows_from_another_fault_is_not_asked);
    tcase_add_test(all, a_provider_without_sign_out_is_a_warning);
    suite_add_tcase(suite, all);
    return suite;
}

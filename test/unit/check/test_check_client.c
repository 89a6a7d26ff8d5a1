/* Tests of check_client.h: what Keycloak says of a code that cannot exist.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "check/check_client.h"
#include "checking.h"
#include "conf/conf_watch.h"
#include "testlib.h"

Suite *kc_test_check_client(void);

static void answer(int status, const char *error, const char *description)
{
    kc_fake_answer_once(checking_site->fake, KC_FAKE_TOKEN, status, CHECKING_JSON,
                        apr_psprintf(testlib_pool,
                                     "{\"error\":\"%s\",\"error_description\":\"%s\"}", error,
                                     description));
}

static const char refused[] = "Invalid client or Invalid client credentials";

START_TEST(a_refused_code_is_an_accepted_client)
{
    answer(400, "invalid_grant", "Code not valid");
    answer(401, "unauthorized_client", refused);
    ck_assert_int_eq(kc_check_client_ask(&checking), 1);
    ck_assert_int_eq(checking_find("client.credentials")->outcome, KC_CHECK_OK);
    ck_assert_int_eq(checking_find("client.confidential")->outcome, KC_CHECK_OK);
}
END_TEST

START_TEST(a_public_client_with_a_secret_is_a_warning)
{
    answer(400, "invalid_grant", "Code not valid");
    answer(400, "invalid_grant", "Code not valid");
    ck_assert_int_eq(kc_check_client_ask(&checking), 1);
    checking_assert("client.confidential", KC_CHECK_WARNING, "a public one",
                    "turn on Client authentication");
}
END_TEST

/* The settings with the present content of files would take the place of those without a secret. */
START_TEST(files_that_are_watched_do_not_bring_the_secret_back)
{
    kc_conf_watch_t *watch;

    ck_assert_int_eq(kc_conf_watch_create(checking_site->conf, testlib_pool, &watch, NULL), KC_OK);
    checking_site->fake->env.files = watch;
    answer(400, "invalid_grant", "Code not valid");
    answer(401, "unauthorized_client", refused);
    ck_assert_int_eq(kc_check_client_ask(&checking), 1);
    ck_assert_ptr_null(kc_fake_request_last(checking_site->fake, KC_FAKE_TOKEN)->authorization);
}
END_TEST

START_TEST(a_client_without_a_secret_is_asked_once)
{
    checking_site->conf->client_auth = KC_AUTH_NONE;
    answer(400, "invalid_grant", "Code not valid");
    ck_assert_int_eq(kc_check_client_ask(&checking), 1);
    ck_assert_int_eq(kc_fake_request_count(checking_site->fake, KC_FAKE_TOKEN), 1);
    ck_assert_int_eq(checking_count("client.confidential"), 0);
}
END_TEST

static const struct {
    int auth;
    const char *error;
    const char *description;
    const char *cure;
} refusals[] = {
    {KC_AUTH_BASIC, "unauthorized_client", refused, "copy the secret from the client's"},
    {KC_AUTH_POST, "unauthorized_client", refused, "copy the secret from the client's"},
    {KC_AUTH_NONE, "unauthorized_client", refused, "the client is confidential"},
    {KC_AUTH_SECRET_JWT, "unauthorized_client", refused, "KeycloakClientAuthAlgorithm"},
    {KC_AUTH_TLS, "unauthorized_client", refused, "Subject DN"},
    {KC_AUTH_BASIC, "invalid_client", refused, "correct KeycloakClientID, or enable the client"},
    {KC_AUTH_BASIC, "invalid_client", "Parameter client_assertion_type is missing",
     "set KeycloakClientAuth to what"},
    {KC_AUTH_BASIC, "invalid_client", "", "correct KeycloakClientID, or enable the client"},
    {KC_AUTH_BASIC, "access_denied", "Realm not enabled", "enable the realm"},
};

START_TEST(each_refusal_has_its_cure)
{
    checking_site->conf->client_auth = refusals[_i].auth;
    answer(401, refusals[_i].error, refusals[_i].description);
    ck_assert_int_eq(kc_check_client_ask(&checking), 0);
    checking_assert("client.credentials", KC_CHECK_FAILED, refusals[_i].error, refusals[_i].cure);
    ck_assert_str_ne(checking_find("client.credentials")->tag, "");
    ck_assert_ptr_null(strstr(checking_find("client.credentials")->sentence, "()"));
}
END_TEST

START_TEST(no_answer_is_a_failure_too)
{
    kc_fake_answer_down(checking_site->fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(kc_check_client_ask(&checking), 0);
    checking_assert("client.credentials", KC_CHECK_FAILED, "no answer of use", "Keycloak's log");
    kc_fake_answer(checking_site->fake, KC_FAKE_TOKEN, 404, "text/html", "nothing");
    apr_array_clear(checking_report.results);
    ck_assert_int_eq(kc_check_client_ask(&checking), 0);
    checking_assert("client.credentials", KC_CHECK_FAILED, "404", "token endpoint");
}
END_TEST

Suite *kc_test_check_client(void)
{
    Suite *suite = suite_create("check_client");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, checking_setup_discovered, testlib_teardown);
    tcase_add_test(all, a_refused_code_is_an_accepted_client);
    tcase_add_test(all, a_public_client_with_a_secret_is_a_warning);
    tcase_add_test(all, files_that_are_watched_do_not_bring_the_secret_back);
    tcase_add_test(all, a_client_without_a_secret_is_asked_once);
    tcase_add_loop_test(all, each_refusal_has_its_cure, 0, CHECKING_ROWS(refusals));
    tcase_add_test(all, no_answer_is_a_failure_too);
    suite_add_tcase(suite, all);
    return suite;
}

/* Tests of check_admin.h: whether Keycloak has the address that takes logout tokens.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "check/check_admin.h"
#include "check/check_people.h"
#include "checking.h"
#include "testlib.h"

Suite *kc_test_check_admin(void);

#define ROOT "https://keycloak.example.com"
#define MASTER ROOT "/realms/master/protocol/openid-connect/"
#define CLIENTS ROOT "/admin/realms/kubeflow/clients"
#define OURS KC_FAKE_PUBLIC "/authservice/backchannel-logout"
#define TOKENS \
    "{\"access_token\":\"t0ken\",\"refresh_token\":\"r3fresh\",\"token_type\":\"Bearer\"}"

static void setup(void)
{
    checking_setup_discovered();
    checking.admin = "admin";
    checking.admin_password = "p4ss";
    kc_fake_answer(checking_site->fake, MASTER "token", 200, CHECKING_JSON, TOKENS);
    kc_fake_answer(checking_site->fake, MASTER "revoke", 200, "", "");
}

static void has_client(const char *attributes)
{
    kc_fake_answer(checking_site->fake, CLIENTS, 200, CHECKING_JSON,
                   apr_pstrcat(testlib_pool, "[{\"attributes\":{", attributes, "}}]", NULL));
    kc_check_admin_ask(&checking);
}

static const struct {
    const char *attributes;
    kc_check_outcome_t outcome;
    const char *text;
    const char *cure;
} rows[] = {
    {"\"backchannel.logout.url\":\"" OURS "\"", KC_CHECK_OK, "sends logout tokens to " OURS, ""},
    {"\"backchannel.logout.url\":\"http://httpd:80/authservice/backchannel-logout\"", KC_CHECK_OK,
     "http://httpd:80/", ""},
    {"\"backchannel.logout.url\":\"https://kubeflow.example.com/logout\"", KC_CHECK_FAILED,
     "/logout, not to " OURS, "write " OURS},
    {"\"backchannel.logout.url\":\"nonsense\"", KC_CHECK_FAILED, "nonsense", "write " OURS},
    {"\"backchannel.logout.url\":\"\"", KC_CHECK_WARNING, "no Backchannel logout URL",
     "write " OURS},
    {"", KC_CHECK_WARNING, "no Backchannel logout URL", "write " OURS},
};

START_TEST(the_registered_address_is_compared)
{
    const kc_fake_request_t *request;

    has_client(rows[_i].attributes);
    checking_assert("logout.registered", rows[_i].outcome, rows[_i].text, rows[_i].cure);
    request = kc_fake_request_last(checking_site->fake, CLIENTS);
    ck_assert_str_eq(request->authorization, "Bearer t0ken");
    ck_assert_ptr_nonnull(strstr(request->url, "?clientId=kubeflow-oidc-authservice"));
    request = kc_fake_request_last(checking_site->fake, MASTER "token");
    ck_assert_ptr_nonnull(strstr(request->form, "client_id=admin-cli"));
    ck_assert_ptr_null(request->authorization);
    ck_assert_ptr_nonnull(
        strstr(kc_fake_request_last(checking_site->fake, MASTER "revoke")->form, "r3fresh"));
}
END_TEST

START_TEST(an_administrator_of_the_realm_itself_is_tried_too)
{
    kc_fake_answer(checking_site->fake, MASTER "token", 401, CHECKING_JSON,
                   "{\"error\":\"invalid_grant\"}");
    kc_fake_answer(checking_site->fake, KC_FAKE_TOKEN, 200, CHECKING_JSON, TOKENS);
    kc_fake_answer(checking_site->fake, KC_FAKE_ENDPOINT "revoke", 200, "", "");
    has_client(rows[0].attributes);
    ck_assert_int_eq(checking_find("logout.registered")->outcome, KC_CHECK_OK);
}
END_TEST

START_TEST(the_clients_own_token_is_enough_where_it_may)
{
    checking.admin = NULL;
    checking.access_token = "0wn";
    has_client(rows[0].attributes);
    ck_assert_int_eq(checking_find("logout.registered")->outcome, KC_CHECK_OK);
    ck_assert_str_eq(kc_fake_request_last(checking_site->fake, CLIENTS)->authorization,
                     "Bearer 0wn");
    ck_assert_int_eq(kc_fake_request_count(checking_site->fake, MASTER "token"), 0);
}
END_TEST

static const struct {
    int status;
    const char *body;
} answers[] = {{403, "{}"}, {200, "[]"}, {200, "<html>"}, {200, "{}"}, {404, ""}};

START_TEST(what_is_not_shown_is_unknown)
{
    kc_fake_answer(checking_site->fake, CLIENTS, answers[_i].status, CHECKING_JSON,
                   answers[_i].body);
    kc_check_admin_ask(&checking);
    checking_assert("logout.registered", KC_CHECK_UNKNOWN, "only an administrator", OURS);
}
END_TEST

START_TEST(without_an_administrator_it_is_unknown)
{
    checking.admin = NULL;
    kc_check_admin_ask(&checking);
    checking_assert("logout.registered", KC_CHECK_UNKNOWN, "only an administrator",
                    "KEYCLOAK_CHECK_ADMIN");
    ck_assert_int_eq(kc_fake_request_count(checking_site->fake, CLIENTS), 0);
}
END_TEST

START_TEST(a_site_without_an_address_is_not_asked_about)
{
    checking.client = NULL;
    kc_check_admin_ask(&checking);
    ck_assert_int_eq(checking_report.results->nelts, 0);
}
END_TEST

/* --- people of the environment --- */

#define OTHER "https://other.example.com/realms/kubeflow"

static const struct {
    const char *named;
    const char *second; /* issuer of another server; NULL: there is one server */
    int may;
    int is_told;
} people[] = {{NULL, NULL, 1, 0},
              {NULL, KC_FAKE_ISSUER, 1, 0},
              {NULL, OTHER, 0, 1},
              {KC_FAKE_ISSUER, OTHER, 1, 0},
              {OTHER, OTHER, 0, 0},
              {OTHER, NULL, 0, 0},
              {KC_FAKE_ISSUER "/", NULL, 0, 0}};

START_TEST(a_password_is_for_one_issuer)
{
    apr_array_header_t *issuers = apr_array_make(testlib_pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(issuers, const char *) = KC_FAKE_ISSUER;
    if (people[_i].second)
        APR_ARRAY_PUSH(issuers, const char *) = people[_i].second;
    checking.user = "anna";
    checking.password = "c4nary";
    kc_check_people_limit(&checking, people[_i].named, issuers);
    ck_assert_int_eq(checking.user != NULL, people[_i].may);
    ck_assert_int_eq(checking.password != NULL, people[_i].may);
    ck_assert_int_eq(checking.admin != NULL, people[_i].may);
    ck_assert_int_eq(checking.admin_password != NULL, people[_i].may);
    ck_assert_int_eq(checking_report.results->nelts, people[_i].is_told);
    if (people[_i].is_told)
        checking_assert("people.issuer", KC_CHECK_UNKNOWN, "several issuers",
                        "KEYCLOAK_CHECK_ISSUER");
}
END_TEST

Suite *kc_test_check_admin(void)
{
    Suite *suite = suite_create("check_admin");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, setup, testlib_teardown);
    tcase_add_loop_test(all, the_registered_address_is_compared, 0, CHECKING_ROWS(rows));
    tcase_add_test(all, an_administrator_of_the_realm_itself_is_tried_too);
    tcase_add_test(all, the_clients_own_token_is_enough_where_it_may);
    tcase_add_loop_test(all, what_is_not_shown_is_unknown, 0, CHECKING_ROWS(answers));
    tcase_add_test(all, without_an_administrator_it_is_unknown);
    tcase_add_test(all, a_site_without_an_address_is_not_asked_about);
    tcase_add_loop_test(all, a_password_is_for_one_issuer, 0, CHECKING_ROWS(people));
    suite_add_tcase(suite, all);
    return suite;
}

/* Tests of check_discovery.h and check_issuer.h: each way in which a discovery document can be
 * wrong is named, with its cure.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "check/check.h"
#include "check/check_clock.h"
#include "check/check_discovery.h"
#include "check/check_issuer.h"
#include "check/check_same.h"
#include "checking.h"
#include "testlib.h"

Suite *kc_test_check_discovery(void);

#define HOST "https://keycloak.example.com"
START_TEST(a_healthy_document_is_well)
{
    kc_check_discovery_ask(&checking);
    ck_assert_msg(kc_check_report_count(&checking_report, KC_CHECK_OK) ==
                      checking_report.results->nelts,
                  "%s", kc_check_report_text(&checking_report, testlib_pool));
    ck_assert_str_eq(checking_find("issuer.equal")->sentence, "the issuer is " KC_FAKE_ISSUER);
    ck_assert_ptr_nonnull(checking.provider);
}
END_TEST

static const struct {
    const char *issuer; /* of the document */
    const char *difference;
} issuers[] = {
    {KC_FAKE_ISSUER "/", "the slash at the end differs"},
    {"http://keycloak.example.com/realms/kubeflow", "the scheme, the port differs"},
    {"https://sso.example.com/realms/kubeflow", "the host differs"},
    {"https://keycloak.example.com:8443/realms/kubeflow", "the port differs"},
    {HOST "/realms/master", "the realm differs"},
    {HOST "/realms/Kubeflow", "the realm's upper and lower case differs"},
    {HOST "/auth/realms/kubeflow", "the path before /realms/ differs"},
    {"https://KEYCLOAK.example.com/realms/kubeflow", "the spelling differs"},
    {"https://keycloak.example.com:443/realms/kubeflow", "the spelling differs"},
    {HOST, "the path differs"},
    {"kubeflow", "the form differs"},
};

START_TEST(what_differs_between_two_issuers_is_named)
{
    const char *cure =
        apr_pstrcat(testlib_pool, "write KeycloakIssuer ", issuers[_i].issuer, " if", NULL);

    ck_assert_int_eq(kc_check_issuer_tell(&checking, "issuer.equal", issuers[_i].issuer), 0);
    checking_assert("issuer.equal", KC_CHECK_FAILED, issuers[_i].difference, cure);
    checking_assert("issuer.equal", KC_CHECK_FAILED, issuers[_i].issuer, KC_FAKE_ISSUER);
    ck_assert_str_eq(checking_find("issuer.equal")->tag, "KC0204");
}
END_TEST

START_TEST(a_document_without_issuer_is_no_keycloaks)
{
    ck_assert_int_eq(kc_check_issuer_tell(&checking, "issuer.equal", NULL), 0);
    checking_assert("issuer.equal", KC_CHECK_FAILED, "names no issuer", "Keycloak's");
}
END_TEST

START_TEST(an_absent_realm_is_told_from_an_absent_keycloak)
{
    kc_fake_answer(checking_site->fake, KC_FAKE_DISCOVERY, 404, CHECKING_JSON, "{}");
    kc_fake_answer(checking_site->fake, HOST "/realms/master", 200, CHECKING_JSON, "{}");
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.discovery", KC_CHECK_FAILED, "status 404", "has no such realm");
    ck_assert_ptr_null(checking.provider);
}
END_TEST

START_TEST(a_path_before_the_realm_that_is_missing_is_found)
{
    kc_fake_answer(checking_site->fake, KC_FAKE_DISCOVERY, 404, CHECKING_JSON, "{}");
    kc_fake_answer(checking_site->fake, HOST "/auth/realms/master", 200, CHECKING_JSON, "{}");
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.discovery", KC_CHECK_FAILED, "status 404",
                    "answers below " HOST "/auth: correct the path");
}
END_TEST

START_TEST(no_keycloak_at_all)
{
    kc_fake_answer(checking_site->fake, KC_FAKE_DISCOVERY, 404, "text/html", "nothing");
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.discovery", KC_CHECK_FAILED, "status 404", "no Keycloak answers there");
}
END_TEST

static const struct {
    int status;
    const char *cure;
} statuses[] = {
    {301, "redirects are not followed"},
    {302, "redirects are not followed"},
    {400, "may expect https"},
    {403, "the realm may be disabled"},
    {500, "Keycloak's log"},
    {503, "Keycloak's log"},
};

START_TEST(each_status_has_its_cure)
{
    kc_fake_answer(checking_site->fake, KC_FAKE_DISCOVERY, statuses[_i].status, "text/html", "");
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.discovery", KC_CHECK_FAILED,
                    apr_psprintf(testlib_pool, "status %d", statuses[_i].status),
                    statuses[_i].cure);
}
END_TEST

START_TEST(what_is_no_document_is_said_so)
{
    kc_fake_answer(checking_site->fake, KC_FAKE_DISCOVERY, 200, "text/html",
                   "<html>\x1b[31mcanary");
    kc_check_discovery_ask(&checking);
    ck_assert_ptr_null(strchr(kc_check_report_text(&checking_report, testlib_pool), '\x1b'));
    ck_assert_ptr_null(checking.provider);
    ck_assert_int_eq(kc_check_report_count(&checking_report, KC_CHECK_FAILED), 1);
}
END_TEST

START_TEST(endpoints_elsewhere_are_named)
{
    const char *document = kc_fake_site_metadata(checking_site, "");
    char *at = strstr(document, "https://keycloak.example.com/realms/kubeflow/protocol");

    ck_assert_ptr_nonnull(at);
    memcpy(at + 8, "evilbloak", 9);
    kc_fake_answer(checking_site->fake, KC_FAKE_DISCOVERY, 200, CHECKING_JSON, document);
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.endpoints", KC_CHECK_FAILED, "KeycloakEndpointOrigins",
                    "Keycloak's hostname settings");
}
END_TEST

START_TEST(an_optional_endpoint_elsewhere_is_a_warning)
{
    char *document = apr_pstrdup(testlib_pool, kc_fake_site_metadata(checking_site, ""));
    char *at = strstr(strstr(document, "userinfo_endpoint"), "keycloak");

    memcpy(at, "evilloak", 8);
    kc_fake_answer(checking_site->fake, KC_FAKE_DISCOVERY, 200, CHECKING_JSON, document);
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.endpoints", KC_CHECK_WARNING, "userinfo_endpoint",
                    "KeycloakEndpointOrigins");
    ck_assert_ptr_nonnull(checking.provider);
}
END_TEST

START_TEST(a_slow_answer_is_a_warning)
{
    checking_site->fake->http.takes_ms = 4000; /* of 5,000 */
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.discovery", KC_CHECK_WARNING, "within 4000 ms", "slow");
}
END_TEST

static void backchannel(const char *issuer)
{
    checking_site->conf->backchannel_url = "http://keycloak:8080";
    kc_fake_answer(checking_site->fake,
                   "http://keycloak:8080/realms/kubeflow/.well-known/openid-configuration", 200,
                   CHECKING_JSON, kc_fake_site_metadata(checking_site, ""));
    kc_fake_answer(checking_site->fake, KC_FAKE_DISCOVERY, 200, CHECKING_JSON,
                   apr_pstrcat(testlib_pool, "{\"issuer\":\"", issuer, "\"}", NULL));
    kc_check_discovery_ask(&checking);
}

START_TEST(inside_and_outside_are_compared)
{
    backchannel(KC_FAKE_ISSUER);
    ck_assert_int_eq(checking_find("issuer.public")->outcome, KC_CHECK_OK);
    ck_assert_int_eq(checking_find("issuer.equal")->outcome, KC_CHECK_OK);
    ck_assert_ptr_nonnull(checking.provider);
}
END_TEST

START_TEST(another_issuer_outside_has_failed)
{
    backchannel("https://old.example.com/realms/kubeflow");
    checking_assert("issuer.public", KC_CHECK_FAILED, "the host differs", "old.example.com");
}
END_TEST

START_TEST(an_outside_that_is_not_reached_from_inside_is_unknown)
{
    checking_site->conf->backchannel_url = "http://keycloak:8080";
    kc_fake_answer_down(checking_site->fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_DOWN);
    kc_fake_answer(checking_site->fake,
                   "http://keycloak:8080/realms/kubeflow/.well-known/openid-configuration", 200,
                   CHECKING_JSON, kc_fake_site_metadata(checking_site, ""));
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.public", KC_CHECK_UNKNOWN, "not reached from here", "in a browser");
}
END_TEST

static const struct {
    kc_http_stage_t stage;
    const char *name;
    const char *cure;
} stages[] = {
    {KC_HTTP_STAGE_NAME, "issuer.dns", "correct the host in KeycloakIssuer"},
    {KC_HTTP_STAGE_CONNECT, "issuer.tcp", "see that Keycloak runs"},
    {KC_HTTP_STAGE_TLS, "issuer.tls", "KeycloakCAFile"},
    {KC_HTTP_STAGE_ANSWER, "issuer.discovery", "Keycloak's log"},
};

START_TEST(a_failure_is_told_with_the_stage_and_a_cure)
{
    checking_site->fake->http.stage = stages[_i].stage;
    kc_fake_answer_down(checking_site->fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_DOWN);
    kc_check_run(&checking);
    checking_assert(stages[_i].name, KC_CHECK_FAILED, "", stages[_i].cure);
    ck_assert_int_eq(checking_find("keycloak")->outcome, KC_CHECK_SKIPPED);
    ck_assert_int_eq(kc_check_report_count(&checking_report, KC_CHECK_FAILED), 1);
    ck_assert_int_eq(checking_report.results->nelts, _i + 2);
    ck_assert_int_eq(kc_fake_request_count(checking_site->fake, NULL), 1);
}
END_TEST

START_TEST(a_proxy_of_the_environment_is_named)
{
    checking.proxy = "https_proxy";
    checking_site->fake->http.stage = KC_HTTP_STAGE_CONNECT;
    kc_fake_answer_down(checking_site->fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_DOWN);
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.tcp", KC_CHECK_FAILED, "port 443", "uses no proxy, so https_proxy in");
}
END_TEST

static const struct {
    const char *date;
    kc_check_outcome_t outcome;
    const char *text;
} dates[] = {
    {"Tue, 14 Nov 2023 22:13:20 GMT", KC_CHECK_OK, "is this host's"},
    {"Tue, 14 Nov 2023 22:13:18 GMT", KC_CHECK_OK, "is this host's"},
    {"Tue, 14 Nov 2023 22:13:40 GMT", KC_CHECK_WARNING, "is 20 s ahead of this host's"},
    {"Tue, 14 Nov 2023 22:13:50 GMT", KC_CHECK_WARNING, "is 30 s ahead of this host's"},
    {"Tue, 14 Nov 2023 22:13:51 GMT", KC_CHECK_FAILED, "is 31 s ahead of this host's"},
    {"Tue, 14 Nov 2023 22:08:20 GMT", KC_CHECK_FAILED, "is 300 s behind this host's"},
    {"yesterday", KC_CHECK_UNKNOWN, "no Date"},
    {NULL, KC_CHECK_UNKNOWN, "no Date"},
};

START_TEST(clocks_are_compared)
{
    kc_check_clock_read(&checking, dates[_i].date);
    kc_check_clock_read(&checking, "Thu, 01 Jan 1970 00:00:00 GMT"); /* the first one counts */
    if (dates[_i].outcome == KC_CHECK_UNKNOWN)
        checking.has_clock = 0;
    kc_check_clock_tell(&checking);
    ck_assert_int_eq(checking_find("issuer.clock")->outcome, dates[_i].outcome);
    ck_assert_msg(strstr(checking_find("issuer.clock")->sentence, dates[_i].text) != NULL, "%s",
                  checking_find("issuer.clock")->sentence);
}
END_TEST

START_TEST(the_date_of_the_document_is_taken)
{
    kc_fake_answer_head(checking_site->fake, KC_FAKE_DISCOVERY, 404, NULL,
                        "Tue, 14 Nov 2023 22:08:20 GMT");
    kc_check_discovery_ask(&checking);
    ck_assert_int_eq(checking.has_clock, 1);
    ck_assert_int_eq(checking.clock_ahead, -300);
}
END_TEST

START_TEST(a_redirect_is_shown_with_its_target)
{
    kc_fake_answer_head(checking_site->fake, KC_FAKE_DISCOVERY, 301, "https://new.example.com/",
                        NULL);
    kc_check_discovery_ask(&checking);
    checking_assert("issuer.discovery", KC_CHECK_FAILED, "status 301, to https://new.example.com/",
                    "redirects are not followed");
}
END_TEST

/* Two servers with the same settings, of which a row changes one. */
static void set(int row, kc_fake_site_t *other, kc_check_t *its)
{
    static const kc_browser_t elsewhere = {.public_url = "https://other.example.com"};
    apr_array_header_t *keys;

    switch (row) {
    case 0:
        return;
    case 1:
        other->conf->client_secret.text = "another-secret";
        break;
    case 2:
        other->conf->client_id = "another";
        break;
    case 3:
        its->client = &elsewhere;
        break;
    case 4:
        its->client = NULL;
        break;
    case 5:
        keys = apr_array_make(testlib_pool, 1, sizeof(kc_conf_file_t));
        memset(apr_array_push(keys), 0, sizeof(kc_conf_file_t));
        APR_ARRAY_IDX(keys, 0, kc_conf_file_t).text = "a key of thirty-two characters..";
        other->conf->crypto_key = keys;
        break;
    case 6:
        other->rp->asks_groups = 1;
        break;
    default:
        other->conf->memcached_password.text = "another-secret";
        break;
    }
}

START_TEST(only_servers_with_the_same_settings_are_asked_once)
{
    kc_fake_site_t *other = kc_fake_site_make(testlib_pool);
    kc_check_t its = checking;

    checking.client = its.client = &checking_site->client;
    its.rp = other->rp;
    set(_i, other, &its);
    ck_assert_int_eq(kc_check_same_is(&checking, &its), _i == 0);
    ck_assert_int_eq(kc_check_same_is(&its, &checking), _i == 0);
}
END_TEST

static const char keys[] = "{\"keys\":[]}";

/* Everything that Keycloak is asked, of which it repeats a secret. */
START_TEST(a_whole_run_asks_everything_in_order)
{
    kc_fake_t *fake = checking_site->fake;
    const char *text;

    kc_fake_site_provide(checking_site, kc_fake_site_metadata(checking_site, ""), keys);
    kc_fake_answer_head(fake, KC_FAKE_ENDPOINT "auth", 302,
                        KC_FAKE_PUBLIC "/authservice/oidc/callback?error=login_required", NULL);
    kc_fake_answer_once(fake, KC_FAKE_TOKEN, 400, CHECKING_JSON, "{\"error\":\"invalid_grant\"}");
    kc_fake_answer(fake, KC_FAKE_TOKEN, 401, CHECKING_JSON,
                   "{\"error\":\"unauthorized_client\",\"error_description\":\"not-a-secret\"}");
    kc_fake_answer(fake, KC_FAKE_LOGOUT, 400, CHECKING_JSON, "{\"error\":\"not-a-secret\"}");
    kc_fake_answer(fake, KC_FAKE_PUBLIC "/authservice/backchannel-logout", 400, "", "");
    kc_check_run(&checking);
    text = kc_check_report_text(&checking_report, testlib_pool);
    ck_assert_ptr_null(strstr(text, "not-a-secret"));
    checking_assert("logout.return", KC_CHECK_FAILED, "(secret)", "post logout");
    checking_assert("tokens.user", KC_CHECK_UNKNOWN, "not looked at", "KEYCLOAK_CHECK_USER");
    checking_assert("logout.backchannel", KC_CHECK_OK, "takes logout tokens", "");
    checking_assert("logout.registered", KC_CHECK_UNKNOWN, "administrator", "");
    checking_assert("issuer.clock", KC_CHECK_UNKNOWN, "no Date", "");
    ck_assert_int_lt(strstr(text, "issuer.equal") - text, strstr(text, "client.id") - text);
    ck_assert_int_lt(strstr(text, "client.id") - text, strstr(text, "logout.return") - text);
}
END_TEST

START_TEST(of_a_client_that_is_not_there_nothing_else_is_asked)
{
    kc_fake_answer(checking_site->fake, KC_FAKE_ENDPOINT "auth", 400, CHECKING_JSON,
                   "{\"error\":\"Client not found.\"}");
    kc_check_run(&checking);
    checking_assert("client.id", KC_CHECK_FAILED, "not found", "KeycloakClientID");
    ck_assert_int_eq(checking_count("client.credentials"), 0);
    ck_assert_int_eq(kc_fake_request_count(checking_site->fake, KC_FAKE_TOKEN), 0);
    ck_assert_int_eq(checking_find("issuer.clock")->outcome, KC_CHECK_UNKNOWN);
}
END_TEST

START_TEST(without_an_accepted_client_no_tokens_are_asked_for)
{
    kc_fake_answer_head(checking_site->fake, KC_FAKE_ENDPOINT "auth", 302,
                        KC_FAKE_PUBLIC "/authservice/oidc/callback?error=login_required", NULL);
    kc_fake_answer(checking_site->fake, KC_FAKE_TOKEN, 401, CHECKING_JSON,
                   "{\"error\":\"unauthorized_client\"}");
    kc_check_run(&checking);
    checking_assert("client.credentials", KC_CHECK_FAILED, "unauthorized_client", "secret");
    ck_assert_int_eq(checking_count("tokens.user"), 0);
}
END_TEST

Suite *kc_test_check_discovery(void)
{
    Suite *suite = suite_create("check_discovery");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, checking_setup, testlib_teardown);
    tcase_add_test(all, a_healthy_document_is_well);
    tcase_add_test(all, a_whole_run_asks_everything_in_order);
    tcase_add_test(all, of_a_client_that_is_not_there_nothing_else_is_asked);
    tcase_add_test(all, without_an_accepted_client_no_tokens_are_asked_for);
    tcase_add_loop_test(all, what_differs_between_two_issuers_is_named, 0, CHECKING_ROWS(issuers));
    tcase_add_test(all, a_document_without_issuer_is_no_keycloaks);
    tcase_add_test(all, an_absent_realm_is_told_from_an_absent_keycloak);
    tcase_add_test(all, a_path_before_the_realm_that_is_missing_is_found);
    tcase_add_test(all, no_keycloak_at_all);
    tcase_add_loop_test(all, each_status_has_its_cure, 0, CHECKING_ROWS(statuses));
    tcase_add_test(all, what_is_no_document_is_said_so);
    tcase_add_test(all, endpoints_elsewhere_are_named);
    tcase_add_test(all, an_optional_endpoint_elsewhere_is_a_warning);
    tcase_add_test(all, a_slow_answer_is_a_warning);
    tcase_add_test(all, inside_and_outside_are_compared);
    tcase_add_test(all, another_issuer_outside_has_failed);
    tcase_add_test(all, an_outside_that_is_not_reached_from_inside_is_unknown);
    tcase_add_loop_test(all, a_failure_is_told_with_the_stage_and_a_cure, 0, CHECKING_ROWS(stages));
    tcase_add_test(all, a_proxy_of_the_environment_is_named);
    tcase_add_loop_test(all, clocks_are_compared, 0, CHECKING_ROWS(dates));
    tcase_add_test(all, the_date_of_the_document_is_taken);
    tcase_add_test(all, a_redirect_is_shown_with_its_target);
    tcase_add_loop_test(all, only_servers_with_the_same_settings_are_asked_once, 0, 8);
    suite_add_tcase(suite, all);
    return suite;
}

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
#include "fake_site.h"
#include "testlib.h"

Suite *kc_test_check_discovery(void);

#define HOST "https://keycloak.example.com"
#define JSON_TYPE "application/json"
#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))

static kc_fake_site_t *site;
static kc_check_report_t report;
static kc_check_t check;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    kc_check_report_init(&report, testlib_pool);
    memset(&check, 0, sizeof(check));
    check.rp = site->rp;
    check.report = &report;
    check.pool = testlib_pool;
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), "{\"keys\":[]}");
}

/* The one result of this name; it must be there. */
static const kc_check_result_t *find(const char *name)
{
    const kc_check_result_t *found = NULL;
    int i;

    for (i = 0; i < report.results->nelts; i++) {
        const kc_check_result_t *result = &APR_ARRAY_IDX(report.results, i, kc_check_result_t);

        if (strcmp(result->name, name) == 0) {
            ck_assert_ptr_null(found);
            found = result;
        }
    }
    ck_assert_msg(found != NULL, "no %s in:\n%s", name,
                  kc_check_report_text(&report, testlib_pool));
    return found;
}

static void assert_fault(const char *name, kc_check_outcome_t outcome, const char *text,
                         const char *cure)
{
    const kc_check_result_t *result = find(name);

    ck_assert_int_eq(result->outcome, outcome);
    ck_assert_msg(strstr(result->sentence, text) != NULL, "%s", result->sentence);
    ck_assert_msg(strstr(result->cure, cure) != NULL, "%s", result->cure);
}

START_TEST(a_healthy_document_is_well)
{
    kc_check_discovery_ask(&check);
    ck_assert_msg(kc_check_report_count(&report, KC_CHECK_OK) == report.results->nelts, "%s",
                  kc_check_report_text(&report, testlib_pool));
    ck_assert_str_eq(find("issuer.equal")->sentence, "the issuer is " KC_FAKE_ISSUER);
    ck_assert_ptr_nonnull(check.provider);
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

    ck_assert_int_eq(kc_check_issuer_tell(&check, "issuer.equal", issuers[_i].issuer), 0);
    assert_fault("issuer.equal", KC_CHECK_FAILED, issuers[_i].difference, cure);
    assert_fault("issuer.equal", KC_CHECK_FAILED, issuers[_i].issuer, KC_FAKE_ISSUER);
    ck_assert_str_eq(find("issuer.equal")->tag, "KC0204");
}
END_TEST

START_TEST(a_document_without_issuer_is_no_keycloaks)
{
    ck_assert_int_eq(kc_check_issuer_tell(&check, "issuer.equal", NULL), 0);
    assert_fault("issuer.equal", KC_CHECK_FAILED, "names no issuer", "Keycloak's");
}
END_TEST

START_TEST(an_absent_realm_is_told_from_an_absent_keycloak)
{
    kc_fake_answer(site->fake, KC_FAKE_DISCOVERY, 404, JSON_TYPE, "{}");
    kc_fake_answer(site->fake, HOST "/realms/master", 200, JSON_TYPE, "{}");
    kc_check_discovery_ask(&check);
    assert_fault("issuer.discovery", KC_CHECK_FAILED, "status 404", "has no such realm");
    ck_assert_ptr_null(check.provider);
}
END_TEST

START_TEST(a_path_before_the_realm_that_is_missing_is_found)
{
    kc_fake_answer(site->fake, KC_FAKE_DISCOVERY, 404, JSON_TYPE, "{}");
    kc_fake_answer(site->fake, HOST "/auth/realms/master", 200, JSON_TYPE, "{}");
    kc_check_discovery_ask(&check);
    assert_fault("issuer.discovery", KC_CHECK_FAILED, "status 404",
                 "answers below " HOST "/auth: correct the path");
}
END_TEST

START_TEST(no_keycloak_at_all)
{
    kc_fake_answer(site->fake, KC_FAKE_DISCOVERY, 404, "text/html", "nothing");
    kc_check_discovery_ask(&check);
    assert_fault("issuer.discovery", KC_CHECK_FAILED, "status 404", "no Keycloak answers there");
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
    kc_fake_answer(site->fake, KC_FAKE_DISCOVERY, statuses[_i].status, "text/html", "");
    kc_check_discovery_ask(&check);
    assert_fault("issuer.discovery", KC_CHECK_FAILED,
                 apr_psprintf(testlib_pool, "status %d", statuses[_i].status), statuses[_i].cure);
}
END_TEST

START_TEST(what_is_no_document_is_said_so)
{
    kc_fake_answer(site->fake, KC_FAKE_DISCOVERY, 200, "text/html", "<html>\x1b[31mcanary");
    kc_check_discovery_ask(&check);
    ck_assert_ptr_null(strchr(kc_check_report_text(&report, testlib_pool), '\x1b'));
    ck_assert_ptr_null(check.provider);
    ck_assert_int_eq(kc_check_report_count(&report, KC_CHECK_FAILED), 1);
}
END_TEST

START_TEST(endpoints_elsewhere_are_named)
{
    const char *document = kc_fake_site_metadata(site, "");
    char *at = strstr(document, "https://keycloak.example.com/realms/kubeflow/protocol");

    ck_assert_ptr_nonnull(at);
    memcpy(at + 8, "evilbloak", 9);
    kc_fake_answer(site->fake, KC_FAKE_DISCOVERY, 200, JSON_TYPE, document);
    kc_check_discovery_ask(&check);
    assert_fault("issuer.endpoints", KC_CHECK_FAILED, "KeycloakEndpointOrigins",
                 "Keycloak's hostname settings");
}
END_TEST

START_TEST(an_optional_endpoint_elsewhere_is_a_warning)
{
    char *document = apr_pstrdup(testlib_pool, kc_fake_site_metadata(site, ""));
    char *at = strstr(strstr(document, "userinfo_endpoint"), "keycloak");

    memcpy(at, "evilloak", 8);
    kc_fake_answer(site->fake, KC_FAKE_DISCOVERY, 200, JSON_TYPE, document);
    kc_check_discovery_ask(&check);
    assert_fault("issuer.endpoints", KC_CHECK_WARNING, "userinfo_endpoint",
                 "KeycloakEndpointOrigins");
    ck_assert_ptr_nonnull(check.provider);
}
END_TEST

START_TEST(a_slow_answer_is_a_warning)
{
    site->fake->http.takes_ms = 4000; /* of 5,000 */
    kc_check_discovery_ask(&check);
    assert_fault("issuer.discovery", KC_CHECK_WARNING, "within 4000 ms", "slow");
}
END_TEST

static void backchannel(const char *issuer)
{
    site->conf->backchannel_url = "http://keycloak:8080";
    kc_fake_answer(site->fake,
                   "http://keycloak:8080/realms/kubeflow/.well-known/openid-configuration", 200,
                   JSON_TYPE, kc_fake_site_metadata(site, ""));
    kc_fake_answer(site->fake, KC_FAKE_DISCOVERY, 200, JSON_TYPE,
                   apr_pstrcat(testlib_pool, "{\"issuer\":\"", issuer, "\"}", NULL));
    kc_check_discovery_ask(&check);
}

START_TEST(inside_and_outside_are_compared)
{
    backchannel(KC_FAKE_ISSUER);
    ck_assert_int_eq(find("issuer.public")->outcome, KC_CHECK_OK);
    ck_assert_int_eq(find("issuer.equal")->outcome, KC_CHECK_OK);
    ck_assert_ptr_nonnull(check.provider);
}
END_TEST

START_TEST(another_issuer_outside_has_failed)
{
    backchannel("https://old.example.com/realms/kubeflow");
    assert_fault("issuer.public", KC_CHECK_FAILED, "the host differs", "old.example.com");
}
END_TEST

START_TEST(an_outside_that_is_not_reached_from_inside_is_unknown)
{
    site->conf->backchannel_url = "http://keycloak:8080";
    kc_fake_answer_down(site->fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_DOWN);
    kc_fake_answer(site->fake,
                   "http://keycloak:8080/realms/kubeflow/.well-known/openid-configuration", 200,
                   JSON_TYPE, kc_fake_site_metadata(site, ""));
    kc_check_discovery_ask(&check);
    assert_fault("issuer.public", KC_CHECK_UNKNOWN, "not reached from here", "in a browser");
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
    site->fake->http.stage = stages[_i].stage;
    kc_fake_answer_down(site->fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_DOWN);
    kc_check_run(&check);
    assert_fault(stages[_i].name, KC_CHECK_FAILED, "", stages[_i].cure);
    ck_assert_int_eq(find("keycloak")->outcome, KC_CHECK_SKIPPED);
    ck_assert_int_eq(kc_check_report_count(&report, KC_CHECK_FAILED), 1);
    ck_assert_int_eq(report.results->nelts, _i + 2);
    ck_assert_int_eq(kc_fake_request_count(site->fake, NULL), 1);
}
END_TEST

START_TEST(a_proxy_of_the_environment_is_named)
{
    check.proxy = "https_proxy";
    site->fake->http.stage = KC_HTTP_STAGE_CONNECT;
    kc_fake_answer_down(site->fake, KC_FAKE_DISCOVERY, KC_ERR_PROVIDER_DOWN);
    kc_check_discovery_ask(&check);
    assert_fault("issuer.tcp", KC_CHECK_FAILED, "port 443", "uses no proxy, so https_proxy in");
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
    kc_check_clock_read(&check, dates[_i].date);
    kc_check_clock_read(&check, "Thu, 01 Jan 1970 00:00:00 GMT"); /* the first one counts */
    if (dates[_i].outcome == KC_CHECK_UNKNOWN)
        check.has_clock = 0;
    kc_check_clock_tell(&check);
    ck_assert_int_eq(find("issuer.clock")->outcome, dates[_i].outcome);
    ck_assert_msg(strstr(find("issuer.clock")->sentence, dates[_i].text) != NULL, "%s",
                  find("issuer.clock")->sentence);
}
END_TEST

START_TEST(the_date_of_the_document_is_taken)
{
    kc_fake_answer_head(site->fake, KC_FAKE_DISCOVERY, 404, NULL, "Tue, 14 Nov 2023 22:08:20 GMT");
    kc_check_discovery_ask(&check);
    ck_assert_int_eq(check.has_clock, 1);
    ck_assert_int_eq(check.clock_ahead, -300);
}
END_TEST

START_TEST(a_redirect_is_shown_with_its_target)
{
    kc_fake_answer_head(site->fake, KC_FAKE_DISCOVERY, 301, "https://new.example.com/", NULL);
    kc_check_discovery_ask(&check);
    assert_fault("issuer.discovery", KC_CHECK_FAILED, "status 301, to https://new.example.com/",
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
    kc_check_t its = check;

    check.client = its.client = &site->client;
    its.rp = other->rp;
    set(_i, other, &its);
    ck_assert_int_eq(kc_check_same_is(&check, &its), _i == 0);
    ck_assert_int_eq(kc_check_same_is(&its, &check), _i == 0);
}
END_TEST

Suite *kc_test_check_discovery(void)
{
    Suite *suite = suite_create("check_discovery");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, setup, testlib_teardown);
    tcase_add_test(all, a_healthy_document_is_well);
    tcase_add_loop_test(all, what_differs_between_two_issuers_is_named, 0, ROWS(issuers));
    tcase_add_test(all, a_document_without_issuer_is_no_keycloaks);
    tcase_add_test(all, an_absent_realm_is_told_from_an_absent_keycloak);
    tcase_add_test(all, a_path_before_the_realm_that_is_missing_is_found);
    tcase_add_test(all, no_keycloak_at_all);
    tcase_add_loop_test(all, each_status_has_its_cure, 0, ROWS(statuses));
    tcase_add_test(all, what_is_no_document_is_said_so);
    tcase_add_test(all, endpoints_elsewhere_are_named);
    tcase_add_test(all, an_optional_endpoint_elsewhere_is_a_warning);
    tcase_add_test(all, a_slow_answer_is_a_warning);
    tcase_add_test(all, inside_and_outside_are_compared);
    tcase_add_test(all, another_issuer_outside_has_failed);
    tcase_add_test(all, an_outside_that_is_not_reached_from_inside_is_unknown);
    tcase_add_loop_test(all, a_failure_is_told_with_the_stage_and_a_cure, 0, ROWS(stages));
    tcase_add_test(all, a_proxy_of_the_environment_is_named);
    tcase_add_loop_test(all, clocks_are_compared, 0, ROWS(dates));
    tcase_add_test(all, the_date_of_the_document_is_taken);
    tcase_add_test(all, a_redirect_is_shown_with_its_target);
    tcase_add_loop_test(all, only_servers_with_the_same_settings_are_asked_once, 0, 8);
    suite_add_tcase(suite, all);
    return suite;
}

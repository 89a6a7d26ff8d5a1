/* Tests of check_tokens.h and check_claims.h: what the tokens of a user, or of the client itself,
 * have of what the settings ask for.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/query.h"
#include "check/check_clock.h"
#include "check/check_tokens.h"
#include "checking.h"
#include "session/unknown.h"
#include "testlib.h"

Suite *kc_test_check_tokens(void);

#define REVOKE KC_FAKE_ENDPOINT "revoke"
#define AGE "\"iat\":1700000000,\"exp\":1700000300"
#define OURS "\"iss\":\"" KC_FAKE_ISSUER "\",\"sub\":\"u1\"," AGE
#define ID OURS ",\"aud\":\"kubeflow-oidc-authservice\",\"typ\":\"ID\""
#define ACCESS OURS ",\"aud\":\"account\",\"typ\":\"Bearer\""
#define NAMED ",\"email\":\"alice@example.com\",\"email_verified\":true"
#define GROUPS ",\"groups\":[\"/team\"]"
#define ROLES                                                    \
    ",\"realm_access\":{\"roles\":[\"a\"]},\"resource_access\":" \
    "{\"c\":{\"roles\":[\"b\"]}}"

static const char header[] = "{\"alg\":\"RS256\",\"kid\":\"a\"}";

static void setup(void)
{
    checking_setup();
    kc_fake_site_provide(
        checking_site,
        kc_fake_site_metadata(checking_site, ",\"revocation_endpoint\":\"" REVOKE "\""),
        apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_jwk(TESTLIB_RSA, ",\"kid\":\"a\""), "]}",
                    NULL));
    checking.provider = NULL;
    checking.user = "alice";
    checking.password = "p4ss-canary";
}

static void discover(void)
{
    const char *document =
        kc_fake_site_metadata(checking_site, ",\"revocation_endpoint\":\"" REVOKE "\"");
    kc_provider_t *provider;

    ck_assert_int_eq(kc_provider_parse(checking_site->conf, document, strlen(document),
                                       testlib_pool, &provider, NULL),
                     KC_OK);
    checking.provider = provider;
    kc_fake_answer(checking_site->fake, REVOKE, 200, "", "");
}

static const char *sign(const char *claims)
{
    return testlib_sign(TESTLIB_RSA, "RS256", header,
                        apr_pstrcat(testlib_pool, "{", claims, "}", NULL));
}

/* Keycloak gives these tokens, and they are looked at. */
static void look_at(const char *id, const char *access)
{
    discover();
    kc_fake_answer(checking_site->fake, KC_FAKE_TOKEN, 200, CHECKING_JSON,
                   apr_pstrcat(testlib_pool,
                               "{\"token_type\":\"Bearer\",\"expires_in\":300,\"refresh_token\":"
                               "\"refresh-canary\",\"id_token\":\"",
                               sign(id), "\",\"access_token\":\"", sign(access), "\"}", NULL));
    kc_check_tokens_ask(&checking);
    ck_assert_ptr_null(strstr(kc_check_report_text(&checking_report, testlib_pool), "canary"));
}

static const char *parameter(const char *name)
{
    const kc_query_t *query;
    const char *value = NULL;

    ck_assert_int_eq(kc_query_parse(kc_fake_request_last(checking_site->fake, KC_FAKE_TOKEN)->form,
                                    testlib_pool, &query, NULL),
                     KC_OK);
    (void)kc_query_single(query, name, &value, NULL);
    return value;
}

START_TEST(a_user_with_everything_is_well)
{
    checking_site->rp->asks_groups = 1;
    look_at(ID NAMED GROUPS, ACCESS ROLES);
    ck_assert_int_eq(kc_check_report_count(&checking_report, KC_CHECK_OK),
                     checking_report.results->nelts);
    ck_assert_str_eq(checking_find("tokens.user")->sentence,
                     "the user's name here is alice@example.com");
    ck_assert_str_eq(checking_find("tokens.groups")->sentence, "groups: team");
    ck_assert_str_eq(checking_find("tokens.roles")->sentence, "realm roles: a; client roles: c:b");
    ck_assert_str_eq(parameter("grant_type"), "password");
    ck_assert_str_eq(parameter("username"), "alice");
    ck_assert_str_eq(parameter("password"), "p4ss-canary");
    ck_assert_str_eq(parameter("scope"), "openid profile email");
    ck_assert_ptr_nonnull(
        strstr(kc_fake_request_last(checking_site->fake, REVOKE)->form, "refresh-canary"));
    ck_assert_ptr_null(checking.access_token);
}
END_TEST

START_TEST(a_token_tells_the_clock)
{
    checking_site->fake->now += 20;
    look_at(ID NAMED GROUPS, ACCESS ROLES);
    kc_check_clock_tell(&checking);
    checking_assert("issuer.clock", KC_CHECK_WARNING, "20 s behind", "synchronise");
}
END_TEST

static const struct {
    int ahead;
    const char *text;
} clocks[] = {{-120, "120 s ahead of this host's"}, {3600, "3600 s behind this host's"}};

START_TEST(a_clock_that_is_wrong_is_named_once)
{
    checking_site->fake->now += clocks[_i].ahead;
    look_at(ID NAMED GROUPS, ACCESS ROLES);
    kc_check_clock_tell(&checking);
    checking_assert("issuer.clock", KC_CHECK_FAILED, clocks[_i].text, "synchronise");
    checking_assert("tokens.id", KC_CHECK_SKIPPED, "refused", "issuer.clock");
    ck_assert_int_eq(kc_check_report_count(&checking_report, KC_CHECK_FAILED), 1);
}
END_TEST

static void no_change(void)
{
}

static void asks_groups(void)
{
    checking_site->rp->asks_groups = 1;
}

static void asks_roles(void)
{
    checking_site->rp->asks_roles = KC_UNKNOWN_REALM_ROLES;
}

static void asks_claim(void)
{
    checking_site->rp->asked_claims = apr_array_make(testlib_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(checking_site->rp->asked_claims, const char *) = "department";
}

static void has_header(void)
{
    apr_array_header_t *headers = apr_array_make(testlib_pool, 1, sizeof(kc_conf_pair_t));
    const kc_conf_pair_t pair = {"X-Department", "department"};

    APR_ARRAY_PUSH(headers, kc_conf_pair_t) = pair;
    checking_site->conf->headers = headers;
}

static void takes_bearers(void)
{
    checking_site->conf->bearer = KC_BEARER_ON;
}

static void is_service(void)
{
    checking.user = NULL;
}

static void other_claim(void)
{
    checking_site->conf->user_claim = "name";
}

static const struct {
    void (*change)(void);
    const char *id;
    const char *access;
    const char *name;
    kc_check_outcome_t outcome;
    const char *text;
    const char *cure;
} rows[] = {
    {no_change, ID NAMED, ACCESS ROLES, "tokens.groups", KC_CHECK_WARNING,
     "no token has the claim groups", "Group Membership"},
    {asks_groups, ID NAMED, ACCESS ROLES, "tokens.groups", KC_CHECK_FAILED, "a Require asks",
     "Group Membership"},
    {no_change, ID NAMED GROUPS, ACCESS, "tokens.roles", KC_CHECK_OK, "no Require asks", ""},
    {asks_roles, ID NAMED GROUPS, ACCESS, "tokens.roles", KC_CHECK_FAILED,
     "the access token gives no roles", "KeycloakRolesClaim"},
    {asks_roles, ID NAMED GROUPS, AGE ",\"iss\":\"" KC_FAKE_ISSUER "\"", "tokens.roles",
     KC_CHECK_FAILED, "it is a lightweight one", "Add to lightweight access token"},
    {asks_roles, ID NAMED GROUPS, ACCESS ",\"resource_access\":{\"c\":{\"roles\":[]}}",
     "tokens.roles", KC_CHECK_FAILED, "gives no realm roles", "KeycloakRolesClaim"},
    {asks_claim, ID NAMED GROUPS, ACCESS ROLES, "tokens.claims", KC_CHECK_FAILED,
     "department, which no token has", "add a mapper"},
    {asks_claim, ID NAMED GROUPS, ACCESS ROLES ",\"department\":\"x\"", "tokens.claims",
     KC_CHECK_FAILED, "the access token alone has", "Add to ID token"},
    {asks_claim, ID NAMED GROUPS ",\"department\":\"x\"", ACCESS ROLES, "tokens.claims",
     KC_CHECK_OK, "all 1 claims", ""},
    {has_header, ID NAMED GROUPS, ACCESS ROLES, "tokens.claims", KC_CHECK_WARNING,
     "claim department of the header X-Department", "add a mapper"},
    {takes_bearers, ID NAMED GROUPS, ACCESS ROLES, "tokens.audience", KC_CHECK_FAILED,
     "aud has none of KeycloakAudience", "mapper Audience"},
    {takes_bearers, ID NAMED GROUPS,
     OURS ",\"typ\":\"Bearer\",\"aud\":[\"account\",\"kubeflow-oidc-authservice\"]",
     "tokens.audience", KC_CHECK_OK, "accepted as a bearer token", ""},
    {no_change, ID GROUPS, ACCESS ROLES, "tokens.user", KC_CHECK_FAILED, "claim email is absent",
     "KeycloakUserClaim"},
    {other_claim, ID NAMED GROUPS, ACCESS ROLES, "tokens.user", KC_CHECK_FAILED,
     "claim name is absent", "KeycloakUserClaim"},
    {no_change, ID GROUPS ",\"email\":\"a@example.com\",\"email_verified\":false", ACCESS ROLES,
     "tokens.email", KC_CHECK_FAILED, "email_verified is not true", "Email verified"},
    {is_service, ID, ACCESS ROLES, "tokens.user", KC_CHECK_UNKNOWN, "no user name",
     "KEYCLOAK_CHECK_USER"},
    {is_service, ID, ACCESS ROLES, "tokens.groups", KC_CHECK_UNKNOWN, "groups", "mapper"},
};

START_TEST(what_is_missing_is_named_with_its_cure)
{
    checking_site->conf->user_info = KC_USER_INFO_OFF;
    rows[_i].change();
    look_at(rows[_i].id, rows[_i].access);
    checking_assert(rows[_i].name, rows[_i].outcome, rows[_i].text, rows[_i].cure);
    ck_assert_int_eq(kc_check_report_count(&checking_report, KC_CHECK_FAILED),
                     rows[_i].outcome == KC_CHECK_FAILED);
}
END_TEST

START_TEST(the_client_itself_has_an_access_token)
{
    is_service();
    look_at(ID NAMED, ACCESS ROLES);
    ck_assert_str_eq(parameter("grant_type"), "client_credentials");
    ck_assert_ptr_null(parameter("username"));
    ck_assert_str_eq(checking.access_token, sign(ACCESS ROLES));
}
END_TEST

START_TEST(userinfo_that_is_needed_and_refused_has_failed)
{
    kc_fake_answer(checking_site->fake, KC_FAKE_USERINFO, 403, CHECKING_JSON, "{}");
    look_at(ID GROUPS, ACCESS ROLES);
    checking_assert("tokens.userinfo", KC_CHECK_FAILED, "403", "Add to ID token");
}
END_TEST

static const struct {
    const char *user;
    const char *error;
    const char *description;
    kc_check_outcome_t outcome;
    const char *cure;
} refusals[] = {
    {"alice", "invalid_grant", "Invalid user credentials", KC_CHECK_FAILED,
     "KEYCLOAK_CHECK_PASSWORD"},
    {"alice", "unauthorized_client", "Client not allowed for direct access grants",
     KC_CHECK_UNKNOWN, "turn on Direct access grants"},
    {NULL, "unauthorized_client", "Client not enabled to retrieve service account",
     KC_CHECK_UNKNOWN, "KEYCLOAK_CHECK_USER"},
};

START_TEST(no_tokens_are_told_with_a_cure)
{
    discover();
    checking.user = refusals[_i].user;
    kc_fake_answer(checking_site->fake, KC_FAKE_TOKEN, 401, CHECKING_JSON,
                   apr_psprintf(testlib_pool,
                                "{\"error\":\"%s\",\"error_description\":\"%s p4ss-canary\"}",
                                refusals[_i].error, refusals[_i].description));
    kc_check_report_hide(&checking_report, checking.password);
    kc_check_tokens_ask(&checking);
    checking_assert("tokens.user", refusals[_i].outcome, "no", refusals[_i].cure);
    ck_assert_int_eq(checking_report.results->nelts, 1);
    ck_assert_ptr_null(strstr(kc_check_report_text(&checking_report, testlib_pool), "canary"));
}
END_TEST

START_TEST(a_token_that_is_refused_is_named)
{
    apr_array_header_t *words = apr_array_make(testlib_pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(words, const char *) = "ES256";
    checking_site->conf->algorithms = words;
    look_at(ID NAMED GROUPS, ACCESS ROLES);
    checking_assert("tokens.id", KC_CHECK_FAILED, "RS256", "signature algorithm");
    ck_assert_str_eq(checking_find("tokens.id")->tag, "KC0403");
}
END_TEST

/* Once for all tests, which run in processes of their own. */
static void make_keys(void)
{
    ck_assert_ptr_nonnull(testlib_key(TESTLIB_RSA));
}

Suite *kc_test_check_tokens(void)
{
    Suite *suite = suite_create("check_tokens");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(all, setup, testlib_teardown);
    tcase_add_test(all, a_user_with_everything_is_well);
    tcase_add_test(all, a_token_tells_the_clock);
    tcase_add_loop_test(all, a_clock_that_is_wrong_is_named_once, 0, CHECKING_ROWS(clocks));
    tcase_add_loop_test(all, what_is_missing_is_named_with_its_cure, 0, CHECKING_ROWS(rows));
    tcase_add_test(all, the_client_itself_has_an_access_token);
    tcase_add_test(all, userinfo_that_is_needed_and_refused_has_failed);
    tcase_add_loop_test(all, no_tokens_are_told_with_a_cure, 0, CHECKING_ROWS(refusals));
    tcase_add_test(all, a_token_that_is_refused_is_named);
    suite_add_tcase(suite, all);
    return suite;
}

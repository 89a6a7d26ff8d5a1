/* Tests of check_authorization.h and check_page.h: what Keycloak answers to a request that asks
 * nobody.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "check/check_authorization.h"
#include "check/check_page.h"
#include "checking.h"
#include "testlib.h"

Suite *kc_test_check_authorization(void);

#define AUTH KC_FAKE_ENDPOINT "auth"
#define CALLBACK KC_FAKE_PUBLIC "/authservice/oidc/callback"

static void redirect(const char *query)
{
    kc_fake_answer_head(checking_site->fake, AUTH, 302,
                        apr_pstrcat(testlib_pool, CALLBACK, query, NULL), NULL);
}

static const char *const accepted[] = {"?error=login_required&state=check",
                                       "?error=interaction_required", "?error=consent_required"};

START_TEST(who_would_be_asked_may_sign_in)
{
    static const char *const names[] = {"client.id", "client.redirect_uri", "client.flow",
                                        "client.pkce", "client.scope"};
    const char *url;
    size_t i;

    redirect(accepted[_i]);
    ck_assert_int_eq(kc_check_authorization_ask(&checking), 1);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_int_eq(checking_find(names[i])->outcome, KC_CHECK_OK);
    url = kc_fake_request_last(checking_site->fake, AUTH)->url;
    ck_assert_ptr_nonnull(strstr(url, "&prompt=none"));
    ck_assert_ptr_nonnull(strstr(url, "&code_challenge_method=S256"));
    ck_assert_ptr_nonnull(strstr(url, "&scope=openid%20profile%20email"));
}
END_TEST

static const struct {
    const char *query;
    const char *name;
    const char *cure;
} refusals[] = {
    {"?error=invalid_request&error_description=Missing+parameter%3A+code_challenge_method",
     "client.pkce", "PKCE method to S256"},
    {"?error=invalid_request&error_description=code+challenge+method+is+not+matching",
     "client.pkce", "PKCE method to S256"},
    {"?error=invalid_request&error_description=Pushed+Authorization+Request+is+only+allowed.",
     "client.flow", "turn off Pushed authorization request"},
    {"?error=unauthorized_client&error_description=Standard+flow+is+disabled", "client.flow",
     "turn on Standard flow"},
    {"?error=server_error", "client.flow", "Keycloak's log"},
};

START_TEST(each_refusal_has_its_cure)
{
    redirect(refusals[_i].query);
    ck_assert_int_eq(kc_check_authorization_ask(&checking), 1);
    checking_assert(refusals[_i].name, KC_CHECK_FAILED, "Keycloak refuses with", refusals[_i].cure);
    ck_assert_int_eq(kc_check_report_count(&checking_report, KC_CHECK_FAILED), 1);
    ck_assert_int_eq(checking_find("client.redirect_uri")->outcome, KC_CHECK_OK);
}
END_TEST

START_TEST(the_scope_that_is_not_accepted_is_named)
{
    redirect("?error=invalid_scope&error_description=Invalid+scopes");
    kc_fake_answer_head(checking_site->fake, AUTH, 302, CALLBACK "?error=login_required", NULL);
    kc_fake_answer_once(checking_site->fake, AUTH, 500, "text/html", "");
    ck_assert_int_eq(kc_check_authorization_ask(&checking), 1);
    checking_assert("client.redirect_uri", KC_CHECK_UNKNOWN, "status 500", "with a browser");
    apr_array_clear(checking_report.results);
    redirect("?error=invalid_scope&error_description=Invalid+scopes");
    ck_assert_int_eq(kc_check_authorization_ask(&checking), 1);
    checking_assert("client.scope", KC_CHECK_FAILED, "profile, email: Invalid scopes",
                    "give the client the client scope");
}
END_TEST

static const struct {
    const char *type;
    const char *body;
    const char *name;
    const char *text;
    const char *cure;
    int goes_on;
} pages[] = {
    {CHECKING_JSON, "{\"error\":\"Invalid parameter: redirect_uri\"}", "client.redirect_uri",
     "Invalid parameter", "add " CALLBACK " to Valid redirect URIs", 1},
    {CHECKING_JSON, "{\"error\":\"Client not found.\"}", "client.id", "not found",
     "correct KeycloakClientID", 0},
    {CHECKING_JSON, "{\"error\":\"Client disabled.\"}", "client.id", "disabled",
     "enable the client", 0},
    {CHECKING_JSON, "{\"error\":\"Realm not enabled\"}", "client.id", "Realm", "enable the realm",
     0},
    {CHECKING_JSON, "{\"error\":\"x\",\"error_description\":\"HTTPS required\"}", "client.id",
     "HTTPS", "Require SSL", 0},
    {CHECKING_JSON, "{\"error\":\"Bearer-only applications are not allowed\"}", "client.flow",
     "Bearer-only", "bearer-only now", 1},
    {"text/html", "<p class=\"instruction\">Client not found.</p>", "client.id", "not found",
     "correct KeycloakClientID", 0},
    {"text/html", "<h1>Nope</h1>", "client.redirect_uri", "status 400", "Valid redirect URIs", 1},
};

START_TEST(each_page_has_its_cure)
{
    kc_fake_answer(checking_site->fake, AUTH, 400, pages[_i].type, pages[_i].body);
    ck_assert_int_eq(kc_check_authorization_ask(&checking), pages[_i].goes_on);
    checking_assert(pages[_i].name, KC_CHECK_FAILED, pages[_i].text, pages[_i].cure);
    ck_assert_int_eq(checking_report.results->nelts, 1);
    ck_assert_int_eq(checking.is_redirect_refused,
                     strcmp(pages[_i].name, "client.redirect_uri") == 0);
}
END_TEST

/* Another address that begins like ours is not ours. */
static const char *const elsewhere[] = {CALLBACK "x?error=login_required",
                                        "https://evil.example.com/?error=login_required", CALLBACK,
                                        NULL};

START_TEST(a_redirect_to_somewhere_else_tells_nothing)
{
    kc_fake_answer_head(checking_site->fake, AUTH, 302, elsewhere[_i], NULL);
    ck_assert_int_eq(kc_check_authorization_ask(&checking), 1);
    checking_assert("client.redirect_uri", KC_CHECK_UNKNOWN, "status 302", "with a browser");
    ck_assert_ptr_null(strstr(checking_find("client.redirect_uri")->sentence, "login_required"));
}
END_TEST

START_TEST(without_an_address_nothing_is_asked)
{
    checking.client = NULL;
    ck_assert_int_eq(kc_check_authorization_ask(&checking), 1);
    checking_assert("client.redirect_uri", KC_CHECK_UNKNOWN, "does not tell the address",
                    "KeycloakPublicURL");
    ck_assert_int_eq(kc_fake_request_count(checking_site->fake, AUTH), 0);
}
END_TEST

START_TEST(what_is_not_reached_from_here_is_unknown)
{
    kc_fake_answer_down(checking_site->fake, AUTH, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(kc_check_authorization_ask(&checking), 1);
    checking_assert("client.redirect_uri", KC_CHECK_UNKNOWN, "not reached from here",
                    "with a browser");
}
END_TEST

START_TEST(it_goes_by_the_back_channel)
{
    checking_site->conf->backchannel_url = "http://keycloak:8080";
    kc_fake_answer_head(checking_site->fake,
                        "http://keycloak:8080/realms/kubeflow/protocol/openid-connect/auth", 302,
                        CALLBACK "?error=login_required", NULL);
    ck_assert_int_eq(kc_check_authorization_ask(&checking), 1);
    ck_assert_int_eq(checking_find("client.scope")->outcome, KC_CHECK_OK);
}
END_TEST

static const struct {
    const char *body;
    const char *text;
} bodies[] = {
    {"", ""},
    {"{}", ""},
    {"{\"error\":7}", ""},
    {"<div id=\"kc-error-message\">\n  <p class=\"x\">\n A\t b </p>", "A b"},
    {"<p class=\"instruction\"", ""},
    {"<p class=\"instruction\"></p>", ""},
    {"id=\"kc-error-message\"", ""},
};

START_TEST(pages_are_read_as_far_as_they_go)
{
    kc_http_response_t response = {0};

    response.body = bodies[_i].body;
    response.body_len = strlen(bodies[_i].body);
    ck_assert_str_eq(kc_check_page_text(&response, testlib_pool), bodies[_i].text);
}
END_TEST

START_TEST(a_long_page_is_cut)
{
    char body[1000] = "{\"error\":\"";
    kc_http_response_t response = {0};

    memset(body + 10, 'x', sizeof(body) - 13);
    body[10] = '\"';
    memcpy(body + sizeof(body) - 3, "\"}", 3);
    response.body = body;
    response.body_len = strlen(body);
    ck_assert_uint_le(strlen(kc_check_page_text(&response, testlib_pool)), KC_CHECK_PAGE_MAX);
}
END_TEST

Suite *kc_test_check_authorization(void)
{
    Suite *suite = suite_create("check_authorization");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, checking_setup_discovered, testlib_teardown);
    tcase_add_loop_test(all, who_would_be_asked_may_sign_in, 0, CHECKING_ROWS(accepted));
    tcase_add_loop_test(all, each_refusal_has_its_cure, 0, CHECKING_ROWS(refusals));
    tcase_add_test(all, the_scope_that_is_not_accepted_is_named);
    tcase_add_loop_test(all, each_page_has_its_cure, 0, CHECKING_ROWS(pages));
    tcase_add_loop_test(all, a_redirect_to_somewhere_else_tells_nothing, 0,
                        CHECKING_ROWS(elsewhere));
    tcase_add_test(all, without_an_address_nothing_is_asked);
    tcase_add_test(all, what_is_not_reached_from_here_is_unknown);
    tcase_add_test(all, it_goes_by_the_back_channel);
    tcase_add_loop_test(all, pages_are_read_as_far_as_they_go, 0, CHECKING_ROWS(bodies));
    tcase_add_test(all, a_long_page_is_cut);
    suite_add_tcase(suite, all);
    return suite;
}

/* Tests of provider.h: the document's URL, its required content, and which addresses in it are
 * accepted.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include <apr_strings.h>

#include "provider/provider.h"
#include "testlib.h"
#include "variant.h"

Suite *kc_test_provider(void);

#define BASE "https://id.example.com/realms/r/protocol/openid-connect/"
#define INNER "http://keycloak.auth:8080/realms/r/protocol/openid-connect/"

static const char whole[] =
    "{\"issuer\":\"https://id.example.com/realms/r\","
    "\"authorization_endpoint\":\"" BASE "auth\",\"token_endpoint\":\"" BASE "token\","
    "\"jwks_uri\":\"" BASE "certs\",\"userinfo_endpoint\":\"" BASE "userinfo\","
    "\"end_session_endpoint\":\"" BASE "logout\",\"revocation_endpoint\":\"" BASE "revoke\","
    "\"response_types_supported\":[\"code\",\"none\",\"id_token\"],"
    "\"code_challenge_methods_supported\":[\"plain\",\"S256\"],"
    "\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\",\"client_secret_basic\"],"
    "\"authorization_response_iss_parameter_supported\":true}";

/* What Keycloak answers with hostname=https://id.example.com and hostname-backchannel-dynamic=true
 * when it is asked by its inner name. */
static const char dynamic[] =
    "{\"issuer\":\"https://id.example.com/realms/r\","
    "\"authorization_endpoint\":\"" BASE "auth\",\"token_endpoint\":\"" INNER "token\","
    "\"jwks_uri\":\"" INNER "certs\",\"userinfo_endpoint\":\"" INNER "userinfo\","
    "\"end_session_endpoint\":\"" BASE "logout\",\"revocation_endpoint\":\"" INNER "revoke\","
    "\"response_types_supported\":[\"code\"]}";

static kc_conf_t *conf;
static kc_err_t err;
static kc_provider_t *provider;

static void setup(void)
{
    testlib_setup();
    conf = kc_conf_create(testlib_pool);
    conf->issuer = "https://id.example.com/realms/r";
    conf->client_id = "site";
    conf->client_secret.text = "secret";
    memset(&err, 0, sizeof(err));
    provider = NULL;
}

static kc_rc_t parse(const char *text)
{
    return kc_provider_parse(conf, text, strlen(text), testlib_pool, &provider, &err);
}

static const char *discovery_url(void)
{
    const char *url = NULL;

    return kc_provider_discovery_url(conf, testlib_pool, &url, &err) == KC_OK ? url : NULL;
}

static apr_array_header_t *words(const char *word)
{
    apr_array_header_t *list = apr_array_make(testlib_pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(list, const char *) = word;
    return list;
}

START_TEST(document_is_below_the_issuer)
{
    ck_assert_str_eq(discovery_url(),
                     "https://id.example.com/realms/r/.well-known/openid-configuration");
    conf->issuer = "https://id.example.com/realms/r/";
    ck_assert_str_eq(discovery_url(),
                     "https://id.example.com/realms/r/.well-known/openid-configuration");
    conf->issuer = "https://id.example.com";
    ck_assert_str_eq(discovery_url(), "https://id.example.com/.well-known/openid-configuration");
}
END_TEST

START_TEST(document_is_asked_by_the_inner_name)
{
    conf->backchannel_url = "http://keycloak.auth:8080";
    ck_assert_str_eq(discovery_url(),
                     "http://keycloak.auth:8080/realms/r/.well-known/openid-configuration");
}
END_TEST

/* Keycloak below another path for browsers than within, or below one on one side alone. */
static const struct {
    const char *issuer, *within, *found; /* the front of the document's address */
} fronts[] = {
    {"https://id.example.com/auth/realms/r", "http://kc:8080/realms/r", "http://kc:8080/realms/r"},
    {"https://id.example.com/auth/realms/r", "http://kc:8080/kc", "http://kc:8080/kc/realms/r"},
    {"https://id.example.com/realms/r", "http://kc:8080/auth", "http://kc:8080/auth/realms/r"},
    {"https://id.example.com/realms/r", "http://kc:8080/auth/realms/r",
     "http://kc:8080/auth/realms/r"},
    {"https://id.example.com/auth/realms/r", "http://kc:8080", "http://kc:8080/auth/realms/r"},
    {"https://id.example.com/tenant", "http://kc:8080/inner", "http://kc:8080/inner"},
};

START_TEST(the_back_channel_may_have_another_path)
{
    const char *base = apr_pstrcat(testlib_pool, fronts[_i].issuer, "/p/", NULL);
    const char *text = apr_pstrcat(
        testlib_pool, "{\"issuer\":\"", fronts[_i].issuer, "\",\"authorization_endpoint\":\"", base,
        "auth\",\"token_endpoint\":\"", base, "token\",\"jwks_uri\":\"", fronts[_i].found,
        "/p/certs\",\"end_session_endpoint\":\"", fronts[_i].found,
        "/p/logout\",\"response_types_supported\":[\"code\"]}", NULL);

    conf->issuer = fronts[_i].issuer;
    conf->backchannel_url = fronts[_i].within;
    ck_assert_str_eq(discovery_url(), apr_pstrcat(testlib_pool, fronts[_i].found,
                                                  "/.well-known/openid-configuration", NULL));
    ck_assert_msg(parse(text) == KC_OK, "%s", err.detail);
    ck_assert_str_eq(provider->token_endpoint,
                     apr_pstrcat(testlib_pool, fronts[_i].found, "/p/token", NULL));
    ck_assert_str_eq(provider->jwks_uri,
                     apr_pstrcat(testlib_pool, fronts[_i].found, "/p/certs", NULL));
    ck_assert_str_eq(provider->authorization_endpoint,
                     apr_pstrcat(testlib_pool, base, "auth", NULL));
    ck_assert_str_eq(provider->end_session_endpoint,
                     apr_pstrcat(testlib_pool, base, "logout", NULL));
}
END_TEST

START_TEST(issuer_with_a_query_has_no_document)
{
    conf->issuer = "https://id.example.com/?realm=r";
    ck_assert_ptr_null(discovery_url());
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
}
END_TEST

START_TEST(whole_document_is_read)
{
    ck_assert_int_eq(parse(whole), KC_OK);
    ck_assert_str_eq(provider->issuer, "https://id.example.com/realms/r");
    ck_assert_str_eq(provider->authorization_endpoint, BASE "auth");
    ck_assert_str_eq(provider->token_endpoint, BASE "token");
    ck_assert_str_eq(provider->token_audience, BASE "token");
    ck_assert_str_eq(provider->jwks_uri, BASE "certs");
    ck_assert_str_eq(provider->userinfo_endpoint, BASE "userinfo");
    ck_assert_str_eq(provider->end_session_endpoint, BASE "logout");
    ck_assert_str_eq(provider->revocation_endpoint, BASE "revoke");
    ck_assert_int_eq(provider->is_issuer_in_callback, 1);
}
END_TEST

START_TEST(optional_members_may_be_absent)
{
    static const char least[] =
        "{\"issuer\":\"https://id.example.com/realms/r\",\"response_types_supported\":[\"code\"],"
        "\"authorization_endpoint\":\"" BASE "auth\",\"token_endpoint\":\"" BASE "token\","
        "\"jwks_uri\":\"" BASE "certs\"}";

    ck_assert_int_eq(parse(least), KC_OK);
    ck_assert_ptr_null(provider->userinfo_endpoint);
    ck_assert_ptr_null(provider->end_session_endpoint);
    ck_assert_ptr_null(provider->revocation_endpoint);
    ck_assert_int_eq(provider->is_issuer_in_callback, 0);
}
END_TEST

typedef struct {
    const char *name;
    const char *value; /* NULL: absent */
    kc_reason_t reason;
} fault_t;

/* threats.md 69 to 71 among them. */
static const fault_t faults[] = {
    {"issuer", "\"https://id.example.com/realms/r/\"", KC_ERR_DISCOVERY_ISSUER},
    {"issuer", "\"https://ID.example.com/realms/r\"", KC_ERR_DISCOVERY_ISSUER},
    {"issuer", "\"https://id.example.com/realms\"", KC_ERR_DISCOVERY_ISSUER},
    {"issuer", "\"https://id.example.com/realms/rr\"", KC_ERR_DISCOVERY_ISSUER},
    {"issuer", "\"http://id.example.com/realms/r\"", KC_ERR_DISCOVERY_ISSUER},
    {"issuer", "\"\"", KC_ERR_DISCOVERY_ISSUER},
    {"issuer", "[\"https://id.example.com/realms/r\"]", KC_ERR_DISCOVERY},
    {"issuer", NULL, KC_ERR_DISCOVERY},
    {"authorization_endpoint", NULL, KC_ERR_DISCOVERY},
    {"authorization_endpoint", "1", KC_ERR_DISCOVERY},
    {"authorization_endpoint", "\"https://evil.example.net/auth\"", KC_ERR_DISCOVERY_ENDPOINT},
    {"authorization_endpoint", "\"http://id.example.com/auth\"", KC_ERR_DISCOVERY_ENDPOINT},
    {"authorization_endpoint", "\"javascript:alert(1)\"", KC_ERR_DISCOVERY_ENDPOINT},
    {"token_endpoint", NULL, KC_ERR_DISCOVERY},
    {"token_endpoint", "null", KC_ERR_DISCOVERY},
    {"token_endpoint", "\"http://id.example.com/token\"", KC_ERR_DISCOVERY_ENDPOINT},
    {"token_endpoint", "\"https://id.example.com:8443/token\"", KC_ERR_DISCOVERY_ENDPOINT},
    {"token_endpoint", "\"https://id.example.com.evil.example.net/token\"",
     KC_ERR_DISCOVERY_ENDPOINT},
    {"token_endpoint", "\"https://id.example.com@evil.example.net/token\"",
     KC_ERR_DISCOVERY_ENDPOINT},
    {"token_endpoint", "\"https://id.example.com\\\\@evil.example.net/\"",
     KC_ERR_DISCOVERY_ENDPOINT},
    {"token_endpoint", "\"file:///etc/passwd\"", KC_ERR_DISCOVERY_ENDPOINT},
    {"token_endpoint", "\"/token\"", KC_ERR_DISCOVERY_ENDPOINT},
    {"jwks_uri", NULL, KC_ERR_DISCOVERY},
    {"jwks_uri", "{}", KC_ERR_DISCOVERY},
    {"jwks_uri", "\"http://id.example.com/certs\"", KC_ERR_DISCOVERY_ENDPOINT},
    {"jwks_uri", "\"http://169.254.169.254/certs\"", KC_ERR_DISCOVERY_ENDPOINT},
    {"authorization_endpoint", "null", KC_ERR_DISCOVERY},
    {"jwks_uri", "null", KC_ERR_DISCOVERY},
    {"issuer", "null", KC_ERR_DISCOVERY},
    {"response_types_supported", "null", KC_ERR_DISCOVERY},
    {"response_types_supported", NULL, KC_ERR_DISCOVERY},
    {"response_types_supported", "\"code\"", KC_ERR_DISCOVERY},
    {"response_types_supported", "[\"id_token\",\"code id_token\"]", KC_ERR_DISCOVERY},
    {"code_challenge_methods_supported", "[\"plain\"]", KC_ERR_DISCOVERY},
    {"code_challenge_methods_supported", "[]", KC_ERR_DISCOVERY},
    {"code_challenge_methods_supported", "{\"S256\":true}", KC_ERR_DISCOVERY},
    {"token_endpoint_auth_methods_supported", "[\"client_secret_post\"]", KC_ERR_DISCOVERY},
    {"token_endpoint_auth_methods_supported", "\"client_secret_basic\"", KC_ERR_DISCOVERY},
    {"authorization_response_iss_parameter_supported", "\"true\"", KC_ERR_DISCOVERY},
};

START_TEST(faulty_document_is_refused)
{
    const fault_t *fault = &faults[_i];

    ck_assert_int_eq(parse(variant_of(whole, fault->name, fault->value)), KC_REFUSED);
    ck_assert_int_eq(err.reason, fault->reason);
    ck_assert_ptr_null(provider);
    ck_assert_str_ne(err.detail, "");
}
END_TEST

/* What a sign-in can do without takes itself away, and nothing else; the log is told why. */
static const struct {
    const char *name;
    const char *value;
    const char *why; /* NULL: as if it were absent, which needs no word */
} unusable[] = {
    {"userinfo_endpoint", "null", NULL},
    {"userinfo_endpoint", "true", "userinfo_endpoint is no string"},
    {"userinfo_endpoint", "\"\"", "userinfo_endpoint is no http or https URL"},
    {"userinfo_endpoint", "\"https://evil.example.net/u\"", "userinfo_endpoint is at"},
    {"userinfo_endpoint", "\"http://id.example.com/u\"", "userinfo_endpoint is on http"},
    {"end_session_endpoint", "null", NULL},
    {"end_session_endpoint", "[]", "end_session_endpoint is no string"},
    {"end_session_endpoint", "\"https://evil.example.net/l\"", "end_session_endpoint is at"},
    {"end_session_endpoint", "\"javascript:alert(1)\"", "end_session_endpoint is no http"},
    {"end_session_endpoint", "\"/logout\"", "end_session_endpoint is no http"},
    {"revocation_endpoint", "null", NULL},
    {"revocation_endpoint", "\"http://id.example.com/v\"", "revocation_endpoint is on http"},
    {"revocation_endpoint", "{\"url\":\"x\"}", "revocation_endpoint is no string"},
    {"revocation_endpoint", "\"https://id.example.com@evil.example.net/v\"", "revocation_endpoint"},
};

START_TEST(unusable_optional_endpoint_takes_itself_away)
{
    const char *name = unusable[_i].name, *why = unusable[_i].why;

    ck_assert_int_eq(parse(variant_of(whole, name, unusable[_i].value)), KC_OK);
    ck_assert_int_eq(!provider->userinfo_endpoint, !strcmp(name, "userinfo_endpoint"));
    ck_assert_int_eq(!provider->end_session_endpoint, !strcmp(name, "end_session_endpoint"));
    ck_assert_int_eq(!provider->revocation_endpoint, !strcmp(name, "revocation_endpoint"));
    ck_assert_str_eq(provider->token_endpoint, BASE "token");
    if (why)
        ck_assert_ptr_nonnull(strstr(provider->left_out, why));
    else
        ck_assert_str_eq(provider->left_out, "");
}
END_TEST

START_TEST(every_endpoint_that_is_left_out_is_named)
{
    ck_assert_int_eq(parse(variant_of(variant_of(whole, "userinfo_endpoint", "1"),
                                      "revocation_endpoint", "\"x\"")),
                     KC_OK);
    ck_assert_ptr_nonnull(strstr(provider->left_out, "userinfo_endpoint is no string"));
    ck_assert_ptr_nonnull(strstr(provider->left_out, "revocation_endpoint is no http"));
}
END_TEST

/* null is absent: for lists and flags as well. */
START_TEST(null_members_are_absent)
{
    static const char *const names[] = {
        "code_challenge_methods_supported", "token_endpoint_auth_methods_supported",
        "authorization_response_iss_parameter_supported", "mtls_endpoint_aliases"};

    conf->client_auth = _i == 3 ? KC_AUTH_TLS : conf->client_auth;
    ck_assert_int_eq(
        parse(variant_of(
            _i == 3 ? variant_of(whole, "token_endpoint_auth_methods_supported", "null") : whole,
            names[_i], "null")),
        KC_OK);
    ck_assert_int_eq(provider->is_issuer_in_callback, _i != 2);
    ck_assert_str_eq(provider->token_endpoint, BASE "token");
}
END_TEST

START_TEST(malformed_document_is_refused)
{
    static const char *const texts[] = {"", "[]", "<html>", "{\"issuer\":\"a\",\"issuer\":\"a\"}",
                                        "{}x"};

    ck_assert_int_eq(parse(texts[_i]), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_DISCOVERY);
}
END_TEST

START_TEST(other_issuer_is_shown_beside_ours)
{
    ck_assert_int_eq(parse(variant_of(whole, "issuer", "\"https://id.example.com/realms/r/\"")),
                     KC_REFUSED);
    ck_assert_ptr_nonnull(strstr(err.detail, "https://id.example.com/realms/r/"));
    ck_assert_ptr_nonnull(strstr(err.detail, "https://id.example.com/realms/r "));
}
END_TEST

START_TEST(listed_origin_is_allowed_and_stays)
{
    const char *text = variant_of(whole, "jwks_uri", "\"https://keys.example.org:444/certs?a=b\"");

    ck_assert_int_eq(parse(text), KC_REFUSED);
    conf->endpoint_origins = words("https://keys.example.org:444");
    conf->backchannel_url = "http://keycloak.auth:8080";
    ck_assert_int_eq(parse(text), KC_OK);
    ck_assert_str_eq(provider->jwks_uri, "https://keys.example.org:444/certs?a=b");
    ck_assert_str_eq(provider->token_endpoint, INNER "token");
}
END_TEST

START_TEST(listed_http_origin_needs_consent)
{
    const char *text = variant_of(whole, "jwks_uri", "\"http://keys.example.org/certs\"");

    conf->endpoint_origins = words("http://keys.example.org");
    ck_assert_int_eq(parse(text), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_DISCOVERY_ENDPOINT);
    conf->allow_http = 1;
    ck_assert_int_eq(parse(text), KC_OK);
}
END_TEST

START_TEST(own_calls_move_to_the_back_channel)
{
    conf->backchannel_url = "http://keycloak.auth:8080";
    ck_assert_int_eq(parse(whole), KC_OK);
    ck_assert_str_eq(provider->token_endpoint, INNER "token");
    ck_assert_str_eq(provider->jwks_uri, INNER "certs");
    ck_assert_str_eq(provider->userinfo_endpoint, INNER "userinfo");
    ck_assert_str_eq(provider->revocation_endpoint, INNER "revoke");
    ck_assert_str_eq(provider->authorization_endpoint, BASE "auth");
    ck_assert_str_eq(provider->end_session_endpoint, BASE "logout");
    ck_assert_str_eq(provider->token_audience, BASE "token");
}
END_TEST

/* KeycloakAuthURL is Keycloak's name for browsers: what the document has there is Keycloak's too.
 */
START_TEST(own_calls_leave_the_browsers_name_for_the_back_channel)
{
    conf->backchannel_url = "http://keycloak.auth:8080";
    conf->auth_url = "https://login.example.org/realms/r/auth";
    ck_assert_int_eq(
        parse(variant_of(whole, "token_endpoint", "\"https://login.example.org/realms/r/token\"")),
        KC_OK);
    ck_assert_str_eq(provider->token_endpoint, "http://keycloak.auth:8080/realms/r/token");
    ck_assert_str_eq(provider->jwks_uri, INNER "certs");
    conf->backchannel_url = NULL;
    ck_assert_int_eq(
        parse(variant_of(whole, "token_endpoint", "\"https://login.example.org/realms/r/token\"")),
        KC_OK);
    ck_assert_str_eq(provider->token_endpoint, "https://login.example.org/realms/r/token");
}
END_TEST

START_TEST(dynamic_back_channel_of_keycloak_is_taken)
{
    ck_assert_int_eq(parse(dynamic), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_DISCOVERY_ENDPOINT);
    conf->backchannel_url = "http://keycloak.auth:8080";
    ck_assert_int_eq(parse(dynamic), KC_OK);
    ck_assert_str_eq(provider->authorization_endpoint, BASE "auth");
    ck_assert_str_eq(provider->end_session_endpoint, BASE "logout");
    ck_assert_str_eq(provider->token_endpoint, INNER "token");
    ck_assert_str_eq(provider->token_audience, INNER "token");
    ck_assert_str_eq(provider->jwks_uri, INNER "certs");
}
END_TEST

START_TEST(browsers_never_get_the_inner_name)
{
    conf->backchannel_url = "http://keycloak.auth:8080";
    ck_assert_int_eq(parse(variant_of(dynamic, "authorization_endpoint", "\"" INNER "auth?x=1\"")),
                     KC_OK);
    ck_assert_str_eq(provider->authorization_endpoint, BASE "auth?x=1");
    ck_assert_int_eq(parse(variant_of(dynamic, "end_session_endpoint", "\"" INNER "logout\"")),
                     KC_OK);
    ck_assert_str_eq(provider->end_session_endpoint, BASE "logout");
}
END_TEST

static const struct {
    const char *backchannel;
    const char *auth;
    const char *endpoint;
    const char *here;
} inner_addresses[] = {
    {NULL, NULL, BASE "auth?a=1", BASE "auth?a=1"},
    {"http://keycloak.auth:8080", NULL, BASE "auth?a=1", INNER "auth?a=1"},
    {"http://keycloak:8080", "https://login.example.com/x", "https://login.example.com/x?a=1",
     "http://keycloak:8080/x?a=1"},
    {"http://keycloak:8080", NULL, "https://other.example.com/auth",
     "https://other.example.com/auth"},
    {NULL, NULL, "/auth", NULL},
};

START_TEST(this_host_reaches_browser_endpoints_by_the_back_channel)
{
    const char *here;

    conf->backchannel_url = inner_addresses[_i].backchannel;
    conf->auth_url = inner_addresses[_i].auth;
    here = kc_provider_from_here(conf, inner_addresses[_i].endpoint, testlib_pool);
    if (inner_addresses[_i].here)
        ck_assert_str_eq(here, inner_addresses[_i].here);
    else
        ck_assert_ptr_null(here);
}
END_TEST

START_TEST(auth_url_overrides)
{
    conf->auth_url = "/dex/auth";
    ck_assert_int_eq(parse(whole), KC_OK);
    ck_assert_str_eq(provider->authorization_endpoint, "/dex/auth");
    conf->auth_url = "https://login.example.org/realms/r/auth";
    ck_assert_int_eq(parse(variant_of(whole, "end_session_endpoint",
                                      "\"https://login.example.org/realms/r/logout\"")),
                     KC_OK);
    ck_assert_str_eq(provider->authorization_endpoint, "https://login.example.org/realms/r/auth");
    ck_assert_str_eq(provider->end_session_endpoint, "https://login.example.org/realms/r/logout");
    ck_assert_int_eq(parse(variant_of(whole, "authorization_endpoint", NULL)), KC_REFUSED);
}
END_TEST

START_TEST(http_issuer_may_have_http_endpoints)
{
    const char *text = variant_of(whole, "issuer", "\"http://id.example.com/realms/r\"");

    conf->issuer = "http://id.example.com/realms/r";
    ck_assert_int_eq(parse(text), KC_REFUSED);
    conf->endpoint_origins = words("https://id.example.com");
    text = variant_of(text, "jwks_uri", "\"http://id.example.com/certs\"");
    ck_assert_int_eq(parse(text), KC_OK);
}
END_TEST

START_TEST(public_client_needs_no_listed_method)
{
    conf->client_auth = KC_AUTH_NONE;
    ck_assert_int_eq(parse(whole), KC_OK);
    conf->client_auth = KC_AUTH_PRIVATE_KEY_JWT;
    ck_assert_int_eq(parse(whole), KC_OK);
    conf->client_auth = KC_AUTH_TLS;
    ck_assert_int_eq(parse(whole), KC_REFUSED);
    ck_assert_int_eq(parse(variant_of(whole, "token_endpoint_auth_methods_supported", NULL)),
                     KC_OK);
}
END_TEST

START_TEST(certificate_goes_to_the_alias)
{
    const char *text = variant_of(
        variant_of(whole, "token_endpoint_auth_methods_supported", "[\"tls_client_auth\"]"),
        "mtls_endpoint_aliases", "{\"token_endpoint\":\"https://mtls.example.com/token\"}");

    conf->client_auth = KC_AUTH_TLS;
    ck_assert_int_eq(parse(text), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_DISCOVERY_ENDPOINT);
    conf->endpoint_origins = words("https://mtls.example.com");
    ck_assert_int_eq(parse(text), KC_OK);
    ck_assert_str_eq(provider->token_endpoint, "https://mtls.example.com/token");
    ck_assert_str_eq(provider->jwks_uri, BASE "certs");
}
END_TEST

Suite *kc_test_provider(void)
{
    Suite *suite = suite_create("provider");
    TCase *tests = tcase_create("provider");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, document_is_below_the_issuer);
    tcase_add_test(tests, document_is_asked_by_the_inner_name);
    tcase_add_loop_test(tests, the_back_channel_may_have_another_path, 0,
                        (int)(sizeof(fronts) / sizeof(fronts[0])));
    tcase_add_test(tests, issuer_with_a_query_has_no_document);
    tcase_add_test(tests, whole_document_is_read);
    tcase_add_test(tests, optional_members_may_be_absent);
    tcase_add_loop_test(tests, faulty_document_is_refused, 0,
                        (int)(sizeof(faults) / sizeof(faults[0])));
    tcase_add_loop_test(tests, unusable_optional_endpoint_takes_itself_away, 0,
                        sizeof(unusable) / sizeof(unusable[0]));
    tcase_add_test(tests, every_endpoint_that_is_left_out_is_named);
    tcase_add_loop_test(tests, null_members_are_absent, 0, 4);
    tcase_add_loop_test(tests, malformed_document_is_refused, 0, 5);
    tcase_add_test(tests, other_issuer_is_shown_beside_ours);
    tcase_add_test(tests, listed_origin_is_allowed_and_stays);
    tcase_add_test(tests, listed_http_origin_needs_consent);
    tcase_add_test(tests, own_calls_move_to_the_back_channel);
    tcase_add_test(tests, own_calls_leave_the_browsers_name_for_the_back_channel);
    tcase_add_test(tests, dynamic_back_channel_of_keycloak_is_taken);
    tcase_add_test(tests, browsers_never_get_the_inner_name);
    tcase_add_loop_test(tests, this_host_reaches_browser_endpoints_by_the_back_channel, 0, 5);
    tcase_add_test(tests, auth_url_overrides);
    tcase_add_test(tests, http_issuer_may_have_http_endpoints);
    tcase_add_test(tests, public_client_needs_no_listed_method);
    tcase_add_test(tests, certificate_goes_to_the_alias);
    suite_add_tcase(suite, tests);
    return suite;
}

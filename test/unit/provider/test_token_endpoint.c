/* Tests of token_endpoint.h: each kind of client authentication, each class of answer, and one
 * request for each code.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/query.h"
#include "crypto/jose.h"
#include "crypto/jws.h"
#include "fake.h"
#include "provider/token_endpoint.h"
#include "testlib.h"
#include "variant.h"

Suite *kc_test_token_endpoint(void);

#define TOKEN_URL "https://id.example.com/token"
#define REVOKE_URL "https://id.example.com/revoke"
#define USERINFO_URL "https://id.example.com/userinfo"
#define JSON_TYPE "application/json"
#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))

static const char good[] =
    "{\"access_token\":\"aaa\",\"id_token\":\"i.j.k\",\"token_type\":\"Bearer\","
    "\"refresh_token\":\"rrr\",\"expires_in\":300}";

static kc_fake_t *fake;
static kc_conf_t *conf;
static kc_provider_t provider;
static kc_token_endpoint_answer_t answer;
static kc_err_t err;

static void setup(void)
{
    testlib_setup();
    fake = kc_fake_make(testlib_pool);
    conf = kc_conf_create(testlib_pool);
    conf->client_id = "site";
    conf->client_secret.text = "s3cret-canary";
    memset(&provider, 0, sizeof(provider));
    provider.token_endpoint = TOKEN_URL;
    provider.userinfo_endpoint = USERINFO_URL;
    provider.token_audience = "https://outer.example.com/token";
    memset(&answer, 0, sizeof(answer));
    memset(&err, 0, sizeof(err));
    kc_fake_answer(fake, TOKEN_URL, 200, JSON_TYPE, good);
}

static kc_rc_t exchange(void)
{
    return kc_token_endpoint_exchange(conf, &fake->env, &provider, "code-canary",
                                      "https://site.example.com/cb?x=1", "verifier-canary",
                                      testlib_pool, &answer, &err);
}

/* The parameter of the last token request, which must be there once; NULL when it is absent. */
static const char *parameter(const char *name)
{
    const kc_fake_request_t *request = kc_fake_request_last(fake, TOKEN_URL);
    const kc_query_t *query;
    const char *value = NULL;
    kc_rc_t rc;

    ck_assert_ptr_nonnull(request);
    ck_assert_ptr_nonnull(request->form);
    ck_assert_int_eq(kc_query_parse(request->form, testlib_pool, &query, NULL), KC_OK);
    rc = kc_query_single(query, name, &value, NULL);
    ck_assert_int_ne(rc, KC_REFUSED);
    return rc == KC_OK ? value : NULL;
}

static const char *authorization(void)
{
    return kc_fake_request_last(fake, TOKEN_URL)->authorization;
}

/* No detail may tell what is secret. */
static void check_detail(void)
{
    ck_assert_ptr_null(strstr(err.detail, "canary"));
    ck_assert_str_ne(err.detail, "");
}

static void check_common(void)
{
    ck_assert_str_eq(parameter("grant_type"), "authorization_code");
    ck_assert_str_eq(parameter("code"), "code-canary");
    ck_assert_str_eq(parameter("redirect_uri"), "https://site.example.com/cb?x=1");
    ck_assert_str_eq(parameter("code_verifier"), "verifier-canary");
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 1);
}

START_TEST(basic_is_the_default)
{
    ck_assert_int_eq(exchange(), KC_OK);
    check_common();
    ck_assert_str_eq(authorization(), "Basic c2l0ZTpzM2NyZXQtY2FuYXJ5");
    ck_assert_ptr_null(parameter("client_id"));
    ck_assert_ptr_null(parameter("client_secret"));
    ck_assert_str_eq(answer.access_token, "aaa");
    ck_assert_str_eq(answer.id_token, "i.j.k");
    ck_assert_str_eq(answer.refresh_token, "rrr");
    ck_assert_int_eq(answer.expires_in, 300);
}
END_TEST

/* "a:b c" and "p%/+:" form-encoded: a%3Ab%20c and p%25%2F%2B%3A. */
START_TEST(basic_encodes_both_parts)
{
    conf->client_id = "a:b c";
    conf->client_secret.text = "p%/+:";
    ck_assert_int_eq(exchange(), KC_OK);
    ck_assert_str_eq(authorization(), "Basic YSUzQWIlMjBjOnAlMjUlMkYlMkIlM0E=");
}
END_TEST

START_TEST(post_puts_the_secret_into_the_form)
{
    conf->client_auth = KC_AUTH_POST;
    conf->client_secret.text = "p&q=r +%";
    ck_assert_int_eq(exchange(), KC_OK);
    check_common();
    ck_assert_ptr_null(authorization());
    ck_assert_str_eq(parameter("client_id"), "site");
    ck_assert_str_eq(parameter("client_secret"), "p&q=r +%");
}
END_TEST

START_TEST(client_without_secret_sends_its_id)
{
    conf->client_auth = _i ? KC_AUTH_NONE : KC_AUTH_TLS;
    conf->client_secret.text = NULL;
    ck_assert_int_eq(exchange(), KC_OK);
    check_common();
    ck_assert_ptr_null(authorization());
    ck_assert_str_eq(parameter("client_id"), "site");
    ck_assert_ptr_null(parameter("client_secret"));
    ck_assert_ptr_null(parameter("client_assertion"));
}
END_TEST

START_TEST(missing_secret_asks_nobody)
{
    static const int methods[] = {KC_AUTH_BASIC, KC_AUTH_POST, KC_AUTH_SECRET_JWT};

    conf->client_auth = methods[_i];
    conf->client_secret.text = NULL;
    ck_assert_int_eq(exchange(), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_CLIENT_AUTH);
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 0);
}
END_TEST

static kc_jws_t check_assertion(void)
{
    const char *assertion = parameter("client_assertion");
    kc_jws_t token;
    int64_t time = 0;

    ck_assert_str_eq(parameter("client_assertion_type"),
                     "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    ck_assert_str_eq(parameter("client_id"), "site");
    ck_assert_ptr_null(parameter("client_secret"));
    ck_assert_ptr_null(authorization());
    ck_assert_ptr_nonnull(assertion);
    ck_assert_int_eq(kc_jws_parse(assertion, strlen(assertion), testlib_pool, &token, &err), KC_OK);
    ck_assert_int_eq(kc_jws_read_claims(&token, testlib_pool, &err), KC_OK);
    ck_assert_str_eq(kc_json_member_string(token.claims, "iss"), "site");
    ck_assert_str_eq(kc_json_member_string(token.claims, "sub"), "site");
    ck_assert_str_eq(kc_json_member_string(token.claims, "aud"), "https://outer.example.com/token");
    ck_assert_uint_eq(strlen(kc_json_member_string(token.claims, "jti")), 22);
    ck_assert_int_eq(kc_json_integer(kc_json_member(token.claims, "iat"), &time), 1);
    ck_assert_int_eq(time, KC_FAKE_NOW);
    ck_assert_int_eq(kc_json_integer(kc_json_member(token.claims, "exp"), &time), 1);
    ck_assert_int_eq(time, KC_FAKE_NOW + 60);
    return token;
}

START_TEST(secret_jwt_is_signed_with_the_secret)
{
    kc_jws_t token;
    const char *again;

    conf->client_auth = KC_AUTH_SECRET_JWT;
    conf->client_secret.text = "a-secret-canary-of-enough-characters";
    ck_assert_int_eq(exchange(), KC_OK);
    token = check_assertion();
    ck_assert_str_eq(token.alg, "HS256");
    again = testlib_sign_hmac(kc_buf_text(conf->client_secret.text),
                              kc_buf_dup_text(token.header, testlib_pool),
                              kc_buf_dup_text(token.payload, testlib_pool));
    ck_assert_str_eq(again, token.compact);
}
END_TEST

/* In the algorithm that the client demands. */
START_TEST(secret_jwt_is_signed_by_the_algorithm_that_is_set)
{
    static const struct {
        int choice, bits;
        const char *alg;
    } rows[] = {{KC_CLIENT_HS256, 256, "HS256"},
                {KC_CLIENT_HS384, 384, "HS384"},
                {KC_CLIENT_HS512, 512, "HS512"}};
    kc_jws_t token;

    conf->client_auth = KC_AUTH_SECRET_JWT;
    conf->client_auth_algorithm = rows[_i].choice;
    conf->client_secret.text = "a-secret-canary-of-enough-characters";
    ck_assert_int_eq(exchange(), KC_OK);
    token = check_assertion();
    ck_assert_str_eq(token.alg, rows[_i].alg);
    ck_assert_str_eq(testlib_sign_hmac_of(rows[_i].bits, kc_buf_text(conf->client_secret.text),
                                          kc_buf_dup_text(token.header, testlib_pool),
                                          kc_buf_dup_text(token.payload, testlib_pool)),
                     token.compact);
}
END_TEST

START_TEST(assertions_are_never_the_same)
{
    const char *first;

    conf->client_auth = KC_AUTH_SECRET_JWT;
    conf->client_secret.text = "a-secret-canary-of-enough-characters";
    ck_assert_int_eq(exchange(), KC_OK);
    first = parameter("client_assertion");
    ck_assert_int_eq(exchange(), KC_OK);
    ck_assert_str_ne(first, parameter("client_assertion"));
}
END_TEST

START_TEST(assertion_needs_random)
{
    conf->client_auth = KC_AUTH_SECRET_JWT;
    fake->is_random_broken = 1;
    ck_assert_int_eq(exchange(), KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_CRYPTO);
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 0);
}
END_TEST

START_TEST(private_key_jwt_is_signed_with_the_key)
{
    const char *jwk = testlib_private_jwk(TESTLIB_P256, ",\"kid\":\"k1\"");
    const char *public_jwk = testlib_jwk(TESTLIB_P256, "");
    kc_jws_t token;
    kc_jose_key_t *key = NULL;

    conf->client_auth = KC_AUTH_PRIVATE_KEY_JWT;
    conf->client_secret.text = NULL;
    conf->client_key.text = jwk;
    ck_assert_msg(exchange() == KC_OK, "%s", err.detail);
    check_common();
    token = check_assertion();
    ck_assert_str_eq(token.alg, "ES256");
    ck_assert_str_eq(token.kid, "k1");
    ck_assert_int_eq(kc_jose_key_import(variant_json(public_jwk), testlib_pool, &key, &err), KC_OK);
    ck_assert_int_eq(kc_jose_verify(&token, key, &err), KC_OK);
}
END_TEST

START_TEST(unusable_key_asks_nobody)
{
    const char *const texts[] = {NULL, "", "{}", "canary", "{\"kty\":\"canary\"}"};

    conf->client_auth = KC_AUTH_PRIVATE_KEY_JWT;
    conf->client_key.text = texts[_i];
    ck_assert_int_ne(exchange(), KC_OK);
    ck_assert_int_ne(err.reason, KC_ERR_NONE);
    check_detail();
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 0);
}
END_TEST

/* What is wrong with an answer of 200; threats.md 157 and 158 among them. */
static const struct {
    const char *name;
    const char *value;
    kc_rc_t rc;
} members[] = {
    {NULL, NULL, KC_OK},
    {"refresh_token", NULL, KC_OK},
    {"refresh_token", "null", KC_OK},
    {"refresh_token", "1", KC_REFUSED},
    {"refresh_token", "\"\"", KC_REFUSED},
    {"refresh_token", "\"a b\"", KC_OK}, /* 1*VSCHAR, RFC 6749 appendix A.17 */
    {"refresh_token", "\" ~ \"", KC_OK},
    {"refresh_token", "\"a\\\"b\\\\c\"", KC_OK},
    {"refresh_token", "\"a\\tb\"", KC_REFUSED},
    {"refresh_token", "\"a\\u007f\"", KC_REFUSED},
    {"refresh_token", "\"\\u00e4\"", KC_REFUSED},
    {"token_type", "\"bearer\"", KC_OK},
    {"token_type", "\"BEARER\"", KC_OK},
    {"token_type", "\"DPoP\"", KC_REFUSED},
    {"token_type", "\"mac\"", KC_REFUSED},
    {"token_type", "[\"Bearer\"]", KC_REFUSED},
    {"token_type", "{}", KC_REFUSED},
    {"token_type", "1", KC_REFUSED},
    {"token_type", "true", KC_REFUSED},
    {"token_type", "null", KC_REFUSED},
    {"token_type", "\"\"", KC_REFUSED},
    {"token_type", "\"Bearer \"", KC_REFUSED},
    {"token_type", "\"Bearer,DPoP\"", KC_REFUSED},
    {"token_type", "\"N_A\"", KC_REFUSED},
    {"token_type", NULL, KC_REFUSED},
    {"access_token", NULL, KC_REFUSED},
    {"access_token", "\"\"", KC_REFUSED},
    {"access_token", "\"a b\"", KC_OK}, /* appendix A.12 */
    {"access_token", "\"a\\r\\nX: y\"", KC_REFUSED},
    {"access_token", "\"\\u00e4\"", KC_REFUSED},
    {"access_token", "{}", KC_REFUSED},
    {"id_token", NULL, KC_REFUSED},
    {"id_token", "null", KC_REFUSED},
    {"id_token", "\"\"", KC_REFUSED},
    {"id_token", "[]", KC_REFUSED},
    {"expires_in", NULL, KC_OK},
    {"expires_in", "\"soon\"", KC_OK},
    {"expires_in", "-1", KC_OK},
    {"error", "\"invalid_grant\"", KC_REFUSED},
    {"error", "1", KC_REFUSED},
    {"error", "null", KC_OK},
    {"error_description", "null", KC_OK},
    {"scope", "null", KC_OK},
};

START_TEST(answer_is_judged)
{
    kc_fake_answer(fake, TOKEN_URL, 200, JSON_TYPE,
                   variant_of(good, members[_i].name, members[_i].value));
    ck_assert_int_eq(exchange(), members[_i].rc);
    ck_assert_int_eq(err.reason, members[_i].rc == KC_OK ? KC_ERR_NONE : KC_ERR_TOKEN_ENDPOINT);
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 1);
}
END_TEST

/* threats.md K 158: what is no number of seconds is not told. RFC 6749 section 5.1 */
static const struct {
    const char *value;
    int64_t seconds;
} lifetimes[] = {
    {"300", 300},
    {"0", 0},
    {"1", 1},
    {NULL, 0},
    {"null", 0},
    {"true", 0},
    {"-1", 0},
    {"-300", 0},
    {"\"300\"", 0},
    {"\"soon\"", 0},
    {"[300]", 0},
    {"{}", 0},
    {"1e300", 0},
    {"300.5", 300},
    {"3e2", 300},
    {"-0.5", 0},
    {"86400.5", 86400},
    {"86401.0", 0},
    {"4294967296", 0},
    {"9223372036854775807", 0},
    {"-9223372036854775808", 0},
};

static kc_rc_t refresh(void)
{
    return kc_token_endpoint_refresh(conf, &fake->env, &provider, "refresh-canary", testlib_pool,
                                     &answer, &err);
}

START_TEST(an_odd_lifetime_is_none)
{
    kc_fake_answer(fake, TOKEN_URL, 200, JSON_TYPE,
                   variant_of(good, "expires_in", lifetimes[_i].value));
    ck_assert_int_eq(exchange(), KC_OK);
    ck_assert_int_eq(answer.expires_in, lifetimes[_i].seconds);
    answer.expires_in = -7;
    ck_assert_int_eq(refresh(), KC_OK);
    ck_assert_int_eq(answer.expires_in, lifetimes[_i].seconds);
}
END_TEST

/* A refresh's answer is judged as a sign-in's is, but that it need not have an ID token. */
START_TEST(the_answer_of_a_refresh_is_judged)
{
    const char *value = members[_i].value;
    int is_left_out = !value || strcmp(value, "null") == 0;
    kc_rc_t rc = members[_i].rc;

    if (members[_i].name && strcmp(members[_i].name, "id_token") == 0 && is_left_out)
        rc = KC_OK;
    kc_fake_answer(fake, TOKEN_URL, 200, JSON_TYPE, variant_of(good, members[_i].name, value));
    ck_assert_int_eq(refresh(), rc);
    if (rc != KC_OK && strcmp(members[_i].name, "error") != 0)
        ck_assert_int_eq(err.reason, KC_ERR_TOKEN_ENDPOINT);
}
END_TEST

START_TEST(a_refresh_token_with_blanks_is_sent_as_it_is)
{
    kc_fake_answer(fake, TOKEN_URL, 200, JSON_TYPE, good);
    ck_assert_int_eq(kc_token_endpoint_refresh(conf, &fake->env, &provider, " a b+c%~",
                                               testlib_pool, &answer, &err),
                     KC_OK);
    ck_assert_ptr_nonnull(
        strstr(kc_fake_request_last(fake, TOKEN_URL)->form, "refresh_token=%20a%20b%2Bc%25~"));
}
END_TEST

/* Each class of failure; threats.md 154, 156 and 157. */
static const struct {
    int status;
    const char *content_type;
    const char *body;
    kc_rc_t rc;
    kc_reason_t reason;
} failures[] = {
    {500, JSON_TYPE, "{\"error\":\"server_error\"}", KC_DOWN, KC_ERR_PROVIDER_DOWN},
    {502, "text/html", "<html>", KC_DOWN, KC_ERR_PROVIDER_DOWN},
    {503, "", "", KC_DOWN, KC_ERR_PROVIDER_DOWN},
    {503, JSON_TYPE, good, KC_DOWN, KC_ERR_PROVIDER_DOWN},
    {429, JSON_TYPE, "{\"error\":\"slow_down\"}", KC_DOWN, KC_ERR_PROVIDER_BUSY},
    {200, "text/html", "<html>sign in</html>", KC_DOWN, KC_ERR_JSON},
    {200, JSON_TYPE, "", KC_DOWN, KC_ERR_JSON},
    {200, JSON_TYPE, "[]", KC_DOWN, KC_ERR_JSON},
    {200, JSON_TYPE, "{\"id_token\":", KC_DOWN, KC_ERR_JSON},
    {200, JSON_TYPE, "{\"id_token\":\"a\",\"id_token\":\"b\"}", KC_DOWN, KC_ERR_JSON},
    {200, JSON_TYPE, "{}", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
    {201, JSON_TYPE, good, KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
    {302, "", "", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
    {400, JSON_TYPE, "{\"error\":\"invalid_grant\"}", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
    {400, JSON_TYPE, "{\"error\":7}", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
    {400, "text/html", "<html>", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
    {401, JSON_TYPE, "{\"error\":\"invalid_client\"}", KC_REFUSED, KC_ERR_CLIENT_AUTH},
    {400, JSON_TYPE, "{\"error\":\"unauthorized_client\"}", KC_REFUSED, KC_ERR_CLIENT_AUTH},
    {404, "text/plain", "not found", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
};

START_TEST(failure_is_told_and_never_tried_again)
{
    kc_fake_answer_once(fake, TOKEN_URL, failures[_i].status, failures[_i].content_type,
                        failures[_i].body);
    ck_assert_int_eq(exchange(), failures[_i].rc);
    ck_assert_int_eq(err.reason, failures[_i].reason);
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 1);
    check_detail();
}
END_TEST

START_TEST(unreachable_provider_is_asked_once)
{
    kc_reason_t reason = _i ? KC_ERR_PROVIDER_BUSY : KC_ERR_PROVIDER_DOWN;

    kc_fake_answer_down(fake, TOKEN_URL, reason);
    ck_assert_int_eq(exchange(), KC_DOWN);
    ck_assert_int_eq(err.reason, reason);
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 1);
}
END_TEST

START_TEST(error_is_quoted_and_cut)
{
    const char *body =
        variant_of("{\"error\":\"invalid_grant\"}", "error_description", "\"Code not valid\"");

    kc_fake_answer(fake, TOKEN_URL, 400, JSON_TYPE, body);
    ck_assert_int_eq(exchange(), KC_REFUSED);
    ck_assert_ptr_nonnull(strstr(err.detail, "invalid_grant: Code not valid"));
    body = variant_of(variant_of("{}", "error", variant_text('e', 300)), "error_description",
                      variant_text('d', 300));
    kc_fake_answer(fake, TOKEN_URL, 400, JSON_TYPE, body);
    ck_assert_int_eq(exchange(), KC_REFUSED);
    ck_assert_uint_le(strlen(err.detail), 102);
}
END_TEST

START_TEST(refused_client_gets_advice)
{
    static const struct {
        int method;
        const char *word;
    } rows[] = {{KC_AUTH_BASIC, "KeycloakClientSecret"},
                {KC_AUTH_POST, "KeycloakClientSecret"},
                {KC_AUTH_SECRET_JWT, "clock"},
                {KC_AUTH_TLS, "KeycloakClientCert"},
                {KC_AUTH_NONE, "public"}};

    conf->client_auth = rows[_i].method;
    kc_fake_answer(fake, TOKEN_URL, 401, JSON_TYPE,
                   "{\"error\":\"invalid_client\",\"error_description\":\"Invalid client\"}");
    ck_assert_int_eq(exchange(), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_CLIENT_AUTH);
    ck_assert_ptr_nonnull(strstr(err.detail, rows[_i].word));
    ck_assert_ptr_nonnull(strstr(err.detail, "Invalid client"));
    check_detail();
}
END_TEST

/* As long as a token may be, and each character escaped. */
START_TEST(a_large_refresh_token_is_sent)
{
    char *token = apr_palloc(testlib_pool, KC_JWS_MAX + 1);

    memset(token, '%', KC_JWS_MAX);
    token[KC_JWS_MAX] = '\0';
    ck_assert_int_eq(
        kc_token_endpoint_refresh(conf, &fake->env, &provider, token, testlib_pool, &answer, &err),
        KC_OK);
    ck_assert_uint_gt(strlen(kc_fake_request_last(fake, TOKEN_URL)->form), 3 * KC_JWS_MAX);
}
END_TEST

START_TEST(oversized_code_is_not_sent)
{
    char *code = apr_palloc(testlib_pool, 70001);

    memset(code, 'c', 70000);
    code[70000] = '\0';
    ck_assert_int_eq(kc_token_endpoint_exchange(conf, &fake->env, &provider, code, "https://a/",
                                                "v", testlib_pool, &answer, &err),
                     KC_REFUSED);
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 0);
}
END_TEST

/* ---- refresh ---- */

START_TEST(a_refresh_proves_the_client_and_sends_the_token)
{
    ck_assert_int_eq(refresh(), KC_OK);
    ck_assert_str_eq(parameter("grant_type"), "refresh_token");
    ck_assert_str_eq(parameter("refresh_token"), "refresh-canary");
    ck_assert_ptr_null(parameter("code"));
    ck_assert_str_eq(authorization(), "Basic c2l0ZTpzM2NyZXQtY2FuYXJ5");
    ck_assert_str_eq(answer.refresh_token, "rrr");
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 1);
}
END_TEST

START_TEST(a_refresh_need_not_give_an_id_token_or_refresh_token)
{
    kc_fake_answer(fake, TOKEN_URL, 200, JSON_TYPE,
                   "{\"access_token\":\"aaa\",\"token_type\":\"Bearer\",\"id_token\":null}");
    ck_assert_int_eq(refresh(), KC_OK);
    ck_assert_ptr_null(answer.id_token);
    ck_assert_ptr_null(answer.refresh_token);
    ck_assert_int_eq(answer.expires_in, 0);
    ck_assert_int_eq(exchange(), KC_REFUSED); /* a sign-in must */
}
END_TEST

/* RFC 6749 section 5.2: only these are about what the person has granted. */
START_TEST(only_a_grant_that_is_over_says_that_a_session_is_over)
{
    static const struct {
        const char *error;
        kc_reason_t reason;
    } rows[] = {
        {"invalid_grant", KC_ERR_REFRESH_REFUSED},  {"invalid_request", KC_ERR_TOKEN_ENDPOINT},
        {"invalid_scope", KC_ERR_REFRESH_REFUSED},  {"access_denied", KC_ERR_TOKEN_ENDPOINT},
        {"invalid_grants", KC_ERR_TOKEN_ENDPOINT},  {"invalid_client", KC_ERR_CLIENT_AUTH},
        {"unauthorized_client", KC_ERR_CLIENT_AUTH}};
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kc_fake_answer(fake, TOKEN_URL, 400, JSON_TYPE,
                       apr_psprintf(testlib_pool, "{\"error\":\"%s\"}", rows[i].error));
        ck_assert_int_eq(refresh(), KC_REFUSED);
        ck_assert_int_eq(err.reason, rows[i].reason);
        check_detail();
    }
    kc_fake_answer(fake, TOKEN_URL, 400, JSON_TYPE, "{\"error\":\"invalid_grant\"}");
    ck_assert_int_eq(exchange(), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_TOKEN_ENDPOINT);
}
END_TEST

/* Keycloak's own words for what an administrator has done to the client or to the realm. */
START_TEST(what_an_administrator_has_done_gets_advice)
{
    static const struct {
        int status;
        const char *body, *words, *advice;
    } rows[] = {
        {401,
         "{\"error\":\"invalid_client\",\"error_description\":"
         "\"Invalid client or Invalid client credentials\"}",
         "invalid_client (Invalid client or Invalid client credentials)",
         "check that the client is enabled, KeycloakClientID and KeycloakClientSecret"},
        {401,
         "{\"error\":\"unauthorized_client\",\"error_description\":"
         "\"Invalid client or Invalid client credentials\"}",
         "unauthorized_client (Invalid client or Invalid client credentials)",
         "check that the client is enabled, KeycloakClientID and KeycloakClientSecret"},
        {403, "{\"error\":\"access_denied\",\"error_description\":\"Realm not enabled\"}",
         "access_denied: Realm not enabled", "check that the realm of KeycloakIssuer is enabled"},
        {404, "{\"error\":\"Realm does not exist\"}", "Realm does not exist",
         "check that the realm of KeycloakIssuer exists"},
        {404, "<html>", "answers 404", "check that the realm of KeycloakIssuer exists"},
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kc_fake_answer(fake, TOKEN_URL, rows[i].status, JSON_TYPE, rows[i].body);
        ck_assert_int_eq(refresh(), KC_REFUSED);
        ck_assert_msg(strstr(err.detail, rows[i].words) && strstr(err.detail, rows[i].advice), "%s",
                      err.detail);
        ck_assert_int_eq(exchange(), KC_REFUSED);
        ck_assert_msg(strstr(err.detail, rows[i].advice), "%s", err.detail);
    }
    kc_fake_answer(fake, TOKEN_URL, 400, JSON_TYPE, "{\"error\":\"invalid_request\"}");
    ck_assert_int_eq(refresh(), KC_REFUSED);
    ck_assert_msg(!strstr(err.detail, "check"), "%s", err.detail);
}
END_TEST

/* ---- revocation ---- */

static kc_rc_t revoke_it(void)
{
    return kc_token_endpoint_revoke(conf, &fake->env, &provider, "refresh-canary", testlib_pool,
                                    &err);
}

START_TEST(a_refresh_token_is_revoked_at_its_endpoint)
{
    const kc_fake_request_t *request;

    ck_assert_int_eq(revoke_it(), KC_OK); /* there is none */
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 0);
    provider.revocation_endpoint = REVOKE_URL;
    kc_fake_answer(fake, REVOKE_URL, 200, "text/plain", "");
    ck_assert_int_eq(revoke_it(), KC_OK);
    ck_assert_int_eq(kc_fake_request_count(fake, REVOKE_URL), 1);
    ck_assert_int_eq(kc_fake_request_count(fake, TOKEN_URL), 0);
    request = kc_fake_request_last(fake, REVOKE_URL);
    ck_assert_str_eq(request->form, "token=refresh-canary&token_type_hint=refresh_token");
    ck_assert_int_eq(strncmp(request->authorization, "Basic ", 6), 0);
    conf->client_auth = KC_AUTH_POST;
    ck_assert_int_eq(revoke_it(), KC_OK);
    ck_assert_ptr_nonnull(strstr(kc_fake_request_last(fake, REVOKE_URL)->form,
                                 "&client_secret=s3cret-canary&client_id=site"));
}
END_TEST

/* RFC 7009 section 2.2 */
START_TEST(what_the_revocation_endpoint_answers_is_told)
{
    static const struct {
        int status;
        const char *body;
        kc_rc_t rc;
        kc_reason_t reason;
    } rows[] = {{200, "anything", KC_OK, KC_ERR_NONE},
                {503, "", KC_DOWN, KC_ERR_PROVIDER_DOWN},
                {429, "", KC_DOWN, KC_ERR_PROVIDER_BUSY},
                {302, "", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
                {400, "<html>", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
                {400, "{\"error\":\"unsupported_token_type\"}", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
                {401, "{\"error\":\"invalid_client\"}", KC_REFUSED, KC_ERR_CLIENT_AUTH}};
    size_t i;

    provider.revocation_endpoint = REVOKE_URL;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&err, 0, sizeof(err));
        kc_fake_answer(fake, REVOKE_URL, rows[i].status, JSON_TYPE, rows[i].body);
        ck_assert_int_eq(revoke_it(), rows[i].rc);
        ck_assert_int_eq(err.reason, rows[i].reason);
        if (rows[i].rc != KC_OK)
            check_detail();
    }
    kc_fake_answer_down(fake, REVOKE_URL, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(revoke_it(), KC_DOWN);
}
END_TEST

/* ---- userinfo ---- */

static const kc_json_t *info;
static const char *signed_info;

static kc_rc_t ask(const char *access_token)
{
    kc_token_endpoint_userinfo_t out;
    kc_rc_t rc = kc_token_endpoint_userinfo(conf, &fake->env, &provider, access_token, "u-1",
                                            testlib_pool, &out, &err);

    info = out.claims;
    signed_info = out.jwt;
    return rc;
}

START_TEST(userinfo_is_asked_with_the_token)
{
    kc_fake_answer(fake, USERINFO_URL, 200, "application/json;charset=UTF-8",
                   "{\"sub\":\"u-1\",\"email\":\"a@example.com\"}");
    ck_assert_int_eq(ask("tok-canary"), KC_OK);
    ck_assert_str_eq(kc_json_member_string(info, "email"), "a@example.com");
    ck_assert_str_eq(kc_fake_request_last(fake, USERINFO_URL)->authorization, "Bearer tok-canary");
    ck_assert_ptr_null(kc_fake_request_last(fake, USERINFO_URL)->form);
}
END_TEST

static const struct {
    int status;
    const char *content_type;
    const char *body;
    kc_rc_t rc;
    kc_reason_t reason;
} infos[] = {
    {200, JSON_TYPE, "{\"sub\":\"u-2\"}", KC_REFUSED, KC_ERR_USERINFO},
    {200, JSON_TYPE, "{\"sub\":\"u-11\"}", KC_REFUSED, KC_ERR_USERINFO},
    {200, JSON_TYPE, "{\"sub\":[\"u-1\"]}", KC_REFUSED, KC_ERR_USERINFO},
    {200, JSON_TYPE, "{\"email\":\"a\"}", KC_REFUSED, KC_ERR_USERINFO},
    {200, "application/jwts", "a.b.c", KC_DOWN, KC_ERR_JSON},
    {200, "text/html", "<html>", KC_DOWN, KC_ERR_JSON},
    {401, JSON_TYPE, "{\"error\":\"invalid_token\"}", KC_REFUSED, KC_ERR_USERINFO},
    {403, "", "", KC_REFUSED, KC_ERR_USERINFO},
    {302, "", "", KC_REFUSED, KC_ERR_USERINFO},
    {429, "", "", KC_DOWN, KC_ERR_PROVIDER_BUSY},
    {500, "", "", KC_DOWN, KC_ERR_PROVIDER_DOWN},
};

START_TEST(userinfo_is_judged)
{
    kc_fake_answer(fake, USERINFO_URL, infos[_i].status, infos[_i].content_type, infos[_i].body);
    ck_assert_int_eq(ask("tok-canary"), infos[_i].rc);
    ck_assert_int_eq(err.reason, infos[_i].reason);
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 1);
    check_detail();
}
END_TEST

/* OpenID Connect Core 1.0 section 5.3.2 */
START_TEST(a_signed_answer_is_handed_on)
{
    static const char *const types[] = {"application/jwt", "Application/JWT; charset=utf-8",
                                        "application/jwt ;a=b"};

    kc_fake_answer(fake, USERINFO_URL, 200, types[_i], "a.b.c\r\n");
    ck_assert_int_eq(ask("tok-canary"), KC_OK);
    ck_assert_ptr_null(info);
    ck_assert_str_eq(signed_info, "a.b.c");
}
END_TEST

START_TEST(userinfo_that_cannot_be_asked)
{
    kc_fake_answer(fake, USERINFO_URL, 200, JSON_TYPE, "{\"sub\":\"u-1\"}");
    ck_assert_int_eq(ask("a\r\nX-Canary: 1"), KC_REFUSED);
    ck_assert_int_eq(ask(NULL), KC_REFUSED);
    provider.userinfo_endpoint = NULL;
    ck_assert_int_eq(ask("tok"), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_USERINFO);
    ck_assert_int_eq(kc_fake_request_count(fake, NULL), 0);
    provider.userinfo_endpoint = USERINFO_URL;
    kc_fake_answer_down(fake, USERINFO_URL, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(ask("tok"), KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_PROVIDER_DOWN);
}
END_TEST

static TCase *client_tests(void)
{
    TCase *tests = tcase_create("client");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_unchecked_fixture(tests, NULL, testlib_keys_free);
    tcase_add_test(tests, basic_is_the_default);
    tcase_add_test(tests, basic_encodes_both_parts);
    tcase_add_test(tests, post_puts_the_secret_into_the_form);
    tcase_add_loop_test(tests, client_without_secret_sends_its_id, 0, 2);
    tcase_add_loop_test(tests, missing_secret_asks_nobody, 0, 3);
    tcase_add_test(tests, secret_jwt_is_signed_with_the_secret);
    tcase_add_loop_test(tests, secret_jwt_is_signed_by_the_algorithm_that_is_set, 0, 3);
    tcase_add_test(tests, assertions_are_never_the_same);
    tcase_add_test(tests, assertion_needs_random);
    tcase_add_test(tests, private_key_jwt_is_signed_with_the_key);
    tcase_add_loop_test(tests, unusable_key_asks_nobody, 0, 5);
    return tests;
}

static kc_rc_t grant(const char *user)
{
    const kc_token_endpoint_grant_t asked = {user, "p4ss-canary", "openid email"};

    return kc_token_endpoint_grant(conf, &fake->env, &provider, &asked, testlib_pool, &answer,
                                   &err);
}

START_TEST(a_users_tokens_are_asked_for_by_name_and_password)
{
    ck_assert_int_eq(grant("alice"), KC_OK);
    ck_assert_str_eq(parameter("grant_type"), "password");
    ck_assert_str_eq(parameter("username"), "alice");
    ck_assert_str_eq(parameter("password"), "p4ss-canary");
    ck_assert_str_eq(parameter("scope"), "openid email");
    ck_assert_str_eq(authorization(), "Basic c2l0ZTpzM2NyZXQtY2FuYXJ5");
    ck_assert_ptr_null(answer.error);
}
END_TEST

START_TEST(the_clients_own_tokens_need_no_id_token)
{
    kc_fake_answer(fake, TOKEN_URL, 200, JSON_TYPE,
                   "{\"access_token\":\"aaa\",\"token_type\":\"Bearer\"}");
    ck_assert_int_eq(grant(NULL), KC_OK);
    ck_assert_str_eq(parameter("grant_type"), "client_credentials");
    ck_assert_ptr_null(parameter("username"));
    ck_assert_ptr_null(parameter("password"));
    ck_assert_ptr_null(answer.id_token);
}
END_TEST

START_TEST(the_error_is_told_as_it_came)
{
    kc_fake_answer(fake, TOKEN_URL, 400, JSON_TYPE,
                   "{\"error\":\"invalid_grant\",\"error_description\":\"Code not valid\"}");
    ck_assert_int_eq(exchange(), KC_REFUSED);
    ck_assert_str_eq(answer.error, "invalid_grant");
    ck_assert_str_eq(answer.description, "Code not valid");
    kc_fake_answer(fake, TOKEN_URL, 404, "text/html", "nothing");
    ck_assert_int_eq(exchange(), KC_REFUSED);
    ck_assert_ptr_null(answer.error);
    check_detail();
}
END_TEST

static TCase *answer_tests(void)
{
    TCase *tests = tcase_create("answers");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_loop_test(tests, answer_is_judged, 0, ROWS(members));
    tcase_add_loop_test(tests, an_odd_lifetime_is_none, 0, ROWS(lifetimes));
    tcase_add_test(tests, a_refresh_token_with_blanks_is_sent_as_it_is);
    tcase_add_loop_test(tests, the_answer_of_a_refresh_is_judged, 0, ROWS(members));
    tcase_add_loop_test(tests, failure_is_told_and_never_tried_again, 0, ROWS(failures));
    tcase_add_loop_test(tests, unreachable_provider_is_asked_once, 0, 2);
    tcase_add_test(tests, error_is_quoted_and_cut);
    tcase_add_loop_test(tests, refused_client_gets_advice, 0, 5);
    tcase_add_test(tests, a_large_refresh_token_is_sent);
    tcase_add_test(tests, oversized_code_is_not_sent);
    tcase_add_test(tests, a_refresh_proves_the_client_and_sends_the_token);
    tcase_add_test(tests, a_refresh_need_not_give_an_id_token_or_refresh_token);
    tcase_add_test(tests, only_a_grant_that_is_over_says_that_a_session_is_over);
    tcase_add_test(tests, what_an_administrator_has_done_gets_advice);
    tcase_add_test(tests, a_refresh_token_is_revoked_at_its_endpoint);
    tcase_add_test(tests, what_the_revocation_endpoint_answers_is_told);
    tcase_add_loop_test(tests, a_signed_answer_is_handed_on, 0, 3);
    tcase_add_test(tests, userinfo_is_asked_with_the_token);
    tcase_add_loop_test(tests, userinfo_is_judged, 0, ROWS(infos));
    tcase_add_test(tests, userinfo_that_cannot_be_asked);
    tcase_add_test(tests, a_users_tokens_are_asked_for_by_name_and_password);
    tcase_add_test(tests, the_clients_own_tokens_need_no_id_token);
    tcase_add_test(tests, the_error_is_told_as_it_came);
    return tests;
}

Suite *kc_test_token_endpoint(void)
{
    Suite *suite = suite_create("token_endpoint");

    suite_add_tcase(suite, client_tests());
    suite_add_tcase(suite, answer_tests());
    return suite;
}

/* Tests of claims.h and id_token.h: what an ID token must agree with, and how two sets of claims
 * are merged.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "crypto/jws.h"
#include "provider/claims.h"
#include "provider/id_token.h"
#include "session/identity.h"
#include "testlib.h"
#include "variant.h"

Suite *kc_test_claims(void);

#define NOW 1700000000
#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))

/* An ID token as Keycloak 26 makes it. */
static const char id_token[] =
    "{\"exp\":1700000300,\"iat\":1700000000,\"auth_time\":1699999990,\"jti\":\"j\","
    "\"iss\":\"https://id.example.com/realms/r\",\"aud\":\"site\",\"sub\":\"u-1\",\"typ\":\"ID\","
    "\"azp\":\"site\",\"nonce\":\"n-1\",\"sid\":\"s-1\",\"email\":\"alice@example.com\","
    "\"email_verified\":true}";

static kc_conf_t *conf;
static kc_err_t err;

static void setup(void)
{
    testlib_setup();
    conf = kc_conf_create(testlib_pool);
    memset(&err, 0, sizeof(err));
}

static kc_jws_t token_of(const char *payload)
{
    kc_jws_t token = {0};

    token.alg = "RS256";
    token.typ = "JWT";
    token.claims = variant_json(payload);
    return token;
}

static kc_id_token_expect_t expect_all(void)
{
    kc_id_token_expect_t expect = {
        "https://id.example.com/realms/r", "site", "n-1", "access", NOW, 30, 0};

    return expect;
}

static kc_rc_t verify(const char *payload)
{
    kc_jws_t token = token_of(payload);
    kc_id_token_expect_t expect = expect_all();

    return kc_id_token_verify(&token, &expect, &err);
}

typedef struct {
    const char *name;
    const char *value;  /* NULL: absent */
    kc_reason_t reason; /* KC_ERR_NONE: accepted */
} verdict_t;

/* threats.md 49 to 54 and 61. The skew is 30 s. */
static const verdict_t verdicts[] = {
    {NULL, NULL, KC_ERR_NONE},
    {"iss", NULL, KC_ERR_TOKEN_ISSUER},
    {"iss", "1", KC_ERR_TOKEN_ISSUER},
    {"iss", "[\"https://id.example.com/realms/r\"]", KC_ERR_TOKEN_ISSUER},
    {"iss", "\"https://id.example.com/realms/r/\"", KC_ERR_TOKEN_ISSUER},
    {"iss", "\"https://id.example.com/realms/R\"", KC_ERR_TOKEN_ISSUER},
    {"iss", "\"https://id.example.com/realms/\"", KC_ERR_TOKEN_ISSUER},
    {"iss", "\"https://id.example.com/realms/rr\"", KC_ERR_TOKEN_ISSUER},
    {"iss", "\"http://id.example.com/realms/r\"", KC_ERR_TOKEN_ISSUER},
    {"aud", NULL, KC_ERR_TOKEN_AUDIENCE},
    {"aud", "\"\"", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "null", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "\"other\"", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "\"site2\"", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "\"Site\"", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "[]", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "[\"other\"]", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "{\"site\":1}", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "[\"site\",1]", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "[[\"site\"]]", KC_ERR_TOKEN_AUDIENCE},
    {"aud", "[\"site\"]", KC_ERR_NONE},
    {"aud", "[\"other\",\"site\"]", KC_ERR_NONE},
    {"azp", "\"other\"", KC_ERR_NONE}, /* aud has nobody else */
    {"azp", "[\"site\"]", KC_ERR_TOKEN_AUDIENCE},
    {"azp", "null", KC_ERR_NONE},
    {"azp", NULL, KC_ERR_NONE},
    {"exp", NULL, KC_ERR_TOKEN_TIME},
    {"exp", "\"1700000300\"", KC_ERR_TOKEN_TIME},
    {"exp", "1e300", KC_ERR_TOKEN_TIME},
    {"exp", "1700000300.5", KC_ERR_NONE},
    {"exp", "1700000300.0", KC_ERR_NONE},
    {"exp", "1.7000003e9", KC_ERR_NONE},
    {"exp", "1699999970.9", KC_ERR_TOKEN_TIME},
    {"exp", "1700000000.9", KC_ERR_TOKEN_TIME}, /* not after iat */
    {"exp", "253402300799.5", KC_ERR_NONE},
    {"exp", "253402300800.0", KC_ERR_TOKEN_TIME},
    {"exp", "-0.5", KC_ERR_TOKEN_TIME},
    {"exp", "null", KC_ERR_TOKEN_TIME},
    {"exp", "-1", KC_ERR_TOKEN_TIME},
    {"exp", "true", KC_ERR_TOKEN_TIME},
    {"exp", "9223372036854775807", KC_ERR_TOKEN_TIME},
    {"exp", "253402300799", KC_ERR_NONE},
    {"exp", "253402300800", KC_ERR_TOKEN_TIME},
    {"exp", "1699999970", KC_ERR_TOKEN_TIME},
    {"exp", "1700000000", KC_ERR_TOKEN_TIME}, /* not after iat */
    {"iat", NULL, KC_ERR_TOKEN_TIME},
    {"iat", "\"1700000000\"", KC_ERR_TOKEN_TIME},
    {"iat", "1.7e300", KC_ERR_TOKEN_TIME},
    {"iat", "1.7e9", KC_ERR_NONE},
    {"iat", "1700000030.999", KC_ERR_NONE},
    {"iat", "1700000031.001", KC_ERR_TOKEN_TIME},
    {"iat", "null", KC_ERR_TOKEN_TIME},
    {"iat", "-1", KC_ERR_TOKEN_TIME},
    {"iat", "1700000030", KC_ERR_NONE},
    {"iat", "1700000031", KC_ERR_TOKEN_TIME},
    {"nbf", "1700000030", KC_ERR_NONE},
    {"nbf", "0", KC_ERR_NONE},
    {"nbf", "1700000031", KC_ERR_TOKEN_TIME},
    {"nbf", "\"0\"", KC_ERR_TOKEN_TIME},
    {"nbf", "-1", KC_ERR_TOKEN_TIME},
    {"nbf", "1e300", KC_ERR_TOKEN_TIME},
    {"nbf", "1699999999.25", KC_ERR_NONE},
    {"nbf", "null", KC_ERR_NONE},
    {"sub", NULL, KC_ERR_TOKEN_SUBJECT},
    {"sub", "\"\"", KC_ERR_TOKEN_SUBJECT},
    {"sub", "1", KC_ERR_TOKEN_SUBJECT},
    {"sub", "\"a\\nb\"", KC_ERR_TOKEN_SUBJECT},
    {"sub", "\"a\\u007f\"", KC_ERR_TOKEN_SUBJECT},
    {"sub", "\"a\\u0085\"", KC_ERR_TOKEN_SUBJECT},
    {"sub", "\"J\\u00fcrgen\"", KC_ERR_NONE},
    {"nonce", NULL, KC_ERR_TOKEN_NONCE},
    {"nonce", "[\"n-1\"]", KC_ERR_TOKEN_NONCE},
    {"nonce", "\"\"", KC_ERR_TOKEN_NONCE},
    {"nonce", "\"n-2\"", KC_ERR_TOKEN_NONCE},
    {"nonce", "\"n-11\"", KC_ERR_TOKEN_NONCE},
    {"nonce", "\"n-\"", KC_ERR_TOKEN_NONCE},
    {"nonce", "null", KC_ERR_TOKEN_NONCE},
    {"typ", NULL, KC_ERR_NONE},
    {"typ", "\"Refresh\"", KC_ERR_TOKEN_TYPE},
    {"typ", "\"Offline\"", KC_ERR_TOKEN_TYPE},
    {"typ", "\"Logout\"", KC_ERR_TOKEN_TYPE},
    {"typ", "\"Bearer\"", KC_ERR_TOKEN_TYPE},
    {"typ", "\"id\"", KC_ERR_TOKEN_TYPE},
    {"typ", "[\"ID\"]", KC_ERR_TOKEN_TYPE},
    {"typ", "null", KC_ERR_NONE},
    {"events", "{\"http://schemas.openid.net/event/backchannel-logout\":{}}", KC_ERR_TOKEN_TYPE},
    {"events", "null", KC_ERR_NONE},
    {"at_hash", "\"hnQyDbSJAHSprEZLTQLPPQ\"", KC_ERR_TOKEN_CLAIM},
    {"at_hash", "\"\"", KC_ERR_TOKEN_CLAIM},
    {"at_hash", "1", KC_ERR_TOKEN_CLAIM},
    {"at_hash", "null", KC_ERR_NONE},
    {"sid", NULL, KC_ERR_NONE},
    {"sid", "null", KC_ERR_NONE},
    {"sub", "null", KC_ERR_TOKEN_SUBJECT},
    {"sid", "\"\"", KC_ERR_TOKEN_CLAIM},
    {"sid", "7", KC_ERR_TOKEN_CLAIM},
    {"sid", "\"a\\tb\"", KC_ERR_TOKEN_CLAIM},
    {"auth_time", NULL, KC_ERR_NONE},
    {"auth_time", "null", KC_ERR_NONE},
    {"auth_time", "1699999990.75", KC_ERR_NONE},
    {"auth_time", "1.69e9", KC_ERR_NONE},
    {"auth_time", "\"1700000000\"", KC_ERR_TOKEN_CLAIM},
    {"auth_time", "-5", KC_ERR_TOKEN_CLAIM},
    {"auth_time", "1e12", KC_ERR_TOKEN_CLAIM},
};

START_TEST(token_is_judged)
{
    const verdict_t *verdict = &verdicts[_i];
    kc_rc_t rc = verify(variant_of(id_token, verdict->name, verdict->value));

    ck_assert_msg(err.reason == verdict->reason, "%s %s: %s %s", verdict->name, verdict->value,
                  kc_err_row(err.reason)->name, err.detail);
    ck_assert_int_eq(rc, verdict->reason == KC_ERR_NONE ? KC_OK : KC_REFUSED);
}
END_TEST

/* At the edge of the leeway, which counts for a token that was made before it. */
START_TEST(leeway_is_exact)
{
    const char *old = variant_of(id_token, "iat", "1699999000");

    ck_assert_int_eq(verify(variant_of(old, "exp", "1699999971")), KC_OK);
    ck_assert_int_eq(verify(variant_of(old, "exp", "1699999970")), KC_REFUSED);
}
END_TEST

/* OpenID Connect Core 1.0 with errata set 2: the party need not be named, but no other may be. */
START_TEST(several_audiences_have_no_other_party)
{
    const char *several = variant_of(id_token, "aud", "[\"site\",\"other\"]");

    ck_assert_int_eq(verify(several), KC_OK);
    ck_assert_int_eq(verify(variant_of(several, "azp", NULL)), KC_OK);
    ck_assert_int_eq(verify(variant_of(several, "azp", "null")), KC_OK);
    ck_assert_int_eq(verify(variant_of(several, "azp", "\"other\"")), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_TOKEN_AUDIENCE);
    several = variant_of(id_token, "aud", "[\"site\",\"site\"]");
    ck_assert_int_eq(verify(variant_of(several, "azp", "\"other\"")), KC_OK);
}
END_TEST

START_TEST(subject_and_session_have_a_size)
{
    ck_assert_int_eq(verify(variant_of(id_token, "sub", variant_text('x', 255))), KC_OK);
    ck_assert_int_eq(verify(variant_of(id_token, "sid", variant_text('x', 255))), KC_OK);
    ck_assert_int_eq(verify(variant_of(id_token, "sub", variant_text('x', 256))), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_TOKEN_SUBJECT);
    ck_assert_int_eq(verify(variant_of(id_token, "sid", variant_text('x', 256))), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_TOKEN_CLAIM);
}
END_TEST

START_TEST(header_type_is_jwt)
{
    static const struct {
        const char *typ;
        kc_rc_t rc;
    } types[] = {{NULL, KC_OK},
                 {"JWT", KC_OK},
                 {"jwt", KC_OK},
                 {"at+jwt", KC_REFUSED},
                 {"logout+jwt", KC_REFUSED},
                 {"application/jwt", KC_OK},
                 {"JWE", KC_REFUSED},
                 {"", KC_REFUSED}};
    kc_jws_t token = token_of(id_token);
    kc_id_token_expect_t expect = expect_all();

    token.typ = types[_i].typ;
    ck_assert_int_eq(kc_id_token_verify(&token, &expect, &err), types[_i].rc);
    ck_assert_int_eq(err.reason, types[_i].rc == KC_OK ? KC_ERR_NONE : KC_ERR_TOKEN_TYPE);
}
END_TEST

/* Other providers have their own words, or none. */
START_TEST(types_of_other_providers)
{
    static const struct {
        const char *header;
        const char *payload; /* JSON; NULL: absent */
        kc_rc_t rc;
    } types[] = {{NULL, NULL, KC_OK},
                 {"JWT", NULL, KC_OK},
                 {"id_token", NULL, KC_OK},
                 {"id+jwt", NULL, KC_OK},
                 {"application/jwt", "\"id_token\"", KC_OK},
                 {"JWT", "\"ID\"", KC_OK},
                 {"JWT", "\"JWT\"", KC_OK},
                 {"at+jwt", NULL, KC_REFUSED},
                 {"application/AT+JWT", NULL, KC_REFUSED},
                 {"logout+jwt", NULL, KC_REFUSED},
                 {"dpop+jwt", NULL, KC_REFUSED},
                 {"JWE", NULL, KC_REFUSED},
                 {"", NULL, KC_REFUSED},
                 {"JWT", "\"Bearer\"", KC_REFUSED},
                 {"JWT", "\"access_token\"", KC_REFUSED},
                 {"JWT", "\"refresh_token\"", KC_REFUSED},
                 {"JWT", "1", KC_REFUSED}};
    const char *claims = variant_of(id_token, "iss", "\"https://op.example.com\"");
    kc_jws_t token = token_of(variant_of(claims, "typ", types[_i].payload));
    kc_id_token_expect_t expect = expect_all();

    expect.issuer = "https://op.example.com";
    token.typ = types[_i].header;
    ck_assert_msg(kc_id_token_verify(&token, &expect, &err) == types[_i].rc, "%s", err.detail);
    if (types[_i].rc != KC_OK)
        ck_assert_int_eq(err.reason, KC_ERR_TOKEN_TYPE);
}
END_TEST

/* Left halves of SHA-2 of "access", computed elsewhere. */
START_TEST(access_token_is_bound)
{
    static const struct {
        const char *alg;
        const char *hash;
        kc_rc_t rc;
    } rows[] = {
        {"RS256", "oFYf1knNtrqnhAVfBRuteQ", KC_OK},
        {"ES256", "oFYf1knNtrqnhAVfBRuteQ", KC_OK},
        {"PS384", "SeGOaEgS6QNKbB7vkLM3y8nujeY4Ple3", KC_OK},
        {"ES512", "kyd4-h3ZoV2sH212kLKbcOnCBajStKQ38Ae_bfT-PFI", KC_OK},
        {"RS512", "oFYf1knNtrqnhAVfBRuteQ", KC_REFUSED},
        {"RS256", "kyd4-h3ZoV2sH212kLKbcOnCBajStKQ38Ae_bfT-PFI", KC_REFUSED},
        {"EdDSA", "oFYf1knNtrqnhAVfBRuteQ", KC_REFUSED},
        {"RS2567", "oFYf1knNtrqnhAVfBRuteQ", KC_REFUSED},
    };
    kc_jws_t token = token_of(
        variant_of(id_token, "at_hash", apr_psprintf(testlib_pool, "\"%s\"", rows[_i].hash)));
    kc_id_token_expect_t expect = expect_all();

    token.alg = rows[_i].alg;
    ck_assert_int_eq(kc_id_token_verify(&token, &expect, &err), rows[_i].rc);
    expect.access_token = "acces";
    ck_assert_int_eq(kc_id_token_verify(&token, &expect, &err), KC_REFUSED);
    expect.access_token = NULL;
    ck_assert_int_eq(kc_id_token_verify(&token, &expect, &err), KC_OK);
}
END_TEST

START_TEST(nonce_that_was_never_sent_is_refused)
{
    kc_jws_t token = token_of(id_token);
    kc_id_token_expect_t expect = expect_all();

    expect.nonce = NULL;
    ck_assert_int_eq(kc_id_token_verify(&token, &expect, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_TOKEN_NONCE);
}
END_TEST

/* The reasons of failures must not tell what the nonce is. */
START_TEST(nonce_stays_out_of_the_detail)
{
    ck_assert_int_eq(verify(variant_of(id_token, "nonce", "\"canary\"")), KC_REFUSED);
    ck_assert_ptr_null(strstr(err.detail, "canary"));
    ck_assert_ptr_null(strstr(err.detail, "n-1"));
}
END_TEST

/* ---- sets of claims ---- */

static const struct {
    const char *name;
    const char *value;
    int is_incomplete;
} wants[] = {
    {NULL, NULL, 0},
    {"email", NULL, 1},
    {"email", "null", 1},
    {"groups", NULL, 1},
    {"groups", "[]", 0},
    {"email_verified", NULL, 1},
    {"email_verified", "false", 0},
    {"name", NULL, 1},
    {"sid", NULL, 0},
};

START_TEST(wanted_claims_are_missed)
{
    const char *whole = variant_of(variant_of(id_token, "groups", "[\"a\"]"), "name", "\"Alice\"");
    const kc_json_t *claims = variant_json(variant_of(whole, wants[_i].name, wants[_i].value));

    const char *header[] = {"X-Name", "name"};

    ck_assert_int_eq(
        kc_conf_set(conf, KC_CONF_ROW_headers, 2, header, "test", 1, testlib_pool, &err), KC_OK);
    ck_assert_int_eq(kc_identity_is_incomplete(conf, claims), wants[_i].is_incomplete);
}
END_TEST

START_TEST(verification_of_email_is_wanted_only_where_it_counts)
{
    const kc_json_t *claims =
        variant_json(variant_of(variant_of(id_token, "groups", "[]"), "email_verified", NULL));

    ck_assert_int_eq(kc_identity_is_incomplete(conf, claims), 1);
    conf->verified_email = 0;
    ck_assert_int_eq(kc_identity_is_incomplete(conf, claims), 0);
    conf->verified_email = 1;
    conf->user_claim = "sub";
    ck_assert_int_eq(kc_identity_is_incomplete(conf, claims), 0);
}
END_TEST

START_TEST(id_token_wins_over_userinfo)
{
    const kc_json_t *merged =
        kc_claims_merge_userinfo(variant_json("{\"sub\":\"a\",\"x\":1}"),
                                 variant_json("{\"sub\":\"b\",\"y\":[2]}"), testlib_pool);

    ck_assert_str_eq(kc_json_member_string(merged, "sub"), "a");
    ck_assert_uint_eq(kc_json_size(merged), 3);
    ck_assert_uint_eq(kc_json_size(kc_json_member(merged, "y")), 1);
    merged =
        kc_claims_merge_userinfo(variant_json("{\"groups\":null,\"x\":1}"),
                                 variant_json("{\"groups\":[\"a\"],\"x\":null}"), testlib_pool);
    ck_assert_uint_eq(kc_json_size(kc_json_member(merged, "groups")), 1);
    ck_assert_int_eq(kc_json_type(kc_json_member(merged, "x")), KC_JSON_INTEGER);
    ck_assert_uint_eq(
        kc_json_size(kc_claims_merge_userinfo(variant_json("{\"a\":1}"), NULL, testlib_pool)), 1);
}
END_TEST

START_TEST(verification_of_another_address_does_not_count)
{
    const kc_json_t *ours = variant_json("{\"email\":\"a@example.com\"}");
    const kc_json_t *theirs = variant_json("{\"email\":\"b@example.com\",\"email_verified\":true}");

    ck_assert_ptr_null(
        kc_json_member(kc_claims_merge_userinfo(ours, theirs, testlib_pool), "email_verified"));
    theirs = variant_json("{\"email\":\"a@example.com\",\"email_verified\":true}");
    ck_assert_int_eq(kc_json_is_true(kc_json_member(
                         kc_claims_merge_userinfo(ours, theirs, testlib_pool), "email_verified")),
                     1);
    ck_assert_int_eq(
        kc_json_is_true(kc_json_member(
            kc_claims_merge_userinfo(variant_json("{}"), theirs, testlib_pool), "email_verified")),
        1);
}
END_TEST

static TCase *verification_tests(void)
{
    TCase *tests = tcase_create("verification");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_loop_test(tests, token_is_judged, 0, ROWS(verdicts));
    tcase_add_test(tests, leeway_is_exact);
    tcase_add_test(tests, several_audiences_have_no_other_party);
    tcase_add_test(tests, subject_and_session_have_a_size);
    tcase_add_loop_test(tests, header_type_is_jwt, 0, 8);
    tcase_add_loop_test(tests, types_of_other_providers, 0, 17);
    tcase_add_loop_test(tests, access_token_is_bound, 0, 8);
    tcase_add_test(tests, nonce_that_was_never_sent_is_refused);
    tcase_add_test(tests, nonce_stays_out_of_the_detail);
    return tests;
}

static TCase *set_tests(void)
{
    TCase *tests = tcase_create("sets");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_loop_test(tests, wanted_claims_are_missed, 0, ROWS(wants));
    tcase_add_test(tests, verification_of_email_is_wanted_only_where_it_counts);
    tcase_add_test(tests, id_token_wins_over_userinfo);
    tcase_add_test(tests, verification_of_another_address_does_not_count);
    return tests;
}

Suite *kc_test_claims(void)
{
    Suite *suite = suite_create("claims");

    suite_add_tcase(suite, verification_tests());
    suite_add_tcase(suite, set_tests());
    return suite;
}

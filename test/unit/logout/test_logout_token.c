/* Tests of logout_token.h: which tokens are accepted, once, and what they end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "logout/logout_token.h"
#include "session/revocation.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/query.h"
#include "fake_site.h"
#include "provider/claims.h"
#include "provider/token_signature.h"
#include "rp.h"
#include "session/session.h"
#include "testlib.h"
#include "variant.h"

Suite *kc_test_logout_token(void);

#define ALICE "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define BOB "0b0b3c1a-2f7f-4a1a-9c1e-0d7a5d1f6a11"
#define EVENT "http://schemas.openid.net/event/backchannel-logout"
#define EVENTS "{\"" EVENT "\":{}}"
#define HEADER "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\",\"kid\":\"k\"}"
#define OLD_KEY "0123456789abcdef0123456789abcdef"
#define NEW_KEY "fedcba9876543210fedcba9876543210"

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_logout_token_t token; /* as taken last */
static kc_err_t last;
static int serial;

/* ---------------------------------------------------------------- tokens */

/* As Keycloak 26 makes them, but for its claim sub or sid when NULL; each with a jti of its own. */
static const char *claims_of(const char *sub, const char *sid)
{
    const char *claims = apr_psprintf(
        testlib_pool,
        "{\"exp\":%ld,\"iat\":%ld,\"jti\":\"jti-%d\",\"iss\":\"" KC_FAKE_ISSUER "\","
        "\"aud\":\"kubeflow-oidc-authservice\",\"typ\":\"Logout\",\"events\":" EVENTS "}",
        (long)fake->now + 120, (long)fake->now, ++serial);

    if (sub)
        claims = variant_of(claims, "sub", apr_psprintf(testlib_pool, "\"%s\"", sub));
    if (sid)
        claims = variant_of(claims, "sid", apr_psprintf(testlib_pool, "\"%s\"", sid));
    return claims;
}

static const char *sign(const char *claims)
{
    return testlib_sign(TESTLIB_RSA, "RS256", HEADER, claims);
}

static kc_rc_t take_form(const char *form)
{
    memset(&last, 0, sizeof(last));
    return kc_logout_token_take(site->rp, form, strlen(form), testlib_pool, &token, &last);
}

static kc_rc_t take(const char *compact)
{
    return take_form(apr_pstrcat(testlib_pool, "logout_token=", compact, NULL));
}

static kc_rc_t take_claims(const char *claims)
{
    return take(sign(claims));
}

/* The provider is told 400, and the administrator why. */
static void assert_refused(const char *compact, const char *detail)
{
    int count = kc_fake_store_count(&fake->sessions);

    ck_assert_int_eq(take(compact), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGOUT_TOKEN);
    ck_assert_int_eq(kc_err_row(last.reason)->status, 400);
    ck_assert_msg(strstr(last.detail, detail) != NULL, "'%s' does not name '%s'", last.detail,
                  detail);
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), count);
}

/* An otherwise sound token with one member of another value (NULL: without it). */
static void assert_variant_refused(const char *name, const char *value, const char *detail)
{
    assert_refused(sign(variant_of(claims_of(ALICE, "sid-a"), name, value)), detail);
}

/* ---------------------------------------------------------------- sessions */

static kc_session_t describe(const char *sub, const char *sid)
{
    kc_session_t fresh;

    memset(&fresh, 0, sizeof(fresh));
    fresh.created = fake->now;
    fresh.expires = fake->now + site->conf->session_max;
    fresh.token_expires = fresh.expires;
    fresh.sub = sub;
    fresh.sid = sid;
    fresh.user = fresh.email = "somebody@example.com";
    fresh.acr = fresh.groups = "";
    return fresh;
}

static const char *create(kc_session_t *fresh)
{
    char *id = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);

    ck_assert_int_eq(kc_session_create(site->rp, fresh, testlib_pool, id, NULL), KC_OK);
    return id;
}

static kc_rc_t begin(kc_session_t *fresh, int64_t begun)
{
    return kc_revocation_begin(site->rp, fresh, begun * 1000, testlib_pool, &last);
}

/* As a sign-in does that begins now. */
static const char *put(const char *sub, const char *sid)
{
    kc_session_t fresh = describe(sub, sid);

    ck_assert_int_eq(begin(&fresh, fake->now), KC_OK);
    return create(&fresh);
}

static kc_session_state_t state_of(const char *id)
{
    kc_session_t found;

    return kc_session_find(site->rp, kc_buf_text(id), testlib_pool, &found, NULL);
}

static void setup(void)
{
    testlib_setup();
    serial = 0;
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_pstrcat(testlib_pool, "{\"keys\":[",
                                     testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\""), "]}", NULL));
}

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_RSA);
    (void)testlib_key(TESTLIB_RSA_OTHER);
}

/* ---------------------------------------------------------------- sound ones */

START_TEST(one_as_keycloak_makes_it_is_taken)
{
    ck_assert_msg(take_claims(claims_of(ALICE, "sid-a")) == KC_OK, "%s", last.detail);
    ck_assert_str_eq(token.sub, ALICE);
    ck_assert_str_eq(token.sid, "sid-a");
    ck_assert_str_eq(token.jti, "jti-1");
    ck_assert_int_eq(token.issued, fake->now);
}
END_TEST

START_TEST(what_need_not_be_there_need_not_be_alike)
{
    static const char *const headers[] = {
        "{\"alg\":\"RS256\",\"kid\":\"k\"}", "{\"alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\"}",
        "{\"alg\":\"RS256\",\"typ\":\"Logout+JWT\",\"kid\":\"k\"}"};
    static const struct {
        const char *name;
        const char *value;
    } variants[] = {
        {"typ", NULL},
        {"aud", "[\"kubeflow-oidc-authservice\"]"},
        {"azp", "\"kubeflow-oidc-authservice\""},
        {"events", "{\"" EVENT "\":{\"more\":1},\"revoke_offline_access\":true}"},
        {"more", "[1,2,{\"a\":null}]"},
        {"sub", NULL},
        {"sid", NULL},
    };
    size_t i;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        ck_assert_msg(take(testlib_sign(TESTLIB_RSA, "RS256", headers[i],
                                        claims_of(ALICE, "sid-a"))) == KC_OK,
                      "%s: %s", headers[i], last.detail);
    for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
        ck_assert_msg(take_claims(variant_of(claims_of(ALICE, "sid-a"), variants[i].name,
                                             variants[i].value)) == KC_OK,
                      "%s: %s", variants[i].name, last.detail);
    ck_assert_int_eq(take_claims(variant_of(variant_of(claims_of(ALICE, "sid-a"), "aud",
                                                       "[\"x\",\"kubeflow-oidc-authservice\"]"),
                                            "azp", "\"kubeflow-oidc-authservice\"")),
                     KC_OK);
}
END_TEST

/* Section 2.5: what else a form has is not looked at. */
START_TEST(a_form_may_have_more)
{
    const char *compact = sign(claims_of(ALICE, "sid-a"));

    ck_assert_int_eq(
        take_form(apr_pstrcat(testlib_pool, "a=1&logout_token=", compact, "&a=2&b", NULL)), KC_OK);
}
END_TEST

START_TEST(times_may_differ_as_much_as_clocks)
{
    const char *claims = claims_of(ALICE, "sid-a");
    int64_t skew = site->conf->clock_skew;

    fake->now -= skew;
    ck_assert_int_eq(take_claims(claims), KC_OK);
    claims = claims_of(ALICE, "sid-a");
    fake->now += 120 + skew - 1;
    ck_assert_int_eq(take_claims(claims), KC_OK);
    claims = claims_of(ALICE, "sid-a");
    fake->now += 120 + skew;
    assert_refused(sign(claims), "exp is");
    claims = claims_of(ALICE, "sid-a");
    fake->now -= skew + 1;
    assert_refused(sign(claims), "iat is 31 s in the future");
}
END_TEST

static void assert_refused_for(const char *compact, kc_reason_t reason)
{
    ck_assert_int_eq(take(compact), KC_REFUSED);
    ck_assert_int_eq(last.reason, reason);
}

START_TEST(an_old_one_is_refused_however_late_it_expires)
{
    const char *claims = variant_of(claims_of(ALICE, "sid-a"), "exp", "253402300799");

    fake->now += KC_LOGOUT_TOKEN_AGE + site->conf->clock_skew + 1;
    assert_refused(sign(claims), "iat is 151 s in the past");
    fake->now--;
    ck_assert_int_eq(take_claims(claims), KC_OK);
}
END_TEST

/* As Keycloak up to 22, RH-SSO, Ory and others make them: without exp, of which a logout token had
 * none in drafts; whether it is too old is told by iat, and its jti is taken once. */
static const char *const old_ones[] = {
    "{\"iat\":%ld,\"jti\":\"old-%d\",\"iss\":\"" KC_FAKE_ISSUER "\",\"sub\":\"" ALICE "\","
    "\"sid\":\"sid-a\",\"aud\":\"kubeflow-oidc-authservice\",\"typ\":\"Logout\",\"events\":{"
    "\"" EVENT "\":{},\"revoke_offline_access\":true}}",
    "{\"iat\":%ld,\"jti\":\"old-%d\",\"iss\":\"" KC_FAKE_ISSUER "\",\"exp\":null,"
    "\"sid\":\"sid-a\",\"aud\":[\"kubeflow-oidc-authservice\"],\"events\":{\"" EVENT "\":{}}}",
    "{\"iat\":%ld,\"jti\":\"old-%d\",\"iss\":\"" KC_FAKE_ISSUER "\",\"sub\":\"" ALICE "\","
    "\"aud\":[\"kubeflow-oidc-authservice\",\"another\"],\"events\":{\"" EVENT "\":{}}}",
    "{\"iat\":%ld,\"jti\":\"old-%d\",\"iss\":\"" KC_FAKE_ISSUER "\",\"sub\":\"" ALICE "\","
    "\"sid\":null,\"azp\":null,\"aud\":\"kubeflow-oidc-authservice\",\"events\":{\"" EVENT
    "\":{}}}",
};

static const char *old_one(int kind)
{
    return apr_psprintf(testlib_pool, old_ones[kind], (long)fake->now, ++serial);
}

START_TEST(one_without_exp_is_taken_once_while_it_is_young)
{
    const int64_t skew = site->conf->clock_skew;
    const char *compact = sign(old_one(_i));

    ck_assert_msg(take(compact) == KC_OK, "%s", last.detail);
    assert_refused_for(compact, KC_ERR_LOGOUT_REPLAY);
    compact = sign(old_one(_i));
    fake->now += KC_LOGOUT_TOKEN_AGE + skew;
    ck_assert_msg(take(compact) == KC_OK, "%s", last.detail);
    assert_refused_for(compact, KC_ERR_LOGOUT_REPLAY);
    compact = sign(old_one(_i));
    fake->now += KC_LOGOUT_TOKEN_AGE + skew + 1;
    assert_refused(compact, "iat is 151 s in the past");
    compact = sign(old_one(_i));
    fake->now -= skew + 1;
    assert_refused(compact, "iat is 31 s in the future");
}
END_TEST

/* RFC 7519 section 2; null is absent. */
START_TEST(times_may_have_fractions_and_members_be_null)
{
    static const struct {
        const char *name;
        const char *value;
    } sound[] = {{"iat", "1700000000.5"},   {"iat", "1.7e9"}, {"exp", "1700000100.25"},
                 {"nbf", "1699999999.999"}, {"nbf", "null"},  {"azp", "null"},
                 {"sub", "null"},           {"sid", "null"},  {"typ", "null"}};
    size_t i;

    for (i = 0; i < sizeof(sound) / sizeof(sound[0]); i++)
        ck_assert_msg(take_claims(variant_of(claims_of(ALICE, "sid-a"), sound[i].name,
                                             sound[i].value)) == KC_OK,
                      "%s %s: %s", sound[i].name, sound[i].value, last.detail);
}
END_TEST

/* ---------------------------------------------------------------- wrong ones */

static const struct {
    const char *name;
    const char *value;
    const char *detail;
} wrong[] = {
    {"iss", NULL, "iss is absent"},
    {"iss", "1", "iss is absent or no string"},
    {"iss", "\"" KC_FAKE_ISSUER "/\"", "iss is " KC_FAKE_ISSUER "/"},
    {"iss", "\"https://elsewhere.example.com\"", "token-issuer"},
    {"aud", NULL, "aud does not hold"},
    {"aud", "\"other\"", "aud does not hold"},
    {"aud", "[]", "aud does not hold"},
    {"aud", "[\"kubeflow-oidc-authservice\",1]", "aud does not hold"},
    {"aud", "{\"kubeflow-oidc-authservice\":1}", "aud does not hold"},
    {"azp", "[1]", "azp is no string"},
    {"iat", NULL, "iat is absent"},
    {"iat", "\"1700000000\"", "iat is no time"},
    {"iat", "-1", "iat is no time"},
    {"iat", "null", "iat is absent"},
    {"iat", "1", "iat is 1699999999 s in the past"},
    {"iat", "1700000031", "in the future"},
    {"exp", "\"1700000120\"", "exp is no time"},
    {"exp", "1e300", "exp is no time"},
    {"exp", "1699999970", "exp is 30 s in the past"},
    {"exp", "1700000000", "exp is not after iat"},
    {"nbf", "1700000031", "nbf is 31 s in the future"},
    {"nbf", "\"1\"", "nbf is no time"},
    {"jti", NULL, "jti is absent"},
    {"jti", "\"\"", "jti is empty"},
    {"jti", "1", "jti is"},
    {"jti", "null", "jti is absent"},
    {"jti", "\"a\\u0001b\"", "jti is"},
    {"events", NULL, "events is absent"},
    {"events", "\"" EVENT "\"", "events is absent or no object"},
    {"events", "[\"" EVENT "\"]", "events is absent or no object"},
    {"events", "{}", "events has no object"},
    {"events", "{\"http://schemas.openid.net/event/backchannel-logout/\":{}}", "events has no"},
    {"events", "{\"" EVENT "\":null}", "events has no object"},
    {"events", "{\"" EVENT "\":true}", "events has no object"},
    {"events", "{\"" EVENT "\":[]}", "events has no object"},
    {"nonce", "\"n\"", "nonce"},
    {"nonce", "1", "nonce"},
    {"nonce", "null", "nonce"}, /* it must not be there: no optional member */
    {"typ", "\"ID\"", "typ is ID"},
    {"typ", "\"Refresh\"", "typ is Refresh"},
    {"typ", "\"Bearer\"", "typ is Bearer"},
    {"typ", "\"logout\"", "typ is logout"},
    {"typ", "1", "typ is no string"},
    {"sub", "\"\"", "sub is"},
    {"sub", "1", "sub is"},
    {"sub", "[\"" ALICE "\"]", "sub is"},
    {"sid", "\"\"", "sid is"},
    {"sid", "{}", "sid is"},
    {"sid", "\"a\\nb\"", "sid is"},
};

START_TEST(every_wrong_claim_is_refused)
{
    assert_variant_refused(wrong[_i].name, wrong[_i].value, wrong[_i].detail);
}
END_TEST

START_TEST(texts_have_a_limit)
{
    static const char *const names[] = {"jti", "sub", "sid"};
    size_t i;

    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(take_claims(variant_of(claims_of(ALICE, "sid-a"), names[i],
                                                variant_text('x', KC_CLAIMS_TEXT_MAX))),
                         KC_OK);
        assert_variant_refused(names[i], variant_text('x', KC_CLAIMS_TEXT_MAX + 1), names[i]);
    }
}
END_TEST

START_TEST(one_that_names_nobody_is_refused)
{
    assert_refused(sign(claims_of(NULL, NULL)), "both sub and sid are absent");
}
END_TEST

START_TEST(header_types_of_other_tokens_are_refused)
{
    static const char *const headers[] = {
        "{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"k\"}",
        "{\"alg\":\"RS256\",\"typ\":\"\",\"kid\":\"k\"}",
        "{\"alg\":\"RS256\",\"typ\":\"secevent+jwt\",\"kid\":\"k\"}"};
    size_t i;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        assert_refused(testlib_sign(TESTLIB_RSA, "RS256", headers[i], claims_of(ALICE, "sid-a")),
                       "header typ is");
    assert_refused(testlib_sign(TESTLIB_RSA, "RS256", "{\"alg\":\"RS256\",\"typ\":1,\"kid\":\"k\"}",
                                claims_of(ALICE, "sid-a")),
                   "token-header");
    assert_refused(testlib_sign(TESTLIB_RSA, "RS256",
                                "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"kid\":\"k\"}",
                                claims_of(ALICE, "sid-a")),
                   "token-header");
}
END_TEST

/* Sound ones, that is: as Keycloak signs them for this very client. */
START_TEST(other_kinds_of_token_are_refused)
{
    const char *id_token = variant_of(claims_of(ALICE, "sid-a"), "events", NULL);

    id_token = variant_of(id_token, "azp", "\"kubeflow-oidc-authservice\"");
    id_token = variant_of(id_token, "typ", "\"ID\"");
    assert_refused(sign(variant_of(id_token, "nonce", "\"n\"")), "typ is ID");
    assert_refused(sign(variant_of(id_token, "typ", NULL)), "events is absent");
    assert_refused(sign(variant_of(variant_of(id_token, "typ", NULL), "nonce", "\"n\"")), "nonce");
    assert_refused(sign(variant_of(id_token, "typ", "\"Refresh\"")), "typ is Refresh");
    assert_refused(sign(variant_of(id_token, "typ", "\"Bearer\"")), "typ is Bearer");
}
END_TEST

/* ---------------------------------------------------------------- signatures */

START_TEST(unsigned_ones_are_refused)
{
    const kc_bytes_t nothing = {NULL, 0}, some = {(const unsigned char *)"x", 1};
    const char *claims = claims_of(ALICE, "sid-a");

    assert_refused(testlib_compact("{\"alg\":\"none\",\"kid\":\"k\"}", claims, nothing),
                   "token-form");
    assert_refused(testlib_compact("{\"alg\":\"none\",\"kid\":\"k\"}", claims, some),
                   "alg 'none' is not allowed");
    assert_refused(testlib_compact("{\"kid\":\"k\"}", claims, some), "token-algorithm");
    assert_refused("", "token-form");
    assert_refused("a.b", "token-form");
}
END_TEST

static void allow(const char *algorithm)
{
    apr_array_header_t *words = apr_array_make(testlib_pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(words, const char *) = algorithm;
    site->conf->algorithms = words;
    kc_fake_site_renew(site);
}

START_TEST(symmetric_ones_are_refused)
{
    const char *claims = claims_of(ALICE, "sid-a");
    const char *jwk = testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\"");
    const char *compact = testlib_sign_hmac(
        kc_buf_text(jwk), "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\",\"kid\":\"k\"}", claims);

    assert_refused(compact, "alg 'HS256' is not allowed");
    /* not even when somebody has got it past the check of the settings */
    allow("HS256");
    assert_refused(compact, "token-algorithm");
    compact = testlib_sign_hmac(kc_buf_text(site->conf->client_secret.text),
                                "{\"alg\":\"HS256\",\"kid\":\"k\"}", claims);
    assert_refused(compact, "token-algorithm");
    allow("none");
    assert_refused(testlib_compact("{\"alg\":\"none\",\"kid\":\"k\"}", claims, kc_buf_text("x")),
                   "token-algorithm");
}
END_TEST

START_TEST(algorithms_that_are_not_allowed_are_refused)
{
    allow("PS256");
    assert_refused(sign(claims_of(ALICE, "sid-a")), "alg 'RS256' is not allowed");
}
END_TEST

START_TEST(foreign_and_spoilt_signatures_are_refused)
{
    const char *claims = claims_of(ALICE, "sid-a");
    char *compact = apr_pstrdup(testlib_pool, sign(claims));

    assert_refused(testlib_sign(TESTLIB_RSA_OTHER, "RS256", HEADER, claims), "token-signature");
    compact[strlen(compact) - 3] = compact[strlen(compact) - 3] == 'A' ? 'B' : 'A';
    assert_refused(compact, "token-signature");
    assert_refused(apr_pstrcat(testlib_pool, sign(claims), ".x", NULL), "token-form");
}
END_TEST

START_TEST(an_unknown_key_is_fetched_once)
{
    const char *header = "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\",\"kid\":\"new\"}";
    const char *compact =
        testlib_sign(TESTLIB_RSA_OTHER, "RS256", header, claims_of(ALICE, "sid-a"));
    int i;

    ck_assert_int_eq(take_claims(claims_of(ALICE, "sid-a")), KC_OK);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_JWKS), 1);
    fake->now += 1;
    for (i = 0; i < 5; i++)
        assert_refused(compact, "token-key");
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_JWKS), 2);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_pstrcat(testlib_pool, "{\"keys\":[",
                                     testlib_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"new\""), "]}",
                                     NULL));
    fake->now += 61;
    ck_assert_msg(take(compact) == KC_OK, "%s", last.detail);
}
END_TEST

START_TEST(a_provider_that_is_down_refuses_nothing)
{
    fake->http.is_down = 1;
    ck_assert_int_eq(take_claims(claims_of(ALICE, "sid-a")), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(kc_err_row(last.reason)->status, 503);
}
END_TEST

/* ---------------------------------------------------------------- forms */

static void assert_form_refused(const char *form, size_t len)
{
    memset(&last, 0, sizeof(last));
    ck_assert_int_eq(kc_logout_token_take(site->rp, form, len, testlib_pool, &token, &last),
                     KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_FORM);
    ck_assert_int_eq(kc_err_row(last.reason)->status, 400);
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), 0);
}

START_TEST(forms_need_exactly_one_token)
{
    const char *compact = sign(claims_of(ALICE, "sid-a"));
    const char *form = apr_pstrcat(testlib_pool, "logout_token=", compact, NULL);
    const char *twice = apr_pstrcat(testlib_pool, form, "&", form, NULL);
    const char *nul = apr_pstrcat(testlib_pool, form, "&x", NULL);
    char *cut = apr_pstrdup(testlib_pool, nul);
    char *large = apr_palloc(testlib_pool, KC_QUERY_FORM_MAX + 2);

    assert_form_refused("", 0);
    assert_form_refused("token=x", 7);
    assert_form_refused("%6", 2);
    assert_form_refused(twice, strlen(twice));
    cut[strlen(form)] = '\0';
    assert_form_refused(cut, strlen(nul));
    memset(large, 'x', KC_QUERY_FORM_MAX + 1);
    large[KC_QUERY_FORM_MAX + 1] = '\0';
    assert_form_refused(large, KC_QUERY_FORM_MAX + 1);
    ck_assert_int_eq(take_form(form), KC_OK);
}
END_TEST

/* A token may be larger than an address, but not than a token. */
START_TEST(large_tokens_are_read_up_to_the_limit)
{
    const char *claims = claims_of(ALICE, "sid-a");

    ck_assert_msg(take_claims(variant_of(claims, "more", variant_text('x', 9000))) == KC_OK, "%s",
                  last.detail);
    assert_refused(sign(variant_of(claims, "more", variant_text('x', KC_LOGOUT_TOKEN_MAX))),
                   "token-size");
}
END_TEST

/* ---------------------------------------------------------------- once */

START_TEST(a_token_is_taken_once)
{
    const char *compact = sign(claims_of(ALICE, NULL)), *id;

    ck_assert_int_eq(take(compact), KC_OK);
    fake->now += 1;
    id = put(ALICE, "later");
    ck_assert_int_eq(take(compact), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGOUT_REPLAY);
    ck_assert_int_eq(kc_err_row(last.reason)->status, 400);
    ck_assert_int_eq(state_of(id), KC_SESSION_LIVE);
    ck_assert_int_eq(take_claims(claims_of(ALICE, NULL)), KC_OK);
    ck_assert_int_eq(state_of(id), KC_SESSION_ENDED);
}
END_TEST

/* As long as it would be good for, by whichever clock. */
START_TEST(a_token_is_remembered_while_it_is_good)
{
    const char *claims = variant_of(claims_of(ALICE, NULL), "exp", "253402300799");
    int64_t skew = site->conf->clock_skew;

    fake->now -= skew;
    ck_assert_int_eq(take_claims(claims), KC_OK);
    fake->now += skew + KC_LOGOUT_TOKEN_AGE + skew;
    ck_assert_int_eq(take_claims(claims), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGOUT_REPLAY);
}
END_TEST

static void use_keys(const char *newest, const char *older)
{
    site->keys = kc_fake_site_keys(site, newest, older);
    kc_fake_site_renew(site);
}

/* Nodes in every state of a change of keys. */
START_TEST(a_replay_to_a_node_with_other_keys_is_refused)
{
    static const char *const keys[][2] = {
        {OLD_KEY, NULL}, {OLD_KEY, NEW_KEY}, {NEW_KEY, OLD_KEY}, {NEW_KEY, NULL}};
    size_t from, to;

    for (from = 0; from < 4; from++) {
        for (to = from ? from - 1 : 0; to < 4 && to <= from + 1; to++) {
            const char *compact = sign(claims_of(ALICE, NULL));

            use_keys(keys[from][0], keys[from][1]);
            ck_assert_int_eq(take(compact), KC_OK);
            use_keys(keys[to][0], keys[to][1]);
            ck_assert_int_eq(take(compact), KC_REFUSED);
            ck_assert_int_eq(last.reason, KC_ERR_LOGOUT_REPLAY);
        }
    }
}
END_TEST

/* ---------------------------------------------------------------- store down */

START_TEST(a_store_that_is_down_leaves_everything_as_it_was)
{
    const char *compact = sign(claims_of(ALICE, "sid-a")), *id = put(ALICE, "sid-a");

    fake->sessions.is_down = 1;
    ck_assert_int_eq(take(compact), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    ck_assert_int_eq(kc_err_row(last.reason)->status, 503);
    fake->sessions.is_down = 0;
    ck_assert_int_eq(state_of(id), KC_SESSION_LIVE);
    ck_assert_int_eq(take(compact), KC_OK);
    ck_assert_int_eq(state_of(id), KC_SESSION_ENDED);
}
END_TEST

/* A store whose first put fails, as one does that goes away for a moment. */
static kc_rc_t (*true_put)(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                           kc_err_t *err);
static int puts_to_fail;

static kc_rc_t failing_put(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                           kc_err_t *err)
{
    if (puts_to_fail && puts_to_fail-- > 0)
        return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "told to fail");
    return true_put(store, key, value, expires_at, err);
}

START_TEST(a_mark_that_cannot_be_left_makes_the_token_good_again)
{
    const char *compact = sign(claims_of(ALICE, "sid-a")), *id;
    kc_store_vtable_t vtable;

    use_keys(NEW_KEY, OLD_KEY);
    id = put(ALICE, "sid-a");
    vtable = *fake->env.sessions->vtable;
    true_put = vtable.put;
    vtable.put = failing_put;
    fake->env.sessions->vtable = &vtable;
    puts_to_fail = 1;
    ck_assert_int_eq(take(compact), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), 1); /* the session */
    ck_assert_int_eq(state_of(id), KC_SESSION_LIVE);
    ck_assert_int_eq(take(compact), KC_OK);
    ck_assert_int_eq(state_of(id), KC_SESSION_ENDED);
    ck_assert_int_eq(take(compact), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGOUT_REPLAY);
}
END_TEST

/* Whatever fails behind the mark, the logout is not lost. */
START_TEST(a_marker_that_cannot_be_left_does_not_take_the_logout_back)
{
    const char *compact = sign(claims_of(ALICE, "sid-a")), *id = put(ALICE, "sid-a");

    fake->sessions.down_after = 2; /* the look for a marker, the mark */
    ck_assert_int_eq(take(compact), KC_DOWN);
    fake->sessions.is_down = 0;
    fake->sessions.down_after = KC_FAKE_NEVER;
    ck_assert_int_eq(state_of(id), KC_SESSION_ENDED);
    ck_assert_int_eq(take(compact), KC_OK); /* Keycloak's next try */
}
END_TEST

/* ---------------------------------------------------------------- what ends */

START_TEST(a_sid_ends_its_sessions_alone)
{
    const char *first = put(ALICE, "sid-a"), *copy = put(ALICE, "sid-a");
    const char *other = put(ALICE, "sid-b"), *bob = put(BOB, "sid-c"), *none = put(ALICE, "");

    ck_assert_int_eq(take_claims(claims_of(NULL, "sid-a")), KC_OK);
    ck_assert_int_eq(state_of(first), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(copy), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(other), KC_SESSION_LIVE);
    ck_assert_int_eq(state_of(bob), KC_SESSION_LIVE);
    ck_assert_int_eq(state_of(none), KC_SESSION_LIVE);
}
END_TEST

START_TEST(sub_and_sid_together_end_the_sids_sessions_alone)
{
    const char *first = put(ALICE, "sid-a"), *other = put(ALICE, "sid-b");

    ck_assert_int_eq(take_claims(claims_of(ALICE, "sid-a")), KC_OK);
    ck_assert_int_eq(state_of(first), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(other), KC_SESSION_LIVE);
}
END_TEST

START_TEST(a_sub_ends_all_sessions_of_the_user_so_far)
{
    const char *first = put(ALICE, "sid-a"), *other = put(ALICE, ""), *bob = put(BOB, "sid-c");
    const char *later;

    fake->now += 10;
    ck_assert_int_eq(take_claims(claims_of(ALICE, NULL)), KC_OK);
    fake->now += 1;
    later = put(ALICE, "sid-d");
    ck_assert_int_eq(state_of(first), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(other), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(bob), KC_SESSION_LIVE);
    ck_assert_int_eq(state_of(later), KC_SESSION_LIVE);
}
END_TEST

/* What a mark has ended goes, and leaves a mark of its own: nobody who pushes marks out of the
 * store revives it. */
START_TEST(a_session_that_met_a_mark_is_gone_for_good)
{
    const char *id = put(ALICE, "sid-a");
    kc_fake_entry_t copy = *kc_fake_store_nth(&fake->sessions, 0);
    const kc_bytes_t value = {copy.data, copy.len};
    int i;

    ck_assert_int_eq(take_claims(claims_of(ALICE, "sid-a")), KC_OK);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(state_of(id), KC_SESSION_ENDED);
    ck_assert_ptr_null(kc_fake_store_entry(&fake->sessions, copy.key));
    kc_fake_store_nth(&fake->sessions, 1)->key[0] = '\0'; /* the sid's mark is pushed out */
    ck_assert_int_eq(kc_store_put(&fake->sessions.store, copy.key, value, copy.expires_at, NULL),
                     KC_OK);
    ck_assert_int_eq(state_of(id), KC_SESSION_ENDED);
}
END_TEST

/* Marks stay for KeycloakSessionMax, and so must no session of before longer. */
START_TEST(sessions_of_before_a_shorter_maximum_do_not_outlive_their_marks)
{
    const char *id = put(ALICE, "sid-a");

    site->conf->session_max = 1800;
    kc_fake_site_renew(site);
    ck_assert_int_eq(state_of(id), KC_SESSION_LIVE);
    fake->now += 1800;
    ck_assert_int_eq(state_of(id), KC_SESSION_ENDED);
}
END_TEST

START_TEST(a_sid_that_comes_with_a_renewal_counts)
{
    const char *id = put(ALICE, "");
    kc_session_t found, fresh;

    ck_assert_int_eq(kc_session_find(site->rp, kc_buf_text(id), testlib_pool, &found, NULL),
                     KC_SESSION_LIVE);
    fresh = found;
    fresh.sid = "sid-a";
    ck_assert_int_eq(kc_session_replace(&found, &fresh, testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(take_claims(claims_of(BOB, "sid-b")), KC_OK);
    ck_assert_int_eq(state_of(id), KC_SESSION_LIVE);
    ck_assert_int_eq(take_claims(claims_of(ALICE, "sid-a")), KC_OK);
    ck_assert_int_eq(state_of(id), KC_SESSION_ENDED);
}
END_TEST

/* Of an unknown kid anybody can speak: the minute's fetch for one that a sign-in brings is not
 * theirs.
 */
START_TEST(a_strangers_token_does_not_keep_sign_ins_from_new_keys)
{
    static const char strange[] = "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\",\"kid\":\"zzz\"}";
    const kc_metadata_snapshot_t *snapshot;
    const kc_jose_key_t *key;
    int asked;

    ck_assert_int_eq(take_claims(claims_of(BOB, "other")), KC_OK);
    fake->now += 120;
    ck_assert_int_eq(take(testlib_sign(TESTLIB_RSA_OTHER, "RS256", strange, claims_of(ALICE, "x"))),
                     KC_REFUSED);
    asked = kc_fake_request_count(fake, KC_FAKE_JWKS);
    ck_assert_int_eq(take(testlib_sign(TESTLIB_RSA_OTHER, "RS256", strange, claims_of(ALICE, "x"))),
                     KC_REFUSED);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_JWKS), asked); /* once a minute */
    fake->now += 5;
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_pstrcat(testlib_pool, "{\"keys\":[",
                                     testlib_jwk(TESTLIB_RSA, ",\"kid\":\"new\""), "]}", NULL));
    ck_assert_int_eq(kc_metadata_get(site->rp->metadata, testlib_pool, &snapshot, NULL), KC_OK);
    ck_assert_int_eq(kc_token_signature_key(site->rp->metadata, "RS256", "new", testlib_pool,
                                            &snapshot, &key, NULL),
                     KC_OK);
}
END_TEST

/* Another virtual host of the same client, which names people otherwise, has sessions of its own,
 * and Keycloak calls only one of them. */
START_TEST(a_logout_counts_for_every_site_of_the_client)
{
    const char *id = put(ALICE, "sid-a"), *compact = sign(claims_of(ALICE, "sid-a"));
    kc_rp_t *here = site->rp;

    site->conf->groups_claim = "other_groups";
    kc_fake_site_renew(site);
    ck_assert_mem_ne(site->rp->id, here->id, KC_RP_ID_SIZE);
    ck_assert_int_eq(take(compact), KC_OK);
    ck_assert_int_eq(take(compact), KC_REFUSED);
    site->rp = here;
    ck_assert_int_eq(take(compact), KC_REFUSED); /* nor can it be replayed there */
    ck_assert_int_eq(state_of(id), KC_SESSION_ENDED);
}
END_TEST

/* threats.md L 167 */
START_TEST(a_session_that_is_written_too_late_has_ended)
{
    kc_session_t by_sid = describe(ALICE, "sid-a"), by_sub = describe(BOB, "sid-b");

    ck_assert_int_eq(begin(&by_sid, fake->now), KC_OK);
    ck_assert_int_eq(begin(&by_sub, fake->now), KC_OK);
    ck_assert_int_eq(take_claims(claims_of(ALICE, "sid-a")), KC_OK);
    ck_assert_int_eq(take_claims(claims_of(BOB, NULL)), KC_OK);
    ck_assert_int_eq(state_of(create(&by_sid)), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(create(&by_sub)), KC_SESSION_ENDED);
}
END_TEST

/* The logout came while the tokens were on their way. */
START_TEST(a_sign_in_that_was_under_way_makes_no_session)
{
    kc_session_t by_sid = describe(ALICE, "sid-a"), by_sub = describe(BOB, "sid-b");
    int64_t begun = fake->now;

    fake->now += 2;
    ck_assert_int_eq(take_claims(claims_of(ALICE, "sid-a")), KC_OK);
    ck_assert_int_eq(take_claims(claims_of(BOB, NULL)), KC_OK);
    fake->now += 1;
    ck_assert_int_eq(begin(&by_sid, begun), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_SIGNED_OUT_NOW);
    ck_assert_int_eq(begin(&by_sub, begun), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_SIGNED_OUT_NOW);
    ck_assert_int_eq(begin(&by_sub, fake->now), KC_OK);
    ck_assert_int_eq(state_of(create(&by_sub)), KC_SESSION_LIVE);
}
END_TEST

/* ----------------------------------------------------------------  */

static void add_reading(TCase *reading)
{
    tcase_add_checked_fixture(reading, setup, testlib_teardown);
    tcase_add_test(reading, one_as_keycloak_makes_it_is_taken);
    tcase_add_test(reading, what_need_not_be_there_need_not_be_alike);
    tcase_add_test(reading, a_form_may_have_more);
    tcase_add_test(reading, times_may_differ_as_much_as_clocks);
    tcase_add_test(reading, an_old_one_is_refused_however_late_it_expires);
    tcase_add_loop_test(reading, one_without_exp_is_taken_once_while_it_is_young, 0,
                        (int)(sizeof(old_ones) / sizeof(old_ones[0])));
    tcase_add_loop_test(reading, every_wrong_claim_is_refused, 0,
                        (int)(sizeof(wrong) / sizeof(wrong[0])));
    tcase_add_test(reading, times_may_have_fractions_and_members_be_null);
    tcase_add_test(reading, texts_have_a_limit);
    tcase_add_test(reading, one_that_names_nobody_is_refused);
    tcase_add_test(reading, header_types_of_other_tokens_are_refused);
    tcase_add_test(reading, other_kinds_of_token_are_refused);
    tcase_add_test(reading, unsigned_ones_are_refused);
    tcase_add_test(reading, symmetric_ones_are_refused);
    tcase_add_test(reading, algorithms_that_are_not_allowed_are_refused);
    tcase_add_test(reading, foreign_and_spoilt_signatures_are_refused);
    tcase_add_test(reading, an_unknown_key_is_fetched_once);
    tcase_add_test(reading, a_provider_that_is_down_refuses_nothing);
    tcase_add_test(reading, forms_need_exactly_one_token);
    tcase_add_test(reading, large_tokens_are_read_up_to_the_limit);
}

static void add_acting(TCase *acting)
{
    tcase_add_checked_fixture(acting, setup, testlib_teardown);
    tcase_add_test(acting, a_token_is_taken_once);
    tcase_add_test(acting, a_token_is_remembered_while_it_is_good);
    tcase_add_test(acting, a_replay_to_a_node_with_other_keys_is_refused);
    tcase_add_test(acting, a_store_that_is_down_leaves_everything_as_it_was);
    tcase_add_test(acting, a_mark_that_cannot_be_left_makes_the_token_good_again);
    tcase_add_test(acting, a_marker_that_cannot_be_left_does_not_take_the_logout_back);
    tcase_add_test(acting, a_sid_ends_its_sessions_alone);
    tcase_add_test(acting, sub_and_sid_together_end_the_sids_sessions_alone);
    tcase_add_test(acting, a_sub_ends_all_sessions_of_the_user_so_far);
    tcase_add_test(acting, a_logout_counts_for_every_site_of_the_client);
    tcase_add_test(acting, a_session_that_met_a_mark_is_gone_for_good);
    tcase_add_test(acting, sessions_of_before_a_shorter_maximum_do_not_outlive_their_marks);
    tcase_add_test(acting, a_sid_that_comes_with_a_renewal_counts);
    tcase_add_test(acting, a_strangers_token_does_not_keep_sign_ins_from_new_keys);
    tcase_add_test(acting, a_session_that_is_written_too_late_has_ended);
    tcase_add_test(acting, a_sign_in_that_was_under_way_makes_no_session);
}

Suite *kc_test_logout_token(void)
{
    Suite *suite = suite_create("logout_token");
    TCase *reading = tcase_create("reading");
    TCase *acting = tcase_create("acting");

    tcase_add_unchecked_fixture(reading, make_keys, testlib_keys_free);
    tcase_add_unchecked_fixture(acting, make_keys, testlib_keys_free);
    add_reading(reading);
    add_acting(acting);
    suite_add_tcase(suite, reading);
    suite_add_tcase(suite, acting);
    return suite;
}

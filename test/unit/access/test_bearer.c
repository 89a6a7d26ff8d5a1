/* Tests of bearer.h: which tokens are accepted, for which user, for how long, and what ends that.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access/bearer.h"
#include "session/revocation.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "access/authz.h"
#include "crypto/jws.h"
#include "fake_site.h"
#include "form.h"
#include "session/session_monitor.h"
#include "session/session_tokens.h"
#include "testlib.h"
#include "variant.h"

Suite *kc_test_bearer(void);

#define ALICE "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define HEADER "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\"}"
#define CLIENT "kubeflow-oidc-authservice"

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_view_cache_t *cache;
static kc_session_t session; /* as found last */
static kc_err_t last;

/* ---------------------------------------------------------------- tokens */

/* As Keycloak 26 makes them for a client of its own, with an audience mapper. */
static const char *access_claims(void)
{
    return apr_psprintf(
        testlib_pool,
        "{\"exp\":%ld,\"iat\":%ld,\"auth_time\":%ld,\"jti\":\"a\",\"iss\":\"" KC_FAKE_ISSUER "\","
        "\"aud\":[\"" CLIENT "\",\"account\"],\"sub\":\"" ALICE "\",\"typ\":\"Bearer\","
        "\"azp\":\"kfp-cli\",\"sid\":\"sid-a\",\"acr\":\"1\","
        "\"realm_access\":{\"roles\":[\"user\",\"offline_access\"]},"
        "\"resource_access\":{\"" CLIENT "\":{\"roles\":[\"editor\"]}},"
        "\"scope\":\"openid email\",\"email_verified\":true,\"groups\":[\"/team-a\",\"team-b\"],"
        "\"preferred_username\":\"alice\",\"email\":\"alice@example.com\"}",
        (long)fake->now + 300, (long)fake->now, (long)fake->now - 100);
}

static const char *id_claims(void)
{
    const char *claims = variant_of(access_claims(), "typ", "\"ID\"");

    claims = variant_of(claims, "aud", "\"" CLIENT "\"");
    return variant_of(claims, "azp", "\"" CLIENT "\"");
}

static const char *sign_as(const char *header, const char *claims)
{
    return testlib_sign(TESTLIB_RSA, "RS256", header, claims);
}

static const char *sign(const char *claims)
{
    return sign_as(HEADER, claims);
}

static const char *variant(const char *name, const char *value)
{
    return sign(variant_of(access_claims(), name, value));
}

static kc_session_state_t find(const char *compact)
{
    memset(&last, 0, sizeof(last));
    return kc_bearer_find(site->rp, kc_buf_text(compact), testlib_pool, &session, &last);
}

static void assert_taken(const char *compact)
{
    ck_assert_msg(find(compact) == KC_SESSION_LIVE, "refused: %s", last.detail);
    ck_assert_str_eq(session.user, "alice@example.com");
}

/* One answer for the client; the log is told more. */
static void assert_refused(const char *compact, const char *detail)
{
    ck_assert_int_eq(find(compact), KC_SESSION_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_INVALID_TOKEN);
    ck_assert_msg(strstr(last.detail, detail) != NULL, "'%s' does not name '%s'", last.detail,
                  detail);
}

static int questions(void)
{
    return fake->sessions.gets;
}

static void renew(int kinds, const char *audience)
{
    apr_array_header_t *list = apr_array_make(testlib_pool, 1, sizeof(const char *));

    site->conf->bearer = kinds;
    APR_ARRAY_PUSH(list, const char *) = audience;
    site->conf->audience = audience ? list : NULL;
    kc_fake_site_renew(site);
}

/* Once for all tests: each is a process of its own, which would make them anew. */
static void make_keys(void)
{
    (void)testlib_key(TESTLIB_RSA);
    (void)testlib_key(TESTLIB_RSA_OTHER);
}

static void setup(void)
{
    const kc_siphash_key_t key = {{1, 2}};

    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    ck_assert_int_eq(kc_view_cache_create(1024 * 1024, &key, testlib_pool, &cache, NULL), KC_OK);
    fake->env.cache = cache;
    kc_fake_site_provide(
        site, kc_fake_site_metadata(site, ""),
        apr_psprintf(testlib_pool, "{\"keys\":[%s]}",
                     testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\",\"alg\":\"RS256\",\"use\":\"sig\"")));
    renew(KC_BEARER_ON, NULL);
}

/* ---------------------------------------------------------------- the header */

static const struct {
    const char *header;
    const char *token; /* NULL: refused; "": not ours */
} headers[] = {
    {"Bearer a.b.c", "a.b.c"},
    {"bearer a.b.c", "a.b.c"},
    {"BEARER  \ta-b_c~+/==", "a-b_c~+/=="},
    {"Bearer", NULL},
    {"Bearer ", NULL},
    {"Bearer a b", NULL},
    {"Bearer a,b", NULL},
    {"Bearer a.b.c ", NULL},
    {"Bearer a.b.c, Bearer a.b.c", NULL},
    {"Bearer a.b.c, Basic YTpi", NULL},
    {"Basic YTpi, Bearer a.b.c", NULL},
    {"Basic YTpi,bearer\ta.b.c", NULL},
    {"Basic YTpi, , Bearer", NULL},
    {"Basic YTpi", ""},
    {"Bearers a.b.c", ""},
    {"Bear a.b.c", ""},
    {"Digest username=\"Bearer x\", realm=\"a\", uri=\"/Bearer\"", ""},
    {"Negotiate Bearer", ""},
    {"", ""},
    {NULL, ""},
};

START_TEST(header_is_read)
{
    const char *wanted = headers[_i].token;
    kc_bytes_t token = {NULL, 0};
    kc_rc_t rc = kc_bearer_read(headers[_i].header, &token, &last);

    ck_assert_int_eq(rc, !wanted ? KC_REFUSED : *wanted ? KC_OK : KC_MISS);
    if (rc == KC_REFUSED)
        ck_assert_int_eq(last.reason, KC_ERR_INVALID_TOKEN);
    if (rc != KC_OK)
        return;
    ck_assert_uint_eq(token.len, strlen(wanted));
    ck_assert_mem_eq(token.data, wanted, token.len);
}
END_TEST

START_TEST(header_has_a_greatest_length)
{
    char *text = apr_palloc(testlib_pool, 8 + KC_JWS_MAX + 1);
    kc_bytes_t token;

    memcpy(text, "Bearer ", 7);
    memset(text + 7, 'a', KC_JWS_MAX + 1);
    text[7 + KC_JWS_MAX + 1] = '\0';
    ck_assert_int_eq(kc_bearer_read(text, &token, &last), KC_REFUSED);
    text[7 + KC_JWS_MAX] = '\0';
    ck_assert_int_eq(kc_bearer_read(text, &token, &last), KC_OK);
}
END_TEST

/* ---------------------------------------------------------------- who it is */

START_TEST(access_token_names_its_user)
{
    assert_taken(sign(access_claims()));
    ck_assert_str_eq(session.sub, ALICE);
    ck_assert_str_eq(session.sid, "sid-a");
    ck_assert_str_eq(session.groups, "team-a,team-b");
    ck_assert_str_eq(session.acr, "1");
    ck_assert_int_eq(session.auth_time, fake->now - 100);
    ck_assert_int_eq(session.token_expires, fake->now + 300);
    ck_assert_int_eq(session.refresh_at, 0);
    ck_assert(session.is_bearer);
    ck_assert_str_eq(kc_session_list_next(&session.realm_roles, NULL), "user");
    ck_assert_str_eq(kc_session_list_next(&session.client_roles, NULL), CLIENT ":editor");
}
END_TEST

/* Also of the first tier, from which nobody could fetch anything. */
START_TEST(claims_and_roles_can_be_asked_for)
{
    const char *compact = sign(access_claims());
    const char *words[] = {"azp", "=", "kfp-cli"};
    const kc_authz_rule_t *rule;
    int i;

    ck_assert_int_eq(kc_authz_parse(KC_AUTHZ_CLAIM, 3, words, testlib_pool, &rule, &last), KC_OK);
    for (i = 0; i < 2; i++) {
        int before = questions();

        assert_taken(compact);
        ck_assert_int_eq(questions() - before, i ? 0 : 1);
        ck_assert(kc_authz_is_met(rule, &session, testlib_pool));
        ck_assert_ptr_eq(kc_session_tokens_id_token(&session, testlib_pool), NULL);
    }
    ck_assert_int_eq(questions(), 1);
}
END_TEST

START_TEST(identity_follows_the_rules_of_a_sign_in)
{
    assert_refused(variant("email_verified", "false"), "email-unverified");
    assert_refused(variant("email_verified", NULL), "email-unverified");
    assert_refused(variant("email", NULL), "user-missing");
    site->conf->user_claim = "preferred_username";
    site->conf->user_prefix = "kc:";
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(variant("email", NULL)), KC_SESSION_LIVE);
    ck_assert_str_eq(session.user, "kc:alice");
}
END_TEST

/* ---------------------------------------------------------------- threats.md M 168 to 170 */

START_TEST(kinds_are_taken_as_configured)
{
    const char *access = sign(access_claims()), *id = sign(id_claims());

    assert_taken(access);
    assert_taken(id);
    renew(KC_BEARER_ACCESS, NULL);
    assert_taken(access);
    assert_refused(id, "an ID token");
    renew(KC_BEARER_ID, NULL);
    assert_taken(id);
    assert_refused(access, "an access token");
}
END_TEST

static const struct {
    const char *header; /* its typ */
    const char *type;   /* the payload's, as JSON */
    int is_taken;
} types[] = {
    {"\"JWT\"", "\"Bearer\"", 1},
    {"\"jwt\"", "\"Bearer\"", 1},
    {"\"at+jwt\"", "\"Bearer\"", 1},
    {"\"application/at+jwt\"", "\"Bearer\"", 1},
    {"\"at+jwt\"", NULL, 1},
    {NULL, "\"Bearer\"", 1},
    {NULL, "\"ID\"", 1},
    {"\"JWT\"", "\"ID\"", 1},
    {"\"JWT\"", NULL, 0},
    {NULL, NULL, 0},
    {"\"JWT\"", "\"bearer\"", 0},
    {"\"JWT\"", "\"Refresh\"", 0},
    {"\"JWT\"", "\"Offline\"", 0},
    {"\"JWT\"", "\"Logout\"", 0},
    {"\"JWT\"", "\"DPoP\"", 0},
    {"\"JWT\"", "[\"Bearer\"]", 0},
    {"\"JWT\"", "1", 0},
    {"\"at+jwt\"", "\"ID\"", 0},
    {"\"at+jwt\"", "\"Refresh\"", 0},
    {"\"at+jwt\"", "1", 0},
    {"\"logout+jwt\"", "\"Logout\"", 0},
    {"\"logout+jwt\"", "\"Bearer\"", 0},
    {"\"logout+jwt\"", NULL, 0},
    {"\"JOSE\"", "\"Bearer\"", 0},
    {"\"dpop+jwt\"", "\"Bearer\"", 0},
    {"\"secevent+jwt\"", NULL, 0},
};

START_TEST(types_tell_tokens_apart)
{
    const char *header = variant_of(HEADER, "typ", types[_i].header);
    const char *compact = sign_as(header, variant_of(access_claims(), "typ", types[_i].type));

    if (types[_i].is_taken)
        assert_taken(compact);
    else
        assert_refused(compact, "token-type");
}
END_TEST

/* Of another provider than Keycloak, whose tokens have types of RFC 9068, their own, or none. */
static const struct {
    const char *typ;
    const char *more; /* claims */
    int kinds;
    kc_rc_t rc;
} others[] = {
    {"at+jwt", "", KC_BEARER_ACCESS, KC_OK},
    {"application/at+jwt", ",\"typ\":\"x\"", KC_BEARER_ACCESS, KC_REFUSED},
    {"JWT", ",\"scope\":\"a\"", KC_BEARER_ACCESS, KC_OK},
    {NULL, ",\"scp\":[\"a\"],\"cid\":\"c\"", KC_BEARER_ACCESS, KC_OK},
    {"JWT", ",\"typ\":\"access_token\"", KC_BEARER_ACCESS, KC_OK},
    {"JWT", ",\"typ\":\"Bearer\"", KC_BEARER_ACCESS, KC_OK},
    {"JWT", ",\"scope\":\"a\"", KC_BEARER_ID, KC_REFUSED},
    {"JWT", ",\"nonce\":\"n\"", KC_BEARER_ID, KC_OK},
    {"JWT", ",\"at_hash\":\"h\",\"scope\":\"a\"", KC_BEARER_ACCESS, KC_REFUSED},
    {"JWT", ",\"typ\":\"ID\"", KC_BEARER_ID, KC_OK},
    {"JWT", "", KC_BEARER_ON, KC_REFUSED}, /* it cannot be told */
    {"JWT", ",\"typ\":\"refresh_token\",\"scope\":\"a\"", KC_BEARER_ON, KC_REFUSED},
    {"logout+jwt", ",\"scope\":\"a\"", KC_BEARER_ON, KC_REFUSED},
    {"JWT", ",\"scope\":\"a\",\"typ\":1", KC_BEARER_ON, KC_REFUSED},
};

START_TEST(types_of_other_providers)
{
    kc_conf_t *conf = site->conf;
    kc_jws_t token = {.alg = "RS256", .typ = others[_i].typ};

    conf->issuer = "https://op.example.com";
    conf->bearer = others[_i].kinds;
    token.claims = variant_json(apr_psprintf(
        testlib_pool,
        "{\"iss\":\"%s\",\"aud\":\"" CLIENT "\",\"sub\":\"a\",\"iat\":%ld,\"exp\":%ld%s}",
        conf->issuer, (long)fake->now, (long)fake->now + 60, others[_i].more));
    ck_assert_msg(kc_bearer_verify(&token, conf, fake->now, &last) == others[_i].rc, "%s",
                  last.detail);
    if (others[_i].rc != KC_OK)
        ck_assert_int_eq(last.reason, KC_ERR_TOKEN_TYPE);
}
END_TEST

/* threats.md 40: an ID token of the token endpoint may have them, what anybody sends may not. */
START_TEST(a_token_that_brings_a_key_along_is_refused)
{
    static const char *const members[] = {
        "\"jku\":\"https://evil.example.net/\"", "\"x5c\":[\"MII\"]",
        "\"x5u\":\"https://evil.example.net/\"", "\"jwk\":{\"kty\":\"RSA\"}"};

    assert_refused(
        sign_as(apr_psprintf(testlib_pool, "{\"alg\":\"RS256\",\"kid\":\"k\",%s}", members[_i]),
                access_claims()),
        "token-header");
}
END_TEST

static const struct {
    const char *name;
    const char *value;
    const char *detail;
} spoilt[] = {
    {"events", "{}", "logout token"},
    {"cnf", "{\"jkt\":\"a\"}", "bound to a key"},
    {"iss", NULL, "token-issuer"},
    {"iss", "\"https://keycloak.example.com/realms/other\"", "token-issuer"},
    {"iss", "\"" KC_FAKE_ISSUER "/\"", "token-issuer"},
    {"aud", NULL, "token-audience"},
    {"aud", "\"account\"", "token-audience"},
    {"aud", "[\"account\"]", "token-audience"},
    {"aud", "[]", "token-audience"},
    {"aud", "{\"" CLIENT "\":1}", "token-audience"},
    {"aud", "[\"" CLIENT "\",1]", "token-audience"},
    {"aud", "[[\"" CLIENT "\"]]", "token-audience"},
    {"aud", "\"" CLIENT "2\"", "token-audience"},
    {"aud", "\"" CLIENT " account\"", "token-audience"},
    {"exp", NULL, "token-time"},
    {"exp", "0", "token-time"},
    {"exp", "\"9999999999\"", "token-time"},
    {"exp", "1e12", "token-time"},
    {"iat", NULL, "token-time"},
    {"iat", "9999999998", "token-time"},
    {"nbf", "9999999998", "token-time"},
    {"nbf", "true", "token-time"},
    {"sub", NULL, "token-subject"},
    {"sub", "\"\"", "token-subject"},
    {"sub", "7", "token-subject"},
    {"sid", "7", "token-claim"},
    {"auth_time", "\"now\"", "token-claim"},
    {"email", "\"a\\nb@example.com\"", "user-form"},
};

START_TEST(wrong_claims_are_refused)
{
    assert_refused(variant(spoilt[_i].name, spoilt[_i].value), spoilt[_i].detail);
}
END_TEST

/* RFC 7519 section 2; null is absent. */
START_TEST(times_may_have_fractions_and_members_be_null)
{
    static const char *const names[] = {"nbf", "azp", "sid", "auth_time", "cnf", "events", "acr"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_taken(variant(names[i], "null"));
    assert_taken(variant("nbf", "1699999999.5"));
    assert_taken(variant("exp", "1700000200.75"));
    ck_assert_int_eq(session.token_expires, 1700000200);
    assert_taken(variant("iat", "1699999990.25"));
    ck_assert_int_eq(session.created, 1699999990);
    assert_taken(variant("auth_time", "1699999980.999"));
    ck_assert_int_eq(session.auth_time, 1699999980);
}
END_TEST

START_TEST(audiences_are_those_configured)
{
    renew(KC_BEARER_ON, "api");
    assert_refused(sign(access_claims()), "token-audience");
    assert_taken(variant("aud", "[\"x\",\"api\"]"));
    assert_taken(variant("aud", "\"api\""));
    renew(KC_BEARER_ON, NULL);
    assert_refused(variant("aud", "\"api\""), "token-audience");
    assert_taken(variant("azp", NULL));
}
END_TEST

START_TEST(signatures_count)
{
    const char *compact = sign(access_claims()), *dot = strrchr(compact, '.');
    const char *head = apr_pstrndup(testlib_pool, compact, (size_t)(dot - compact));

    assert_refused(testlib_sign(TESTLIB_RSA_OTHER, "RS256", HEADER, access_claims()),
                   "token-signature");
    assert_refused(
        testlib_sign(TESTLIB_RSA, "RS256", variant_of(HEADER, "kid", "\"x\""), access_claims()),
        "token-key");
    assert_refused(testlib_sign_hmac(kc_buf_text("k"), variant_of(HEADER, "alg", "\"HS256\""),
                                     access_claims()),
                   "token-algorithm");
    assert_refused(apr_pstrcat(testlib_pool, head, ".", NULL), "token-form");
    assert_refused(head, "token-form");
    assert_refused("a", "token-form");
    assert_refused("=", "token-form");
    assert_refused("\"a.b.c\"", "token-form");
    assert_refused(apr_pstrcat(testlib_pool, compact, "=", NULL), "token-form");
}
END_TEST

/* The first tier knows a token by all of it: what shares its beginning or end is another. */
START_TEST(a_known_token_helps_no_other)
{
    const char *compact = sign(access_claims()), *dot = strrchr(compact, '.');
    const char *other = sign(variant_of(access_claims(), "email", "\"eve@example.com\""));
    const char *mixed = apr_pstrcat(
        testlib_pool, apr_pstrndup(testlib_pool, other, (size_t)(strrchr(other, '.') - other)), dot,
        NULL);
    char *spoiled = apr_pstrdup(testlib_pool, compact);

    assert_taken(compact);
    assert_refused(mixed, "token-signature");
    spoiled[strlen(spoiled) - 10] = (char)(spoiled[strlen(spoiled) - 10] == 'A' ? 'B' : 'A');
    assert_refused(spoiled, "token-signature");
    assert_refused(apr_pstrcat(testlib_pool, compact, "A", NULL), "token-");
    assert_taken(compact);
}
END_TEST

START_TEST(foreign_kids_fetch_once_a_minute)
{
    int before, i;

    assert_taken(sign(access_claims()));
    before = kc_fake_request_count(fake, KC_FAKE_JWKS);
    for (i = 0; i < 5; i++) {
        const char *kid = apr_psprintf(testlib_pool, "\"kid-%d\"", i);

        assert_refused(sign_as(variant_of(HEADER, "kid", kid), access_claims()), "token-key");
    }
    ck_assert_int_le(kc_fake_request_count(fake, KC_FAKE_JWKS) - before, 1);
}
END_TEST

/* ---------------------------------------------------------------- how long */

START_TEST(it_ends_with_its_time)
{
    const char *compact = sign(access_claims());

    site->conf->clock_skew = 10;
    assert_taken(compact);
    fake->now += 309;
    assert_taken(compact);
    fake->now += 1;
    assert_refused(compact, "token-time");
}
END_TEST

/* A mark of before would be gone then. */
START_TEST(none_is_older_than_a_session_may_be)
{
    const char *compact = variant("exp", "9999999999");

    site->conf->session_max = 3600;
    assert_taken(compact);
    ck_assert_int_eq(session.expires, fake->now + 3600);
    fake->now += 3600;
    assert_refused(compact, "KeycloakSessionMax");
}
END_TEST

/* threats.md M 173: a key that the realm has withdrawn. */
START_TEST(its_signature_is_believed_for_a_while)
{
    const char *compact = variant("exp", "9999999999");
    int i;

    assert_taken(compact);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_psprintf(testlib_pool, "{\"keys\":[%s]}",
                                      testlib_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"k\"")));
    site->conf->metadata_ttl = 1;
    for (i = 30; i < KC_BEARER_TRUST; i += 30) {
        fake->now += 30;
        assert_taken(compact);
    }
    fake->now += 30;
    assert_refused(compact, "token-signature");
}
END_TEST

/* One of before an update tells not all that may end it: the token is verified anew. */
START_TEST(a_view_of_before_is_not_used)
{
    const char *compact = variant("exp", "9999999999");
    unsigned char id[KC_VIEW_CACHE_ID_SIZE] = {0};
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;

    assert_taken(compact);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_psprintf(testlib_pool, "{\"keys\":[%s]}",
                                      testlib_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"k\"")));
    site->conf->metadata_ttl = 1;
    fake->now += 30;
    assert_taken(compact);
    kc_view_cache_stamp(cache, kc_buf_text(compact), id);
    ck_assert(kc_view_cache_find(cache, site->rp->bearer_scope, id, fake->now, testlib_pool,
                                 &ticket, &view));
    view.bytes = form_without_user_mark(view.bytes);
    kc_view_cache_put(cache, &ticket, &view, fake->now);
    assert_refused(compact, "token-signature");
}
END_TEST

START_TEST(it_is_verified_without_a_first_tier_too)
{
    const char *compact = sign(access_claims());

    fake->env.cache = NULL;
    assert_taken(compact);
    assert_taken(compact);
    ck_assert_int_eq(questions(), 2);
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), 0);
}
END_TEST

/* ---------------------------------------------------------------- threats.md M 173: signed out */

static void leave(kc_revocation_kind_t kind, const char *text)
{
    ck_assert_int_eq(kc_revocation_add(site->rp, kind, text, NULL), KC_OK);
}

START_TEST(a_mark_of_its_session_ends_it)
{
    const char *compact = sign(access_claims());

    assert_taken(compact);
    leave(KC_REVOCATION_SID, "sid-a");
    fake->now += 1; /* KeycloakCacheTTL */
    assert_refused(compact, "signed-out");
    assert_refused(compact, "signed-out");
    assert_refused(sign(id_claims()), "signed-out");
    assert_taken(variant("sid", "\"sid-b\""));
}
END_TEST

START_TEST(a_mark_of_its_user_ends_what_was_issued_before)
{
    const char *compact = sign(access_claims()), *later;

    assert_taken(compact);
    fake->now += 100;
    leave(KC_REVOCATION_SUB, ALICE);
    assert_refused(compact, "signed-out");
    assert_refused(compact, "signed-out-now");
    fake->now += site->conf->clock_skew; /* not surely after it */
    assert_refused(sign(access_claims()), "signed-out-now");
    fake->now += 1;
    later = sign(access_claims());
    assert_taken(later);
    fake->now += 1;
    assert_taken(later);
    leave(KC_REVOCATION_SUB, ALICE);
    fake->now += 1;
    assert_refused(later, "signed-out");
}
END_TEST

START_TEST(the_store_is_asked_once_in_a_while)
{
    const char *compact = sign(access_claims());
    int i;

    for (i = 0; i < 5; i++)
        assert_taken(compact);
    ck_assert_int_eq(questions(), 1);
    fake->now += 1;
    for (i = 0; i < 5; i++)
        assert_taken(compact);
    ck_assert_int_eq(questions(), 2);
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), 0);
}
END_TEST

START_TEST(a_store_that_is_down_opens_nothing)
{
    const char *compact = sign(access_claims());

    fake->sessions.is_down = 1;
    ck_assert_int_eq(find(compact), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    fake->sessions.is_down = 0;
    assert_taken(compact);
    fake->sessions.is_down = 1;
    fake->now += site->conf->store_grace;
    assert_taken(compact);
    ck_assert_int_eq(last.reason, KC_ERR_NONE);
    fake->now += 2;
    ck_assert_int_eq(find(compact), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
}
END_TEST

START_TEST(keys_that_are_not_to_be_had_refuse_nothing)
{
    fake->http.is_down = 1;
    ck_assert_int_eq(find(sign(access_claims())), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(kc_err_row(last.reason)->status, 503);
}
END_TEST

/* ---------------------------------------------------------------- what it is not */

/* A cookie that has the name of a token in the first tier opens nothing, and the other way round.
 */
START_TEST(it_is_no_session)
{
    char cookie[KC_SESSION_ID_TEXT + 1];
    kc_session_t found;

    assert_taken(sign(access_claims()));
    kc_buf_base64url_to(session.id, KC_SESSION_ID_SIZE, cookie);
    ck_assert_int_eq(kc_session_find(site->rp, kc_buf_text(cookie), testlib_pool, &found, &last),
                     KC_SESSION_NONE);
}
END_TEST

/* What was opened with it ends with it, and when it is signed out. */
START_TEST(streams_end_with_it)
{
    kc_session_monitor_t *watch = kc_session_monitor_create(testlib_pool);
    kc_session_monitor_entry_t *first, *second;

    assert_taken(sign(access_claims()));
    first = kc_session_monitor_add(watch, &session, 0);
    assert_taken(variant("sid", "\"sid-b\""));
    second = kc_session_monitor_add(watch, &session, 0);
    ck_assert_ptr_ne(first, second);
    kc_session_monitor_look(watch);
    ck_assert_int_eq(first->state, KC_SESSION_LIVE);
    ck_assert_int_eq(second->state, KC_SESSION_LIVE);
    leave(KC_REVOCATION_SID, "sid-a");
    kc_session_monitor_look(watch);
    ck_assert_int_eq(first->state, KC_SESSION_ENDED);
    ck_assert_int_eq(second->state, KC_SESSION_LIVE);
    kc_session_monitor_renew(second, testlib_pool);
    ck_assert_int_eq(second->state, KC_SESSION_LIVE);
    fake->now += 300 + site->conf->clock_skew;
    kc_session_monitor_look(watch);
    ck_assert_int_eq(second->state, KC_SESSION_ENDED);
}
END_TEST

static void add_loops(TCase *tests)
{
    tcase_add_loop_test(tests, header_is_read, 0, (int)(sizeof(headers) / sizeof(headers[0])));
    tcase_add_loop_test(tests, types_of_other_providers, 0,
                        (int)(sizeof(others) / sizeof(others[0])));
    tcase_add_loop_test(tests, a_token_that_brings_a_key_along_is_refused, 0, 4);
    tcase_add_loop_test(tests, types_tell_tokens_apart, 0, (int)(sizeof(types) / sizeof(types[0])));
    tcase_add_loop_test(tests, wrong_claims_are_refused, 0,
                        (int)(sizeof(spoilt) / sizeof(spoilt[0])));
}

Suite *kc_test_bearer(void)
{
    Suite *suite = suite_create("bearer");
    TCase *tests = tcase_create("bearer");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_unchecked_fixture(tests, make_keys, testlib_keys_free);
    add_loops(tests);
    tcase_add_test(tests, header_has_a_greatest_length);
    tcase_add_test(tests, access_token_names_its_user);
    tcase_add_test(tests, claims_and_roles_can_be_asked_for);
    tcase_add_test(tests, identity_follows_the_rules_of_a_sign_in);
    tcase_add_test(tests, kinds_are_taken_as_configured);
    tcase_add_test(tests, times_may_have_fractions_and_members_be_null);
    tcase_add_test(tests, audiences_are_those_configured);
    tcase_add_test(tests, signatures_count);
    tcase_add_test(tests, a_known_token_helps_no_other);
    tcase_add_test(tests, foreign_kids_fetch_once_a_minute);
    tcase_add_test(tests, it_ends_with_its_time);
    tcase_add_test(tests, none_is_older_than_a_session_may_be);
    tcase_add_test(tests, its_signature_is_believed_for_a_while);
    tcase_add_test(tests, a_view_of_before_is_not_used);
    tcase_add_test(tests, it_is_verified_without_a_first_tier_too);
    tcase_add_test(tests, a_mark_of_its_session_ends_it);
    tcase_add_test(tests, a_mark_of_its_user_ends_what_was_issued_before);
    tcase_add_test(tests, the_store_is_asked_once_in_a_while);
    tcase_add_test(tests, a_store_that_is_down_opens_nothing);
    tcase_add_test(tests, keys_that_are_not_to_be_had_refuse_nothing);
    tcase_add_test(tests, it_is_no_session);
    tcase_add_test(tests, streams_end_with_it);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Sign-ins with large tokens, close to each limit: just below it, at it and above it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "access/authz.h"
#include "base/query.h"
#include "base/url.h"
#include "browser.h"
#include "crypto/jws.h"
#include "fake_site.h"
#include "login/login.h"
#include "login/login_state.h"
#include "provider/token_size.h"
#include "rp.h"
#include "session/session.h"
#include "session/session_tokens.h"
#include "session/unknown.h"
#include "testlib.h"

Suite *kc_test_login_sizes(void);

#define SESSION "__Host-keycloak_session"
#define ALICE "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define HEADER "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\"%s}"

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_err_t last;
static kc_browser_answer_t answer;
static kc_session_t session;
static const char *nonce; /* of the sign-in that has begun */
static const char *state;

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_RSA);
}

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_pstrcat(testlib_pool, "{\"keys\":[",
                                     testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\""), "]}", NULL));
}

/* ---------------------------------------------------------------- a sign-in */

static void begin(void)
{
    kc_login_request_t request = {.return_url = "/"};
    const kc_query_t *query;

    ck_assert_int_eq(
        kc_login_begin(site->rp, &site->client, &request, testlib_pool, &answer, &last), KC_OK);
    kc_fake_site_take(site, answer.cookies);
    ck_assert_int_eq(kc_query_parse(strchr(answer.location, '?') + 1, testlib_pool, &query, NULL),
                     KC_OK);
    ck_assert_int_eq(kc_query_single(query, "nonce", &nonce, NULL), KC_OK);
    ck_assert_int_eq(kc_query_single(query, "state", &state, NULL), KC_OK);
}

static kc_rc_t finish(const char *id_token, const char *access_token, const char *refresh_token)
{
    const char *query =
        apr_pstrcat(testlib_pool, "state=", kc_url_escape(state, testlib_pool),
                    "&iss=", kc_url_escape(KC_FAKE_ISSUER, testlib_pool), "&code=c", NULL);
    kc_rc_t rc;

    kc_fake_answer(fake, KC_FAKE_TOKEN, 200, "application/json",
                   apr_pstrcat(testlib_pool, "{\"access_token\":\"", access_token,
                               "\",\"id_token\":\"", id_token, "\",\"refresh_token\":\"",
                               refresh_token, "\",\"token_type\":\"Bearer\",\"expires_in\":300}",
                               NULL));
    memset(&last, 0, sizeof(last));
    rc = kc_login_finish(site->rp, &site->client, query, testlib_pool, &answer, &last);
    kc_fake_site_take(site, answer.cookies);
    return rc;
}

static void find(void)
{
    ck_assert_int_eq(kc_session_find(site->rp, kc_buf_text(kc_fake_site_cookie(site, SESSION)),
                                     testlib_pool, &session, &last),
                     KC_SESSION_LIVE);
}

/* ---------------------------------------------------------------- tokens */

static const char *filled(size_t len)
{
    char *text = apr_palloc(testlib_pool, len + 1);

    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

/* Claims of both kinds of token; more: further members. */
static const char *claims_with(const char *more)
{
    return apr_psprintf(testlib_pool,
                        "{\"iss\":\"" KC_FAKE_ISSUER "\",\"aud\":\"kubeflow-oidc-authservice\","
                        "\"sub\":\"" ALICE "\",\"typ\":\"ID\",\"nonce\":\"%s\",\"iat\":%ld,"
                        "\"exp\":%ld,\"email\":\"alice@example.com\",\"email_verified\":true%s}",
                        nonce, (long)fake->now, (long)fake->now + 300, more);
}

static const char *sign(const char *claims)
{
    return testlib_sign(TESTLIB_RSA, "RS256", apr_psprintf(testlib_pool, HEADER, ""), claims);
}

/* A token of exactly len bytes: more, and a claim that takes the rest. Not each length of a segment
 * is one of base64url's, so the header gives way. */
static const char *sign_to(size_t len, const char *more)
{
    int blanks;

    for (blanks = 0; blanks < 4; blanks++) {
        const char *header = apr_psprintf(testlib_pool, HEADER, "");
        size_t base = strlen(
                   sign(claims_with(apr_pstrcat(testlib_pool, more, ",\"blob\":\"\"", NULL)))),
               fill = (len - base) / 4 * 3 - 8;

        header = apr_psprintf(testlib_pool, HEADER, &"   "[3 - blanks]);
        for (; fill < (len - base) / 4 * 3 + 8; fill++) {
            const char *token =
                testlib_sign(TESTLIB_RSA, "RS256", header,
                             claims_with(apr_pstrcat(testlib_pool, more, ",\"blob\":\"",
                                                     filled(fill), "\"", NULL)));

            if (strlen(token) == len)
                return token;
        }
    }
    ck_abort_msg("no token of %zu bytes", len);
    return NULL;
}

/* A JSON list of count groups of len bytes each. */
static const char *groups(int count, int len)
{
    kc_bytes_t text;
    kc_buf_t buf;
    int i;

    kc_buf_init(&buf, 1024 * 1024, testlib_pool);
    for (i = 0; i < count; i++)
        kc_buf_put_text(&buf, apr_psprintf(testlib_pool, "%s\"/g%0*d\"", i ? "," : "", len - 1, i));
    ck_assert_int_eq(kc_buf_bytes(&buf, &text), KC_OK);
    return apr_pstrcat(testlib_pool, "[", count ? (const char *)text.data : "", "]", NULL);
}

static const char *groups_claim(int count, int len)
{
    return apr_pstrcat(testlib_pool, ",\"groups\":", groups(count, len), NULL);
}

static int count_of(const kc_session_list_t *list)
{
    kc_bytes_t at = {NULL, 0};
    int count = 0;

    while (kc_session_list_walk(list, &at))
        count++;
    return count;
}

static kc_authz_answer_t ask_group(const char *name)
{
    const kc_authz_rule_t *rule;

    ck_assert_int_eq(kc_authz_parse(KC_AUTHZ_GROUP, 1, &name, testlib_pool, &rule, &last), KC_OK);
    return kc_authz_ask(rule, &session, testlib_pool);
}

/* ---------------------------------------------------------------- the limits of tokens */

static const struct {
    int more; /* bytes than the limit */
    kc_rc_t rc;
} lengths[] = {{-100000, KC_OK}, {-1, KC_OK}, {0, KC_OK}, {1, KC_REFUSED}, {60000, KC_REFUSED}};

START_TEST(an_id_token_has_at_most_128_kib)
{
    size_t len = (size_t)(KC_JWS_MAX + lengths[_i].more);
    kc_pack_t contents;

    ck_assert_int_eq(KC_JWS_MAX, 131072);
    begin();
    ck_assert_int_eq(finish(sign_to(len, groups_claim(3, 10)), "opaque", "refresh"),
                     lengths[_i].rc);
    if (lengths[_i].rc == KC_OK) {
        find();
        ck_assert_int_eq(kc_session_tokens_get(&session, testlib_pool, &contents, &last), KC_OK);
        ck_assert_uint_eq(strlen(contents.id_token), len);
        return;
    }
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_SIZE);
    ck_assert_ptr_null(kc_fake_site_cookie(site, SESSION));
    ck_assert_ptr_nonnull(strstr(last.detail, apr_psprintf(testlib_pool, "%d bytes", (int)len)));
    ck_assert_ptr_nonnull(strstr(last.detail, "claim blob"));
}
END_TEST

/* The mapper is named, and how much it puts there; nothing of what. */
START_TEST(the_claim_that_is_too_large_is_named)
{
    begin();
    ck_assert_int_eq(finish(sign(claims_with(groups_claim(3000, 50))), "opaque", "r"), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_SIZE);
    ck_assert_ptr_nonnull(strstr(last.detail, "the ID token has "));
    ck_assert_ptr_nonnull(strstr(last.detail, "its claim groups puts 3000 entries of "));
    ck_assert_ptr_nonnull(strstr(last.detail, "Add to ID token: off"));
    ck_assert_ptr_null(strstr(last.detail, "g0000"));
}
END_TEST

/* Also of one that cannot be read at all. */
START_TEST(a_large_token_need_not_be_one)
{
    static const char *const forms[] = {"%s", "a.%s.b", "a.e30%s.b", "..%s", ".%s"};
    const char *compact = apr_psprintf(testlib_pool, forms[_i], filled((size_t)KC_JWS_MAX + 1));

    ck_assert_int_eq(kc_token_size_check("ID", compact, testlib_pool, &last), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_SIZE);
    ck_assert_ptr_null(strstr(last.detail, "claim"));
    ck_assert_int_eq(kc_token_size_check("ID", "a.b", testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(kc_token_size_check("ID", filled((size_t)KC_JWS_MAX), testlib_pool, NULL),
                     KC_OK);
}
END_TEST

#define ROLES \
    ",\"realm_access\":{\"roles\":[\"admin\"]},\"resource_access\":{\"n\":{\"roles\":[\"edit\"]}}"

/* Of a larger one roles are unknown, which keeps people out where they are excluded by them. */
START_TEST(an_access_token_has_at_most_128_kib)
{
    size_t len = (size_t)(KC_JWS_MAX + lengths[_i].more);
    int is_known = lengths[_i].rc == KC_OK;

    begin();
    site->rp->asks_roles = KC_UNKNOWN_REALM_ROLES;
    site->rp->asks_negated = 1;
    ck_assert_int_eq(finish(sign(claims_with(groups_claim(1, 10))), sign_to(len, ROLES), "r"),
                     KC_OK);
    find();
    ck_assert_int_eq(count_of(&session.realm_roles), is_known);
    ck_assert_int_eq(count_of(&session.client_roles), is_known);
    ck_assert_uint_eq(session.unknown,
                      is_known ? 0U : KC_UNKNOWN_REALM_ROLES | KC_UNKNOWN_CLIENT_ROLES);
    ck_assert_int_eq(fake->log->nelts, is_known ? 0 : 2);
    if (is_known)
        return;
    ck_assert(kc_fake_log_has(
        fake, apr_psprintf(testlib_pool, "the access token has %d bytes", (int)len)));
    ck_assert(kc_fake_log_has(fake, "claim blob"));
    begin();
    ck_assert_int_eq(finish(sign(claims_with(groups_claim(1, 10))), sign_to(len, ROLES), "r"),
                     KC_OK);
    ck_assert_int_eq(fake->log->nelts, 2); /* once */
}
END_TEST

/* All three as large as may be; the refresh token goes out again. */
START_TEST(three_large_tokens_are_kept)
{
    const char *refresh = filled((size_t)KC_JWS_MAX);
    kc_pack_t contents;

    begin();
    ck_assert_int_eq(finish(sign_to((size_t)KC_JWS_MAX, groups_claim(1000, 40)),
                            sign_to((size_t)KC_JWS_MAX, ROLES), refresh),
                     KC_OK);
    find();
    ck_assert_int_eq(count_of(&session.group_list), 1000);
    ck_assert_int_eq(kc_session_tokens_get(&session, testlib_pool, &contents, &last), KC_OK);
    ck_assert_str_eq(contents.refresh_token, refresh);
}
END_TEST

/* ---------------------------------------------------------------- the limits of lists */

static const struct {
    int count, len;
    int kept;
} lists[] = {{10, 20, 10},     {999, 20, 999},   {1000, 20, 1000}, {1001, 60, 1001},
             {4999, 15, 4999}, {5000, 15, 5000}, {5001, 15, 5000}, {5500, 12, 5000}};

START_TEST(five_thousand_groups_are_known)
{
    int count = lists[_i].count, is_cut = lists[_i].kept < count;
    const char *name;

    begin();
    site->rp->asks_negated = 1;
    ck_assert_msg(finish(sign(claims_with(groups_claim(count, lists[_i].len))),
                         sign(claims_with(ROLES)), "r") == KC_OK,
                  "%s", last.detail);
    find();
    ck_assert_int_eq(count_of(&session.group_list), lists[_i].kept);
    ck_assert_int_eq((session.unknown & KC_UNKNOWN_GROUPS) != 0, is_cut);
    name = apr_psprintf(testlib_pool, "g%0*d", lists[_i].len - 1, lists[_i].kept - 1);
    ck_assert_int_eq(ask_group(name), KC_AUTHZ_MET);
    ck_assert_int_eq(answer.dropped, is_cut ? count - lists[_i].kept : 0);
    ck_assert_int_eq(kc_fake_log_has(fake, "KC0419: ") &&
                         kc_fake_log_has(fake,
                                         "groups, because the claim groups is absent, has over "
                                         "5000 entries, or some "),
                     is_cut);
    ck_assert_int_eq(ask_group("none"), is_cut ? KC_AUTHZ_UNKNOWN : KC_AUTHZ_UNMET);
}
END_TEST

START_TEST(five_thousand_roles_are_known)
{
    int count = lists[_i].count, is_cut = lists[_i].kept < count;
    const char *roles = groups(count, lists[_i].len);

    begin();
    ck_assert_int_eq(
        finish(sign(claims_with(groups_claim(1, 9))),
               sign(claims_with(apr_pstrcat(testlib_pool, ",\"realm_access\":{\"roles\":", roles,
                                            "},\"resource_access\":{}", NULL))),
               "r"),
        KC_OK);
    find();
    ck_assert_int_eq(count_of(&session.realm_roles), lists[_i].kept);
    ck_assert_uint_eq(session.unknown, is_cut ? (unsigned int)KC_UNKNOWN_REALM_ROLES : 0U);
}
END_TEST

/* Told once an hour for each person, with who, how many, and what can be done. */
START_TEST(groups_without_room_are_told_once)
{
    int i;

    site->conf->groups_header = "x-groups";
    for (i = 0; i < 3; i++) {
        fake->now += i == 2 ? 3600 : 1;
        begin();
        ck_assert_int_eq(finish(sign(claims_with(groups_claim(500, 39))), "opaque", "r"), KC_OK);
        find();
        ck_assert_int_eq(count_of(&session.group_list), 500);
        ck_assert_int_eq((int)strlen(session.groups), 200 * 40 - 1);
        ck_assert_int_eq(fake->log->nelts, i == 2 ? 2 : 1);
        ck_assert_int_eq(answer.dropped, 0);
    }
    ck_assert(kc_fake_log_has(fake, "KC0425: groups-left-out: the header x-groups of sub " ALICE
                                    " lacks 300 of 500 groups, which would take 19999 bytes: there "
                                    "is room for 8000. KeycloakGroupsFilter "));
    begin();
    ck_assert_int_eq(finish(sign(claims_with(groups_claim(200, 39))), "opaque", "r"), KC_OK);
    ck_assert_int_eq(fake->log->nelts, 2);
}
END_TEST

/* What a filter leaves out on purpose is not missed; what its limit does, is. */
START_TEST(a_filter_says_what_is_missed)
{
    apr_array_header_t *words = apr_array_make(testlib_pool, 2, sizeof(const char *));
    int has_limit = _i;

    APR_ARRAY_PUSH(words, const char *) = "*0";
    if (has_limit)
        APR_ARRAY_PUSH(words, const char *) = "limit:20";
    site->conf->groups_filter = words;
    kc_fake_site_renew(site);
    begin();
    ck_assert_int_eq(finish(sign(claims_with(groups_claim(500, 39))), "opaque", "r"), KC_OK);
    find();
    ck_assert_int_eq(count_of(&session.group_list), 500);
    ck_assert_int_eq((int)strlen(session.groups), (has_limit ? 20 : 50) * 40 - 1);
    ck_assert_int_eq(ask_group(apr_psprintf(testlib_pool, "g%038d", 499)), KC_AUTHZ_MET);
    ck_assert_int_eq(fake->log->nelts, has_limit);
    if (has_limit)
        ck_assert(kc_fake_log_has(fake,
                                  " lacks 30 of 50 groups, which would take 1999 bytes: there "
                                  "is room for 8000 and 20 groups."));
}
END_TEST

/* Another filter makes other headers: sessions of before end with it, and without one they go on.
 */
START_TEST(a_filter_is_part_of_what_a_session_means)
{
    static const char *const texts[] = {"a*", "b*"};
    unsigned char ids[3][KC_RP_ID_SIZE];
    apr_array_header_t *words;
    size_t i;

    memcpy(ids[0], site->rp->id, KC_RP_ID_SIZE);
    for (i = 0; i < 2; i++) {
        words = apr_array_make(testlib_pool, 1, sizeof(const char *));
        APR_ARRAY_PUSH(words, const char *) = texts[i];
        site->conf->groups_filter = words;
        kc_fake_site_renew(site);
        memcpy(ids[i + 1], site->rp->id, KC_RP_ID_SIZE);
        ck_assert_mem_ne(ids[i], ids[i + 1], KC_RP_ID_SIZE);
    }
    site->conf->groups_filter = NULL;
    kc_fake_site_renew(site);
    ck_assert_mem_eq(ids[0], site->rp->id, KC_RP_ID_SIZE);
}
END_TEST

/* More than an ID token can have comes from userinfo. */
START_TEST(userinfo_may_tell_five_thousand_long_groups)
{
    kc_pack_t contents;

    begin();
    kc_fake_answer(
        fake, KC_FAKE_USERINFO, 200, "application/json",
        apr_pstrcat(testlib_pool, "{\"sub\":\"" ALICE "\"", groups_claim(5000, 45), "}", NULL));
    ck_assert_msg(finish(sign(claims_with("")), "opaque", "r") == KC_OK, "%s", last.detail);
    find();
    ck_assert_int_eq(count_of(&session.group_list), 5000);
    ck_assert_int_eq(kc_session_tokens_get(&session, testlib_pool, &contents, &last), KC_OK);
    ck_assert_uint_gt(contents.claims.len, 5000 * 45);
}
END_TEST

Suite *kc_test_login_sizes(void)
{
    Suite *suite = suite_create("login_sizes");
    TCase *tokens = tcase_create("tokens"), *kept = tcase_create("lists");

    tcase_add_unchecked_fixture(tokens, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(tokens, setup, testlib_teardown);
    tcase_add_loop_test(tokens, an_id_token_has_at_most_128_kib, 0, 5);
    tcase_add_test(tokens, the_claim_that_is_too_large_is_named);
    tcase_add_loop_test(tokens, a_large_token_need_not_be_one, 0, 5);
    tcase_add_loop_test(tokens, an_access_token_has_at_most_128_kib, 0, 5);
    tcase_add_test(tokens, three_large_tokens_are_kept);
    suite_add_tcase(suite, tokens);

    tcase_add_unchecked_fixture(kept, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(kept, setup, testlib_teardown);
    tcase_add_loop_test(kept, five_thousand_groups_are_known, 0,
                        (int)(sizeof(lists) / sizeof(lists[0])));
    tcase_add_loop_test(kept, five_thousand_roles_are_known, 0,
                        (int)(sizeof(lists) / sizeof(lists[0])));
    tcase_add_test(kept, groups_without_room_are_told_once);
    tcase_add_loop_test(kept, a_filter_says_what_is_missed, 0, 2);
    tcase_add_test(kept, a_filter_is_part_of_what_a_session_means);
    tcase_add_test(kept, userinfo_may_tell_five_thousand_long_groups);
    suite_add_tcase(suite, kept);
    return suite;
}

/* Tests of refresh.h: which request renews a session's tokens, and the result.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "net/wait_limit.h"
#include "provider/deadline.h"
#include "session/pause.h"
#include "session/refresh.h"
#include "session/session_tokens.h"
#include "testlib.h"
#include "store/lease.h"

Suite *kc_test_refresh(void);

#define ALICE "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define HEADER "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\"}"
#define AUTH_TIME (KC_FAKE_NOW - 10)

enum { LIFETIME = 300, EARLY = 60, LEASE = 9 /* of the fake site's deadlines */ };

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_err_t last;
static kc_session_t session; /* as found last */
static const char *cookie;

/* ---------------------------------------------------------------- the provider */

static const char *claims_of(const char *sub, const char *sid, const char *more)
{
    return apr_psprintf(testlib_pool,
                        "{\"iss\":\"" KC_FAKE_ISSUER "\",\"aud\":\"kubeflow-oidc-authservice\","
                        "\"sub\":\"%s\",\"typ\":\"ID\",\"azp\":\"kubeflow-oidc-authservice\","
                        "\"iat\":%ld,\"exp\":%ld,\"sid\":\"%s\","
                        "\"email\":\"alice@example.com\",\"email_verified\":true%s}",
                        sub, (long)fake->now, (long)fake->now + LIFETIME, sid, more);
}

static const char *claims(const char *sub, const char *more)
{
    return claims_of(sub, "first-sid", more);
}

static const char *sign(const char *payload)
{
    return testlib_sign(TESTLIB_RSA, "RS256", HEADER, payload);
}

/* The next answers of the token endpoint. more: further members. */
static void grant(const char *id_token, const char *more)
{
    kc_fake_answer(fake, KC_FAKE_TOKEN, 200, "application/json",
                   apr_psprintf(testlib_pool,
                                "{\"access_token\":\"opaque\",\"id_token\":\"%s\","
                                "\"token_type\":\"Bearer\",\"expires_in\":300%s}",
                                id_token, more));
}

static void grant_to(const char *sub, const char *more)
{
    grant(sign(claims(sub, more)), ",\"refresh_token\":\"second\"");
}

static void refuse(int status, const char *body)
{
    kc_fake_answer(fake, KC_FAKE_TOKEN, status, "application/json", body);
}

static int token_requests(void)
{
    return kc_fake_request_count(fake, KC_FAKE_TOKEN);
}

/* ---------------------------------------------------------------- the session */

static const char *put_with(const char *refresh_token)
{
    const kc_pack_t contents = {
        sign(claims(ALICE, ",\"nonce\":\"first-nonce\"")), NULL, refresh_token, {NULL, 0}};
    char *id = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);
    kc_session_t fresh;

    memset(&fresh, 0, sizeof(fresh));
    fresh.created = fake->now;
    fresh.expires = fake->now + site->conf->session_max;
    fresh.token_expires = fake->now + LIFETIME;
    fresh.refresh_at = fresh.token_expires - EARLY;
    fresh.auth_time = AUTH_TIME;
    fresh.sub = ALICE;
    fresh.sid = "first-sid";
    fresh.user = fresh.email = "alice@example.com";
    fresh.acr = "1";
    fresh.groups = "before";
    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &fresh.packed, NULL), KC_OK);
    ck_assert_int_eq(kc_session_create(site->rp, &fresh, testlib_pool, id, NULL), KC_OK);
    return id;
}

static const char *put(void)
{
    return put_with("first");
}

static kc_session_state_t find(const char *id)
{
    memset(&session, 0, sizeof(session));
    return kc_session_find(site->rp, kc_buf_text(id), testlib_pool, &session, NULL);
}

static kc_session_state_t find_and_renew(const char *id)
{
    kc_session_state_t state = find(id);

    memset(&last, 0, sizeof(last));
    return kc_refresh_session(state, &session, testlib_pool, &last);
}

static kc_session_state_t visit(void)
{
    return find_and_renew(cookie);
}

static const char *refresh_token(void)
{
    kc_pack_t contents;

    ck_assert_int_eq(kc_session_tokens_get(&session, testlib_pool, &contents, NULL), KC_OK);
    return contents.refresh_token;
}

static void setup(void)
{
    static const kc_siphash_key_t key = {{1, 2}};

    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    ck_assert_int_eq(kc_view_cache_create(1024 * 1024, &key, testlib_pool, &fake->env.cache, NULL),
                     KC_OK);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_pstrcat(testlib_pool, "{\"keys\":[",
                                     testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\""), "]}", NULL));
    cookie = put();
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
}

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_RSA);
    (void)testlib_key(TESTLIB_RSA_OTHER);
}

static void make_due(void)
{
    fake->now += LIFETIME - EARLY;
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
}

static void make_stale(void)
{
    fake->now += LIFETIME + site->conf->clock_skew + site->conf->stale_grace;
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
    ck_assert_int_eq(find(cookie), KC_SESSION_STALE);
}

static const char *lease_name(void)
{
    kc_session_t seen;

    (void)kc_session_find(site->rp, kc_buf_text(cookie), testlib_pool, &seen, NULL);
    return apr_psprintf(testlib_pool, "%s%.32s", seen.key + 32, seen.key);
}

/* Somebody else has the lease: on this host, or elsewhere. */
static void lease(kc_store_t *store, int64_t seconds)
{
    ck_assert_int_eq(kc_store_add(store, lease_name(), kc_buf_text("somebody else's."),
                                  fake->now + seconds, NULL),
                     KC_OK);
}

static void assert_renewed(void)
{
    ck_assert_str_eq(session.groups, "after");
    ck_assert_int_eq(session.token_expires, fake->now + LIFETIME);
    ck_assert_int_eq(session.refresh_at, fake->now + LIFETIME - EARLY);
}

static void assert_kept(void)
{
    ck_assert_str_eq(session.groups, "before");
    ck_assert_int_eq(session.token_expires, KC_FAKE_NOW + LIFETIME);
}

/* ---------------------------------------------------------------- renewed */

START_TEST(before_it_is_time_nothing_happens)
{
    fake->now += LIFETIME - EARLY - 1;
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_kept();
    ck_assert_int_eq(token_requests(), 0);
    ck_assert_int_eq(last.reason, KC_ERR_NONE);
}
END_TEST

START_TEST(when_it_is_time_one_request_brings_new_tokens)
{
    const char *form;
    int adds, i;

    make_due();
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(last.reason, KC_ERR_NONE);
    assert_renewed();
    adds = fake->host.adds;
    ck_assert_str_eq(refresh_token(), "second");
    form = kc_fake_request_last(fake, KC_FAKE_TOKEN)->form;
    ck_assert_ptr_nonnull(strstr(form, "grant_type=refresh_token"));
    ck_assert_ptr_nonnull(strstr(form, "refresh_token=first"));
    for (i = 0; i < 10; i++) {
        ck_assert_int_eq(visit(), KC_SESSION_LIVE);
        assert_renewed();
    }
    ck_assert_int_eq(token_requests(), 1);
    ck_assert_int_eq(fake->host.adds, adds); /* nobody came to the lease by an old view */
    ck_assert_ptr_null(kc_fake_store_entry(&fake->host, lease_name())); /* it was given back */
    ck_assert_ptr_null(kc_fake_store_entry(&fake->sessions, lease_name()));
}
END_TEST

START_TEST(what_was_signed_in_stays)
{
    make_due();
    grant(sign(claims_of(ALICE, "second-sid", ",\"groups\":[\"/after\"],\"auth_time\":1699999990")),
          ",\"refresh_token\":\"second\"");
    ck_assert_msg(visit() == KC_SESSION_LIVE, "%s", last.detail);
    ck_assert_int_eq(session.created, KC_FAKE_NOW);
    ck_assert_int_eq(session.expires, KC_FAKE_NOW + site->conf->session_max);
    ck_assert_int_eq(session.auth_time, AUTH_TIME);
    ck_assert_str_eq(session.sid, "first-sid");
    ck_assert_str_eq(session.user, "alice@example.com");
}
END_TEST

/* How somebody has signed in; the session says "1", at AUTH_TIME. */
static const struct {
    const char *sid;
    const char *more;
    const char *acr;
} renewed_acrs[] = {
    {"first-sid", ",\"acr\":\"1\"", "1"},
    {"first-sid", ",\"acr\":\"0\"", "0"},
    {"first-sid", ",\"acr\":\"2\"", "2"},
    {"first-sid", "", "1"},
    {"first-sid", ",\"auth_time\":1699999990", "1"}, /* AUTH_TIME */
    {"first-sid", ",\"auth_time\":1699999991", ""},  /* another sign-in, of which it says nothing */
    {"second-sid", "", ""},
    {"second-sid", ",\"acr\":\"2\"", "2"},
    {"first-sid", ",\"acr\":1", ""},
    {"first-sid", ",\"acr\":null", "1"}, /* as if it were absent */
    {"first-sid", ",\"acr\":\"\"", ""},
};

START_TEST(the_acr_follows_the_new_token)
{
    make_due();
    grant(sign(claims_of(
              ALICE, renewed_acrs[_i].sid,
              apr_pstrcat(testlib_pool, ",\"groups\":[\"/after\"]", renewed_acrs[_i].more, NULL))),
          ",\"refresh_token\":\"second\"");
    ck_assert_msg(visit() == KC_SESSION_LIVE, "%s", last.detail);
    assert_renewed();
    ck_assert_str_eq(session.acr, renewed_acrs[_i].acr);
    ck_assert_int_eq(session.auth_time, AUTH_TIME);
    ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
    ck_assert_str_eq(session.acr, renewed_acrs[_i].acr);
}
END_TEST

START_TEST(a_refresh_token_that_is_not_replaced_is_kept)
{
    make_due();
    grant(sign(claims(ALICE, ",\"groups\":[]")), "");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 1);
    ck_assert_str_eq(refresh_token(), "first");
    ck_assert_int_eq(session.refresh_at, fake->now + LIFETIME - EARLY);
}
END_TEST

/* OpenID Connect Core 1.0 section 12.2: there need not be an ID token. */
START_TEST(without_an_id_token_the_old_one_goes_on)
{
    static const struct {
        const char *more;
        int64_t span;
    } answers[] = {{",\"expires_in\":600", 600},
                   {"", LIFETIME},
                   {",\"expires_in\":-1", LIFETIME},
                   {",\"expires_in\":1e300", LIFETIME},
                   {",\"expires_in\":\"600\"", LIFETIME}};
    size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        cookie = put();
        ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
        fake->now = session.refresh_at;
        kc_fake_answer(fake, KC_FAKE_TOKEN, 200, "application/json",
                       apr_psprintf(testlib_pool,
                                    "{\"access_token\":\"opaque\",\"token_type\":\"Bearer\","
                                    "\"refresh_token\":\"second\"%s}",
                                    answers[i].more));
        ck_assert_msg(visit() == KC_SESSION_LIVE, "%s", last.detail);
        ck_assert_str_eq(session.groups, "before");
        ck_assert_str_eq(session.acr, "1");
        ck_assert_int_eq(session.token_expires, fake->now + answers[i].span);
        ck_assert_str_eq(refresh_token(), "second");
        ck_assert_ptr_nonnull(kc_session_tokens_id_token(&session, testlib_pool));
    }
}
END_TEST

/* Keycloak's refresh_expires_in is SSO Session Idle, or what is left of SSO Session Max. 0, and
 * what is no time, say nothing. */
static const struct {
    const char *more;
    int64_t after; /* seconds until the tokens are to be renewed again */
} refresh_spans[] = {
    {",\"refresh_expires_in\":120", 90},
    {",\"refresh_expires_in\":120.9", 90},
    {",\"refresh_expires_in\":239", 180},
    {",\"refresh_expires_in\":4", 3},
    {",\"refresh_expires_in\":1", 1},
    {",\"refresh_expires_in\":300", LIFETIME - EARLY},
    {",\"refresh_expires_in\":1800", LIFETIME - EARLY},
    {",\"refresh_expires_in\":31536000", LIFETIME - EARLY},
    {",\"refresh_expires_in\":0", LIFETIME - EARLY},
    {",\"refresh_expires_in\":null", LIFETIME - EARLY},
    {",\"refresh_expires_in\":-1", LIFETIME - EARLY},
    {",\"refresh_expires_in\":\"120\"", LIFETIME - EARLY},
    {",\"refresh_expires_in\":1e300", LIFETIME - EARLY},
    {"", LIFETIME - EARLY},
};

START_TEST(tokens_are_renewed_before_the_refresh_token_ends)
{
    make_due();
    grant(sign(claims(ALICE, ",\"groups\":[]")),
          apr_pstrcat(testlib_pool, ",\"refresh_token\":\"second\"", refresh_spans[_i].more, NULL));
    ck_assert_msg(visit() == KC_SESSION_LIVE, "%s", last.detail);
    ck_assert_int_eq(session.refresh_at, fake->now + refresh_spans[_i].after);
    ck_assert_int_eq(session.token_expires, fake->now + LIFETIME);
    /* the same where no ID token comes */
    fake->now = session.refresh_at;
    kc_fake_answer(fake, KC_FAKE_TOKEN, 200, "application/json",
                   apr_pstrcat(testlib_pool,
                               "{\"access_token\":\"opaque\",\"token_type\":\"Bearer\","
                               "\"expires_in\":300,\"refresh_token\":\"third\"",
                               refresh_spans[_i].more, "}", NULL));
    ck_assert_msg(visit() == KC_SESSION_LIVE, "%s", last.detail);
    ck_assert_str_eq(refresh_token(), "third");
    ck_assert_int_eq(session.refresh_at, fake->now + refresh_spans[_i].after);
}
END_TEST

START_TEST(a_session_without_a_refresh_token_ends_with_its_tokens)
{
    make_due();
    ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
    session.refresh_at = 0;
    ck_assert_int_eq(kc_refresh_session(KC_SESSION_LIVE, &session, testlib_pool, &last),
                     KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 0);
}
END_TEST

/* Though it says that it has one. */
START_TEST(without_a_refresh_token_nobody_is_asked)
{
    cookie = put_with(NULL);
    make_due();
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(last.reason, KC_ERR_SESSION_FORMAT);
    assert_kept();
    ck_assert_int_eq(token_requests(), 0);
}
END_TEST

START_TEST(turned_off_nothing_is_renewed)
{
    site->conf->refresh = 0;
    make_due();
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 0);
    fake->now += EARLY + site->conf->clock_skew;
    ck_assert_int_eq(visit(), KC_SESSION_STALE);
    ck_assert_int_eq(token_requests(), 0);
}
END_TEST

/* What cannot be used now: userinfo, asked because groups are missing, does not answer; a key that
 * nobody knows yet. Who somebody is stays, and until when; but the old refresh token is spent. */
static void assert_saved(kc_reason_t reason)
{
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(last.reason, reason);
    ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
    assert_kept();
    ck_assert_str_eq(refresh_token(), "second");
    fake->now += LEASE;
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_renewed();
    ck_assert_ptr_nonnull(
        strstr(kc_fake_request_last(fake, KC_FAKE_TOKEN)->form, "refresh_token=second"));
    ck_assert_int_eq(token_requests(), 2);
}

START_TEST(a_refresh_token_is_not_lost_for_userinfo)
{
    make_due();
    grant_to(ALICE, "");
    kc_fake_answer_down(fake, KC_FAKE_USERINFO, KC_ERR_PROVIDER_DOWN);
    assert_saved(KC_ERR_PROVIDER_DOWN);
}
END_TEST

START_TEST(nor_for_userinfo_that_refuses)
{
    make_due();
    grant_to(ALICE, "");
    kc_fake_answer(fake, KC_FAKE_USERINFO, 403, "text/html", "no");
    assert_saved(KC_ERR_USERINFO);
}
END_TEST

START_TEST(nor_for_a_key_that_is_not_known_yet)
{
    make_due();
    grant(testlib_sign(TESTLIB_RSA_OTHER, "RS256", "{\"alg\":\"RS256\",\"kid\":\"new\"}",
                       claims(ALICE, "")),
          ",\"refresh_token\":\"second\"");
    assert_saved(KC_ERR_TOKEN_KEY);
}
END_TEST

/* ---------------------------------------------------------------- the lease */

START_TEST(while_another_request_is_at_it_a_live_session_goes_on)
{
    make_due();
    lease(fake->env.host, 10);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_kept();
    ck_assert_int_eq(token_requests(), 0);
    ck_assert_int_eq(fake->sessions.adds, 0); /* nor are the other hosts asked */
}
END_TEST

START_TEST(while_another_host_is_at_it_too)
{
    make_due();
    lease(fake->env.sessions, 10);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 0);
    ck_assert_int_eq(fake->sessions.adds, 2); /* the test's, and one of this host's requests */
}
END_TEST

/* Who has the lease of this host and not the others' keeps this host's requests from asking again
 * and again; but not when nobody knows whether there is one. */
START_TEST(a_lease_that_nobody_knows_of_is_given_back)
{
    make_due();
    lease(fake->env.sessions, 10);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_ptr_nonnull(kc_fake_store_entry(&fake->host, lease_name()));
    ck_assert_int_eq(kc_fake_store_entry(&fake->host, lease_name())->expires_at, fake->now + LEASE);
    fake->now += 10;
    ck_assert_int_eq(kc_store_drop(fake->env.host, lease_name(), NULL), KC_OK);
    ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
    fake->sessions.is_down = 1;
    ck_assert_int_eq(kc_refresh_session(KC_SESSION_LIVE, &session, testlib_pool, &last),
                     KC_SESSION_LIVE);
    ck_assert_ptr_null(kc_fake_store_entry(&fake->host, lease_name()));
    fake->sessions.is_down = 0;
    ck_assert_int_eq(token_requests(), 0);
}
END_TEST

/* Its tokens are over, and whoever is at it does not get new ones: it does not go on without. */
START_TEST(a_stale_session_waits_no_longer_than_a_lease_lasts)
{
    site->conf->http_timeout = 1;
    make_stale();
    lease(fake->env.host, 10000);
    ck_assert_int_eq(visit(), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
    ck_assert_int_eq(token_requests(), 0);
}
END_TEST

/* threats.md N 178 */
START_TEST(the_lease_of_one_who_died_ends_by_itself)
{
    make_due();
    lease(fake->env.host, 10);
    lease(fake->env.sessions, 10);
    fake->now += 10;
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 1);
}
END_TEST

/* A request of this host took the lease, and the host's clock was set back. While it may be alive,
 * nobody takes it over; when its time is over by the monotonic clock, somebody does. */
START_TEST(a_clock_that_is_set_back_prolongs_no_lease)
{
    kc_lease_t busy;

    make_due();
    kc_lease_init(&busy, fake->env.host, lease_name(), (const unsigned char *)"01234567");
    ck_assert_int_eq(
        kc_lease_take_on_host(&busy, fake->now + 3600, fake->elapsed, LEASE, testlib_pool, NULL),
        KC_OK);
    fake->elapsed += LEASE * 1000 - 1;
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 0);
    fake->elapsed++;
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 1);
}
END_TEST

/* Another host renews and fails, while a request of this one waits for it and a second passes. */
static int adds;
static kc_store_vtable_t usual;

static kc_rc_t add_while_the_other_fails(kc_store_t *store, const char *key, kc_bytes_t value,
                                         int64_t expires_at, kc_err_t *err)
{
    kc_rc_t rc = usual.add(store, key, value, expires_at, err);

    if (adds++ == 0)
        fake->now += 1;
    else
        (void)kc_store_put(fake->env.sessions, key, kc_buf_text("-"), fake->now + 1, NULL);
    return rc;
}

START_TEST(who_has_waited_gives_its_own_lease_back)
{
    kc_store_vtable_t vtable;

    make_stale();
    lease(fake->env.sessions, 9);
    usual = vtable = *fake->host.store.vtable;
    vtable.add = add_while_the_other_fails;
    fake->host.store.vtable = &vtable;
    adds = 0;
    ck_assert_int_eq(visit(), KC_SESSION_STALE);
    fake->host.store.vtable = &usual;
    ck_assert_int_ge(adds, 2);
    ck_assert_ptr_null(kc_fake_store_entry(&fake->host, lease_name()));
}
END_TEST

/* A view of before, by a request that comes to the lease when all is done. */
START_TEST(who_is_late_takes_what_is_there)
{
    kc_session_t old;

    make_due();
    ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
    old = session;
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(kc_refresh_session(KC_SESSION_LIVE, &old, testlib_pool, &last),
                     KC_SESSION_LIVE);
    session = old;
    assert_renewed();
    ck_assert_int_eq(token_requests(), 1);
}
END_TEST

START_TEST(a_stale_session_waits_for_who_is_at_it)
{
    kc_session_t old;

    make_stale();
    old = session;
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    lease(fake->env.host, 10); /* as if it were still held */
    ck_assert_int_eq(kc_refresh_session(KC_SESSION_STALE, &old, testlib_pool, &last),
                     KC_SESSION_LIVE);
    session = old;
    assert_renewed();
    ck_assert_int_eq(token_requests(), 1);
}
END_TEST

START_TEST(too_many_do_not_wait)
{
    kc_http_gate_t gate;

    make_stale();
    kc_http_gate_init(&gate, 0, 0);
    fake->env.waiters = &gate;
    lease(fake->env.host, 10);
    ck_assert_int_eq(visit(), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
    fake->env.waiters = NULL;
}
END_TEST

START_TEST(a_stale_session_is_renewed_first)
{
    make_stale();
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_renewed();
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 1);
}
END_TEST

/* ---------------------------------------------------------------- refused */

/* threats.md K 159: only these end a session. The last one is of a person whose consent was
 * revoked. */
static const char *const ends[] = {
    "{\"error\":\"invalid_grant\",\"error_description\":\"Session not active\"}",
    "{\"error\":\"invalid_grant\",\"error_description\":\"Offline user session not found\"}",
    "{\"error\":\"invalid_grant\",\"error_description\":\"Stale token\"}",
    "{\"error\":\"invalid_scope\",\"error_description\":\"Client no longer has consent\"}",
};

START_TEST(a_grant_that_is_over_ends_the_session)
{
    make_due();
    refuse(400, ends[_i]);
    ck_assert_int_eq(visit(), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_REFRESH_REFUSED);
    ck_assert_int_eq(find(cookie), KC_SESSION_ENDED);
    ck_assert_int_eq(token_requests(), 1);
}
END_TEST

static const struct {
    int status;
    const char *body;
} outages[] = {
    {500, "{}"},
    {502, "<html>"},
    {503, "{\"error\":\"invalid_grant\"}"},
    {429, "{\"error\":\"invalid_grant\"}"},
    {200, "<html>welcome"},
    {200, "{\"token_type\":\"Bearer\"}"},
    {401, "{\"error\":\"invalid_client\"}"},
    {401, "{\"error\":\"unauthorized_client\"}"},
    {403, "{\"error\":\"access_denied\",\"error_description\":\"Realm not enabled\"}"},
    {404, "{\"error\":\"Realm does not exist\"}"},
    {400, "{\"error\":\"temporarily_unavailable\"}"},
    {404, ""},
};

START_TEST(anything_else_does_not)
{
    const char *other = put();
    int i;

    make_due();
    refuse(outages[_i].status, outages[_i].body);
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_kept();
    ck_assert_int_eq(token_requests(), 1); /* and is not asked again at once */
    ck_assert_int_eq(find_and_renew(other), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 2); /* another session's luck may be better */
    fake->now += LEASE;
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 3);
    assert_renewed();
}
END_TEST

/* Each try may take the whole deadline, so that one is enough for all sessions of this host. */
START_TEST(who_does_not_answer_is_left_alone_for_a_while)
{
    const char *other = put();

    make_due();
    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(find_and_renew(other), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 1);
    fake->now += 15;
    ck_assert_int_eq(find_and_renew(other), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 2);
}
END_TEST

/* That too many wait here is no fault of the provider's: the next request tries again. */
START_TEST(what_was_not_sent_can_be_sent_at_once)
{
    make_due();
    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_BUSY);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_renewed();
}
END_TEST

START_TEST(an_outage_is_told_once)
{
    make_due();
    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(last.reason, KC_ERR_NONE);
}
END_TEST

START_TEST(an_outage_ends_it_when_its_grace_is_over)
{
    make_due();
    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
    fake->now += EARLY + site->conf->clock_skew + site->conf->stale_grace - 1;
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    fake->now += 1;
    ck_assert_int_eq(visit(), KC_SESSION_STALE);
}
END_TEST

/* threats.md A 22, 23, B 60: tokens of somebody else, or of nobody. */
static const struct {
    const char *sub, *more;
    testlib_key_t key;
    kc_reason_t reason;
} foreign[] = {
    {"another", "", TESTLIB_RSA, KC_ERR_TOKEN_SUBJECT},
    {ALICE, ",\"auth_time\":1699999989", TESTLIB_RSA, KC_ERR_TOKEN_CLAIM},
    {ALICE, ",\"nonce\":\"second-nonce\"", TESTLIB_RSA, KC_ERR_TOKEN_NONCE},
    {ALICE, ",\"nonce\":[\"first-nonce\"]", TESTLIB_RSA, KC_ERR_TOKEN_NONCE},
    {ALICE, "", TESTLIB_RSA_OTHER, KC_ERR_TOKEN_SIGNATURE},
};

START_TEST(tokens_of_somebody_else_end_it)
{
    make_due();
    grant(testlib_sign(foreign[_i].key, "RS256", HEADER, claims(foreign[_i].sub, foreign[_i].more)),
          ",\"refresh_token\":\"second\"");
    ck_assert_int_eq(visit(), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, foreign[_i].reason);
    ck_assert_int_eq(find(cookie), KC_SESSION_ENDED);
}
END_TEST

/* Where there is no ID token, an access token that can be read tells it as well. */
static void grant_access_alone(const char *sub)
{
    kc_fake_answer(fake, KC_FAKE_TOKEN, 200, "application/json",
                   apr_psprintf(testlib_pool,
                                "{\"access_token\":\"%s\",\"token_type\":\"Bearer\","
                                "\"expires_in\":300,\"refresh_token\":\"second\"}",
                                sign(claims(sub, ""))));
}

START_TEST(an_access_token_of_somebody_else_ends_it)
{
    make_due();
    grant_access_alone("somebody-else");
    ck_assert_int_eq(visit(), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_SUBJECT);
    ck_assert_int_eq(find(cookie), KC_SESSION_ENDED);
}
END_TEST

START_TEST(an_access_token_of_the_same_person_does_not)
{
    make_due();
    grant_access_alone(ALICE);
    ck_assert_msg(visit() == KC_SESSION_LIVE, "%s", last.detail);
}
END_TEST

START_TEST(tokens_of_another_issuer_end_it)
{
    make_due();
    grant(sign("{\"iss\":\"https://elsewhere.example.com\",\"aud\":\"kubeflow-oidc-authservice\","
               "\"sub\":\"" ALICE "\",\"iat\":1700000240,\"exp\":1700000540}"),
          "");
    ck_assert_int_eq(visit(), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_ISSUER);
}
END_TEST

/* Keycloak: signed in anew for another client, in the same session of the realm. */
START_TEST(a_later_auth_time_is_no_other_person)
{
    make_due();
    grant_to(ALICE, ",\"auth_time\":1700000100,\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_renewed();
    ck_assert_int_eq(session.auth_time, AUTH_TIME);
}
END_TEST

/* RFC 7519 section 2; null is absent. */
START_TEST(a_fraction_of_a_second_is_no_other_person)
{
    make_due();
    grant_to(ALICE, ",\"auth_time\":1699999990.5,\"nonce\":null,\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_renewed();
    ck_assert_int_eq(session.auth_time, AUTH_TIME);
}
END_TEST

START_TEST(the_first_nonce_may_come_again)
{
    make_due();
    grant_to(ALICE, ",\"nonce\":\"first-nonce\",\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_renewed();
}
END_TEST

/* ---------------------------------------------------------------- pauses */

/* Past its grace, and what the token endpoint says is no end of it: nobody waits, neither who asks
 * nor who comes during the pause, of which one is a second long at first. */
START_TEST(a_stale_session_that_is_not_renewed_waits_for_nobody)
{
    int i;

    make_stale();
    refuse(outages[_i].status, outages[_i].body);
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(visit(), KC_SESSION_STALE);
    ck_assert_int_eq(token_requests(), 1);
    fake->now += 1;
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_renewed();
    ck_assert_int_eq(token_requests(), 2);
}
END_TEST

/* A renewal fails, for a reason that pauses the session or one that pauses all of the host. Then
 * the host's clock is set back by half a minute, and the second of the pause passes. There is one
 * store, as without memcached. */
START_TEST(a_clock_that_is_set_back_prolongs_no_pause)
{
    fake->env.sessions = fake->env.host;
    cookie = put();
    make_stale();
    if (_i)
        kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
    else
        refuse(503, "{}");
    ck_assert_int_eq(visit(), KC_SESSION_STALE);
    ck_assert_int_eq(token_requests(), 1);
    fake->now -= 30;
    fake->elapsed += 999;
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 1);
    fake->elapsed += 1;
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 2);
    assert_renewed();
}
END_TEST

/* On another host of the cluster too. */
START_TEST(nor_do_other_hosts)
{
    int i;

    make_stale();
    refuse(503, "{}");
    ck_assert_int_eq(visit(), KC_SESSION_STALE);
    for (i = 0; kc_fake_store_nth(&fake->host, i); i++)
        kc_fake_store_nth(&fake->host, i)->expires_at = 1;
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(visit(), KC_SESSION_STALE);
    ck_assert_int_eq(token_requests(), 1);
}
END_TEST

/* In one store or the other: this host's knows it first, the others' may be down. */
START_TEST(a_sign_in_either_store_is_a_pause)
{
    make_stale();
    ck_assert_int_eq(kc_store_put(_i ? fake->env.sessions : fake->env.host, lease_name(),
                                  kc_buf_text("-"), fake->now + 5, NULL),
                     KC_OK);
    ck_assert_int_eq(visit(), KC_SESSION_STALE);
    ck_assert_int_eq(last.reason, KC_ERR_NONE);
    ck_assert_int_eq(token_requests(), 0);
    fake->now += 5;
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_renewed();
}
END_TEST

/* Somebody has the lease, whose provider does not answer: that is told by a pause of all. */
static kc_rc_t add_and_pause(kc_store_t *store, const char *key, kc_bytes_t value,
                             int64_t expires_at, kc_err_t *err)
{
    (void)store, (void)key, (void)value, (void)expires_at, (void)err;
    kc_pause_begin(&fake->env, site->rp->pause, testlib_pool);
    return KC_EXISTS;
}

START_TEST(a_pause_that_begins_meanwhile_ends_the_wait)
{
    kc_store_vtable_t busy = *fake->host.store.vtable;

    make_stale();
    busy.add = add_and_pause;
    fake->host.store.vtable = &busy;
    ck_assert_int_eq(visit(), KC_SESSION_STALE);
    ck_assert_int_eq(token_requests(), 0);
}
END_TEST

START_TEST(each_pause_is_longer_up_to_a_quarter_of_a_minute)
{
    static const int lengths[] = {1, 2, 4, 8, 15, 15, 15};
    size_t i;

    make_stale();
    if (_i)
        kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
    else
        refuse(401, "{\"error\":\"invalid_client\"}");
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        ck_assert_int_eq(visit(), KC_SESSION_STALE);
        ck_assert_int_eq(token_requests(), (int)i + 1);
        fake->now += lengths[i] - 1;
        ck_assert_int_eq(visit(), KC_SESSION_STALE);
        ck_assert_int_eq(token_requests(), (int)i + 1);
        fake->now += 1;
    }
    fake->now += KC_PAUSE_MEMORY + KC_PAUSE_MAX; /* forgotten */
    ck_assert_int_eq(visit(), KC_SESSION_STALE);
    fake->now += 1;
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
}
END_TEST

/* Also that of all sessions, of which each tries once. */
START_TEST(each_pause_of_all_is_longer)
{
    static const int lengths[] = {1, 2, 4, 8, 15, 15};
    enum { PAUSES = sizeof(lengths) / sizeof(lengths[0]) };
    const char *ids[PAUSES];
    int i;

    for (i = 0; i < PAUSES; i++)
        ids[i] = put();
    make_due();
    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
    for (i = 0; i < PAUSES; i++) {
        ck_assert_int_eq(find_and_renew(ids[i]), KC_SESSION_LIVE);
        ck_assert_int_eq(token_requests(), i + 1);
        fake->now += lengths[i] - 1;
        ck_assert_int_eq(find_and_renew(ids[(i + 1) % PAUSES]), KC_SESSION_LIVE);
        ck_assert_int_eq(token_requests(), i + 1);
        fake->now += 1;
    }
}
END_TEST

/* A provider that hangs, asked again: by one request for all sessions of this host. */
START_TEST(after_a_pause_one_tries_for_all)
{
    const char *other = put();

    make_due();
    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    fake->now += 1;
    ck_assert_int_eq(kc_pause_look(&fake->env, site->rp->pause, 9, testlib_pool), KC_PAUSE_TURN);
    ck_assert_int_eq(find_and_renew(other), KC_SESSION_LIVE); /* as if the first were trying */
    ck_assert_int_eq(token_requests(), 1);
    kc_pause_give_turn(&fake->env, site->rp->pause);
    grant_to(ALICE, ",\"groups\":[\"/after\"]");
    ck_assert_int_eq(find_and_renew(other), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 2);
    assert_renewed();
    ck_assert_int_eq(kc_pause_look(&fake->env, site->rp->pause, 9, testlib_pool), KC_PAUSE_NONE);
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 3);
}
END_TEST

/* ---------------------------------------------------------------- the time of a request */

START_TEST(all_calls_of_a_renewal_share_the_time_of_one)
{
    int64_t total = site->conf->http_timeout;
    const kc_fake_request_t *requests;
    int64_t left = total;
    int i;

    make_stale();
    site->conf->metadata_ttl = site->conf->metadata_stale = 1; /* these are to be fetched as well */
    grant_to(ALICE, "");                                       /* and userinfo, for the groups */
    fake->http.takes_ms = total / 4 + 1;
    i = fake->http.requests->nelts;
    (void)kc_refresh_session(KC_SESSION_STALE, &session, testlib_pool, &last);
    ck_assert_int_le(fake->elapsed, total);
    ck_assert_int_eq(fake->http.requests->nelts - i, 4);
    requests = (const kc_fake_request_t *)(void *)fake->http.requests->elts;
    for (; i < fake->http.requests->nelts; i++, left -= fake->http.takes_ms)
        ck_assert_int_eq(requests[i].timeout_ms, left);
}
END_TEST

START_TEST(where_no_time_is_left_nothing_is_sent)
{
    make_due();
    ck_assert_int_eq(kc_deadline_left(&fake->env, testlib_pool, 100), 100);
    fake->elapsed += 100;
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
    ck_assert_int_eq(token_requests(), 0);
    ck_assert_ptr_null(kc_fake_store_entry(&fake->host, lease_name())); /* and nobody is kept off */
}
END_TEST

START_TEST(nobody_waits_longer_for_another_than_that)
{
    make_stale();
    lease(fake->env.host, 1000);
    ck_assert_int_eq(kc_deadline_left(&fake->env, testlib_pool, 100), 100);
    fake->elapsed += 100;
    ck_assert_int_eq(visit(), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
}
END_TEST

/* ---------------------------------------------------------------- races and the store */

/* threats.md N 177: signed out while Keycloak is being asked. */
START_TEST(signed_out_meanwhile_it_stays_out)
{
    kc_session_t stored;
    kc_session_t fresh;

    make_due();
    ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
    ck_assert_int_eq(kc_session_reload(&session, testlib_pool, &stored, &last), KC_OK);
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(cookie), testlib_pool, NULL), KC_OK);
    fresh = stored;
    ck_assert_int_eq(kc_session_replace(&stored, &fresh, testlib_pool, &last), KC_MISS);
    ck_assert_ptr_null(kc_fake_store_entry(&fake->sessions, stored.key));
    ck_assert_int_eq(find(cookie), KC_SESSION_ENDED);
}
END_TEST

START_TEST(signed_out_before_nobody_asks)
{
    make_due();
    ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(cookie), testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(kc_refresh_session(KC_SESSION_LIVE, &session, testlib_pool, &last),
                     KC_SESSION_ENDED);
    ck_assert_int_eq(token_requests(), 0);
}
END_TEST

START_TEST(a_store_that_is_down_costs_a_live_session_nothing)
{
    make_due();
    ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
    fake->sessions.is_down = 1;
    ck_assert_int_eq(kc_refresh_session(KC_SESSION_LIVE, &session, testlib_pool, &last),
                     KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 0);
    fake->sessions.is_down = 0;
}
END_TEST

/* threats.md N 179: the new tokens are lost; what follows is one sign-in at the worst. */
START_TEST(tokens_that_cannot_be_stored_leave_the_session_as_it_was)
{
    int64_t began;
    int puts;

    make_due();
    ck_assert_int_eq(find(cookie), KC_SESSION_LIVE);
    puts = fake->sessions.puts;
    began = kc_wait_limit_now();
    fake->sessions.down_after = 2; /* the lease and the reading succeed */
    ck_assert_int_eq(kc_refresh_session(KC_SESSION_LIVE, &session, testlib_pool, &last),
                     KC_SESSION_LIVE);
    ck_assert_int_eq(token_requests(), 1);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    ck_assert_int_eq(fake->sessions.puts - puts, 4); /* each some time after the one before */
    ck_assert_int_ge(kc_wait_limit_now() - began, 3 * 150);
    assert_kept();
}
END_TEST

/* Under whichever key it was sealed, it stays where it is. */
START_TEST(a_session_of_an_older_key_is_renewed_in_its_place)
{
    static const char old[] = "0123456789abcdef0123456789abcdef";

    site->keys = kc_fake_site_keys(site, old, NULL);
    kc_fake_site_renew(site);
    cookie = put();
    site->keys = kc_fake_site_keys(site, "ffffffffffffffffffffffffffffffff", old);
    kc_fake_site_renew(site);
    make_due();
    ck_assert_int_eq(visit(), KC_SESSION_LIVE);
    assert_renewed();
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(cookie), testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(visit(), KC_SESSION_ENDED);
}
END_TEST

static TCase *tcase_make(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_unchecked_fixture(tcase, make_keys, NULL);
    tcase_add_checked_fixture(tcase, setup, testlib_teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

Suite *kc_test_refresh(void)
{
    Suite *suite = suite_create("refresh");
    TCase *tests = tcase_make(suite, "renewed");

    tcase_add_test(tests, before_it_is_time_nothing_happens);
    tcase_add_test(tests, when_it_is_time_one_request_brings_new_tokens);
    tcase_add_test(tests, what_was_signed_in_stays);
    tcase_add_loop_test(tests, the_acr_follows_the_new_token, 0,
                        (int)(sizeof(renewed_acrs) / sizeof(renewed_acrs[0])));
    tcase_add_test(tests, a_refresh_token_that_is_not_replaced_is_kept);
    tcase_add_test(tests, without_an_id_token_the_old_one_goes_on);
    tcase_add_loop_test(tests, tokens_are_renewed_before_the_refresh_token_ends, 0,
                        (int)(sizeof(refresh_spans) / sizeof(refresh_spans[0])));
    tcase_add_test(tests, a_session_without_a_refresh_token_ends_with_its_tokens);
    tcase_add_test(tests, without_a_refresh_token_nobody_is_asked);
    tcase_add_test(tests, turned_off_nothing_is_renewed);
    tcase_add_test(tests, a_refresh_token_is_not_lost_for_userinfo);
    tcase_add_test(tests, nor_for_userinfo_that_refuses);
    tcase_add_test(tests, nor_for_a_key_that_is_not_known_yet);
    tests = tcase_make(suite, "lease");
    tcase_add_test(tests, while_another_request_is_at_it_a_live_session_goes_on);
    tcase_add_test(tests, while_another_host_is_at_it_too);
    tcase_add_test(tests, a_lease_that_nobody_knows_of_is_given_back);
    tcase_add_test(tests, a_stale_session_waits_no_longer_than_a_lease_lasts);
    tcase_add_test(tests, the_lease_of_one_who_died_ends_by_itself);
    tcase_add_test(tests, a_clock_that_is_set_back_prolongs_no_lease);
    tcase_add_test(tests, who_has_waited_gives_its_own_lease_back);
    tcase_add_test(tests, who_is_late_takes_what_is_there);
    tcase_add_test(tests, a_stale_session_waits_for_who_is_at_it);
    tcase_add_test(tests, too_many_do_not_wait);
    tcase_add_test(tests, a_stale_session_is_renewed_first);
    tests = tcase_make(suite, "refused");
    tcase_add_loop_test(tests, a_grant_that_is_over_ends_the_session, 0,
                        sizeof(ends) / sizeof(ends[0]));
    tcase_add_loop_test(tests, anything_else_does_not, 0, sizeof(outages) / sizeof(outages[0]));
    tcase_add_test(tests, who_does_not_answer_is_left_alone_for_a_while);
    tcase_add_test(tests, what_was_not_sent_can_be_sent_at_once);
    tcase_add_test(tests, an_outage_is_told_once);
    tcase_add_test(tests, an_outage_ends_it_when_its_grace_is_over);
    tcase_add_loop_test(tests, tokens_of_somebody_else_end_it, 0,
                        sizeof(foreign) / sizeof(foreign[0]));
    tcase_add_test(tests, an_access_token_of_somebody_else_ends_it);
    tcase_add_test(tests, an_access_token_of_the_same_person_does_not);
    tcase_add_test(tests, tokens_of_another_issuer_end_it);
    tcase_add_test(tests, a_later_auth_time_is_no_other_person);
    tcase_add_test(tests, a_fraction_of_a_second_is_no_other_person);
    tcase_add_test(tests, the_first_nonce_may_come_again);
    tests = tcase_make(suite, "pauses");
    tcase_add_loop_test(tests, a_stale_session_that_is_not_renewed_waits_for_nobody, 0,
                        sizeof(outages) / sizeof(outages[0]));
    tcase_add_test(tests, nor_do_other_hosts);
    tcase_add_loop_test(tests, a_sign_in_either_store_is_a_pause, 0, 2);
    tcase_add_loop_test(tests, a_clock_that_is_set_back_prolongs_no_pause, 0, 2);
    tcase_add_test(tests, a_pause_that_begins_meanwhile_ends_the_wait);
    tcase_add_loop_test(tests, each_pause_is_longer_up_to_a_quarter_of_a_minute, 0, 2);
    tcase_add_test(tests, each_pause_of_all_is_longer);
    tcase_add_test(tests, after_a_pause_one_tries_for_all);
    tests = tcase_make(suite, "time");
    tcase_add_test(tests, all_calls_of_a_renewal_share_the_time_of_one);
    tcase_add_test(tests, where_no_time_is_left_nothing_is_sent);
    tcase_add_test(tests, nobody_waits_longer_for_another_than_that);
    tests = tcase_make(suite, "races");
    tcase_add_test(tests, signed_out_meanwhile_it_stays_out);
    tcase_add_test(tests, signed_out_before_nobody_asks);
    tcase_add_test(tests, a_store_that_is_down_costs_a_live_session_nothing);
    tcase_add_test(tests, tokens_that_cannot_be_stored_leave_the_session_as_it_was);
    tcase_add_test(tests, a_session_of_an_older_key_is_renewed_in_its_place);
    return suite;
}

/* Tests of access.h: each cell of the decision table, come to by each way that a session's state
 * can come about, and the order in which a check finds, renews, compares and decides.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access/access.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>
#include <strings.h>

#include "fake_site.h"
#include "session/pack.h"
#include "session/revocation.h"
#include "testlib.h"
#include "variant.h"

Suite *kc_test_access(void);

#define SESSION "__Host-keycloak_session"
#define ALICE "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define BOB "0b0b0b0b-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define CLIENT "kubeflow-oidc-authservice"
#define HEADER "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\"}"
#define UNKNOWN_ID "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define BROWSER "text/html,application/xhtml+xml"
#define AUTH_TIME (KC_FAKE_NOW - 10)
#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))

enum { LIFETIME = 300, EARLY = 60, HEADERS_MAX = 4 };

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_access_t request;
static kc_access_location_t location;
static kc_access_answer_t answer;
static const char *cookie; /* the id of the session that put has made last */

/* The request's headers, and how often one was asked for. */
static struct {
    const char *name, *value;
} headers[HEADERS_MAX];
static int headers_read;

/* ---------------------------------------------------------------- the provider */

static const char *claims(const char *more)
{
    return apr_psprintf(testlib_pool,
                        "{\"iss\":\"" KC_FAKE_ISSUER "\",\"aud\":\"" CLIENT "\",\"sub\":\"" ALICE
                        "\",\"typ\":\"ID\",\"azp\":\"" CLIENT
                        "\",\"iat\":%ld,\"exp\":%ld,\"sid\":\"first-sid\","
                        "\"email\":\"alice@example.com\",\"email_verified\":true,\"groups\":[]%s}",
                        (long)fake->now, (long)fake->now + LIFETIME, more);
}

static const char *sign(const char *payload)
{
    return testlib_sign(TESTLIB_RSA, "RS256", HEADER, payload);
}

/* What the token endpoint answers from now on. */
static void grant(const char *more)
{
    kc_fake_answer(fake, KC_FAKE_TOKEN, 200, "application/json",
                   apr_psprintf(testlib_pool,
                                "{\"access_token\":\"opaque\",\"id_token\":\"%s\","
                                "\"token_type\":\"Bearer\",\"expires_in\":300,"
                                "\"refresh_token\":\"second\"}",
                                sign(claims(more))));
}

static void refuse_tokens(void)
{
    kc_fake_answer(fake, KC_FAKE_TOKEN, 400, "application/json", "{\"error\":\"invalid_grant\"}");
}

static void answer_no_tokens(void)
{
    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
}

static int token_requests(void)
{
    return kc_fake_request_count(fake, KC_FAKE_TOKEN);
}

static void provide(void)
{
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_pstrcat(testlib_pool, "{\"keys\":[",
                                     testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\""), "]}", NULL));
}

/* ---------------------------------------------------------------- the session */

static const char *put_of(const char *sub, const char *acr, int is_renewable)
{
    const kc_pack_t contents = {
        sign(claims(",\"nonce\":\"first-nonce\"")), NULL, is_renewable ? "first" : NULL, {NULL, 0}};
    apr_array_header_t *groups = apr_array_make(testlib_pool, 1, sizeof(const char *));
    char *id = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);
    kc_session_t fresh;

    memset(&fresh, 0, sizeof(fresh));
    fresh.created = fake->now;
    fresh.expires = fake->now + site->conf->session_max;
    fresh.token_expires = fake->now + LIFETIME;
    fresh.refresh_at = is_renewable ? fresh.token_expires - EARLY : 0;
    fresh.auth_time = AUTH_TIME;
    fresh.sub = sub;
    fresh.sid = "first-sid";
    fresh.user = fresh.email = "alice@example.com";
    fresh.acr = acr;
    fresh.groups = "team";
    APR_ARRAY_PUSH(groups, const char *) = fresh.groups;
    fresh.group_list = kc_session_list_make(groups, testlib_pool);
    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &fresh.packed, NULL), KC_OK);
    ck_assert_int_eq(kc_session_create(site->rp, &fresh, testlib_pool, id, NULL), KC_OK);
    return id;
}

static void plant(const char *sub, const char *acr, int is_renewable)
{
    cookie = put_of(sub, acr, is_renewable);
    kc_fake_site_plant(site, SESSION, cookie);
}

/* An earlier request has left a view in the first tier. */
static void make_view(void)
{
    kc_session_t seen;
    kc_session_state_t state =
        kc_session_find(site->rp, kc_buf_text(cookie), testlib_pool, &seen, NULL);

    ck_assert(state == KC_SESSION_LIVE || state == KC_SESSION_STALE);
}

static void lease_to_others(void)
{
    kc_session_t seen;

    (void)kc_session_find(site->rp, kc_buf_text(cookie), testlib_pool, &seen, NULL);
    ck_assert_int_eq(kc_store_add(fake->env.sessions,
                                  apr_psprintf(testlib_pool, "%s%.32s", seen.key + 32, seen.key),
                                  kc_buf_text("somebody else's."), fake->now + EARLY, NULL),
                     KC_OK);
}

static void end_by(kc_revocation_kind_t kind, const char *text)
{
    fake->now++;
    ck_assert_int_eq(kc_revocation_add(site->rp, kind, text, NULL), KC_OK);
    fake->now++;
}

/* ---------------------------------------------------------------- the request */

static const char *header_of(void *context, const char *name)
{
    int i;

    ck_assert_ptr_eq(context, &headers);
    headers_read++;
    for (i = 0; i < HEADERS_MAX && headers[i].name; i++) {
        if (strcasecmp(headers[i].name, name) == 0)
            return headers[i].value;
    }
    return NULL;
}

static void send_header(const char *name, const char *value)
{
    int i = 0;

    while (headers[i].name)
        i++;
    headers[i].name = name;
    headers[i].value = value;
}

/* A new request, with the cookies that the browser has now. */
static void begin(void)
{
    memset(&request, 0, sizeof(request));
    request.rp = site->rp;
    request.pool = testlib_pool;
    request.path = "/";
    request.cookies = site->client.cookies;
    request.is_https = 1;
}

static kc_decision_t check(void)
{
    answer = kc_access_check(&request, &location);
    return answer.decision;
}

/* A location of a page, as most are. */
static void go_to_page(void)
{
    location.header = header_of;
    location.context = &headers;
    location.method = "GET";
    location.unauth = KC_UNAUTH_AUTO;
    location.is_page_get = 1;
}

static void require_acr(const char *acr)
{
    apr_array_header_t *words = apr_array_make(testlib_pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(words, const char *) = acr;
    location.step_up.acr = words;
}

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_RSA);
    (void)testlib_key(TESTLIB_RSA_OTHER);
}

static void setup(void)
{
    static const kc_siphash_key_t key = {{1, 2}};

    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    ck_assert_int_eq(kc_view_cache_create(1024 * 1024, &key, testlib_pool, &fake->env.cache, NULL),
                     KC_OK);
    provide();
    grant("");
    memset(&location, 0, sizeof(location));
    memset(&answer, 0x55, sizeof(answer));
    memset(headers, 0, sizeof(headers));
    headers_read = 0;
}

/* ---------------------------------------------------------------- how a state comes about */

static void no_cookie(void)
{
    begin();
}

static void malformed_cookie(void)
{
    kc_fake_site_plant(site, SESSION, "x");
    begin();
}

static void unknown_cookie(void)
{
    kc_fake_site_plant(site, SESSION, UNKNOWN_ID);
    begin();
}

static void live(void)
{
    plant(ALICE, "1", 1);
    begin();
}

static void live_by_view(void)
{
    live();
    make_view();
    fake->sessions.is_down = 1;
}

static void live_by_grace(void)
{
    live_by_view();
    fake->now += site->conf->store_grace;
}

static void over_grace(void)
{
    live_by_view();
    fake->now += site->conf->store_grace + site->conf->cache_ttl / 1000 + 1;
}

static void store_down(void)
{
    live();
    fake->sessions.is_down = 1;
}

static void store_down_for_unknown(void)
{
    unknown_cookie();
    fake->sessions.is_down = 1;
}

static void store_down_without_cookie(void)
{
    no_cookie();
    fake->sessions.is_down = 1;
}

static void foreign_key(void)
{
    live();
    site->keys = kc_fake_site_keys(site, "fedcba9876543210fedcba9876543210", NULL);
    kc_fake_site_renew(site);
    begin();
}

static void unreadable(void)
{
    kc_fake_entry_t *entry;

    live();
    entry = kc_fake_store_nth(&fake->sessions, 0);
    entry->data[entry->len / 2] ^= 1;
}

static void not_used(void)
{
    live();
    site->conf->session_idle = EARLY;
    fake->now += EARLY;
}

static void past_its_end(void)
{
    live();
    site->conf->session_max = EARLY;
    fake->now += EARLY;
}

static void signed_out(void)
{
    live();
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(cookie), testlib_pool, NULL), KC_OK);
}

static void user_revoked(void)
{
    live();
    end_by(KC_REVOCATION_SUB, ALICE);
}

static void sid_revoked_behind_a_view(void)
{
    live();
    make_view();
    end_by(KC_REVOCATION_SID, "first-sid");
}

static void due(void)
{
    live();
    fake->now += LIFETIME - EARLY;
    grant("");
}

static void due_and_provider_down(void)
{
    due();
    answer_no_tokens();
}

static void due_and_refused(void)
{
    due();
    refuse_tokens();
}

static void due_and_led_by_others(void)
{
    due();
    lease_to_others();
}

static void due_and_store_down(void)
{
    due();
    make_view();
    fake->sessions.is_down = 1;
}

static void due_without_renewal(void)
{
    due();
    site->conf->refresh = 0;
}

static void stale(void)
{
    live();
    fake->now += LIFETIME + site->conf->clock_skew + site->conf->stale_grace;
    grant("");
}

static void stale_and_provider_down(void)
{
    stale();
    answer_no_tokens();
}

static void stale_and_refused(void)
{
    stale();
    refuse_tokens();
}

static void stale_and_store_down(void)
{
    stale();
    make_view();
    fake->sessions.is_down = 1;
}

static void stale_for_good(void)
{
    plant(ALICE, "1", 0);
    begin();
    fake->now += LIFETIME + site->conf->clock_skew;
}

static void weak_by_acr(void)
{
    live();
    require_acr("gold");
}

static void strong_by_acr(void)
{
    live();
    require_acr("1");
}

static void weak_by_age(void)
{
    live();
    location.step_up.max_age = 60;
    fake->now += 60 + site->conf->clock_skew;
}

static void strong_by_age(void)
{
    live();
    location.step_up.max_age = 60;
}

static void weak_by_beginning(void)
{
    live();
    location.not_before = fake->now + 1;
}

static void new_enough(void)
{
    live();
    location.not_before = fake->now;
}

static void weak_until_renewed(void)
{
    due();
    require_acr("gold");
    grant(",\"acr\":\"gold\"");
}

static void strong_until_renewed(void)
{
    due();
    require_acr("1");
    grant(",\"acr\":\"0\"");
}

static void weak_and_provider_down(void)
{
    due_and_provider_down();
    require_acr("gold");
}

static void weak_and_refused(void)
{
    due_and_refused();
    require_acr("gold");
}

static void weak_and_stale(void)
{
    stale();
    require_acr("gold");
}

static void weak_and_stale_for_good(void)
{
    stale_for_good();
    require_acr("gold");
}

static void weak_and_signed_out(void)
{
    signed_out();
    require_acr("gold");
}

static void weak_and_store_down(void)
{
    store_down();
    require_acr("gold");
}

static void required_of_nobody(void)
{
    no_cookie();
    require_acr("gold");
}

/* Of one person, in a domain's other host and here. */
static void two_cookies(void)
{
    live();
    request.cookies = apr_pstrcat(testlib_pool, SESSION "=" UNKNOWN_ID "; ", request.cookies, NULL);
}

static void cookies_of_two_people(void)
{
    live();
    request.cookies =
        apr_pstrcat(testlib_pool, SESSION "=", put_of(BOB, "1", 1), "; ", request.cookies, NULL);
}

/* ---- by a bearer token ---- */

static void take_bearer(const char *authorization)
{
    site->conf->bearer = KC_BEARER_ON;
    request.authorization = authorization;
}

static const char *token(testlib_key_t key, const char *more)
{
    return apr_pstrcat(testlib_pool, "Bearer ", testlib_sign(key, "RS256", HEADER, claims(more)),
                       NULL);
}

static void bearer(void)
{
    no_cookie();
    take_bearer(token(TESTLIB_RSA, ",\"acr\":\"1\""));
}

static void bearer_beside_a_dead_cookie(void)
{
    signed_out();
    take_bearer(token(TESTLIB_RSA, ""));
}

static void bearer_that_is_due(void)
{
    bearer();
    ck_assert_int_eq(fake->now, KC_FAKE_NOW);
    fake->now += LIFETIME - 1;
}

static void bearer_of_a_stranger(void)
{
    no_cookie();
    take_bearer(token(TESTLIB_RSA_OTHER, ""));
}

static void bearer_bad_beside_a_good_cookie(void)
{
    live();
    take_bearer(token(TESTLIB_RSA_OTHER, ""));
}

static void bearer_empty_beside_a_good_cookie(void)
{
    live();
    take_bearer("Bearer ");
}

static void bearer_twice(void)
{
    live();
    take_bearer("Bearer a.b.c, Bearer a.b.c");
}

static void bearer_over(void)
{
    bearer();
    fake->now += LIFETIME + site->conf->clock_skew;
}

static void bearer_revoked(void)
{
    bearer();
    fake->now += 2 * site->conf->clock_skew;
    end_by(KC_REVOCATION_SUB, ALICE);
}

static void bearer_without_keys(void)
{
    bearer();
    kc_fake_answer_down(fake, KC_FAKE_JWKS, KC_ERR_PROVIDER_DOWN);
}

static void bearer_and_store_down(void)
{
    bearer();
    fake->sessions.is_down = 1;
}

static void bearer_weak(void)
{
    bearer();
    require_acr("gold");
}

static void bearer_refused_and_weak(void)
{
    bearer_of_a_stranger();
    require_acr("gold");
}

static void bearer_that_is_not_taken(void)
{
    live();
    take_bearer(token(TESTLIB_RSA_OTHER, ""));
    site->conf->bearer = KC_BEARER_OFF;
}

static void bearer_where_none_counts(void)
{
    live();
    site->conf->bearer = KC_BEARER_ON;
}

static void basic_beside_a_good_cookie(void)
{
    live();
    take_bearer("Basic YTpi");
}

typedef struct event_t {
    void (*happen)(void);
    kc_session_state_t state; /* as the location sees it, once the tokens have been looked after */
    kc_session_state_t as_found; /* the same for who signs in or out, and renews nothing */
    kc_reason_t reason;          /* of the first; KC_ERR_NONE: no matter */
    int has_failed_renewal;
    int is_bearer;
} event_t;

#define S(name) KC_SESSION_##name

static const event_t events[] = {
    {no_cookie, S(NONE), S(NONE), 0, 0, 0},
    {malformed_cookie, S(NONE), S(NONE), KC_ERR_SESSION_INVALID, 0, 0},
    {unknown_cookie, S(NONE), S(NONE), KC_ERR_SESSION_IDLE, 0, 0},
    {foreign_key, S(NONE), S(NONE), KC_ERR_SESSION_IDLE, 0, 0},
    {unreadable, S(NONE), S(NONE), KC_ERR_SEAL, 0, 0},
    {not_used, S(NONE), S(NONE), KC_ERR_SESSION_IDLE, 0, 0},
    {cookies_of_two_people, S(NONE), S(NONE), 0, 0, 0},
    {store_down_without_cookie, S(NONE), S(NONE), 0, 0, 0},
    {required_of_nobody, S(NONE), S(NONE), 0, 0, 0},
    {live, S(LIVE), S(LIVE), 0, 0, 0},
    {live_by_view, S(LIVE), S(LIVE), 0, 0, 0},
    {live_by_grace, S(LIVE), S(LIVE), 0, 0, 0},
    {two_cookies, S(LIVE), S(LIVE), 0, 0, 0},
    {strong_by_acr, S(LIVE), S(LIVE), 0, 0, 0},
    {strong_by_age, S(LIVE), S(LIVE), 0, 0, 0},
    {new_enough, S(LIVE), S(LIVE), 0, 0, 0},
    {due, S(LIVE), S(LIVE), 0, 0, 0},
    {due_and_provider_down, S(LIVE), S(LIVE), KC_ERR_PROVIDER_DOWN, 1, 0},
    {due_and_led_by_others, S(LIVE), S(LIVE), 0, 0, 0},
    {due_and_store_down, S(LIVE), S(LIVE), 0, 0, 0},
    {due_without_renewal, S(LIVE), S(LIVE), 0, 0, 0},
    {due_and_refused, S(ENDED), S(LIVE), KC_ERR_REFRESH_REFUSED, 1, 0},
    {stale, S(LIVE), S(STALE), 0, 0, 0},
    {stale_and_provider_down, S(STALE), S(STALE), KC_ERR_PROVIDER_DOWN, 0, 0},
    {stale_and_refused, S(ENDED), S(STALE), KC_ERR_REFRESH_REFUSED, 1, 0},
    {stale_and_store_down, S(UNKNOWN), S(STALE), KC_ERR_STORE_DOWN, 1, 0},
    {stale_for_good, S(STALE), S(STALE), KC_ERR_SESSION_ENDED, 0, 0},
    {past_its_end, S(ENDED), S(ENDED), KC_ERR_SESSION_MAX, 0, 0},
    {signed_out, S(ENDED), S(ENDED), KC_ERR_SIGNED_OUT, 0, 0},
    {user_revoked, S(ENDED), S(ENDED), KC_ERR_SIGNED_OUT, 0, 0},
    {sid_revoked_behind_a_view, S(ENDED), S(ENDED), KC_ERR_SIGNED_OUT, 0, 0},
    {store_down, S(UNKNOWN), S(UNKNOWN), KC_ERR_STORE_DOWN, 0, 0},
    {store_down_for_unknown, S(UNKNOWN), S(UNKNOWN), KC_ERR_STORE_DOWN, 0, 0},
    {over_grace, S(UNKNOWN), S(UNKNOWN), KC_ERR_STORE_DOWN, 0, 0},
    {weak_by_acr, S(WEAK), S(WEAK), 0, 0, 0},
    {weak_by_age, S(WEAK), S(WEAK), 0, 0, 0},
    {weak_by_beginning, S(WEAK), S(WEAK), 0, 0, 0},
    {weak_until_renewed, S(LIVE), S(WEAK), 0, 0, 0},
    {strong_until_renewed, S(WEAK), S(LIVE), 0, 0, 0},
    {weak_and_provider_down, S(WEAK), S(WEAK), KC_ERR_PROVIDER_DOWN, 1, 0},
    {weak_and_refused, S(ENDED), S(WEAK), KC_ERR_REFRESH_REFUSED, 1, 0},
    {weak_and_stale, S(WEAK), S(STALE), 0, 0, 0},
    {weak_and_stale_for_good, S(STALE), S(STALE), KC_ERR_SESSION_ENDED, 0, 0},
    {weak_and_signed_out, S(ENDED), S(ENDED), KC_ERR_SIGNED_OUT, 0, 0},
    {weak_and_store_down, S(UNKNOWN), S(UNKNOWN), KC_ERR_STORE_DOWN, 0, 0},
    {bearer, S(LIVE), S(LIVE), 0, 0, 1},
    {bearer_beside_a_dead_cookie, S(LIVE), S(LIVE), 0, 0, 1},
    {bearer_that_is_due, S(LIVE), S(LIVE), 0, 0, 1},
    {bearer_of_a_stranger, S(REFUSED), S(REFUSED), KC_ERR_INVALID_TOKEN, 0, 1},
    {bearer_bad_beside_a_good_cookie, S(REFUSED), S(REFUSED), KC_ERR_INVALID_TOKEN, 0, 1},
    {bearer_empty_beside_a_good_cookie, S(REFUSED), S(REFUSED), KC_ERR_INVALID_TOKEN, 0, 1},
    {bearer_twice, S(REFUSED), S(REFUSED), KC_ERR_INVALID_TOKEN, 0, 1},
    {bearer_over, S(REFUSED), S(REFUSED), KC_ERR_INVALID_TOKEN, 0, 1},
    {bearer_revoked, S(REFUSED), S(REFUSED), KC_ERR_INVALID_TOKEN, 0, 1},
    {bearer_refused_and_weak, S(REFUSED), S(REFUSED), KC_ERR_INVALID_TOKEN, 0, 1},
    {bearer_without_keys, S(UNKNOWN), S(UNKNOWN), KC_ERR_PROVIDER_DOWN, 0, 1},
    {bearer_and_store_down, S(UNKNOWN), S(UNKNOWN), KC_ERR_STORE_DOWN, 0, 1},
    {bearer_weak, S(WEAK), S(WEAK), 0, 0, 1},
    {bearer_that_is_not_taken, S(LIVE), S(LIVE), 0, 0, 0},
    {bearer_where_none_counts, S(LIVE), S(LIVE), 0, 0, 0},
    {basic_beside_a_good_cookie, S(LIVE), S(LIVE), 0, 0, 0},
};

enum { EVENTS = sizeof(events) / sizeof(events[0]) };

/* ---------------------------------------------------------------- each cell by each event */

#define D(name) KC_DECISION_##name

/* clang-format off */
static const kc_decision_t expected[KC_SESSION_STATES][KC_REQUEST_CLASSES] = {
    /*             navigation      API             optional            callback           logout          subrequest */
    [S(NONE)]    = {D(LOGIN),       D(DENY),        D(ALLOW_ANONYMOUS), D(LOGIN),          D(SKIP_LOGOUT), D(DENY)},
    [S(LIVE)]    = {D(ALLOW),       D(ALLOW),       D(ALLOW),           D(RETURN_TO_PAGE), D(END_SESSION), D(ALLOW)},
    [S(STALE)]   = {D(LOGIN),       D(DENY),        D(ALLOW_ANONYMOUS), D(LOGIN),          D(END_SESSION), D(DENY)},
    [S(ENDED)]   = {D(LOGIN),       D(DENY),        D(ALLOW_ANONYMOUS), D(LOGIN),          D(SKIP_LOGOUT), D(DENY)},
    [S(UNKNOWN)] = {D(UNAVAILABLE), D(UNAVAILABLE), D(UNAVAILABLE),     D(UNAVAILABLE),    D(UNAVAILABLE), D(UNAVAILABLE)},
    [S(WEAK)]    = {D(LOGIN),       D(DENY),        D(ALLOW_ANONYMOUS), D(LOGIN),          D(END_SESSION), D(DENY)},
    [S(REFUSED)] = {D(DENY),        D(DENY),        D(DENY),            D(DENY),           D(DENY),        D(DENY)},
};
/* clang-format on */

/* The request as one of this class: by its headers and the location's settings, or as an address of
 * ours says. */
static void make_class(kc_request_class_t kind)
{
    if (kind == KC_REQUEST_CLASS_CALLBACK || kind == KC_REQUEST_CLASS_LOGOUT) {
        location.kind = kind;
        return;
    }
    go_to_page();
    send_header("Accept", kind == KC_REQUEST_CLASS_API ? "application/json" : BROWSER);
    location.is_subrequest = kind == KC_REQUEST_CLASS_SUBREQUEST;
    if (kind == KC_REQUEST_CLASS_OPTIONAL)
        location.unauth = KC_UNAUTH_PASS;
}

static int renews(kc_request_class_t kind)
{
    return kind != KC_REQUEST_CLASS_CALLBACK && kind != KC_REQUEST_CLASS_LOGOUT;
}

START_TEST(each_event_ends_in_its_cell)
{
    const event_t *event = &events[_i / (int)KC_REQUEST_CLASSES];
    kc_request_class_t kind = (kc_request_class_t)(_i % (int)KC_REQUEST_CLASSES), row = kind;
    kc_session_state_t state = renews(kind) ? event->state : event->as_found;

    event->happen();
    make_class(kind);
    if (event->is_bearer && kind == KC_REQUEST_CLASS_NAVIGATION)
        row = KC_REQUEST_CLASS_API; /* a program: it is never sent to a sign-in */
    ck_assert_msg(check() == expected[state][row], "event %d, class %d: decision %d, state %d: %s",
                  _i / (int)KC_REQUEST_CLASSES, (int)kind, (int)answer.decision, (int)answer.state,
                  request.err.detail);
    ck_assert_int_eq(answer.state, state);
    ck_assert_int_eq(kc_access_is_bearer(&request), event->is_bearer);
    ck_assert_int_eq(answer.has_failed_renewal, renews(kind) && event->has_failed_renewal);
    if (renews(kind) && event->reason)
        ck_assert_msg(request.err.reason == event->reason, "event %d: reason %s",
                      _i / (int)KC_REQUEST_CLASSES, kc_err_row(request.err.reason)->slug);
    if (state == KC_SESSION_LIVE || state == KC_SESSION_WEAK)
        ck_assert_str_eq(request.session.user, "alice@example.com");
}
END_TEST

START_TEST(the_events_above_bring_about_every_state)
{
    int i, seen[2][KC_SESSION_STATES] = {{0}};

    for (i = 0; i < EVENTS; i++) {
        seen[0][events[i].state]++;
        seen[1][events[i].as_found]++;
    }
    for (i = 0; i < KC_SESSION_STATES; i++)
        ck_assert_msg(seen[0][i] && seen[1][i], "state %d is never met", i);
}
END_TEST

/* The same request goes on to another location: what was found is not asked for again. */
START_TEST(a_second_check_asks_nothing_and_says_the_same)
{
    const event_t *event = &events[_i];
    kc_decision_t decision;
    int gets, adds, tokens;

    event->happen();
    go_to_page();
    send_header("Accept", BROWSER);
    decision = check();
    gets = fake->sessions.gets;
    adds = fake->host.adds;
    tokens = token_requests();
    ck_assert_int_eq(check(), decision);
    ck_assert_int_eq(answer.state, event->state);
    ck_assert_int_eq(answer.has_failed_renewal, 0); /* the log has been told */
    ck_assert_int_eq(fake->sessions.gets, gets);
    ck_assert_int_eq(fake->host.adds, adds);
    ck_assert_int_eq(token_requests(), tokens);
}
END_TEST

/* ---------------------------------------------------------------- the order */

START_TEST(nothing_is_asked_before_the_first_check)
{
    const kc_step_up_t nothing = {NULL, 0};

    live();
    fake->sessions.gets = 0;
    ck_assert_int_eq(kc_access_is_signed_in(&request, &nothing), 0);
    ck_assert_int_eq(kc_access_is_bearer(&request), 0);
    ck_assert_int_eq(fake->sessions.gets, 0);
}
END_TEST

START_TEST(who_is_signed_in_depends_on_what_is_required)
{
    kc_step_up_t nothing = {NULL, 0}, recent = {NULL, 60};

    live();
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    ck_assert_int_eq(kc_access_is_signed_in(&request, &nothing), 1);
    ck_assert_int_eq(kc_access_is_signed_in(&request, &recent), 1);
    fake->now += 1000;
    ck_assert_int_eq(kc_access_is_signed_in(&request, &nothing), 1);
    ck_assert_int_eq(kc_access_is_signed_in(&request, &recent), 0);
}
END_TEST

START_TEST(nobody_is_signed_in_without_a_live_session)
{
    static void (*const happen[])(void) = {no_cookie,  stale_for_good, signed_out,
                                           store_down, not_used,       bearer_of_a_stranger};
    const kc_step_up_t nothing = {NULL, 0};

    happen[_i]();
    go_to_page();
    (void)check();
    ck_assert_int_eq(kc_access_is_signed_in(&request, &nothing), 0);
}
END_TEST

/* The sign-in address takes the session as it is; a page that follows within the request has its
 * tokens renewed, once. */
START_TEST(tokens_are_renewed_where_they_are_needed_and_once)
{
    due();
    location.kind = KC_REQUEST_CLASS_CALLBACK;
    ck_assert_int_eq(check(), KC_DECISION_RETURN_TO_PAGE);
    location.kind = KC_REQUEST_CLASS_LOGOUT;
    ck_assert_int_eq(check(), KC_DECISION_END_SESSION);
    ck_assert_int_eq(token_requests(), 0);
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    ck_assert_int_eq(token_requests(), 1);
    ck_assert_int_eq(request.session.token_expires, fake->now + LIFETIME);
}
END_TEST

/* An address of ours that says its class, and is neither the sign-in nor the sign-out, renews. */
START_TEST(an_address_of_ours_that_tells_who_is_there_renews)
{
    due();
    location.kind = KC_REQUEST_CLASS_API;
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    ck_assert_int_eq(token_requests(), 1);
}
END_TEST

/* A subrequest, or an ErrorDocument, lies at another location, which may require more or less. */
START_TEST(each_location_has_its_own_requirements)
{
    const kc_step_up_t nothing = {NULL, 0};

    weak_by_acr();
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_LOGIN);
    ck_assert_int_eq(request.state, KC_SESSION_LIVE);
    location.step_up = nothing;
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    ck_assert_int_eq(answer.state, KC_SESSION_LIVE);
    require_acr("gold");
    location.is_subrequest = 1;
    ck_assert_int_eq(check(), KC_DECISION_DENY);
    ck_assert_int_eq(answer.state, KC_SESSION_WEAK);
}
END_TEST

/* What happens after the look-up does not change what the request has found. */
START_TEST(the_store_is_asked_once)
{
    live();
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    fake->sessions.is_down = 1;
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    fake->sessions.is_down = 0;
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(cookie), testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    begin();
    ck_assert_int_eq(check(), KC_DECISION_LOGIN);
    ck_assert_int_eq(answer.state, KC_SESSION_ENDED);
}
END_TEST

START_TEST(a_good_token_asks_for_no_session)
{
    int gets;

    bearer();
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    live();
    take_bearer(token(TESTLIB_RSA, ",\"acr\":\"1\""));
    gets = fake->sessions.gets;
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    ck_assert_int_eq(request.session.is_bearer, 1);
    ck_assert_int_eq(fake->sessions.gets, gets); /* a view tells of the token */
}
END_TEST

/* ---------------------------------------------------------------- Require lines */

static const struct {
    void (*happen)(void);
    int is_checked;
    const char *acr; /* required where the line stands; NULL: none */
    const char *user, *group;
    kc_authz_answer_t answer;
} lines[] = {
    {live, 1, NULL, "alice@example.com", "team", KC_AUTHZ_MET},
    {live, 1, NULL, "alice@example.com", "staff", KC_AUTHZ_UNMET},
    {live, 1, "1", "alice@example.com", "team", KC_AUTHZ_MET},
    /* the session does not count here */
    {live, 1, "gold", "alice@example.com", "team", KC_AUTHZ_UNKNOWN},
    {live, 1, "gold", "", "team", KC_AUTHZ_UNMET},
    {live, 0, NULL, "alice@example.com", "team", KC_AUTHZ_UNKNOWN},
    {live, 0, NULL, "", "team", KC_AUTHZ_UNMET},
    /* there is none; another module may have named a user */
    {no_cookie, 1, NULL, "somebody", "team", KC_AUTHZ_UNKNOWN},
    {no_cookie, 1, NULL, "", "team", KC_AUTHZ_UNMET},
    {signed_out, 1, NULL, "", "team", KC_AUTHZ_UNMET},
    {store_down, 1, NULL, "somebody", "team", KC_AUTHZ_UNKNOWN},
    {bearer_of_a_stranger, 1, NULL, "", "team", KC_AUTHZ_UNMET},
};

START_TEST(a_line_is_met_by_a_session_that_counts_at_its_location)
{
    const char *group = lines[_i].group;
    const kc_authz_rule_t *rule;

    ck_assert_int_eq(kc_authz_parse(KC_AUTHZ_GROUP, 1, &group, testlib_pool, &rule, NULL), KC_OK);
    lines[_i].happen();
    go_to_page();
    if (lines[_i].is_checked)
        (void)check();
    if (lines[_i].acr)
        require_acr(lines[_i].acr);
    fake->sessions.gets = 0;
    ck_assert_int_eq(kc_access_ask(&request, &location.step_up, lines[_i].user, rule, testlib_pool),
                     lines[_i].answer);
    ck_assert_int_eq(fake->sessions.gets, 0);
    ck_assert_int_eq(kc_access_ask(NULL, &location.step_up, lines[_i].user, rule, testlib_pool),
                     *lines[_i].user ? KC_AUTHZ_UNKNOWN : KC_AUTHZ_UNMET);
}
END_TEST

/* ---------------------------------------------------------------- headers, when they are needed */

START_TEST(headers_are_read_only_when_they_decide)
{
    live();
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    ck_assert_int_eq(headers_read, 0);
    require_acr("gold");
    ck_assert_int_eq(check(), KC_DECISION_LOGIN);
    ck_assert_int_gt(headers_read, 0);
}
END_TEST

static const struct {
    int unauth;
    const char *method, *accept;
    int is_subrequest;
    kc_decision_t decision;
    int is_read;
} classes[] = {
    {KC_UNAUTH_AUTO, "GET", BROWSER, 0, KC_DECISION_LOGIN, 1},
    {KC_UNAUTH_AUTO, "GET", "*/*", 0, KC_DECISION_DENY, 1},
    {KC_UNAUTH_AUTO, "POST", BROWSER, 0, KC_DECISION_DENY, 1},
    {KC_UNAUTH_AUTO, "GET", BROWSER, 1, KC_DECISION_DENY, 0},
    {KC_UNAUTH_LOGIN, "GET", "*/*", 0, KC_DECISION_LOGIN, 0},
    {KC_UNAUTH_LOGIN, "POST", BROWSER, 0, KC_DECISION_LOGIN, 0},
    {KC_UNAUTH_LOGIN, "GET", BROWSER, 1, KC_DECISION_DENY, 0},
    {KC_UNAUTH_401, "GET", BROWSER, 0, KC_DECISION_DENY, 0},
    {KC_UNAUTH_401, "GET", BROWSER, 1, KC_DECISION_DENY, 0},
    {KC_UNAUTH_PASS, "GET", BROWSER, 0, KC_DECISION_ALLOW_ANONYMOUS, 0},
    {KC_UNAUTH_PASS, "POST", "*/*", 0, KC_DECISION_ALLOW_ANONYMOUS, 0},
    {KC_UNAUTH_PASS, "GET", BROWSER, 1, KC_DECISION_ALLOW_ANONYMOUS, 0},
};

START_TEST(a_location_says_what_becomes_of_who_is_not_signed_in)
{
    no_cookie();
    go_to_page();
    location.is_page_get = 0;
    location.unauth = classes[_i].unauth;
    location.method = classes[_i].method;
    location.is_subrequest = classes[_i].is_subrequest;
    send_header("Accept", classes[_i].accept);
    ck_assert_int_eq(check(), classes[_i].decision);
    ck_assert_int_eq(headers_read > 0, classes[_i].is_read);
}
END_TEST

/* A program that has a token is refused by 401, except where anybody may pass, and then a bad one
 * still may not. */
START_TEST(a_token_makes_a_program)
{
    static const int unauths[] = {KC_UNAUTH_AUTO, KC_UNAUTH_LOGIN, KC_UNAUTH_401, KC_UNAUTH_PASS};

    bearer_weak();
    go_to_page();
    send_header("Accept", BROWSER);
    location.unauth = unauths[_i];
    ck_assert_int_eq(check(), unauths[_i] == KC_UNAUTH_PASS ? KC_DECISION_ALLOW_ANONYMOUS
                                                            : KC_DECISION_DENY);
    bearer_of_a_stranger();
    ck_assert_int_eq(check(), KC_DECISION_DENY);
}
END_TEST

/* ---------------------------------------------------------------- SameSite=Strict */

static const struct {
    void (*happen)(void);
    const char *site;
    int same_site, judge_for, is_page_get, unauth;
    kc_decision_t decision;
} links[] = {
    {no_cookie, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO,
     KC_DECISION_ASK_AGAIN},
    {no_cookie, "Cross-Site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_LOGIN,
     KC_DECISION_ASK_AGAIN},
    {unknown_cookie, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO,
     KC_DECISION_ASK_AGAIN},
    {no_cookie, "cross-site", KC_SAME_SITE_LAX, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO,
     KC_DECISION_LOGIN},
    {no_cookie, "cross-site", KC_SAME_SITE_NONE, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO,
     KC_DECISION_LOGIN},
    {no_cookie, "same-origin", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO,
     KC_DECISION_LOGIN},
    {no_cookie, NULL, KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO, KC_DECISION_LOGIN},
    {no_cookie, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_NGINX, 1, KC_UNAUTH_AUTO,
     KC_DECISION_LOGIN},
    {no_cookie, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_FORWARDED, 1, KC_UNAUTH_AUTO,
     KC_DECISION_LOGIN},
    {no_cookie, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 0, KC_UNAUTH_AUTO,
     KC_DECISION_LOGIN},
    {no_cookie, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_401,
     KC_DECISION_DENY},
    {no_cookie, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_PASS,
     KC_DECISION_ALLOW_ANONYMOUS},
    {live, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO, KC_DECISION_ALLOW},
    {signed_out, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO,
     KC_DECISION_LOGIN},
    {weak_by_acr, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO,
     KC_DECISION_LOGIN},
    {store_down, "cross-site", KC_SAME_SITE_STRICT, KC_JUDGE_ENVOY, 1, KC_UNAUTH_AUTO,
     KC_DECISION_UNAVAILABLE},
};

START_TEST(a_link_on_another_site_is_asked_for_again_when_it_hides_the_cookie)
{
    links[_i].happen();
    go_to_page();
    send_header("Accept", BROWSER);
    send_header("Sec-Fetch-Site", links[_i].site);
    site->conf->cookie_same_site = links[_i].same_site;
    site->conf->judge_for = links[_i].judge_for;
    location.is_page_get = links[_i].is_page_get;
    location.unauth = links[_i].unauth;
    ck_assert_int_eq(check(), links[_i].decision);
}
END_TEST

/* The sign-in address itself is not asked for again. */
START_TEST(an_address_of_ours_is_never_asked_for_again)
{
    no_cookie();
    site->conf->cookie_same_site = KC_SAME_SITE_STRICT;
    location.kind = KC_REQUEST_CLASS_CALLBACK;
    location.is_page_get = 1;
    ck_assert_int_eq(check(), KC_DECISION_LOGIN);
}
END_TEST

/* ---------------------------------------------------------------- cookies and uses */

START_TEST(one_of_several_cookies_is_left)
{
    const char *settled;

    two_cookies();
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    ck_assert_str_eq(request.cookies, apr_pstrcat(testlib_pool, SESSION "=", cookie, NULL));
    settled = request.cookies;
    kc_access_settle(&request);
    ck_assert_ptr_eq(request.cookies, settled);
}
END_TEST

START_TEST(cookies_may_be_settled_before_the_first_check)
{
    int gets;

    two_cookies();
    kc_access_settle(&request);
    ck_assert_str_eq(request.cookies, apr_pstrcat(testlib_pool, SESSION "=", cookie, NULL));
    ck_assert_int_eq(request.has_looked, 0);
    gets = fake->sessions.gets;
    kc_access_settle(&request);
    ck_assert_int_eq(fake->sessions.gets, gets);
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
}
END_TEST

START_TEST(cookies_that_cannot_be_settled_are_tried_once)
{
    int gets;

    cookies_of_two_people();
    kc_access_settle(&request);
    gets = fake->sessions.gets;
    ck_assert_int_gt(gets, 0);
    kc_access_settle(&request);
    go_to_page();
    send_header("Accept", BROWSER);
    ck_assert_int_eq(check(), KC_DECISION_LOGIN);
    ck_assert_int_eq(fake->sessions.gets, gets);
}
END_TEST

START_TEST(over_http_the_cookie_has_another_name)
{
    live();
    request.is_https = 0;
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_LOGIN);
    begin();
    request.is_https = 0;
    request.cookies = apr_pstrcat(testlib_pool, "keycloak_session=", cookie, NULL);
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
}
END_TEST

static const struct {
    int is_no_use;
    const char *path, *ignored;
    int is_moved;
} uses[] = {
    {0, "/", NULL, 1},        {1, "/", NULL, 0},        {0, "/ping", "/ping", 0},
    {0, "/pong", "/ping", 1}, {1, "/pong", "/ping", 0}, {0, "/ping", NULL, 1},
};

START_TEST(only_a_use_prolongs_the_session)
{
    apr_array_header_t *ignored = apr_array_make(testlib_pool, 1, sizeof(const char *));
    int64_t end;

    plant(ALICE, "1", 0);
    fake->now += LIFETIME;
    begin();
    request.is_no_use = uses[_i].is_no_use;
    request.path = uses[_i].path;
    APR_ARRAY_PUSH(ignored, const char *) = uses[_i].ignored;
    if (uses[_i].ignored)
        site->conf->idle_ignore = ignored;
    site->conf->session_idle = 2 * LIFETIME;
    end = KC_FAKE_NOW + site->conf->session_idle;
    go_to_page();
    ck_assert_int_eq(check(), KC_DECISION_ALLOW);
    ck_assert_int_eq(request.session.idle_end,
                     uses[_i].is_moved ? fake->now + site->conf->session_idle : end);
}
END_TEST

/* ---------------------------------------------------------------- */

static TCase *case_of(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_unchecked_fixture(tests, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

Suite *kc_test_access(void)
{
    Suite *suite = suite_create("access");
    TCase *cells = case_of(suite, "cells");
    TCase *order = case_of(suite, "order");
    TCase *parts = case_of(suite, "request");

    tcase_add_loop_test(cells, each_event_ends_in_its_cell, 0, EVENTS * (int)KC_REQUEST_CLASSES);
    tcase_add_test(cells, the_events_above_bring_about_every_state);
    tcase_add_loop_test(order, a_second_check_asks_nothing_and_says_the_same, 0, EVENTS);
    tcase_add_test(order, nothing_is_asked_before_the_first_check);
    tcase_add_test(order, who_is_signed_in_depends_on_what_is_required);
    tcase_add_loop_test(order, nobody_is_signed_in_without_a_live_session, 0, 6);
    tcase_add_test(order, tokens_are_renewed_where_they_are_needed_and_once);
    tcase_add_test(order, an_address_of_ours_that_tells_who_is_there_renews);
    tcase_add_test(order, each_location_has_its_own_requirements);
    tcase_add_test(order, the_store_is_asked_once);
    tcase_add_test(order, a_good_token_asks_for_no_session);
    tcase_add_loop_test(order, a_line_is_met_by_a_session_that_counts_at_its_location, 0,
                        ROWS(lines));
    tcase_add_test(parts, headers_are_read_only_when_they_decide);
    tcase_add_loop_test(parts, a_location_says_what_becomes_of_who_is_not_signed_in, 0,
                        ROWS(classes));
    tcase_add_loop_test(parts, a_token_makes_a_program, 0, 4);
    tcase_add_loop_test(parts, a_link_on_another_site_is_asked_for_again_when_it_hides_the_cookie,
                        0, ROWS(links));
    tcase_add_test(parts, an_address_of_ours_is_never_asked_for_again);
    tcase_add_test(parts, one_of_several_cookies_is_left);
    tcase_add_test(parts, cookies_may_be_settled_before_the_first_check);
    tcase_add_test(parts, cookies_that_cannot_be_settled_are_tried_once);
    tcase_add_test(parts, over_http_the_cookie_has_another_name);
    tcase_add_loop_test(parts, only_a_use_prolongs_the_session, 0, ROWS(uses));
    return suite;
}

/* Tests of step_up.h and login_parameters.h, and of sign-ins with a step-up requirement, or without
 * asking the user.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/query.h"
#include "base/url.h"
#include "browser.h"
#include "conf/login_names.h"
#include "fake_site.h"
#include "login/login.h"
#include "login/login_parameters.h"
#include "login/login_state.h"
#include "testlib.h"

Suite *kc_test_step_up(void);

#define SESSION "__Host-keycloak_session"
#define ALICE "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define BOB "0b0b0b0b-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define HEADER "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\"}"
#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_err_t last;
static kc_browser_answer_t answer;

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

/* A requirement of these ACRs, with spaces between, and this age. */
static kc_step_up_t demand_of(const char *acr, int64_t max_age)
{
    apr_array_header_t *words = apr_array_make(testlib_pool, 2, sizeof(const char *));
    kc_step_up_t step_up = {NULL, max_age};
    char *rest = NULL, *word;

    for (word = apr_strtok(apr_pstrdup(testlib_pool, acr), " ", &rest); word;
         word = apr_strtok(NULL, " ", &rest))
        APR_ARRAY_PUSH(words, const char *) = word;
    if (words->nelts)
        step_up.acr = words;
    return step_up;
}

/* ---------------------------------------------------------------- demands */

START_TEST(the_settings_demand_nothing_unless_they_are_set)
{
    const char *none = "none", *gold = "gold", *age = "15m";
    kc_conf_dir_t *conf = kc_conf_dir_create(testlib_pool);
    kc_step_up_t step_up = kc_step_up_required(conf);

    ck_assert(kc_step_up_is_none(&step_up));
    ck_assert_int_eq(
        kc_conf_set(conf, KC_CONF_ROW_require_acr, 1, &none, "f", 1, testlib_pool, NULL), KC_OK);
    step_up = kc_step_up_required(conf);
    ck_assert(kc_step_up_is_none(&step_up));
    conf = kc_conf_dir_create(testlib_pool);
    ck_assert_int_eq(kc_conf_set(conf, KC_CONF_ROW_max_age, 1, &age, "f", 1, testlib_pool, NULL),
                     KC_OK);
    step_up = kc_step_up_required(conf);
    ck_assert(!kc_step_up_is_none(&step_up));
    ck_assert_int_eq(step_up.max_age, 900);
    ck_assert_int_eq(
        kc_conf_set(conf, KC_CONF_ROW_require_acr, 1, &gold, "f", 2, testlib_pool, NULL), KC_OK);
    step_up = kc_step_up_required(conf);
    ck_assert_str_eq(kc_step_up_acr_values(&step_up, testlib_pool), "gold");
}
END_TEST

/* The clock shows 10000; clocks may differ by 30 s. */
static const struct {
    const char *demanded;
    int64_t max_age;
    const char *acr;
    int64_t auth_time;
    int is_met;
} meetings[] = {
    {"", 0, NULL, 0, 1},           {"", 0, "1", 1, 1},
    {"gold", 0, "gold", 0, 1},     {"gold", 0, "silver", 0, 0},
    {"gold", 0, "GOLD", 0, 0},     {"gold", 0, "gold ", 0, 0},
    {"gold", 0, "", 0, 0},         {"gold", 0, NULL, 0, 0},
    {"2 gold", 0, "2", 0, 1},      {"2 gold", 0, "2 gold", 0, 0},
    {"2 gold", 0, "20", 0, 0},     {"", 60, NULL, 10000, 1},
    {"", 60, NULL, 9910, 1},       {"", 60, NULL, 9909, 0},
    {"", 60, NULL, 0, 0},          {"", 60, NULL, -5, 0},
    {"", 60, NULL, 10030, 1},      {"", 60, NULL, 10031, 0},
    {"", 100000, NULL, 0, 0},      {"gold", 60, "gold", 9910, 1},
    {"gold", 60, "gold", 9000, 0}, {"gold", 60, "silver", 9999, 0},
};

START_TEST(a_sign_in_meets_a_demand_or_not)
{
    kc_step_up_t step_up = demand_of(meetings[_i].demanded, meetings[_i].max_age);

    ck_assert_int_eq(
        kc_step_up_is_met(&step_up, meetings[_i].acr, meetings[_i].auth_time, 10000, 30),
        meetings[_i].is_met);
}
END_TEST

/* RFC 9470 section 3 */
START_TEST(a_challenge_says_what_is_demanded)
{
    static const struct {
        const char *acr;
        int64_t max_age;
        const char *text;
    } rows[] = {{"2 gold", 60, ", acr_values=\"2 gold\", max_age=\"60\""},
                {"gold", 0, ", acr_values=\"gold\""},
                {"", 900, ", max_age=\"900\""}};
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kc_step_up_t step_up = demand_of(rows[i].acr, rows[i].max_age);
        const char *text = kc_step_up_challenge(&step_up, testlib_pool);

        ck_assert_str_eq(text,
                         apr_pstrcat(testlib_pool, ", error=\"insufficient_user_authentication\"",
                                     rows[i].text, NULL));
    }
}
END_TEST

static kc_rc_t unseal(const char *text, kc_step_up_t *out)
{
    memset(&last, 0, sizeof(last));
    return kc_step_up_unseal(site->rp, text, testlib_pool, out, &last);
}

START_TEST(a_demand_that_was_given_away_comes_back_whole_or_not_at_all)
{
    kc_step_up_t step_up = demand_of("2 gold", 60), back;
    const char *text;
    size_t i;

    ck_assert_int_eq(kc_step_up_seal(site->rp, &step_up, testlib_pool, &text, &last), KC_OK);
    ck_assert_str_eq(kc_url_escape(text, testlib_pool), text);
    ck_assert_int_eq(unseal(text, &back), KC_OK);
    ck_assert_str_eq(kc_step_up_acr_values(&back, testlib_pool), "2 gold");
    ck_assert_int_eq(back.acr->nelts, 2);
    ck_assert_int_eq(back.max_age, 60);
    for (i = 0; i < strlen(text); i++) {
        char *changed = apr_pstrdup(testlib_pool, text);

        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        ck_assert_int_eq(unseal(changed, &back), KC_REFUSED);
        ck_assert(kc_step_up_is_none(&back));
        changed[i] = '\0';
        ck_assert_int_eq(unseal(changed, &back), KC_REFUSED);
        ck_assert(kc_step_up_is_none(&back));
    }
    fake->now += KC_STEP_UP_TTL;
    ck_assert_int_eq(unseal(text, &back), KC_MISS);
    ck_assert(kc_step_up_is_none(&back));
    fake->is_random_broken = 1;
    ck_assert_int_eq(kc_step_up_seal(site->rp, &step_up, testlib_pool, &text, &last), KC_FAULT);
}
END_TEST

START_TEST(a_demand_may_be_as_long_as_its_directive)
{
    char *word = apr_pcalloc(testlib_pool, KC_CONF_ACR_MAX + 2);
    kc_step_up_t step_up, back;
    const char *text;

    memset(word, 'a', KC_CONF_ACR_MAX);
    step_up = demand_of(word, 60);
    ck_assert_int_eq(kc_step_up_seal(site->rp, &step_up, testlib_pool, &text, &last), KC_OK);
    ck_assert_int_eq(unseal(text, &back), KC_OK);
    ck_assert_str_eq(kc_step_up_acr_values(&back, testlib_pool), word);
    word[KC_CONF_ACR_MAX] = 'a';
    step_up = demand_of(word, 60);
    ck_assert_int_eq(kc_step_up_seal(site->rp, &step_up, testlib_pool, &text, &last), KC_FAULT);
    ck_assert_int_eq(last.reason, KC_ERR_CONFIG);
}
END_TEST

/* ---------------------------------------------------------------- a person with a browser */

typedef struct sent_t {
    const char *callback; /* the query of a callback with a code */
    const char *state, *nonce;
    const kc_query_t *query;
} sent_t;

static const char *parameter(const kc_query_t *query, const char *name)
{
    const char *value = NULL;

    ck_assert_int_ne(kc_query_single(query, name, &value, NULL), KC_REFUSED);
    return value;
}

static kc_rc_t begin(const kc_login_request_t *request)
{
    kc_rc_t rc;

    memset(&last, 0, sizeof(last));
    rc = kc_login_begin(site->rp, &site->client, request, testlib_pool, &answer, &last);
    kc_fake_site_take(site, answer.cookies);
    return rc;
}

static sent_t leave(const kc_login_request_t *request)
{
    sent_t sent;

    ck_assert_msg(begin(request) == KC_OK, "%s", last.detail);
    ck_assert_int_eq(
        kc_query_parse(strchr(answer.location, '?') + 1, testlib_pool, &sent.query, NULL), KC_OK);
    sent.state = parameter(sent.query, "state");
    sent.nonce = parameter(sent.query, "nonce");
    sent.callback =
        apr_pstrcat(testlib_pool, "state=", sent.state,
                    "&iss=", kc_url_escape(KC_FAKE_ISSUER, testlib_pool), "&code=c", NULL);
    return sent;
}

static sent_t leave_with(const char *acr, int64_t max_age)
{
    kc_login_request_t request = {.return_url = "/page", .step_up = demand_of(acr, max_age)};

    return leave(&request);
}

static sent_t leave_silently(void)
{
    kc_login_request_t request = {.return_url = "/page", .is_silent = 1, .is_step_up = 1};

    return leave(&request);
}

/* The token endpoint's answer; more: further claims. */
static void issue(const sent_t *sent, const char *sub, const char *more)
{
    const char *claims = apr_psprintf(
        testlib_pool,
        "{\"iss\":\"" KC_FAKE_ISSUER "\",\"aud\":\"kubeflow-oidc-authservice\",\"sub\":\"%s\","
        "\"typ\":\"ID\",\"nonce\":\"%s\",\"iat\":%ld,\"exp\":%ld,\"groups\":[],"
        "\"email\":\"%.5s@example.com\",\"email_verified\":true%s}",
        sub, sent->nonce, (long)fake->now, (long)fake->now + 300, sub, more);

    kc_fake_answer(fake, KC_FAKE_TOKEN, 200, "application/json",
                   apr_pstrcat(testlib_pool, "{\"access_token\":\"opaque\",\"id_token\":\"",
                               testlib_sign(TESTLIB_RSA, "RS256", HEADER, claims),
                               "\",\"token_type\":\"Bearer\",\"expires_in\":300}", NULL));
}

static kc_rc_t finish(const char *query)
{
    kc_rc_t rc;

    memset(&last, 0, sizeof(last));
    rc = kc_login_finish(site->rp, &site->client, query, testlib_pool, &answer, &last);
    kc_fake_site_take(site, answer.cookies);
    return rc;
}

static kc_session_state_t find(const char *id, kc_session_t *session)
{
    return kc_session_find(site->rp, kc_buf_text(id), testlib_pool, session, NULL);
}

/* Signs in, with these further claims; the cookie's value. */
static const char *sign_in(const char *sub, const char *more)
{
    sent_t sent = leave_with("", 0);

    issue(&sent, sub, more);
    ck_assert_msg(finish(sent.callback) == KC_OK, "%s", last.detail);
    return kc_fake_site_cookie(site, SESSION);
}

static const char *auth_time(int64_t ago)
{
    return apr_psprintf(testlib_pool, ",\"auth_time\":%ld", (long)(fake->now - ago));
}

/* Nothing has come of it: alice is signed in as before, and the sign-in's cookie is gone. */
static void assert_untouched(const char *before)
{
    kc_session_t session;
    size_t bytes;

    ck_assert_ptr_null(answer.location);
    ck_assert_ptr_null(answer.user);
    ck_assert_int_eq(kc_fake_site_count(site, "__Host-keycloak_login_", &bytes), 0);
    ck_assert_str_eq(kc_fake_site_cookie(site, SESSION), before);
    ck_assert_int_eq(find(before, &session), KC_SESSION_LIVE);
    ck_assert_str_eq(session.sub, ALICE);
}

/* ---------------------------------------------------------------- step-up */

/* OpenID Connect Core 1.0 section 3.1.2.1 */
START_TEST(the_authorization_request_says_what_is_demanded)
{
    sent_t sent = leave_with("2 gold", 60);

    ck_assert_str_eq(parameter(sent.query, "acr_values"), "2 gold");
    ck_assert_str_eq(parameter(sent.query, "max_age"), "60");
    ck_assert_ptr_null(parameter(sent.query, "prompt"));
    sent = leave_with("", 0);
    ck_assert_ptr_null(parameter(sent.query, "acr_values"));
    ck_assert_ptr_null(parameter(sent.query, "max_age"));
    ck_assert_ptr_null(parameter(sent.query, "prompt"));
    sent = leave_silently();
    ck_assert_str_eq(parameter(sent.query, "prompt"), "none");
}
END_TEST

START_TEST(a_token_that_meets_the_demand_makes_a_session)
{
    const char *before = sign_in(ALICE, ""), *after;
    sent_t sent = leave_with("2 gold", 60);
    kc_session_t session;

    issue(&sent, ALICE,
          apr_pstrcat(testlib_pool, ",\"acr\":\"gold\"", auth_time(60 + site->conf->clock_skew),
                      NULL));
    ck_assert_msg(finish(sent.callback) == KC_OK, "%s", last.detail);
    after = kc_fake_site_cookie(site, SESSION);
    ck_assert_str_ne(before, after);
    ck_assert_int_eq(find(before, &session), KC_SESSION_ENDED);
    ck_assert_int_eq(find(after, &session), KC_SESSION_LIVE);
    ck_assert_str_eq(session.acr, "gold");
    ck_assert_int_eq(session.auth_time, fake->now - 60 - site->conf->clock_skew);
}
END_TEST

/* RFC 7519 section 2: a time may have a fraction. */
START_TEST(a_fraction_of_a_second_meets_the_demand)
{
    sent_t sent = leave_with("", 60);
    kc_session_t session;

    issue(&sent, ALICE,
          apr_psprintf(testlib_pool, ",\"auth_time\":%ld.75,\"azp\":null", (long)fake->now - 10));
    ck_assert_msg(finish(sent.callback) == KC_OK, "%s", last.detail);
    ck_assert_int_eq(find(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
    ck_assert_int_eq(session.auth_time, fake->now - 10);
}
END_TEST

/* {now-N}: so many seconds ago */
static const char *const weak[] = {
    "",
    ",\"acr\":\"gold\"",
    ",\"auth_time\":{now-0}",
    ",\"acr\":\"silver\",\"auth_time\":{now-0}",
    ",\"acr\":\"Gold\",\"auth_time\":{now-0}",
    ",\"acr\":\"2 gold\",\"auth_time\":{now-0}",
    ",\"acr\":\"\",\"auth_time\":{now-0}",
    ",\"acr\":2,\"auth_time\":{now-0}",
    ",\"acr\":[\"gold\"],\"auth_time\":{now-0}",
    ",\"acr\":null,\"auth_time\":{now-0}",
    ",\"acr\":\"gold\",\"auth_time\":{now-91}",
    ",\"acr\":\"gold\",\"auth_time\":0",
};

/* OpenID Connect Core 1.0 section 3.1.3.7, items 12 and 13 */
START_TEST(a_token_that_does_not_meet_it_changes_nothing)
{
    const char *before = sign_in(ALICE, ""), *place = strstr(weak[_i], "{now-");
    const char *claims = weak[_i];
    sent_t sent = leave_with("2 gold", 60);
    int puts = fake->sessions.puts;

    if (place)
        claims = apr_psprintf(testlib_pool, "%.*s%ld", (int)(place - claims), claims,
                              (long)fake->now - (long)apr_atoi64(place + 5));
    issue(&sent, ALICE, claims);
    ck_assert_int_eq(finish(sent.callback), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_WEAK);
    ck_assert_int_eq(kc_err_row(last.reason)->status, 403);
    ck_assert_int_eq(fake->sessions.puts, puts);
    assert_untouched(before);
    ck_assert_int_eq(finish(sent.callback), KC_MISS); /* and not once more */
}
END_TEST

START_TEST(a_malformed_auth_time_is_refused_in_any_case)
{
    sent_t sent = leave_with("", 60);

    issue(&sent, ALICE, ",\"auth_time\":\"now\"");
    ck_assert_int_eq(finish(sent.callback), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_CLAIM);
}
END_TEST

/* What is demanded is known to the sealed cookie, not to the address. */
START_TEST(a_demand_cannot_be_dropped_on_the_way)
{
    sent_t strong = leave_with("gold", 0), plain = leave_with("", 0);
    const char *names[2], *cookie;
    int i;

    names[0] = apr_psprintf(testlib_pool, "__Host-keycloak_login_%.16s", strong.state);
    names[1] = apr_psprintf(testlib_pool, "__Host-keycloak_login_%.16s", plain.state);
    for (i = 0; i < 2; i++)
        ck_assert_ptr_nonnull(kc_fake_site_cookie(site, names[i]));
    cookie = kc_fake_site_cookie(site, names[1]);
    kc_fake_site_plant(site, names[0], cookie);
    issue(&strong, ALICE, "");
    ck_assert_int_eq(finish(strong.callback), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
}
END_TEST

START_TEST(the_largest_demand_fits_beside_the_longest_page)
{
    char *acr = apr_pcalloc(testlib_pool, KC_CONF_ACR_MAX + 1);
    char *page = apr_pcalloc(testlib_pool, 2000 + 1);
    kc_login_request_t request = {.return_url = page};
    apr_array_header_t *cookies = apr_array_make(testlib_pool, 4, sizeof(const char *));
    kc_login_state_t found;
    sent_t sent;
    size_t bytes;

    memset(acr, 'a', KC_CONF_ACR_MAX);
    memset(page, '/', 1);
    memset(page + 1, 'p', 2000 - 1);
    request.step_up = demand_of(acr, 315360000);
    sent = leave(&request);
    ck_assert_int_eq(kc_fake_site_count(site, "__Host-keycloak_login_", &bytes), 1);
    ck_assert_uint_le(bytes, KC_LOGIN_COOKIES_MAX);
    ck_assert_int_eq(kc_login_state_find(site->rp, &site->client, sent.state, testlib_pool, &found,
                                         cookies, &last),
                     KC_OK);
    ck_assert_str_eq(found.return_url, page);
    ck_assert_str_eq(kc_step_up_acr_values(&found.step_up, testlib_pool), acr);
    ck_assert_int_eq(found.step_up.max_age, 315360000);
}
END_TEST

/* ---------------------------------------------------------------- rounds */

static void step_up(void)
{
    kc_login_request_t request = {
        .return_url = "/", .step_up = demand_of("gold", 0), .is_step_up = 1};
    sent_t sent = leave(&request);

    issue(&sent, ALICE, ",\"acr\":\"gold\"");
    ck_assert_msg(finish(sent.callback) == KC_OK, "%s", last.detail);
}

/* Who steps up twice after two sign-ins is in no loop; two places that exclude each other make one.
 */
START_TEST(stepping_up_is_counted_by_itself)
{
    kc_login_request_t ordinary = {.return_url = "/"}, step = {.return_url = "/", .is_step_up = 1};
    int i;

    for (i = 0; i < KC_LOGIN_ROUNDS_MAX - 1; i++)
        (void)sign_in(ALICE, "");
    for (i = 0; i < KC_LOGIN_STEPS_MAX; i++)
        step_up();
    ck_assert_int_eq(begin(&step), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGIN_LOOP);
    (void)sign_in(ALICE, "");
    ck_assert_int_eq(begin(&ordinary), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGIN_LOOP);
    fake->now += KC_LOGIN_ROUNDS_SECONDS;
    ck_assert_int_eq(begin(&step), KC_OK);
    ck_assert_int_eq(begin(&ordinary), KC_OK);
}
END_TEST

START_TEST(three_sign_ins_leave_room_to_step_up)
{
    int i;

    for (i = 0; i < KC_LOGIN_ROUNDS_MAX; i++)
        (void)sign_in(ALICE, "");
    step_up();
    step_up();
}
END_TEST

/* A rounds cookie of an earlier version, which counted no steps. */
START_TEST(an_old_count_is_read)
{
    kc_login_request_t request = {.return_url = "/"};

    kc_fake_site_plant(site, "__Host-keycloak_rounds",
                       apr_psprintf(testlib_pool, "%ld.3", (long)fake->now));
    ck_assert_int_eq(begin(&request), KC_REFUSED);
    request.is_step_up = 1;
    ck_assert_int_eq(begin(&request), KC_OK);
}
END_TEST

/* ---------------------------------------------------------------- beginning again */

static kc_rc_t again(const char *query, kc_login_request_t *out)
{
    memset(&last, 0, sizeof(last));
    return kc_login_again(site->rp, &site->client, query, testlib_pool, out, &last);
}

START_TEST(who_begins_again_still_has_to_bring_it)
{
    kc_login_request_t request = {
        .return_url = "/page", .step_up = demand_of("2 gold", 60), .is_step_up = 1};
    sent_t sent = leave(&request);

    ck_assert_int_eq(again(sent.callback, &request), KC_OK);
    ck_assert_str_eq(request.return_url, "/page");
    ck_assert_int_eq(request.round.number, 1);
    ck_assert_int_eq(request.begun, fake->now);
    ck_assert(request.is_step_up && !request.is_silent);
    ck_assert_str_eq(kc_step_up_acr_values(&request.step_up, testlib_pool), "2 gold");
    ck_assert_int_eq(request.step_up.max_age, 60);
    site->client.cookies = NULL; /* the state alone does not tell */
    ck_assert_int_eq(again(sent.callback, &request), KC_OK);
    ck_assert(kc_step_up_is_none(&request.step_up) && request.is_step_up);
    ck_assert_int_eq(again("code=x", &request), KC_REFUSED);
    ck_assert_str_eq(request.return_url, "/");
}
END_TEST

START_TEST(a_silent_sign_in_stays_one)
{
    kc_login_request_t request;
    sent_t sent = leave_silently();

    site->client.cookies = NULL;
    ck_assert_int_eq(again(sent.callback, &request), KC_OK);
    ck_assert(request.is_silent && request.is_step_up);
    sent = leave_with("", 0);
    ck_assert_int_eq(again(sent.callback, &request), KC_OK);
    ck_assert(!request.is_silent && !request.is_step_up);
}
END_TEST

/* ---------------------------------------------------------------- silent sign-ins */

static const struct {
    const char *error;
    kc_reason_t reason;
} errors[] = {
    {"login_required", KC_ERR_SILENT},          {"interaction_required", KC_ERR_SILENT},
    {"consent_required", KC_ERR_SILENT},        {"account_selection_required", KC_ERR_SILENT},
    {"login_required_", KC_ERR_PROVIDER_ERROR}, {"access_denied", KC_ERR_PROVIDER_ERROR},
    {"server_error", KC_ERR_PROVIDER_ERROR},
};

static const char *error_of(const sent_t *sent, const char *error)
{
    return apr_pstrcat(testlib_pool, "state=", sent->state, "&error=", error,
                       "&iss=", kc_url_escape(KC_FAKE_ISSUER, testlib_pool), NULL);
}

/* OpenID Connect Core 1.0 section 3.1.2.6 */
START_TEST(a_provider_that_would_have_to_ask_ends_a_silent_sign_in)
{
    const char *before = sign_in(ALICE, "");
    sent_t sent = leave_silently();

    ck_assert_int_eq(finish(error_of(&sent, errors[_i].error)), KC_REFUSED);
    ck_assert_int_eq(last.reason, errors[_i].reason);
    assert_untouched(before);
    sent = leave_with("", 0); /* who was to be asked gets the provider's word */
    ck_assert_int_eq(finish(error_of(&sent, errors[_i].error)), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_ERROR);
    assert_untouched(before);
}
END_TEST

START_TEST(a_silent_sign_in_renews_the_session)
{
    const char *before = sign_in(ALICE, ""), *after;
    sent_t sent = leave_silently();
    kc_session_t session;

    issue(&sent, ALICE, "");
    ck_assert_msg(finish(sent.callback) == KC_OK, "%s", last.detail);
    after = kc_fake_site_cookie(site, SESSION);
    ck_assert_str_ne(before, after);
    ck_assert_int_eq(find(before, &session), KC_SESSION_ENDED);
    ck_assert_int_eq(find(after, &session), KC_SESSION_LIVE);
}
END_TEST

/* threats.md E 93 */
START_TEST(a_silent_sign_in_of_somebody_else_is_refused)
{
    const char *before = sign_in(ALICE, "");
    sent_t sent = leave_silently();

    issue(&sent, BOB, "");
    ck_assert_int_eq(finish(sent.callback), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_SUBJECT);
    assert_untouched(before);
}
END_TEST

START_TEST(tokens_that_are_over_do_not_make_it_anybodys)
{
    const char *before = sign_in(ALICE, "");
    kc_session_t session;
    sent_t sent;

    fake->now += 300 + site->conf->clock_skew + site->conf->stale_grace;
    ck_assert_int_eq(find(before, &session), KC_SESSION_STALE);
    sent = leave_silently();
    issue(&sent, BOB, "");
    ck_assert_int_eq(finish(sent.callback), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_SUBJECT);
    ck_assert_str_eq(kc_fake_site_cookie(site, SESSION), before);
}
END_TEST

START_TEST(a_silent_sign_in_needs_no_session_before)
{
    sent_t sent = leave_silently();

    issue(&sent, BOB, "");
    ck_assert_msg(finish(sent.callback) == KC_OK, "%s", last.detail);
    ck_assert_int_eq(last.reason, KC_ERR_NONE);
    ck_assert_ptr_nonnull(kc_fake_site_cookie(site, SESSION));
}
END_TEST

START_TEST(who_is_signed_in_must_be_known)
{
    const char *before = sign_in(ALICE, "");
    sent_t sent = leave_silently();

    issue(&sent, BOB, "");
    fake->sessions.down_after = 1; /* the marker of the state */
    ck_assert_int_eq(finish(sent.callback), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    fake->sessions.is_down = 0;
    fake->sessions.down_after = KC_FAKE_NEVER;
    assert_untouched(before);
}
END_TEST

/* ---------------------------------------------------------------- the login address */

#define LONG200                                                                                    \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaa"                                                                                     \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaa"
#define OWN_ISSUER "iss=https%3A%2F%2Fkeycloak.example.com%2Frealms%2Fkubeflow"

static const struct {
    const char *query;
    const char *page; /* NULL: refused */
    int is_silent;
    const char *parameters;
} links[] = {
    {NULL, "/", 0, ""},
    {"", "/", 0, ""},
    {"return=%2Fa%3Fb", "/a?b", 0, ""},
    {"return=/a&return=/b", NULL, 0, ""},
    {"return=%zz", NULL, 0, ""},
    {"return=%00", NULL, 0, ""},
    {"prompt=none&return=/a", "/a", 1, ""},
    {"prompt=login", "/", 0, ""},
    {"prompt=none%20login", "/", 0, ""},
    {"prompt=NONE", "/", 0, ""},
    {"prompt=", "/", 0, ""},
    {"prompt=none&prompt=none", NULL, 0, ""},
    {"login_hint=a%40b+c%26d&ui_locales=de%20en&kc_idp_hint=x", "/", 0,
     "kc_idp_hint=x;ui_locales=de en;login_hint=a@b c&d;"},
    {"login_hint=&other=1", "/", 0, ""},
    {"login_hint=a&login_hint=a", NULL, 0, ""},
    {"login_hint=" LONG200, "/", 0, "login_hint=" LONG200 ";"},
    {"login_hint=" LONG200 "a", NULL, 0, ""},
    {"login_hint=a%0d%0ab", NULL, 0, ""},
    /* what nobody may say */
    {"client_id=x&redirect_uri=x&scope=x&state=x&nonce=x&acr_values=x&max_age=1&claims=x&request=x&"
     "request_uri=x&response_mode=x&id_token_hint=x&code_challenge=x",
     "/", 0, ""},
    /* sealed by nobody: demands nothing */
    {"demand=AAAA&return=/a", "/a", 0, ""},
    {"demand=a&demand=b", NULL, 0, ""},
    /* threats.md A 35: OpenID Connect Core 1.0 section 4 */
    {OWN_ISSUER "&login_hint=a&target_link_uri=%2Fb", "/b", 0, "login_hint=a;"},
    {OWN_ISSUER "&return=/a&target_link_uri=/b", "/a", 0, ""},
    {OWN_ISSUER, "/", 0, ""},
    {OWN_ISSUER "%2F&target_link_uri=/b", NULL, 0, ""},
    {"iss=https%3A%2F%2Fevil.example.com&target_link_uri=/b", NULL, 0, ""},
    {"iss=&target_link_uri=/b", NULL, 0, ""},
    {OWN_ISSUER "&" OWN_ISSUER, NULL, 0, ""},
    {"target_link_uri=/a&target_link_uri=/b", NULL, 0, ""},
    {"target_link_uri=https%3A%2F%2Fevil.example.com", "https://evil.example.com", 0, ""},
};

static const char *listed(const apr_array_header_t *pairs)
{
    const char *text = "";
    int i;

    for (i = 0; i < pairs->nelts; i++) {
        const kc_conf_pair_t *pair = &APR_ARRAY_IDX(pairs, i, kc_conf_pair_t);

        text = apr_pstrcat(testlib_pool, text, pair->name, "=", pair->value, ";", NULL);
    }
    return text;
}

START_TEST(a_link_asks_for_what_it_may)
{
    kc_login_request_t request;
    int requests = fake->http.requests->nelts;
    kc_rc_t rc;

    memset(&last, 0, sizeof(last));
    rc = kc_login_parameters_read(site->rp, links[_i].query, testlib_pool, &request, &last);
    ck_assert_int_eq(fake->http.requests->nelts, requests); /* nobody is asked for anything */
    if (!links[_i].page) {
        ck_assert_int_eq(rc, KC_REFUSED);
        ck_assert_int_eq(last.reason, KC_ERR_FORM);
        return;
    }
    ck_assert_msg(rc == KC_OK, "%s", last.detail);
    ck_assert_str_eq(request.return_url, links[_i].page);
    ck_assert_int_eq(request.is_silent, links[_i].is_silent);
    ck_assert(kc_step_up_is_none(&request.step_up));
    ck_assert_str_eq(listed(request.parameters), links[_i].parameters);
}
END_TEST

static void name_parameters(const char *words)
{
    apr_array_header_t *names = apr_array_make(testlib_pool, 2, sizeof(const char *));
    char *rest = NULL, *word;

    for (word = apr_strtok(apr_pstrdup(testlib_pool, words), " ", &rest); word;
         word = apr_strtok(NULL, " ", &rest))
        APR_ARRAY_PUSH(names, const char *) = word;
    site->conf->login_parameters = names;
    kc_fake_site_renew(site);
}

START_TEST(the_administrator_says_what_goes_on)
{
    static const char query[] = "ui_locales=de&theme=dark&login_hint=x&none=y";
    kc_login_request_t request;
    sent_t sent;

    name_parameters("theme ui_locales");
    ck_assert_int_eq(kc_login_parameters_read(site->rp, query, testlib_pool, &request, &last),
                     KC_OK);
    ck_assert_str_eq(listed(request.parameters), "theme=dark;ui_locales=de;");
    sent = leave(&request);
    ck_assert_str_eq(parameter(sent.query, "theme"), "dark");
    ck_assert_str_eq(parameter(sent.query, "ui_locales"), "de");
    ck_assert_ptr_null(parameter(sent.query, "login_hint"));
    name_parameters("none");
    ck_assert_int_eq(kc_login_parameters_read(site->rp, query, testlib_pool, &request, &last),
                     KC_OK);
    ck_assert_str_eq(listed(request.parameters), "");
}
END_TEST

START_TEST(what_goes_on_cannot_become_another_parameter)
{
    kc_login_request_t request;
    sent_t sent;

    ck_assert_int_eq(kc_login_parameters_read(site->rp,
                                              "login_hint=a%26scope%3Dadmin%23%26client_id%3Dx",
                                              testlib_pool, &request, &last),
                     KC_OK);
    sent = leave(&request);
    ck_assert_str_eq(parameter(sent.query, "login_hint"), "a&scope=admin#&client_id=x");
    ck_assert_str_eq(parameter(sent.query, "scope"), "openid profile email");
    ck_assert_str_eq(parameter(sent.query, "client_id"), "kubeflow-oidc-authservice");
}
END_TEST

/* A form is led on to an address that says the same. */
START_TEST(a_form_becomes_an_address)
{
    static const char form[] = "login_hint=a%26b+c&ui_locales=de&prompt=none&scope=x&" OWN_ISSUER
                               "&target_link_uri=%2Fa%3Fb%3Dc%26d";
    kc_login_request_t request, again;
    const char *query;

    ck_assert_int_eq(kc_login_parameters_read(site->rp, form, testlib_pool, &request, &last),
                     KC_OK);
    query = kc_login_parameters_query(&request, testlib_pool);
    ck_assert_str_eq(query, "return=%2Fa%3Fb%3Dc%26d&prompt=none&ui_locales=de"
                            "&login_hint=a%26b%20c");
    ck_assert_int_eq(kc_login_parameters_read(site->rp, query, testlib_pool, &again, &last), KC_OK);
    ck_assert_str_eq(again.return_url, request.return_url);
    ck_assert(again.is_silent);
    ck_assert_str_eq(listed(again.parameters), listed(request.parameters));
    ck_assert_int_eq(kc_login_parameters_read(site->rp, NULL, testlib_pool, &request, &last),
                     KC_OK);
    ck_assert_str_eq(kc_login_parameters_query(&request, testlib_pool), "return=%2F");
}
END_TEST

/* Names and values as long as they may be, of characters that all need escapes. */
START_TEST(the_longest_parameters_fit_into_an_address)
{
    const char *names = "", *query = "", *value = "";
    char *page = apr_pcalloc(testlib_pool, KC_LOGIN_CARRIED_MAX + 1);
    kc_login_request_t request;
    int i;

    for (i = 0; i < 200; i++)
        value = apr_pstrcat(testlib_pool, value, "%26", NULL);
    for (i = 0; i < KC_LOGIN_NAMES_MAX; i++) {
        const char *name = apr_psprintf(testlib_pool, "%064d", i);

        names = apr_pstrcat(testlib_pool, names, name, " ", NULL);
        query = apr_pstrcat(testlib_pool, query, name, "=", i < 5 ? value : "", "&", NULL);
    }
    name_parameters(names);
    ck_assert_int_eq(kc_login_names_check(site->conf->login_parameters, &last), KC_OK);
    ck_assert_int_eq(kc_login_parameters_read(site->rp, query, testlib_pool, &request, &last),
                     KC_OK);
    memset(page, '/', 1);
    memset(page + 1, 'p', KC_LOGIN_CARRIED_MAX - 1);
    request.return_url = page;
    (void)leave(&request);
    query =
        apr_pstrcat(testlib_pool, query, "&", apr_psprintf(testlib_pool, "%064d", 5), "=x", NULL);
    ck_assert_int_eq(kc_login_parameters_read(site->rp, query, testlib_pool, &request, &last),
                     KC_REFUSED);
}
END_TEST

START_TEST(a_link_that_was_given_away_demands)
{
    kc_step_up_t step_up = demand_of("gold", 0);
    kc_login_request_t request;
    const char *text;

    ck_assert_int_eq(kc_step_up_seal(site->rp, &step_up, testlib_pool, &text, &last), KC_OK);
    ck_assert_int_eq(kc_login_parameters_read(site->rp,
                                              apr_pstrcat(testlib_pool, "demand=", text, NULL),
                                              testlib_pool, &request, &last),
                     KC_OK);
    ck_assert_str_eq(kc_step_up_acr_values(&request.step_up, testlib_pool), "gold");
    ck_assert_str_eq(parameter(leave(&request).query, "acr_values"), "gold");
}
END_TEST

/* ---------------------------------------------------------------- abandoned ones */

/* threats.md O 180: of each kind, by browsers that never come back. */
START_TEST(abandoned_sign_ins_leave_nothing_on_the_server)
{
    kc_login_request_t request = {.return_url = "/pipeline", .step_up = demand_of("gold", 60)};
    int entries, requests, i;
    apr_pool_t *scratch;

    (void)leave(&request); /* fetches metadata and keys */
    entries = fake->host.entries->nelts;
    requests = fake->http.requests->nelts;
    ck_assert_int_eq(apr_pool_create(&scratch, testlib_pool), APR_SUCCESS);
    site->client.cookies = NULL;
    for (i = 0; i < 100000; i++) {
        request.is_silent = i % 2;
        request.is_step_up = i % 4 > 1;
        ck_assert_int_eq(kc_login_begin(site->rp, &site->client, &request, scratch, &answer, &last),
                         KC_OK);
        apr_pool_clear(scratch);
    }
    ck_assert_int_eq(fake->sessions.entries->nelts, 0);
    ck_assert_int_eq(fake->sessions.puts + fake->sessions.adds + fake->sessions.touches, 0);
    ck_assert_int_eq(fake->host.entries->nelts, entries);
    ck_assert_int_eq(fake->http.requests->nelts, requests);
}
END_TEST

/* ---------------------------------------------------------------- suite */

static TCase *add(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_unchecked_fixture(tests, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_demands(TCase *tests)
{
    tcase_add_test(tests, the_settings_demand_nothing_unless_they_are_set);
    tcase_add_loop_test(tests, a_sign_in_meets_a_demand_or_not, 0, ROWS(meetings));
    tcase_add_test(tests, a_challenge_says_what_is_demanded);
    tcase_add_test(tests, a_demand_that_was_given_away_comes_back_whole_or_not_at_all);
    tcase_add_test(tests, a_demand_may_be_as_long_as_its_directive);
}

static void add_step_up(TCase *tests)
{
    tcase_add_test(tests, the_authorization_request_says_what_is_demanded);
    tcase_add_test(tests, a_token_that_meets_the_demand_makes_a_session);
    tcase_add_loop_test(tests, a_token_that_does_not_meet_it_changes_nothing, 0, ROWS(weak));
    tcase_add_test(tests, a_fraction_of_a_second_meets_the_demand);
    tcase_add_test(tests, a_malformed_auth_time_is_refused_in_any_case);
    tcase_add_test(tests, a_demand_cannot_be_dropped_on_the_way);
    tcase_add_test(tests, the_largest_demand_fits_beside_the_longest_page);
    tcase_add_test(tests, stepping_up_is_counted_by_itself);
    tcase_add_test(tests, three_sign_ins_leave_room_to_step_up);
    tcase_add_test(tests, an_old_count_is_read);
    tcase_add_test(tests, who_begins_again_still_has_to_bring_it);
    tcase_add_test(tests, a_silent_sign_in_stays_one);
}

static void add_silent(TCase *tests)
{
    tcase_add_loop_test(tests, a_provider_that_would_have_to_ask_ends_a_silent_sign_in, 0,
                        ROWS(errors));
    tcase_add_test(tests, a_silent_sign_in_renews_the_session);
    tcase_add_test(tests, a_silent_sign_in_of_somebody_else_is_refused);
    tcase_add_test(tests, tokens_that_are_over_do_not_make_it_anybodys);
    tcase_add_test(tests, a_silent_sign_in_needs_no_session_before);
    tcase_add_test(tests, who_is_signed_in_must_be_known);
}

static void add_links(TCase *tests)
{
    tcase_add_loop_test(tests, a_link_asks_for_what_it_may, 0, ROWS(links));
    tcase_add_test(tests, the_administrator_says_what_goes_on);
    tcase_add_test(tests, what_goes_on_cannot_become_another_parameter);
    tcase_add_test(tests, a_form_becomes_an_address);
    tcase_add_test(tests, the_longest_parameters_fit_into_an_address);
    tcase_add_test(tests, a_link_that_was_given_away_demands);
}

Suite *kc_test_step_up(void)
{
    Suite *suite = suite_create("step_up");
    TCase *abandoned = add(suite, "abandoned");

    add_demands(add(suite, "demands"));
    add_step_up(add(suite, "step_up"));
    add_silent(add(suite, "silent"));
    add_links(add(suite, "links"));
    tcase_set_timeout(abandoned, 300);
    tcase_add_test(abandoned, abandoned_sign_ins_leave_nothing_on_the_server);
    return suite;
}

/* Tests of login.h: a complete sign-in with a fake provider, and everything that may go wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/cookie.h"
#include "base/query.h"
#include "base/url.h"
#include "browser.h"
#include "fake_site.h"
#include "login/login.h"
#include "login/login_state.h"
#include "logout/logout.h"
#include "session/session_cookie.h"
#include "session/session_index.h"
#include "session/session_tokens.h"
#include "session/unknown.h"
#include "store/store_shm.h"
#include "testlib.h"

Suite *kc_test_login(void);

#define SESSION "__Host-keycloak_session"
#define CODE "the-code-that-nobody-may-log"
#define ALICE "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define BOB "0b0b0b0b-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define HEADER "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\"}"

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_err_t last;
static kc_browser_answer_t answer;

static const char *keys_named(testlib_key_t which, const char *kid)
{
    const char *more = apr_psprintf(testlib_pool, ",\"kid\":\"%s\"", kid);

    return apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_jwk(which, more), "]}", NULL);
}

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_RSA);
    (void)testlib_key(TESTLIB_RSA_OTHER);
}

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), keys_named(TESTLIB_RSA, "k"));
}

/* ---------------------------------------------------------------- a person with a browser */

/* What the authorization request said. */
typedef struct sent_t {
    const char *state, *nonce, *challenge;
    const kc_query_t *query;
} sent_t;

static const char *parameter(const kc_query_t *query, const char *name)
{
    const char *value = NULL;

    ck_assert_msg(kc_query_single(query, name, &value, NULL) == KC_OK, "%s", name);
    return value;
}

static kc_rc_t begin(const char *return_url)
{
    kc_login_request_t request = {.return_url = return_url};
    kc_rc_t rc;

    memset(&last, 0, sizeof(last));
    rc = kc_login_begin(site->rp, &site->client, &request, testlib_pool, &answer, &last);
    kc_fake_site_take(site, answer.cookies);
    return rc;
}

static sent_t leave_for(const char *return_url)
{
    sent_t sent;
    const char *query;

    ck_assert_int_eq(begin(return_url), KC_OK);
    query = strchr(answer.location, '?');
    ck_assert_ptr_nonnull(query);
    ck_assert_int_eq(kc_query_parse(query + 1, testlib_pool, &sent.query, NULL), KC_OK);
    sent.state = parameter(sent.query, "state");
    sent.nonce = parameter(sent.query, "nonce");
    sent.challenge = parameter(sent.query, "code_challenge");
    return sent;
}

static const char *escape(const char *text)
{
    return kc_url_escape(text, testlib_pool);
}

static const char *callback_of(const sent_t *sent)
{
    return apr_pstrcat(testlib_pool, "state=", escape(sent->state),
                       "&session_state=x&iss=", escape(KC_FAKE_ISSUER), "&code=" CODE, NULL);
}

/* The callback as the browser makes it; is_parallel: its cookies stay as they are. */
static kc_rc_t finish_as(const char *query, int is_parallel)
{
    kc_rc_t rc;

    memset(&last, 0, sizeof(last));
    rc = kc_login_finish(site->rp, &site->client, query, testlib_pool, &answer, &last);
    ck_assert_ptr_null(strstr(last.detail, CODE));
    if (rc != KC_OK) {
        int i;

        ck_assert_ptr_null(answer.location);
        ck_assert_ptr_null(answer.user);
        for (i = 0; i < answer.cookies->nelts; i++)
            ck_assert_ptr_null(
                strstr(APR_ARRAY_IDX(answer.cookies, i, const char *), "keycloak_session"));
    }
    if (!is_parallel)
        kc_fake_site_take(site, answer.cookies);
    return rc;
}

static kc_rc_t finish(const char *query)
{
    return finish_as(query, 0);
}

/* ---------------------------------------------------------------- a provider */

/* The claims of an ID token; more is "" or further members. */
static const char *claims_of(const char *sub, const char *nonce, const char *more)
{
    return apr_psprintf(testlib_pool,
                        "{\"iss\":\"" KC_FAKE_ISSUER "\",\"aud\":\"kubeflow-oidc-authservice\","
                        "\"sub\":\"%s\",\"typ\":\"ID\",\"azp\":\"kubeflow-oidc-authservice\","
                        "\"nonce\":\"%s\",\"iat\":%ld,\"exp\":%ld,\"auth_time\":%ld%s}",
                        sub, nonce, (long)fake->now, (long)fake->now + 300, (long)fake->now, more);
}

static const char *profile_of(const char *name)
{
    return apr_psprintf(testlib_pool,
                        ",\"sid\":\"sid-%s\",\"email\":\"%s@example.com\",\"email_verified\":true,"
                        "\"groups\":[\"/staff\",\"users\"],\"name\":\"%s\"",
                        name, name, name);
}

static void issue(const char *id_token, const char *access_token)
{
    kc_fake_answer(fake, KC_FAKE_TOKEN, 200, "application/json",
                   apr_psprintf(testlib_pool,
                                "{\"access_token\":\"%s\",\"id_token\":\"%s\","
                                "\"token_type\":\"Bearer\",\"expires_in\":300}",
                                access_token, id_token));
}

static const char *signed_by(testlib_key_t key, const char *claims)
{
    return testlib_sign(key, "RS256", HEADER, claims);
}

static void issue_for(const sent_t *sent, const char *sub, const char *name)
{
    issue(signed_by(TESTLIB_RSA, claims_of(sub, sent->nonce, profile_of(name))), "opaque");
}

static int token_requests(void)
{
    return kc_fake_request_count(fake, KC_FAKE_TOKEN);
}

/* Signs somebody in, and gives the cookie's value. */
static const char *sign_in(const char *sub, const char *name)
{
    sent_t sent = leave_for("/page");

    issue_for(&sent, sub, name);
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    return kc_fake_site_cookie(site, SESSION);
}

static kc_session_state_t state_of(const char *id, kc_session_t *session)
{
    kc_session_t unused;

    return kc_session_find(site->rp, kc_buf_text(id), testlib_pool, session ? session : &unused,
                           NULL);
}

/* Entries of the store are one-use markers, sessions and marks of ended ones. */
static void assert_no_session(void)
{
    ck_assert_ptr_null(kc_fake_site_cookie(site, SESSION));
    ck_assert_int_eq(fake->sessions.puts, 0);
}

/* ---------------------------------------------------------------- there */

START_TEST(the_authorization_request_says_what_it_must)
{
    sent_t sent = leave_for("/page");

    ck_assert_int_eq(
        strncmp(answer.location, KC_FAKE_ENDPOINT "auth?", strlen(KC_FAKE_ENDPOINT "auth?")), 0);
    ck_assert_str_eq(parameter(sent.query, "response_type"), "code");
    ck_assert_str_eq(parameter(sent.query, "client_id"), "kubeflow-oidc-authservice");
    ck_assert_str_eq(parameter(sent.query, "redirect_uri"),
                     KC_FAKE_PUBLIC "/authservice/oidc/callback");
    ck_assert_str_eq(parameter(sent.query, "scope"), "openid profile email");
    ck_assert_str_eq(parameter(sent.query, "code_challenge_method"), "S256");
    ck_assert_uint_eq(strlen(sent.challenge), 43);
    ck_assert_uint_eq(strlen(sent.nonce), 22);
    ck_assert_int_eq(answer.cookies->nelts, 1);
    ck_assert_ptr_null(answer.user);
    ck_assert_ptr_null(strstr(answer.location, "page"));
}
END_TEST

START_TEST(settings_change_the_authorization_request)
{
    apr_array_header_t *scope = apr_array_make(testlib_pool, 2, sizeof(const char *));
    sent_t sent;

    APR_ARRAY_PUSH(scope, const char *) = "groups";
    APR_ARRAY_PUSH(scope, const char *) = "offline_access";
    site->conf->scope = scope;
    site->conf->redirect_uri = "https://kubeflow.example.com/back?x=1";
    site->conf->auth_url = "/auth/realms/kubeflow/auth";
    kc_fake_site_renew(site);
    sent = leave_for("/");
    ck_assert_int_eq(strncmp(answer.location, KC_FAKE_PUBLIC "/auth/realms/kubeflow/auth?",
                             strlen(KC_FAKE_PUBLIC "/auth/realms/kubeflow/auth?")),
                     0);
    ck_assert_str_eq(parameter(sent.query, "scope"), "openid groups offline_access");
    ck_assert_str_eq(parameter(sent.query, "redirect_uri"), site->conf->redirect_uri);
}
END_TEST

START_TEST(without_a_provider_nothing_is_begun)
{
    fake->http.is_down = 1;
    ck_assert_int_eq(begin("/"), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(answer.cookies->nelts, 0);
    ck_assert_ptr_null(answer.location);
}
END_TEST

START_TEST(without_random_bytes_nothing_is_begun)
{
    fake->is_random_broken = 1;
    ck_assert_int_eq(begin("/"), KC_FAULT);
    ck_assert_int_eq(last.reason, KC_ERR_CRYPTO);
    ck_assert_int_eq(answer.cookies->nelts, 0);
    ck_assert_ptr_null(answer.location);
}
END_TEST

/* ---------------------------------------------------------------- and back */

START_TEST(a_sign_in_makes_a_session_and_leads_to_its_page)
{
    sent_t sent = leave_for("/page?x=1&y=2");
    kc_session_t session;
    const char *id;
    size_t bytes;

    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert_str_eq(answer.location, KC_FAKE_PUBLIC "/page?x=1&y=2");
    ck_assert_str_eq(answer.user, "alice@example.com");
    ck_assert_int_eq(answer.dropped, 0);
    id = kc_fake_site_cookie(site, SESSION);
    ck_assert_uint_eq(strlen(id), KC_SESSION_ID_TEXT);
    ck_assert_int_eq(kc_fake_site_count(site, "__Host-keycloak_login_", &bytes), 0);
    ck_assert_int_eq(state_of(id, &session), KC_SESSION_LIVE);
    ck_assert_str_eq(session.sub, ALICE);
    ck_assert_str_eq(session.sid, "sid-alice");
    ck_assert_str_eq(session.user, "alice@example.com");
    ck_assert_str_eq(session.email, "alice@example.com");
    ck_assert_str_eq(session.groups, "staff,users");
    ck_assert_int_eq(session.created, fake->now);
    ck_assert_int_eq(session.expires, fake->now + site->conf->session_max);
    ck_assert_int_eq(session.token_expires, fake->now + 300);
    ck_assert_int_eq(session.auth_time, fake->now);
    ck_assert_uint_eq(session.claims.len, 0); /* the ID token's own are enough */
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_USERINFO), 0);
}
END_TEST

/* threats.md E 85 */
/* A token that nobody will use is not kept. */
START_TEST(the_refresh_token_is_kept_for_when_it_is_time)
{
    int is_on;

    for (is_on = 0; is_on < 2; is_on++) {
        sent_t sent = leave_for("/page");
        kc_session_t session;
        kc_pack_t contents;

        site->conf->refresh = is_on;
        kc_fake_answer(
            fake, KC_FAKE_TOKEN, 200, "application/json",
            apr_psprintf(
                testlib_pool,
                "{\"access_token\":\"opaque\",\"id_token\":\"%s\",\"token_type\":\"Bearer\","
                "\"refresh_token\":\"the-refresh-token\"}",
                signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, profile_of("alice")))));
        ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
        ck_assert_int_eq(state_of(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
        ck_assert_int_eq(session.refresh_at, is_on ? session.token_expires - 60 : 0);
        ck_assert_int_eq(kc_session_tokens_get(&session, testlib_pool, &contents, NULL), KC_OK);
        if (is_on)
            ck_assert_str_eq(contents.refresh_token, "the-refresh-token");
        else
            ck_assert_ptr_null(contents.refresh_token);
    }
}
END_TEST

START_TEST(the_token_request_proves_possession_of_the_verifier)
{
    sent_t sent = leave_for("/");
    const kc_fake_request_t *request;
    const kc_query_t *form;
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];
    kc_bytes_t bytes = {digest, sizeof(digest)};

    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    request = kc_fake_request_last(fake, KC_FAKE_TOKEN);
    ck_assert_ptr_nonnull(request);
    ck_assert_int_eq(kc_query_parse(request->form, testlib_pool, &form, NULL), KC_OK);
    ck_assert_str_eq(parameter(form, "grant_type"), "authorization_code");
    ck_assert_str_eq(parameter(form, "code"), CODE);
    ck_assert_str_eq(parameter(form, "redirect_uri"), parameter(sent.query, "redirect_uri"));
    ck_assert_int_eq(kc_crypto_sha256(kc_buf_text(parameter(form, "code_verifier")), digest, NULL),
                     KC_OK);
    ck_assert_str_eq(kc_buf_base64url(bytes, testlib_pool), sent.challenge);
    ck_assert_int_eq(strncmp(request->authorization, "Basic ", 6), 0);
}
END_TEST

static const char *cookie_text(const char *name)
{
    int i;

    for (i = 0; i < answer.cookies->nelts; i++) {
        const char *text = APR_ARRAY_IDX(answer.cookies, i, const char *);

        if (strncmp(text, name, strlen(name)) == 0 && text[strlen(name)] == '=')
            return text;
    }
    ck_abort_msg("no cookie %s", name);
    return NULL;
}

/* threats.md G 110 */
START_TEST(the_session_cookie_has_its_flags)
{
    const char *text;

    (void)sign_in(ALICE, "alice");
    text = cookie_text(SESSION);
    ck_assert_ptr_nonnull(strstr(text, "; Path=/"));
    ck_assert_ptr_nonnull(strstr(text, "; Secure"));
    ck_assert_ptr_nonnull(strstr(text, "; HttpOnly"));
    ck_assert_ptr_nonnull(strstr(text, "; SameSite=Lax"));
    ck_assert_ptr_null(strstr(text, "Domain"));
    ck_assert_ptr_null(strstr(text, "Max-Age"));
    site->conf->cookie_domain = "example.com";
    site->conf->cookie_same_site = KC_SAME_SITE_STRICT;
    kc_fake_site_renew(site);
    (void)sign_in(ALICE, "alice");
    text = cookie_text("__Secure-keycloak_session");
    ck_assert_ptr_nonnull(strstr(text, "; Domain=example.com"));
    ck_assert_ptr_nonnull(strstr(text, "; SameSite=Strict"));
    text = cookie_text("__Host-keycloak_rounds");
    ck_assert_ptr_null(strstr(text, "Domain"));
    ck_assert_ptr_nonnull(strstr(text, "; Max-Age=60"));
}
END_TEST

START_TEST(the_session_cookie_stays_when_it_is_asked_for)
{
    site->conf->cookie_persistent = 1;
    site->conf->session_max = 7200;
    site->conf->session_idle = 600;
    kc_fake_site_renew(site);
    (void)sign_in(ALICE, "alice");
    /* the ID token lasts five minutes, and nothing renews it */
    ck_assert_ptr_nonnull(strstr(cookie_text(SESSION), "; Max-Age=330; Secure; HttpOnly"));
}
END_TEST

START_TEST(over_http_cookies_are_plain)
{
    sent_t sent;

    site->client.is_https = 0;
    site->client.public_url = "http://localhost:8989";
    sent = leave_for("/page");
    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert_str_eq(answer.location, "http://localhost:8989/page");
    ck_assert_ptr_null(strstr(cookie_text("keycloak_session"), "Secure"));
}
END_TEST

/* threats.md E 87, 86: every tab comes back with its own verifier to its own page. */
START_TEST(five_tabs_sign_in_in_any_order)
{
    static const int order[] = {3, 0, 4, 1, 2};
    sent_t sent[5];
    int i;

    for (i = 0; i < 5; i++)
        sent[i] = leave_for(apr_psprintf(testlib_pool, "/tab/%d", i));
    for (i = 0; i < 5; i++) {
        const sent_t *tab = &sent[order[i]];
        const char *page = apr_psprintf(testlib_pool, KC_FAKE_PUBLIC "/tab/%d", order[i]);

        issue_for(tab, ALICE, "alice");
        ck_assert_int_eq(finish(callback_of(tab)), KC_OK);
        ck_assert_str_eq(answer.location, page);
    }
}
END_TEST

/* threats.md F: judged when a sign-in begins */
START_TEST(a_foreign_return_url_becomes_the_start_page)
{
    static const char *const urls[] = {"//evil.example.com",
                                       "https://evil.example.com/",
                                       "/\\evil.example.com",
                                       "javascript:alert(1)",
                                       "",
                                       "\r\n",
                                       "https://kubeflow.example.com.evil.example.com/"};
    size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        sent_t sent;

        kc_fake_site_plant(site, "__Host-keycloak_rounds", NULL);
        sent = leave_for(urls[i]);
        issue_for(&sent, ALICE, "alice");
        ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
        ck_assert_str_eq(answer.location, KC_FAKE_PUBLIC "/");
    }
}
END_TEST

/* ---------------------------------------------------------------- answers that are refused */

typedef struct bad_query_t {
    const char *format; /* %1$s: state */
    kc_rc_t rc;
    kc_reason_t reason;
} bad_query_t;

#define ISS "iss=https%%3A%%2F%%2Fkeycloak.example.com%%2Frealms%%2Fkubeflow"
#define OTHER_STATE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* threats.md D 72, E 77, 78, 83 */
static const bad_query_t bad_queries[] = {
    {"", KC_REFUSED, KC_ERR_CALLBACK},
    {ISS "&code=" CODE, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=&code=" CODE "&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&state=%1$s&code=" CODE "&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&st%%61te=%1$s&code=" CODE "&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$sx&code=" CODE "&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&code=" CODE "%%00&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&code=%%zz&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=" OTHER_STATE "&code=" CODE "&" ISS, KC_MISS, KC_ERR_STATE_EXPIRED},
    {"state=zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz8&code=" CODE "&" ISS, KC_MISS,
     KC_ERR_STATE_UNKNOWN},
    {"state=%1$s&code=" CODE, KC_REFUSED, KC_ERR_CALLBACK_ISSUER},
    {"state=%1$s&code=" CODE "&iss=", KC_REFUSED, KC_ERR_CALLBACK_ISSUER},
    {"state=%1$s&code=" CODE "&" ISS "%%2F", KC_REFUSED, KC_ERR_CALLBACK_ISSUER},
    {"state=%1$s&code=" CODE "&iss=https%%3A%%2F%%2Fevil.example.com", KC_REFUSED,
     KC_ERR_CALLBACK_ISSUER},
    {"state=%1$s&code=" CODE "&" ISS "&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&code=&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&code=" CODE "&code=" CODE "&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&code=" CODE "&error=access_denied&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&error=access_denied&" ISS, KC_REFUSED, KC_ERR_PROVIDER_ERROR},
    {"state=%1$s&error=access_denied", KC_REFUSED, KC_ERR_CALLBACK_ISSUER},
    {"state=%1$s&error=a&error=b&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&error=access_denied&error_description=no&" ISS, KC_REFUSED, KC_ERR_PROVIDER_ERROR},
    {"state=%1$s&error=a&error_description=b&error_description=c&" ISS, KC_REFUSED,
     KC_ERR_CALLBACK},
    {"state=%1$s&error=a&error_description=not%%0d%%0atoday%%FC%%zz&" ISS, KC_REFUSED,
     KC_ERR_PROVIDER_ERROR},
    {"state=%1$s&error=a%%0a&error_uri=%%ff&" ISS, KC_REFUSED, KC_ERR_PROVIDER_ERROR},
    {"state=%1$s&code=" CODE "%%0a&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s%%0a&code=" CODE "&" ISS, KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&code=" CODE "&" ISS "%%00", KC_REFUSED, KC_ERR_CALLBACK},
    {"state=%1$s&error=temporarily_unavailable&" ISS, KC_REFUSED, KC_ERR_PROVIDER_ERROR},
    {"state=%1$s&error=temporarily_unavailable&error_description=authentication_expired&" ISS,
     KC_MISS, KC_ERR_STATE_EXPIRED},
};

enum { BAD_QUERIES = sizeof(bad_queries) / sizeof(bad_queries[0]) };

/* The format with the state put in; %% is a percent sign. */
static const char *fill(const char *format, const char *state)
{
    const char *text = "";

    while (*format) {
        size_t len = strcspn(format, "%");

        text = apr_pstrcat(testlib_pool, text, kc_buf_copy(format, len, testlib_pool), NULL);
        format += len;
        if (strncmp(format, "%1$s", 4) == 0) {
            text = apr_pstrcat(testlib_pool, text, state, NULL);
            format += 4;
        } else if (*format) {
            text = apr_pstrcat(testlib_pool, text, "%", NULL);
            format += 2;
        }
    }
    return text;
}

START_TEST(an_answer_that_is_not_as_it_must_be_is_refused)
{
    const bad_query_t *bad = &bad_queries[_i];
    sent_t sent = leave_for("/");

    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish(fill(bad->format, sent.state)), bad->rc);
    ck_assert_int_eq(last.reason, bad->reason);
    ck_assert_int_eq(token_requests(), 0);
    assert_no_session();
}
END_TEST

/* What is not read may be anything; a code has blanks (RFC 6749 appendix A.11). */
START_TEST(an_answer_may_say_odd_things_beside)
{
    static const char *const formats[] = {
        "state=%1$s&session_state=a%%zz.%%FF%%0a&code=" CODE "&" ISS,
        "%%00=%%&state=%1$s&session_state=&code=" CODE "&" ISS "&scope=a%%09b",
        "state=%1$s&session_state=a%%20b&session_state=c&code=" CODE "&" ISS "&\xff=1",
    };
    sent_t sent = leave_for("/");

    issue_for(&sent, ALICE, "alice");
    ck_assert_msg(finish(fill(formats[_i], sent.state)) == KC_OK, "%s", last.detail);
    ck_assert_int_eq(token_requests(), 1);
}
END_TEST

START_TEST(a_code_has_blanks)
{
    sent_t sent = leave_for("/");

    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish(fill("state=%1$s&code=a+b%%20~%%2B&" ISS, sent.state)), KC_OK);
    ck_assert_ptr_nonnull(
        strstr(kc_fake_request_last(fake, KC_FAKE_TOKEN)->form, "code=a%20b%20~%2B"));
}
END_TEST

START_TEST(a_description_is_told_in_what_can_be_read_of_it)
{
    sent_t sent = leave_for("/");

    ck_assert_int_eq(finish(fill("state=%1$s&error=access_denied&error_description=AADSTS1:+no"
                                 "%%0d%%0aTrace+ID:+7%%FC%%C3%%A4%%zz&" ISS,
                                 sent.state)),
                     KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_ERROR);
    ck_assert_str_eq(last.detail, "access_denied: AADSTS1: no??Trace ID: 7?\xc3\xa4%zz");
}
END_TEST

START_TEST(a_code_that_is_too_long_is_refused)
{
    sent_t sent = leave_for("/");
    char code[4200];

    memset(code, 'c', sizeof(code));
    code[4097] = '\0';
    ck_assert_int_eq(finish(apr_pstrcat(testlib_pool, "state=", sent.state,
                                        "&iss=", escape(KC_FAKE_ISSUER), "&code=", code, NULL)),
                     KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_CALLBACK);
}
END_TEST

START_TEST(no_query_at_all_is_refused)
{
    ck_assert_int_eq(finish(NULL), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_CALLBACK);
}
END_TEST

/* A provider without RFC 9207 may leave iss out, but not say another. */
START_TEST(an_issuer_that_is_not_promised_may_be_absent_but_not_wrong)
{
    const char *metadata = kc_fake_site_metadata(site, "");
    const char *place = strstr(metadata, "parameter_supported\":true");
    sent_t sent;

    metadata =
        apr_pstrcat(testlib_pool, kc_buf_copy(metadata, (size_t)(place - metadata), testlib_pool),
                    "parameter_supported\":false}", NULL);
    kc_fake_site_provide(site, metadata, keys_named(TESTLIB_RSA, "k"));
    sent = leave_for("/");
    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(
        finish_as(fill("state=%1$s&code=" CODE "&iss=https://evil.example.com", sent.state), 1),
        KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_CALLBACK_ISSUER);
    ck_assert_int_eq(finish(fill("state=%1$s&code=" CODE, sent.state)), KC_OK);
}
END_TEST

/* threats.md D 73: as when two realms share a host */
START_TEST(the_state_of_another_realm_is_unknown)
{
    sent_t sent = leave_for("/");

    site->conf->issuer = "https://keycloak.example.com/realms/other";
    kc_fake_site_renew(site);
    ck_assert_int_eq(finish(callback_of(&sent)), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_UNKNOWN);
    ck_assert_int_eq(token_requests(), 0);
}
END_TEST

/* threats.md E 79, 82 */
START_TEST(a_double_callback_leads_to_one_token_request)
{
    sent_t sent = leave_for("/page");
    kc_login_request_t again;

    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish_as(callback_of(&sent), 1), KC_OK);
    ck_assert_int_eq(finish_as(callback_of(&sent), 1), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_SPENT);
    ck_assert_int_eq(token_requests(), 1);
    ck_assert_int_eq(
        kc_login_again(site->rp, &site->client, callback_of(&sent), testlib_pool, &again, &last),
        KC_OK);
    ck_assert_str_eq(again.return_url, "/page");
    ck_assert_uint_eq(again.round.number, 1);
}
END_TEST

static kc_rc_t again(const char *query, kc_login_request_t *out)
{
    return kc_login_again(site->rp, &site->client, query, testlib_pool, out, &last);
}

START_TEST(beginning_again_ends_in_a_page)
{
    kc_login_request_t request = {.return_url = "/page"};
    const char *query = NULL;
    int i;

    for (i = 0; i <= KC_LOGIN_ROUNDS_MAX; i++) {
        ck_assert_int_eq(
            kc_login_begin(site->rp, &site->client, &request, testlib_pool, &answer, &last), KC_OK);
        query = strchr(answer.location, '?') + 1;
        if (i < KC_LOGIN_ROUNDS_MAX)
            ck_assert_int_eq(again(query, &request), KC_OK);
    }
    ck_assert_int_eq(again(query, &request), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGIN_LOOP);
    ck_assert_int_eq(again("code=x", &request), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_CALLBACK);
}
END_TEST

/* ---------------------------------------------------------------- sessions before and after */

/* threats.md E 89 */
START_TEST(somebody_else_signing_in_ends_the_session_before)
{
    const char *alice = sign_in(ALICE, "alice"), *bob;
    kc_session_t session;

    ck_assert_int_eq(state_of(alice, NULL), KC_SESSION_LIVE);
    bob = sign_in(BOB, "bob");
    ck_assert_str_ne(alice, bob);
    ck_assert_int_eq(state_of(alice, NULL), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(bob, &session), KC_SESSION_LIVE);
    ck_assert_str_eq(session.user, "bob@example.com");
}
END_TEST

/* threats.md E 88 */
START_TEST(a_planted_session_cookie_is_replaced)
{
    static const char *const planted[] = {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x",
                                          "\"quoted\""};
    size_t i;

    for (i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
        const char *id;

        kc_fake_site_plant(site, SESSION, planted[i]);
        id = sign_in(ALICE, "alice");
        ck_assert_str_ne(id, planted[i]);
        ck_assert_int_eq(state_of(id, NULL), KC_SESSION_LIVE);
        ck_assert_int_eq(state_of(planted[i], NULL), KC_SESSION_NONE);
    }
}
END_TEST

/* threats.md E 92 */
START_TEST(three_sign_ins_in_a_minute_are_enough)
{
    int i;

    for (i = 0; i < KC_LOGIN_ROUNDS_MAX; i++) {
        (void)sign_in(ALICE, "alice");
        fake->now += 10;
    }
    ck_assert_int_eq(begin("/"), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGIN_LOOP);
    ck_assert_ptr_null(answer.location);
    fake->now = KC_FAKE_NOW + KC_LOGIN_ROUNDS_SECONDS - 1;
    ck_assert_int_eq(begin("/"), KC_REFUSED);
    fake->now += 1;
    ck_assert_int_eq(begin("/"), KC_OK);
    (void)sign_in(ALICE, "alice");
    ck_assert_int_eq(begin("/"), KC_OK);
}
END_TEST

START_TEST(a_rounds_cookie_of_somebodys_own_making_does_no_harm)
{
    static const char *const values[] = {"",
                                         "x",
                                         "1.",
                                         ".1",
                                         "-1.1",
                                         "99999999999999999999.1",
                                         "1700000000",
                                         "1700000000.",
                                         "9999999999.3",
                                         "-999999999999999999.3",
                                         "1700000000.x",
                                         "1700000000.1111111111111111111111111111111111111111"};
    size_t i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        kc_fake_site_plant(site, "__Host-keycloak_rounds", values[i]);
        ck_assert_int_eq(begin("/"), KC_OK);
        (void)sign_in(ALICE, "alice");
    }
}
END_TEST

/* Another tab's requests and streams go on, until the browser signs out. */
START_TEST(a_session_of_the_same_person_goes_on_when_they_sign_in_again)
{
    const char *before = sign_in(ALICE, "alice"), *after;
    kc_session_t session;

    after = sign_in(ALICE, "alice");
    ck_assert_str_ne(before, after);
    ck_assert_int_eq(state_of(before, NULL), KC_SESSION_LIVE);
    ck_assert_int_eq(state_of(after, &session), KC_SESSION_LIVE);
    ck_assert_int_eq(
        kc_logout_begin(site->rp, &site->client, &session, NULL, testlib_pool, &answer, NULL),
        KC_OK);
    ck_assert_int_eq(state_of(before, NULL), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(after, NULL), KC_SESSION_ENDED);
}
END_TEST

/* Another person, another session at the provider, or nobody knows which. */
START_TEST(any_other_session_ends_when_somebody_signs_in)
{
    static const char *const subs[] = {BOB, ALICE, BOB}, *const names[] = {"bob", "bob", "alice"};
    const char *before = sign_in(ALICE, "alice");

    (void)sign_in(subs[_i], names[_i]);
    ck_assert_int_eq(state_of(before, NULL), KC_SESSION_ENDED);
}
END_TEST

/* ---------------------------------------------------------------- outages */

START_TEST(a_store_that_is_down_at_any_step_makes_no_session)
{
    const char *before = _i < 2 ? NULL : sign_in(BOB, "bob");
    /* marker, session; with a session before: marker, look-up, mark, deletion, session */
    int calls = _i < 2 ? _i : _i - 2;
    int puts = fake->sessions.puts;
    sent_t sent = leave_for("/");

    issue_for(&sent, ALICE, "alice");
    fake->sessions.down_after = calls;
    ck_assert_int_eq(finish(callback_of(&sent)), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    ck_assert_int_eq(token_requests(), (calls > 0) + (before != NULL));
    ck_assert_ptr_eq(kc_fake_site_cookie(site, SESSION), before);
    ck_assert_int_le(fake->sessions.puts, puts + 2);
    fake->sessions.is_down = 0;
    fake->sessions.down_after = KC_FAKE_NEVER;
    if (calls > 2) /* nobody who was to be signed out stays signed in */
        ck_assert_int_eq(state_of(before, NULL), KC_SESSION_ENDED);
}
END_TEST

/* A store of which one call alone fails, as when a connection breaks. */
static kc_store_t flaky_store;
static int flaky_calls; /* until the one that fails */

static kc_rc_t flaky_rc(kc_err_t *err)
{
    if (flaky_calls-- == 0)
        return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "one call");
    return KC_OK;
}

static kc_rc_t flaky_get(kc_store_t *store, const char *const *keys, size_t count,
                         kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err)
{
    (void)store;
    if (flaky_rc(err) != KC_OK)
        return KC_DOWN;
    return kc_store_get(&fake->sessions.store, keys, count, items, pool, err);
}

static kc_rc_t flaky_put(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                         kc_err_t *err)
{
    (void)store;
    if (flaky_rc(err) != KC_OK)
        return KC_DOWN;
    return kc_store_put(&fake->sessions.store, key, value, expires_at, err);
}

static kc_rc_t flaky_add(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                         kc_err_t *err)
{
    (void)store;
    if (flaky_rc(err) != KC_OK)
        return KC_DOWN;
    return kc_store_add(&fake->sessions.store, key, value, expires_at, err);
}

static kc_rc_t flaky_touch(kc_store_t *store, const char *key, int64_t expires_at, kc_err_t *err)
{
    (void)store;
    if (flaky_rc(err) != KC_OK)
        return KC_DOWN;
    return kc_store_touch(&fake->sessions.store, key, expires_at, err);
}

static kc_rc_t flaky_drop(kc_store_t *store, const char *key, kc_err_t *err)
{
    (void)store;
    if (flaky_rc(err) != KC_OK)
        return KC_DOWN;
    return kc_store_drop(&fake->sessions.store, key, err);
}

static const kc_store_vtable_t flaky_vtable = {"flaky",     flaky_get,  flaky_put, flaky_add,
                                               flaky_touch, flaky_drop, NULL,      NULL};

/* Calls of a sign-in, in their order. */
enum { MARKER, LOOK_UP, MARK, DELETION, MARKS, SLOT, SESSION_ITSELF, ROSTER };

static const int needed_calls[] = {MARKER, LOOK_UP, MARK, DELETION, MARKS, SESSION_ITSELF};

START_TEST(a_single_call_of_the_store_that_fails_makes_no_session)
{
    const char *before = sign_in(BOB, "bob");
    sent_t sent = leave_for("/");

    issue_for(&sent, ALICE, "alice");
    flaky_store.vtable = &flaky_vtable;
    flaky_calls = needed_calls[_i];
    fake->env.sessions = &flaky_store;
    ck_assert_int_eq(finish(callback_of(&sent)), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    ck_assert_ptr_eq(kc_fake_site_cookie(site, SESSION), before);
}
END_TEST

START_TEST(a_session_that_cannot_be_entered_in_the_roster_is_made_all_the_same)
{
    const int calls[] = {SLOT, ROSTER};
    const apr_array_header_t *entries;
    sent_t sent;

    (void)sign_in(BOB, "bob");
    sent = leave_for("/");
    issue_for(&sent, ALICE, "alice");
    flaky_store.vtable = &flaky_vtable;
    flaky_calls = calls[_i];
    fake->env.sessions = &flaky_store;
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    fake->env.sessions = &fake->sessions.store;
    ck_assert_int_eq(
        kc_session_index_list(site->rp, "alice@example.com", testlib_pool, &entries, NULL, NULL),
        KC_OK);
    ck_assert_int_eq(entries->nelts, 0);
}
END_TEST

static int64_t clock_of(void *context)
{
    return ((kc_fake_t *)context)->now;
}

/* As many callbacks with codes that Keycloak refuses as anybody likes to send. */
START_TEST(bad_callbacks_push_out_nobody)
{
    enum { FLOOD = 3000 };
    sent_t sent = leave_for("/");
    const apr_array_header_t *entries;
    kc_session_t session;
    unsigned int i;

    ck_assert_int_eq(
        kc_store_shm_create(1024 * 1024, clock_of, fake, testlib_pool, &fake->env.sessions, NULL),
        KC_OK);
    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert_int_eq(state_of(kc_fake_site_cookie(site, "__Host-keycloak_session"), &session),
                     KC_SESSION_LIVE);
    for (i = 0; i < FLOOD; i++) {
        kc_login_state_t state;

        memset(&state, 0, sizeof(state));
        memcpy(state.raw, &i, sizeof(i));
        ck_assert_int_eq(kc_login_state_spend(site->rp, &state, &last), KC_OK);
    }
    ck_assert_int_eq(state_of(kc_fake_site_cookie(site, "__Host-keycloak_session"), &session),
                     KC_SESSION_LIVE);
    ck_assert_int_eq(
        kc_session_index_list(site->rp, "alice@example.com", testlib_pool, &entries, NULL, NULL),
        KC_OK);
    ck_assert_int_eq(entries->nelts, 1);
    ck_assert_uint_eq(kc_store_shm_evicted(fake->env.sessions), 0);
}
END_TEST

/* In memcached they are few: each lives as long as the exchange may take. */
START_TEST(the_marker_of_a_refused_code_is_soon_gone)
{
    sent_t sent = leave_for("/");

    kc_fake_answer(fake, KC_FAKE_TOKEN, 400, "application/json", "{\"error\":\"invalid_grant\"}");
    ck_assert_int_ne(finish_as(callback_of(&sent), 1), KC_OK);
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), 1);
    fake->now += 60;
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), 0);
}
END_TEST

START_TEST(a_provider_that_is_down_at_the_callback_is_asked_no_token)
{
    sent_t sent = leave_for("/");

    fake->host.is_down = 1;
    kc_fake_site_renew(site); /* another child, to which nobody left anything */
    fake->http.is_down = 1;
    ck_assert_int_eq(finish_as(callback_of(&sent), 1), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(fake->sessions.adds, 0); /* not spent: it can be tried again */
    fake->http.is_down = 0;
    fake->now += 1;
    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
}
END_TEST

typedef struct token_fault_t {
    int status; /* 0: down with reason */
    const char *body;
    kc_rc_t rc;
    kc_reason_t reason;
} token_fault_t;

static const token_fault_t token_faults[] = {
    {0, NULL, KC_DOWN, KC_ERR_PROVIDER_DOWN},
    {500, "{}", KC_DOWN, KC_ERR_PROVIDER_DOWN},
    {503, "<html></html>", KC_DOWN, KC_ERR_PROVIDER_DOWN},
    {429, "", KC_DOWN, KC_ERR_PROVIDER_BUSY},
    {200, "<html></html>", KC_DOWN, KC_ERR_JSON},
    {200, "{}", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
    {302, "", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
    {400, "{\"error\":\"invalid_grant\"}", KC_REFUSED, KC_ERR_TOKEN_ENDPOINT},
    {401, "{\"error\":\"invalid_client\"}", KC_REFUSED, KC_ERR_CLIENT_AUTH},
};

/* threats.md K 156 */
START_TEST(a_code_is_never_replayed)
{
    const token_fault_t *fault = &token_faults[_i];
    sent_t sent = leave_for("/");

    if (fault->status)
        kc_fake_answer(fake, KC_FAKE_TOKEN, fault->status, "application/json", fault->body);
    else
        kc_fake_answer_down(fake, KC_FAKE_TOKEN, fault->reason);
    ck_assert_int_eq(finish_as(callback_of(&sent), 1), fault->rc);
    ck_assert_int_eq(last.reason, fault->reason);
    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish_as(callback_of(&sent), 1), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_STATE_SPENT);
    ck_assert_int_eq(token_requests(), 1);
    assert_no_session();
}
END_TEST

/* ---------------------------------------------------------------- tokens */

typedef enum {
    GOOD,
    OTHER_KEY,
    ALG_NONE,
    ALG_HMAC,
    ALG_NOT_ALLOWED,
    UNKNOWN_KID,
    OTHER_NONCE,
    OTHER_ISSUER,
    OTHER_AUDIENCE,
    EXPIRED,
    NO_SUBJECT,
    OTHER_TYPE,
    OTHER_HASH,
    NO_EMAIL,
    EMAIL_UNVERIFIED,
    USER_CONTROL,
    NOT_A_TOKEN,
    TOKEN_CASES
} token_case_t;

static const kc_reason_t token_reasons[TOKEN_CASES] = {
    [GOOD] = KC_ERR_NONE,
    [OTHER_KEY] = KC_ERR_TOKEN_SIGNATURE,
    [ALG_NONE] = KC_ERR_TOKEN_ALG,
    [ALG_HMAC] = KC_ERR_TOKEN_ALG,
    [ALG_NOT_ALLOWED] = KC_ERR_TOKEN_ALG,
    [UNKNOWN_KID] = KC_ERR_TOKEN_KEY,
    [OTHER_NONCE] = KC_ERR_TOKEN_NONCE,
    [OTHER_ISSUER] = KC_ERR_TOKEN_ISSUER,
    [OTHER_AUDIENCE] = KC_ERR_TOKEN_AUDIENCE,
    [EXPIRED] = KC_ERR_TOKEN_TIME,
    [NO_SUBJECT] = KC_ERR_TOKEN_SUBJECT,
    [OTHER_TYPE] = KC_ERR_TOKEN_TYPE,
    [OTHER_HASH] = KC_ERR_TOKEN_CLAIM,
    [NO_EMAIL] = KC_ERR_USER_MISSING,
    [EMAIL_UNVERIFIED] = KC_ERR_EMAIL_UNVERIFIED,
    [USER_CONTROL] = KC_ERR_USER_FORM,
    [NOT_A_TOKEN] = KC_ERR_TOKEN_FORM,
};

/* text with the first `from` replaced by `to`. */
static const char *replace(const char *text, const char *from, const char *to)
{
    const char *place = strstr(text, from);

    ck_assert_ptr_nonnull(place);
    return apr_pstrcat(testlib_pool, kc_buf_copy(text, (size_t)(place - text), testlib_pool), to,
                       place + strlen(from), NULL);
}

static const char *changed_claims(token_case_t which, const char *claims)
{
    switch (which) {
    case OTHER_NONCE:
        return replace(claims, "\"nonce\":\"", "\"nonce\":\"x");
    case OTHER_ISSUER:
        return replace(claims, KC_FAKE_ISSUER, KC_FAKE_ISSUER "/");
    case OTHER_AUDIENCE:
        return replace(claims, "\"aud\":\"", "\"aud\":\"x");
    case EXPIRED:
        fake->now += 300 + site->conf->clock_skew;
        return claims;
    case NO_SUBJECT:
        return replace(claims, ALICE, "");
    case OTHER_TYPE:
        return replace(claims, "\"typ\":\"ID\"", "\"typ\":\"Bearer\"");
    case OTHER_HASH:
        return replace(claims, "\"sid\"", "\"at_hash\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"sid\"");
    case NO_EMAIL:
        return replace(claims, "\"email\":\"alice@example.com\",", "");
    case EMAIL_UNVERIFIED:
        return replace(claims, "\"email_verified\":true", "\"email_verified\":false");
    case USER_CONTROL:
        return replace(claims, "alice@", "alice\\n@");
    default:
        return claims;
    }
}

static const char *changed_token(token_case_t which, const char *claims)
{
    const kc_bytes_t nothing = {(const unsigned char *)"x", 1};

    switch (which) {
    case OTHER_KEY:
        return signed_by(TESTLIB_RSA_OTHER, claims);
    case ALG_NONE:
        return testlib_compact("{\"alg\":\"none\",\"kid\":\"k\"}", claims, nothing);
    case ALG_HMAC:
        return testlib_sign_hmac(testlib_number(TESTLIB_RSA, "n"),
                                 "{\"alg\":\"HS256\",\"kid\":\"k\"}", claims);
    case ALG_NOT_ALLOWED:
        return testlib_sign(TESTLIB_RSA, "RS512", "{\"alg\":\"RS512\",\"kid\":\"k\"}", claims);
    case UNKNOWN_KID:
        return testlib_sign(TESTLIB_RSA, "RS256", "{\"alg\":\"RS256\",\"kid\":\"y\"}", claims);
    case NOT_A_TOKEN:
        return "a.b";
    default:
        return signed_by(TESTLIB_RSA, claims);
    }
}

START_TEST(a_token_that_is_not_as_it_must_be_makes_no_session)
{
    token_case_t which = (token_case_t)_i;
    apr_array_header_t *algorithms = apr_array_make(testlib_pool, 1, sizeof(const char *));
    sent_t sent;

    APR_ARRAY_PUSH(algorithms, const char *) = "RS256";
    site->conf->algorithms = algorithms;
    site->conf->user_info = KC_USER_INFO_OFF;
    sent = leave_for("/");
    issue(changed_token(which,
                        changed_claims(which, claims_of(ALICE, sent.nonce, profile_of("alice")))),
          "opaque");
    ck_assert_int_eq(finish(callback_of(&sent)), which == GOOD ? KC_OK : KC_REFUSED);
    ck_assert_int_eq(last.reason, token_reasons[which]);
    if (which != GOOD)
        assert_no_session();
}
END_TEST

/* threats.md C 62 */
START_TEST(a_key_that_is_new_at_the_callback_is_fetched)
{
    sent_t sent = leave_for("/");

    fake->now += 10;
    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json",
                   keys_named(TESTLIB_RSA_OTHER, "new"));
    issue(testlib_sign(TESTLIB_RSA_OTHER, "RS256", "{\"alg\":\"RS256\",\"kid\":\"new\"}",
                       claims_of(ALICE, sent.nonce, profile_of("alice"))),
          "opaque");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_JWKS), 2);
}
END_TEST

/* ---------------------------------------------------------------- roles and userinfo */

#define ROLES                                    \
    ",\"realm_access\":{\"roles\":[\"admin\"]}," \
    "\"resource_access\":{\"notebooks\":{\"roles\":[\"edit\"]}}"

typedef enum {
    ACCESS_GOOD,
    ACCESS_OTHER_KEY,
    ACCESS_OTHER_SUBJECT,
    ACCESS_OTHER_ISSUER,
    ACCESS_NONE,
    ACCESS_UNKNOWN_KID,
    ACCESS_OPAQUE,
    ACCESS_CASES
} access_case_t;

static const char *access_token_of(access_case_t which)
{
    const char *claims = claims_of(ALICE, "n", ROLES);
    const kc_bytes_t nothing = {(const unsigned char *)"x", 1};

    switch (which) {
    case ACCESS_OTHER_KEY:
        return signed_by(TESTLIB_RSA_OTHER, claims);
    case ACCESS_OTHER_SUBJECT:
        return signed_by(TESTLIB_RSA, claims_of(BOB, "n", ROLES));
    case ACCESS_OTHER_ISSUER:
        return signed_by(TESTLIB_RSA, replace(claims, KC_FAKE_ISSUER, KC_FAKE_ISSUER "/"));
    case ACCESS_NONE:
        return testlib_compact("{\"alg\":\"none\"}", claims, nothing);
    case ACCESS_UNKNOWN_KID:
        return testlib_sign(TESTLIB_RSA, "RS256", "{\"alg\":\"RS256\",\"kid\":\"y\"}", claims);
    case ACCESS_OPAQUE:
        return "opaque";
    default:
        return signed_by(TESTLIB_RSA, claims);
    }
}

START_TEST(roles_of_an_access_token_count_only_when_it_verifies)
{
    access_case_t which = (access_case_t)_i;
    sent_t sent = leave_for("/");
    kc_session_t session;

    issue(signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, profile_of("alice"))),
          access_token_of(which));
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert_int_eq(state_of(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
    ck_assert_int_eq(session.realm_roles.size != 0, which == ACCESS_GOOD);
    ck_assert_int_eq(session.client_roles.size != 0, which == ACCESS_GOOD);
    if (which == ACCESS_GOOD) {
        ck_assert_str_eq(kc_session_list_next(&session.realm_roles, NULL), "admin");
        ck_assert_str_eq(kc_session_list_next(&session.client_roles, NULL), "notebooks:edit");
    }
}
END_TEST

/* Of alice, with these groups; NULL: without the claim. */
static const char *profile_with(const char *groups)
{
    const char *own = ",\"groups\":[\"/staff\",\"users\"]";

    return replace(profile_of("alice"), own,
                   groups ? apr_pstrcat(testlib_pool, ",\"groups\":", groups, NULL) : "");
}

/* threats.md R 206, 215 */
START_TEST(roles_that_are_not_known_are_told_to_the_log_once)
{
    access_case_t which = (access_case_t)(_i / 2);
    unsigned int roles = KC_UNKNOWN_REALM_ROLES | KC_UNKNOWN_CLIENT_ROLES;
    unsigned int unknown =
        (which == ACCESS_GOOD ? 0 : roles) | (_i % 2 ? 0 : (unsigned int)KC_UNKNOWN_GROUPS);
    kc_session_t session;
    int round;

    for (round = 0; round < 3; round++) {
        sent_t sent = leave_for("/");
        const char *profile = profile_with(_i % 2 ? "[\"staff\"]" : "[\"a,b\"]");
        int lines = fake->log->nelts;

        site->rp->asks_negated = round > 0;
        issue(signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, profile)),
              access_token_of(which));
        ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
        ck_assert_int_eq(state_of(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
        ck_assert_uint_eq(session.unknown, unknown);
        ck_assert_int_eq(fake->log->nelts, lines + (unknown && round == 1));
        ck_assert(!fake->log->nelts || kc_fake_log_has(fake, "KC0419: roles-unknown: "));
    }
}
END_TEST

/* Told once for all, with the cure, where some Require asks for roles. */
START_TEST(tokens_without_roles_are_told_with_the_cure)
{
    access_case_t which = (access_case_t)_i;
    int is_told = which != ACCESS_GOOD, round;

    site->rp->asks_roles = KC_UNKNOWN_REALM_ROLES;
    for (round = 0; round < 2; round++) {
        sent_t sent = leave_for("/");

        issue(
            signed_by(TESTLIB_RSA, claims_of(round ? BOB : ALICE, sent.nonce, profile_of("alice"))),
            access_token_of(which));
        ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
        if (which != ACCESS_GOOD)
            ck_assert_int_eq(fake->log->nelts, is_told);
    }
    if (is_told)
        ck_assert(kc_fake_log_has(fake, "KC0419: roles-unknown: Require asks for roles") &&
                  kc_fake_log_has(fake, "KeycloakRolesClaim (now realm_access.roles)"));
}
END_TEST

/* As an ID token's. */
START_TEST(a_new_key_of_an_access_token_is_fetched)
{
    sent_t sent = leave_for("/");
    kc_session_t session;

    fake->now += 10;
    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json",
                   apr_pstrcat(testlib_pool, "{\"keys\":[",
                               testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\""), ",",
                               testlib_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"new\""), "]}", NULL));
    issue(signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, profile_of("alice"))),
          testlib_sign(TESTLIB_RSA_OTHER, "RS256", "{\"alg\":\"RS256\",\"kid\":\"new\"}",
                       claims_of(ALICE, "n", ROLES)));
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_JWKS), 2);
    ck_assert_int_eq(state_of(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
    ck_assert_str_eq(kc_session_list_next(&session.realm_roles, NULL), "admin");
}
END_TEST

START_TEST(groups_of_which_nobody_was_asked_are_unknown)
{
    sent_t sent = leave_for("/");
    kc_session_t session;

    site->conf->user_info = KC_USER_INFO_OFF;
    issue(signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, profile_with(NULL))),
          access_token_of(ACCESS_GOOD));
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert_int_eq(state_of(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
    ck_assert_uint_eq(session.unknown, KC_UNKNOWN_GROUPS);
}
END_TEST

/* Keycloak's mapper of groups tells an empty list of who has none. Without it nothing is told. */
START_TEST(groups_of_which_userinfo_tells_nothing_are_unknown)
{
    sent_t sent = leave_for("/");
    kc_session_t session;

    issue(signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, "")), access_token_of(ACCESS_GOOD));
    kc_fake_answer(fake, KC_FAKE_USERINFO, 200, "application/json",
                   apr_pstrcat(testlib_pool,
                               "{\"sub\":\"" ALICE
                               "\",\"email\":\"alice@example.com\",\"email_verified\":true",
                               _i ? ",\"groups\":[]}" : "}", NULL));
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert_int_eq(state_of(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
    ck_assert_uint_eq(session.unknown, _i ? 0 : KC_UNKNOWN_GROUPS);
}
END_TEST

static void answer_userinfo(const char *sub)
{
    kc_fake_answer(fake, KC_FAKE_USERINFO, 200, "application/json",
                   apr_psprintf(testlib_pool,
                                "{\"sub\":\"%s\",\"email\":\"alice@example.com\","
                                "\"email_verified\":true,\"groups\":[\"/staff\"]}",
                                sub));
}

START_TEST(claims_that_are_missing_come_from_userinfo)
{
    sent_t sent = leave_for("/");
    kc_session_t session;

    issue(signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, "")), "opaque");
    answer_userinfo(ALICE);
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert_str_eq(answer.user, "alice@example.com");
    ck_assert_str_eq(kc_fake_request_last(fake, KC_FAKE_USERINFO)->authorization, "Bearer opaque");
    ck_assert_int_eq(state_of(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
    ck_assert_str_eq(session.groups, "staff");
    ck_assert_str_eq(
        kc_json_member_string(kc_session_tokens_claims(&session, testlib_pool), "email"),
        "alice@example.com");
    ck_assert_str_eq(kc_json_member_string(kc_session_tokens_claims(&session, testlib_pool), "iss"),
                     KC_FAKE_ISSUER);
}
END_TEST

/* threats.md A: userinfo-invalid-sub */
START_TEST(userinfo_of_somebody_else_is_refused)
{
    sent_t sent = leave_for("/");

    issue(signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, "")), "opaque");
    answer_userinfo(BOB);
    ck_assert_int_eq(finish(callback_of(&sent)), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_USERINFO);
    assert_no_session();
}
END_TEST

START_TEST(userinfo_that_fails_makes_no_session)
{
    sent_t sent = leave_for("/");

    issue(signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, "")), "opaque");
    kc_fake_answer(fake, KC_FAKE_USERINFO, 503, "text/plain", "");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    assert_no_session();
}
END_TEST

/* Groups that nobody asks for are all that is missing. */
static sent_t leave_without_groups(void)
{
    sent_t sent = leave_for("/");

    issue(signed_by(TESTLIB_RSA, claims_of(ALICE, sent.nonce, profile_with(NULL))),
          access_token_of(ACCESS_GOOD));
    return sent;
}

/* Whatever it fails by; told once. */
START_TEST(userinfo_that_nobody_needs_may_fail)
{
    static const struct {
        int status;
        const char *type, *body, *word;
    } rows[] = {{503, "text/plain", "", "answers 503"},
                {401, "text/plain", "", "answers 401"},
                {403, "application/json", "{\"error\":\"insufficient_scope\"}", "answers 403"},
                {200, "text/html", "<html>", "endpoint's answer"},
                {200, "application/jwt", "a.b.c", "signed answer"},
                {200, "application/json", "{\"groups\":[]}", "sub is absent"},
                {429, "text/plain", "", "answers 429"}};
    kc_session_t session;
    int round;

    kc_fake_answer(fake, KC_FAKE_USERINFO, rows[_i].status, rows[_i].type, rows[_i].body);
    for (round = 0; round < 2; round++) {
        sent_t sent = leave_without_groups();

        ck_assert_msg(finish(callback_of(&sent)) == KC_OK, "%s", last.detail);
        ck_assert_int_eq(last.reason, KC_ERR_NONE);
        ck_assert_int_eq(state_of(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
        ck_assert_str_eq(session.user, "alice@example.com");
        ck_assert_uint_eq(session.unknown, KC_UNKNOWN_GROUPS);
        ck_assert_int_eq(fake->log->nelts, 1);
        ck_assert(kc_fake_log_has(fake, "KC0310: userinfo: "));
        ck_assert(kc_fake_log_has(fake, rows[_i].word));
    }
}
END_TEST

/* threats.md A: userinfo-invalid-sub, also where nobody needs it. */
START_TEST(userinfo_of_somebody_else_is_refused_in_any_case)
{
    sent_t sent = leave_without_groups();

    if (_i)
        kc_fake_answer(fake, KC_FAKE_USERINFO, 200, "application/jwt",
                       signed_by(TESTLIB_RSA, "{\"sub\":\"" BOB "\"}"));
    else
        answer_userinfo(BOB);
    ck_assert_int_eq(finish(callback_of(&sent)), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_USERINFO);
    assert_no_session();
}
END_TEST

START_TEST(userinfo_that_is_needed_may_not)
{
    kc_conf_pair_t *pair;
    sent_t sent;

    if (_i == 0)
        site->rp->asks_groups = 1;
    if (_i == 1) {
        site->rp->asked_claims = apr_array_make(testlib_pool, 1, sizeof(const char *));
        APR_ARRAY_PUSH(site->rp->asked_claims, const char *) = "email";
        APR_ARRAY_PUSH(site->rp->asked_claims, const char *) = "address.country";
    }
    if (_i == 2) {
        apr_array_header_t *headers = apr_array_make(testlib_pool, 1, sizeof(kc_conf_pair_t));

        site->conf->headers = headers;
        pair = apr_array_push(headers);
        pair->name = "X-Name";
        pair->value = "nickname";
    }
    sent = leave_without_groups();
    kc_fake_answer(fake, KC_FAKE_USERINFO, 403, "text/plain", "");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_USERINFO);
    assert_no_session();
}
END_TEST

/* OpenID Connect Core 1.0 section 5.3.2 */
static const struct {
    testlib_key_t key;
    const char *issuer, *more;
    const char *word; /* NULL: it is taken */
} signed_infos[] = {
    {TESTLIB_RSA, KC_FAKE_ISSUER, ",\"aud\":\"kubeflow-oidc-authservice\"", NULL},
    {TESTLIB_RSA, KC_FAKE_ISSUER,
     ",\"aud\":[\"x\",\"kubeflow-oidc-authservice\"],\"exp\":1700000001.5", NULL},
    {TESTLIB_RSA, NULL, "", NULL},
    {TESTLIB_RSA_OTHER, KC_FAKE_ISSUER, "", "signature is wrong"},
    {TESTLIB_RSA, KC_FAKE_ISSUER "/", "", "iss is"},
    {TESTLIB_RSA, KC_FAKE_ISSUER, ",\"aud\":\"other\"", "aud does not hold"},
    {TESTLIB_RSA, KC_FAKE_ISSUER, ",\"aud\":[]", "aud does not hold"},
    {TESTLIB_RSA, KC_FAKE_ISSUER, ",\"exp\":1600000000", "exp is in the past"},
};

START_TEST(signed_userinfo_is_verified_and_read)
{
    const char *issuer = signed_infos[_i].issuer;
    const char *claims =
        apr_psprintf(testlib_pool, "{\"sub\":\"" ALICE "\",\"groups\":[\"/staff\"]%s%s%s%s}",
                     issuer ? ",\"iss\":\"" : "", issuer ? issuer : "", issuer ? "\"" : "",
                     signed_infos[_i].more);
    sent_t sent = leave_without_groups();
    kc_session_t session;

    site->rp->asks_groups = 1;
    kc_fake_answer(fake, KC_FAKE_USERINFO, 200, "application/jwt",
                   signed_by(signed_infos[_i].key, claims));
    ck_assert_int_eq(finish(callback_of(&sent)), signed_infos[_i].word ? KC_REFUSED : KC_OK);
    if (signed_infos[_i].word) {
        ck_assert_int_eq(last.reason, KC_ERR_USERINFO);
        ck_assert_msg(strstr(last.detail, signed_infos[_i].word), "%s", last.detail);
        return;
    }
    ck_assert_int_eq(state_of(kc_fake_site_cookie(site, SESSION), &session), KC_SESSION_LIVE);
    ck_assert_str_eq(session.groups, "staff");
}
END_TEST

START_TEST(userinfo_is_asked_as_configured)
{
    site->conf->user_info = KC_USER_INFO_ON;
    answer_userinfo(ALICE);
    (void)sign_in(ALICE, "alice");
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_USERINFO), 1);
    site->conf->user_info = KC_USER_INFO_OFF;
    (void)sign_in(ALICE, "alice");
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_USERINFO), 1);
}
END_TEST

/* ---------------------------------------------------------------- out */

START_TEST(forgetting_deletes_the_cookies_that_were_set)
{
    size_t bytes;

    (void)sign_in(ALICE, "alice");
    ck_assert_int_eq(kc_fake_site_count(site, "__Host-keycloak_", &bytes), 2);
    answer.cookies = apr_array_make(testlib_pool, 4, sizeof(const char *));
    kc_session_cookie_forget(site->rp, site->client.is_https, testlib_pool, answer.cookies);
    kc_fake_site_take(site, answer.cookies);
    ck_assert_int_eq(kc_fake_site_count(site, "__Host-keycloak_", &bytes), 0);
    ck_assert_ptr_nonnull(strstr(cookie_text(SESSION), "; Secure; HttpOnly; SameSite=Lax"));
    ck_assert_ptr_nonnull(strstr(cookie_text(SESSION), "; Path=/"));
}
END_TEST

/* ---------------------------------------------------------------- many tabs at once */

enum {
    CROWD = 20,
    CROWD_ORDERS = 12,
    CROWD_PLACES = 8,     /* tabs that are at the token endpoint at the same time */
    CROWD_REDIRECTS = 20, /* more than browsers follow */
    CROWD_TICKS = 4000,   /* of 25 ms */
    CROWD_TICKS_A_SECOND = 40
};

typedef enum { TAB_OPENS, TAB_COMES_BACK, TAB_WAITS, TAB_IS_ANSWERED, TAB_HAS_ITS_PAGE } tab_at_t;

/* One tab. It sends the cookies that the browser has then, and the browser gets those of the answer
 * when that is there. */
typedef struct tab_t {
    tab_at_t at;
    int ready; /* the tick of the next step */
    int redirects;
    sent_t sent;
    const char *cookies;
    kc_login_request_t wanted;
} tab_t;

typedef struct crowd_t {
    tab_t tabs[CROWD];
    unsigned int luck; /* fixed for each order */
    int tick, at_provider, token_ticks;
} crowd_t;

static int ticks(crowd_t *crowd, int most)
{
    crowd->luck = crowd->luck * 1103515245U + 12345U;
    return 1 + (int)((crowd->luck >> 16) % (unsigned int)most);
}

/* Its request comes with the cookies of before, and the browser takes those of the answer. */
static kc_rc_t tab_begins(crowd_t *crowd, tab_t *tab)
{
    kc_rc_t rc =
        kc_login_begin(site->rp, &site->client, &tab->wanted, testlib_pool, &answer, &last);

    if (rc != KC_OK)
        return rc;
    kc_fake_site_take(site, answer.cookies);
    ck_assert_int_eq(
        kc_query_parse(strchr(answer.location, '?') + 1, testlib_pool, &tab->sent.query, NULL),
        KC_OK);
    tab->sent.state = parameter(tab->sent.query, "state");
    tab->sent.nonce = parameter(tab->sent.query, "nonce");
    tab->at = TAB_COMES_BACK;
    tab->redirects += 2;
    tab->ready = crowd->tick + ticks(crowd, 3);
    return rc;
}

static int is_signed_in(void)
{
    const char *id = kc_fake_site_cookie(site, SESSION);

    return id && state_of(id, NULL) == KC_SESSION_LIVE;
}

static void tab_arrives(tab_t *tab, const char *path)
{
    ck_assert_msg(strstr(path, tab->wanted.return_url) != NULL, "%s is not %s", path,
                  tab->wanted.return_url);
    tab->at = TAB_HAS_ITS_PAGE;
}

/* What the glue does with a state that is unknown. */
static kc_rc_t tab_starts_over(crowd_t *crowd, tab_t *tab)
{
    kc_login_request_t next;
    kc_rc_t rc = again(callback_of(&tab->sent), &next);

    if (is_signed_in()) {
        tab_arrives(tab, next.return_url);
        return KC_OK;
    }
    if (rc == KC_DOWN) { /* it comes again by itself */
        tab->redirects++;
        tab->ready = crowd->tick + CROWD_TICKS_A_SECOND;
        return KC_OK;
    }
    ck_assert_str_eq(next.return_url, tab->wanted.return_url);
    tab->wanted = next;
    return rc == KC_OK ? tab_begins(crowd, tab) : rc;
}

static kc_rc_t tab_comes_back(crowd_t *crowd, tab_t *tab)
{
    const char *name =
        apr_pstrcat(testlib_pool, "__Host-keycloak_login_",
                    apr_pstrndup(testlib_pool, tab->sent.state, KC_LOGIN_TAG_LEN), NULL);

    if (!kc_fake_site_cookie(site, name))
        return tab_starts_over(crowd, tab);
    tab->cookies = site->client.cookies;
    tab->at = TAB_WAITS;
    return KC_OK;
}

static void tab_is_answered(crowd_t *crowd, tab_t *tab)
{
    const char *cookies = site->client.cookies;
    kc_rc_t rc;

    site->client.cookies = tab->cookies;
    issue_for(&tab->sent, ALICE, "alice");
    rc = finish_as(callback_of(&tab->sent), 1);
    site->client.cookies = cookies;
    ck_assert_int_eq(rc, KC_OK);
    kc_fake_site_take(site, answer.cookies);
    crowd->at_provider--;
    tab_arrives(tab, answer.location);
}

static void tab_goes_on(crowd_t *crowd, tab_t *tab)
{
    kc_rc_t rc = KC_OK;

    if (tab->at == TAB_WAITS && crowd->at_provider < CROWD_PLACES) {
        crowd->at_provider++;
        tab->at = TAB_IS_ANSWERED;
        tab->ready = crowd->tick + crowd->token_ticks;
    }
    if (tab->ready > crowd->tick)
        return;
    if (tab->at == TAB_OPENS && is_signed_in())
        tab_arrives(tab, tab->wanted.return_url);
    else if (tab->at == TAB_OPENS)
        rc = tab_begins(crowd, tab);
    else if (tab->at == TAB_COMES_BACK)
        rc = tab_comes_back(crowd, tab);
    else if (tab->at == TAB_IS_ANSWERED)
        tab_is_answered(crowd, tab);
    ck_assert_msg(rc == KC_OK, "%s: %d %s", tab->wanted.return_url, (int)rc, last.detail);
}

/* Browsers restore their tabs at once, and the token endpoint takes its time: 0.25 s to 3 s. Most
 * tabs lose their cookies to others before anybody is signed in. */
START_TEST(a_crowd_of_tabs_ends_at_its_pages)
{
    crowd_t crowd = {.luck = (unsigned int)_i, .token_ticks = 10 * (1 + _i)};
    int i, there = 0;

    for (i = 0; i < CROWD; i++) {
        crowd.tabs[i].wanted.return_url = apr_psprintf(testlib_pool, "/tab/%c", 'a' + i);
        crowd.tabs[i].ready = ticks(&crowd, 3);
    }
    for (; there < CROWD && crowd.tick < CROWD_TICKS; crowd.tick++) {
        fake->now = KC_FAKE_NOW + crowd.tick / CROWD_TICKS_A_SECOND;
        for (i = 0, there = 0; i < CROWD; i++) {
            tab_goes_on(&crowd, &crowd.tabs[i]);
            there += crowd.tabs[i].at == TAB_HAS_ITS_PAGE;
            ck_assert_int_le(crowd.tabs[i].redirects, CROWD_REDIRECTS);
        }
    }
    ck_assert_int_eq(there, CROWD);
    ck_assert(is_signed_in());
}
END_TEST

/* A tab that is in its last round, when others begin: the query of its callback. */
static const char *last_round_among(int others, int age)
{
    kc_login_request_t request = {.return_url = "/page", .round = {KC_LOGIN_ROUNDS_MAX, 0}};
    const char *query;
    int i;

    for (i = 0; i < others; i++)
        ck_assert_int_eq(begin("/other"), KC_OK);
    fake->now += age;
    request.round.since = fake->now;
    ck_assert_int_eq(
        kc_login_begin(site->rp, &site->client, &request, testlib_pool, &answer, &last), KC_OK);
    query = strchr(answer.location, '?') + 1; /* its cookie is lost */
    return query;
}

/* threats.md E 92: no loop is without an end, whatever cookies a browser has. */
START_TEST(a_tab_comes_again_only_while_others_sign_in)
{
    static const struct {
        int others, age, waits;
        kc_rc_t rc;
    } cases[] = {{0, 0, 0, KC_REFUSED},
                 {KC_LOGIN_AT_ONCE_MAX - 2, 0, 0, KC_REFUSED},
                 {KC_LOGIN_AT_ONCE_MAX - 1, 0, 0, KC_DOWN},
                 {KC_LOGIN_AT_ONCE_MAX, 0, 0, KC_DOWN},
                 {KC_LOGIN_AT_ONCE_MAX, 0, 9, KC_DOWN}, /* KeycloakHTTPTimeout is 5 s */
                 {KC_LOGIN_AT_ONCE_MAX, 0, 10, KC_REFUSED},
                 {KC_LOGIN_AT_ONCE_MAX, KC_LOGIN_ROUNDS_SECONDS - 1, 0, KC_DOWN},
                 {KC_LOGIN_AT_ONCE_MAX, KC_LOGIN_ROUNDS_SECONDS, 0, KC_REFUSED}};
    const char *query = last_round_among(cases[_i].others, cases[_i].age);
    kc_login_request_t next;

    fake->now += cases[_i].waits;
    ck_assert_int_eq(again(query, &next), cases[_i].rc);
    ck_assert_int_eq(last.reason,
                     cases[_i].rc == KC_DOWN ? KC_ERR_PROVIDER_BUSY : KC_ERR_LOGIN_LOOP);
    ck_assert_str_eq(next.return_url, "/page");
}
END_TEST

/* Cookies with long return URLs make room for each other when there are two. */
START_TEST(long_cookies_push_each_other_out_too)
{
    const char *text = apr_psprintf(testlib_pool, "/%01500d", 0), *query;
    kc_login_request_t next;

    ck_assert_int_eq(begin(text), KC_OK);
    query = last_round_among(0, 0);
    ck_assert_int_eq(again(query, &next), KC_DOWN);
}
END_TEST

START_TEST(who_lingers_waits_in_the_gate_and_not_for_long)
{
    kc_login_request_t request = {.return_url = "/page", .begun = fake->now};
    kc_http_gate_t gate;

    ck_assert(!kc_login_linger(site->rp, &request)); /* there is none */
    kc_http_gate_init(&gate, 1, 1);
    fake->env.gate = &gate;
    ck_assert(kc_login_linger(site->rp, &request));
    gate.lingering.count = 1;
    ck_assert(!kc_login_linger(site->rp, &request));
    gate.lingering.count = 0;
    fake->now += KC_LOGIN_LINGER_SECONDS;
    ck_assert(!kc_login_linger(site->rp, &request));
    fake->env.gate = NULL;
    ck_assert_str_eq(kc_login_linger_query("code=x&state=a.b%26&iss=y", testlib_pool),
                     "state=a.b%26");
    ck_assert_ptr_null(kc_login_linger_query("code=x", testlib_pool));
    ck_assert_ptr_null(kc_login_linger_query("state=x&state=y", testlib_pool));
}
END_TEST

/* threats.md E 92: what is counted is one sign-in after the other. */
START_TEST(tabs_that_sign_in_at_once_are_one_round)
{
    sent_t sent[5];
    int round, i;

    for (round = 1; round <= KC_LOGIN_ROUNDS_MAX; round++) {
        for (i = 0; i < 5; i++)
            sent[i] = leave_for("/tab");
        for (i = 0; i < 5; i++) {
            issue_for(&sent[i], ALICE, "alice");
            ck_assert_int_eq(finish(callback_of(&sent[i])), KC_OK);
        }
        fake->now += 5;
    }
    ck_assert_int_eq(begin("/"), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGIN_LOOP);
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

/* Too many wait for the provider: nothing is spent or deleted, and the same callback comes again.
 */
START_TEST(a_callback_that_was_not_tried_comes_again)
{
    sent_t sent = leave_for("/page");
    int i;

    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_BUSY);
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(finish(callback_of(&sent)), KC_DOWN);
        ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_BUSY);
        ck_assert(answer.may_again);
        ck_assert_int_eq(answer.cookies->nelts, 0);
    }
    issue_for(&sent, ALICE, "alice");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_OK);
    ck_assert(!answer.may_again);
    ck_assert_int_eq(finish(callback_of(&sent)), KC_MISS); /* once */
}
END_TEST

START_TEST(one_that_was_sent_does_not)
{
    sent_t sent = leave_for("/page");

    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_DOWN);
    ck_assert_int_eq(finish(callback_of(&sent)), KC_DOWN);
    ck_assert(!answer.may_again);
    sent = leave_for("/page");
    kc_fake_answer(fake, KC_FAKE_TOKEN, 429, "application/json", "{}");
    ck_assert_int_eq(finish(callback_of(&sent)), KC_DOWN);
    ck_assert(!answer.may_again);
}
END_TEST

/* Two tabs go to the provider, and come back one after the other, when too many wait. */
START_TEST(a_tab_follows_another_that_has_just_signed_in)
{
    sent_t first = leave_for("/first"), second = leave_for("/second");
    const char *id;

    fake->now += 1;
    issue_for(&first, ALICE, "alice");
    ck_assert_int_eq(finish(callback_of(&first)), KC_OK);
    ck_assert_str_eq(answer.user, "alice@example.com");
    id = kc_fake_site_cookie(site, SESSION);
    fake->now += _i;
    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_BUSY);
    ck_assert_int_eq(finish(callback_of(&second)), _i < KC_LOGIN_FOLLOW_SECONDS ? KC_OK : KC_DOWN);
    ck_assert_int_eq(answer.may_again, _i >= KC_LOGIN_FOLLOW_SECONDS);
    ck_assert_str_eq(kc_fake_site_cookie(site, SESSION), id);
    if (answer.may_again)
        return;
    ck_assert_str_eq(answer.location, "https://kubeflow.example.com/second");
    ck_assert_ptr_null(answer.user);
    ck_assert_int_eq(finish(callback_of(&second)), KC_MISS); /* its cookie is gone */
}
END_TEST

/* Who has begun a sign-in later than the other ended means it; and while nobody waits, each tab's
 * own answer counts. */
START_TEST(a_sign_in_that_was_begun_later_does_not_follow)
{
    sent_t first = leave_for("/first"), second = leave_for("/second"), later;

    issue_for(&first, ALICE, "alice");
    fake->now += 1;
    ck_assert_int_eq(finish(callback_of(&first)), KC_OK);
    later = leave_for("/later");
    issue_for(&second, BOB, "bob");
    ck_assert_int_eq(finish(callback_of(&second)), KC_OK);
    ck_assert_str_eq(answer.user, "bob@example.com");
    kc_fake_answer_down(fake, KC_FAKE_TOKEN, KC_ERR_PROVIDER_BUSY);
    ck_assert_int_eq(finish(callback_of(&later)), KC_DOWN);
    ck_assert(answer.may_again);
}
END_TEST

/* Metadata, keys, tokens, and the keys again for one that is unknown: no wait is longer than one
 * call's may be. */
START_TEST(all_that_a_callback_waits_for_shares_the_time_of_one_call)
{
    int64_t total = site->conf->http_timeout;
    sent_t sent = leave_for("/page");
    int before = kc_fake_request_count(fake, NULL);

    site->conf->metadata_ttl = site->conf->metadata_stale = 1;
    fake->now += 2;
    issue(testlib_sign(TESTLIB_RSA_OTHER, "RS256", "{\"alg\":\"RS256\",\"kid\":\"new\"}",
                       claims_of(ALICE, sent.nonce, profile_of("alice"))),
          "opaque");
    fake->http.takes_ms = total / 4 + (_i ? 1 : -1);
    ck_assert_int_ne(finish(callback_of(&sent)), KC_OK);
    ck_assert_int_le(fake->elapsed, total);
    ck_assert_int_ge(kc_fake_request_count(fake, NULL) - before, 4);
}
END_TEST

static void add_way(TCase *tests)
{
    tcase_add_test(tests, the_authorization_request_says_what_it_must);
    tcase_add_test(tests, settings_change_the_authorization_request);
    tcase_add_test(tests, without_a_provider_nothing_is_begun);
    tcase_add_test(tests, without_random_bytes_nothing_is_begun);
    tcase_add_test(tests, a_sign_in_makes_a_session_and_leads_to_its_page);
    tcase_add_test(tests, the_refresh_token_is_kept_for_when_it_is_time);
    tcase_add_test(tests, the_token_request_proves_possession_of_the_verifier);
    tcase_add_test(tests, the_session_cookie_has_its_flags);
    tcase_add_test(tests, the_session_cookie_stays_when_it_is_asked_for);
    tcase_add_test(tests, over_http_cookies_are_plain);
    tcase_add_test(tests, five_tabs_sign_in_in_any_order);
    tcase_add_test(tests, a_foreign_return_url_becomes_the_start_page);
}

static void add_callback(TCase *tests)
{
    tcase_add_loop_test(tests, an_answer_that_is_not_as_it_must_be_is_refused, 0, BAD_QUERIES);
    tcase_add_test(tests, a_code_has_blanks);
    tcase_add_test(tests, a_description_is_told_in_what_can_be_read_of_it);
    tcase_add_loop_test(tests, an_answer_may_say_odd_things_beside, 0, 3);
    tcase_add_test(tests, a_code_that_is_too_long_is_refused);
    tcase_add_test(tests, no_query_at_all_is_refused);
    tcase_add_test(tests, an_issuer_that_is_not_promised_may_be_absent_but_not_wrong);
    tcase_add_test(tests, the_state_of_another_realm_is_unknown);
    tcase_add_test(tests, a_double_callback_leads_to_one_token_request);
    tcase_add_test(tests, beginning_again_ends_in_a_page);
    tcase_add_loop_test(tests, a_crowd_of_tabs_ends_at_its_pages, 0, CROWD_ORDERS);
    tcase_add_test(tests, tabs_that_sign_in_at_once_are_one_round);
    tcase_add_loop_test(tests, a_tab_comes_again_only_while_others_sign_in, 0, 8);
    tcase_add_test(tests, long_cookies_push_each_other_out_too);
    tcase_add_test(tests, who_lingers_waits_in_the_gate_and_not_for_long);
    tcase_add_test(tests, somebody_else_signing_in_ends_the_session_before);
    tcase_add_test(tests, a_planted_session_cookie_is_replaced);
    tcase_add_test(tests, three_sign_ins_in_a_minute_are_enough);
    tcase_add_test(tests, a_rounds_cookie_of_somebodys_own_making_does_no_harm);
}

static void add_outages(TCase *tests)
{
    tcase_add_test(tests, a_callback_that_was_not_tried_comes_again);
    tcase_add_test(tests, one_that_was_sent_does_not);
    tcase_add_loop_test(tests, a_tab_follows_another_that_has_just_signed_in, 0, 2);
    tcase_add_loop_test(tests, a_tab_follows_another_that_has_just_signed_in,
                        KC_LOGIN_FOLLOW_SECONDS - 1, KC_LOGIN_FOLLOW_SECONDS + 1);
    tcase_add_test(tests, a_sign_in_that_was_begun_later_does_not_follow);
    tcase_add_loop_test(tests, all_that_a_callback_waits_for_shares_the_time_of_one_call, 0, 2);
    tcase_add_test(tests, a_session_of_the_same_person_goes_on_when_they_sign_in_again);
    tcase_add_loop_test(tests, any_other_session_ends_when_somebody_signs_in, 0, 3);
    tcase_add_loop_test(tests, a_store_that_is_down_at_any_step_makes_no_session, 0, 7);
    tcase_add_loop_test(tests, a_single_call_of_the_store_that_fails_makes_no_session, 0, 6);
    tcase_add_loop_test(tests, a_session_that_cannot_be_entered_in_the_roster_is_made_all_the_same,
                        0, 2);
    tcase_add_test(tests, bad_callbacks_push_out_nobody);
    tcase_add_test(tests, the_marker_of_a_refused_code_is_soon_gone);
    tcase_add_test(tests, a_provider_that_is_down_at_the_callback_is_asked_no_token);
    tcase_add_loop_test(tests, a_code_is_never_replayed, 0,
                        (int)(sizeof(token_faults) / sizeof(token_faults[0])));
}

static void add_tokens(TCase *tests)
{
    tcase_add_loop_test(tests, a_token_that_is_not_as_it_must_be_makes_no_session, 0, TOKEN_CASES);
    tcase_add_test(tests, a_key_that_is_new_at_the_callback_is_fetched);
    tcase_add_loop_test(tests, roles_of_an_access_token_count_only_when_it_verifies, 0,
                        ACCESS_CASES);
    tcase_add_loop_test(tests, roles_that_are_not_known_are_told_to_the_log_once, 0,
                        2 * ACCESS_CASES);
    tcase_add_loop_test(tests, tokens_without_roles_are_told_with_the_cure, 0, ACCESS_CASES);
    tcase_add_test(tests, a_new_key_of_an_access_token_is_fetched);
    tcase_add_test(tests, groups_of_which_nobody_was_asked_are_unknown);
    tcase_add_loop_test(tests, groups_of_which_userinfo_tells_nothing_are_unknown, 0, 2);
    tcase_add_test(tests, claims_that_are_missing_come_from_userinfo);
    tcase_add_test(tests, userinfo_of_somebody_else_is_refused);
    tcase_add_test(tests, userinfo_that_fails_makes_no_session);
    tcase_add_loop_test(tests, userinfo_that_nobody_needs_may_fail, 0, 7);
    tcase_add_loop_test(tests, userinfo_of_somebody_else_is_refused_in_any_case, 0, 2);
    tcase_add_loop_test(tests, userinfo_that_is_needed_may_not, 0, 3);
    tcase_add_loop_test(tests, signed_userinfo_is_verified_and_read, 0, 8);
    tcase_add_test(tests, userinfo_is_asked_as_configured);
}

static void add_out(TCase *tests)
{
    tcase_add_test(tests, forgetting_deletes_the_cookies_that_were_set);
}

Suite *kc_test_login(void)
{
    Suite *suite = suite_create("login");

    add_way(add(suite, "way"));
    add_callback(add(suite, "callback"));
    add_outages(add(suite, "outages"));
    add_tokens(add(suite, "tokens"));
    add_out(add(suite, "out"));
    return suite;
}

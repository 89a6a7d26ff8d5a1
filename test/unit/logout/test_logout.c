/* Tests of logout.h: the redirect to the provider, and the return from it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/cookie.h"
#include "base/query.h"
#include "browser.h"
#include "fake_site.h"
#include "logout/logout.h"
#include "session/pack.h"
#include "testlib.h"

Suite *kc_test_logout(void);

#define SESSION "__Host-keycloak_session"
#define LOGOUT "__Host-keycloak_logout"
#define REVOKE KC_FAKE_ENDPOINT "revoke"
#define CALLBACK KC_FAKE_PUBLIC "/authservice/oidc/callback"
#define ID_TOKEN "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmN2YzIn0.c2lnbmF0dXJl"
#define REFRESH_TOKEN "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJmN2Y0In0.c2lnbmF0dXJl"

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_browser_answer_t answer;
static kc_err_t last;

/* more: further members of the discovery document. */
static void provide(const char *more)
{
    kc_fake_site_provide(site, kc_fake_site_metadata(site, more),
                         apr_pstrcat(testlib_pool, "{\"keys\":[",
                                     testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\""), "]}", NULL));
}

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_RSA);
}

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    provide(",\"revocation_endpoint\":\"" REVOKE "\"");
    kc_fake_answer(fake, REVOKE, 200, "text/plain", "");
}

/* ---------------------------------------------------------------- a person with a session */

static const char *id;
static kc_session_t session;

static void sign_in_with(const char *id_token, const char *refresh_token)
{
    const kc_pack_t contents = {id_token, NULL, refresh_token, {NULL, 0}};
    char *text = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);

    memset(&session, 0, sizeof(session));
    session.created = fake->now;
    session.expires = session.token_expires = fake->now + 3600;
    session.sub = "f7f3";
    session.sid = session.acr = session.groups = session.email = "";
    session.user = "alice@example.com";
    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &session.packed, NULL), KC_OK);
    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, text, NULL), KC_OK);
    id = text;
    kc_fake_site_plant(site, SESSION, id);
}

static kc_session_state_t find(void)
{
    return kc_session_find(site->rp, kc_buf_text(id), testlib_pool, &session, NULL);
}

static void sign_in(void)
{
    sign_in_with(ID_TOKEN, REFRESH_TOKEN);
    ck_assert_int_eq(find(), KC_SESSION_LIVE);
}

static kc_rc_t leave(const char *return_url)
{
    kc_rc_t rc;

    memset(&last, 0, sizeof(last));
    rc = kc_logout_begin(site->rp, &site->client, &session, return_url, testlib_pool, &answer,
                         &last);
    if (rc == KC_OK)
        kc_fake_site_take(site, answer.cookies);
    return rc;
}

static kc_rc_t come_back(const char *query)
{
    kc_rc_t rc;

    memset(&last, 0, sizeof(last));
    rc = kc_logout_finish(site->rp, &site->client, query, testlib_pool, &answer, &last);
    if (rc == KC_OK)
        kc_fake_site_take(site, answer.cookies);
    return rc;
}

static const char *parameter_of(const char *url, const char *name)
{
    const kc_query_t *query;
    const char *value = NULL;

    ck_assert_ptr_nonnull(strchr(url, '?'));
    ck_assert_int_eq(kc_query_parse(strchr(url, '?') + 1, testlib_pool, &query, NULL), KC_OK);
    return kc_query_single(query, name, &value, NULL) == KC_OK ? value : NULL;
}

static const char *state_query(void)
{
    return apr_pstrcat(testlib_pool, "state=", parameter_of(answer.location, "state"), NULL);
}

/* ---------------------------------------------------------------- there */

START_TEST(the_way_out_leads_through_keycloak)
{
    sign_in();
    ck_assert_int_eq(leave(NULL), KC_OK);
    ck_assert_int_eq(strncmp(answer.location, KC_FAKE_LOGOUT "?", strlen(KC_FAKE_LOGOUT "?")), 0);
    ck_assert_str_eq(parameter_of(answer.location, "client_id"), "kubeflow-oidc-authservice");
    ck_assert_str_eq(parameter_of(answer.location, "post_logout_redirect_uri"), CALLBACK);
    ck_assert_str_eq(parameter_of(answer.location, "id_token_hint"), ID_TOKEN);
    ck_assert_uint_eq(strlen(parameter_of(answer.location, "state")), strlen("logout.") + 43);
    ck_assert_int_eq(find(), KC_SESSION_ENDED);
    ck_assert_ptr_null(kc_fake_site_cookie(site, SESSION));
}
END_TEST

START_TEST(the_refresh_token_is_revoked)
{
    const kc_fake_request_t *request;

    sign_in();
    ck_assert_int_eq(leave(NULL), KC_OK);
    ck_assert_int_eq(kc_fake_request_count(fake, REVOKE), 1);
    request = kc_fake_request_last(fake, REVOKE);
    ck_assert_str_eq(request->form, "token=" REFRESH_TOKEN "&token_type_hint=refresh_token");
    ck_assert_int_eq(strncmp(request->authorization, "Basic ", 6), 0);
}
END_TEST

START_TEST(without_a_refresh_token_or_an_endpoint_nothing_is_revoked)
{
    sign_in_with(ID_TOKEN, NULL);
    ck_assert_int_eq(leave(NULL), KC_OK);
    ck_assert_int_eq(kc_fake_request_count(fake, REVOKE), 0);
    provide("");
    fake->now += site->conf->metadata_ttl;
    sign_in();
    ck_assert_int_eq(leave(NULL), KC_OK);
    ck_assert_int_eq(kc_fake_request_count(fake, REVOKE), 0);
    ck_assert_int_eq(find(), KC_SESSION_ENDED);
}
END_TEST

/* The session here is over whatever the provider says to it; the way out stays the same. */
START_TEST(a_revocation_that_fails_keeps_nobody_signed_in)
{
    static const struct {
        int status;
        const char *body, *tag;
    } answers[] = {{503, "", "KC0201"},
                   {429, "", "KC0202"},
                   {400, "{\"error\":\"unsupported_token_type\"}", "KC0308"},
                   {401, "{\"error\":\"invalid_client\"}", "KC0309"},
                   {500, "not JSON", "KC0201"}};
    size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        kc_fake_answer(fake, REVOKE, answers[i].status, "application/json", answers[i].body);
        sign_in();
        ck_assert_int_eq(leave(NULL), KC_OK);
        ck_assert_int_eq(find(), KC_SESSION_ENDED);
        ck_assert_int_eq(strncmp(answer.location, KC_FAKE_LOGOUT "?", strlen(KC_FAKE_LOGOUT)), 0);
        ck_assert_msg(kc_fake_log_has(fake, answers[i].tag), "%s", answers[i].tag);
    }
    ck_assert(!kc_fake_log_has(fake, REFRESH_TOKEN));
}
END_TEST

/* The nth look for random bytes is in vain. */
static int random_calls;

static kc_rc_t random_but_one(void *context, unsigned char *out, size_t len)
{
    (void)context;
    memset(out, 'r', len);
    return random_calls-- == 0 ? KC_FAULT : KC_OK;
}

/* Then no state is made of what nobody has chosen, and the browser goes to the page at once. */
START_TEST(without_random_bytes_the_way_out_ends_here)
{
    const kc_metadata_snapshot_t *snapshot;

    sign_in();
    /* the fetch's lease takes random bytes, too */
    ck_assert_int_eq(kc_metadata_get(site->rp->metadata, testlib_pool, &snapshot, NULL), KC_OK);
    random_calls = _i;
    fake->env.random = random_but_one;
    ck_assert_int_eq(leave(NULL), KC_OK);
    ck_assert_str_eq(answer.location, KC_FAKE_PUBLIC "/");
    ck_assert_ptr_null(kc_fake_site_cookie(site, LOGOUT));
    ck_assert_int_eq(find(), KC_SESSION_ENDED);
}
END_TEST

/* 2,000 bytes travel with the state. */
START_TEST(a_page_with_a_long_address_is_found_again)
{
    static const size_t lens[] = {2000, 2001};
    const size_t len = lens[_i], begin = strlen(KC_FAKE_PUBLIC "/");
    char *page = apr_palloc(testlib_pool, len + 1);

    memset(page, 'p', len);
    memcpy(page, KC_FAKE_PUBLIC "/", begin);
    page[len] = '\0';
    sign_in();
    ck_assert_int_eq(leave(page), KC_OK);
    ck_assert_int_eq(come_back(state_query()), KC_OK);
    ck_assert_str_eq(answer.location, _i ? KC_FAKE_PUBLIC "/" : page);
}
END_TEST

/* Longer than all the rest of the address, and short enough for a request line. */
START_TEST(a_hint_of_some_length_is_sent)
{
    char *hint = apr_palloc(testlib_pool, 3001);

    memset(hint, 'h', 3000);
    hint[3000] = '\0';
    sign_in_with(hint, NULL);
    ck_assert_int_eq(find(), KC_SESSION_LIVE);
    ck_assert_int_eq(leave(NULL), KC_OK);
    ck_assert_str_eq(parameter_of(answer.location, "id_token_hint"), hint);
}
END_TEST

START_TEST(a_hint_that_is_too_long_for_a_request_line_is_left_out)
{
    char *token = apr_pcalloc(testlib_pool, 5001);

    memset(token, 'x', 5000);
    sign_in_with(token, NULL);
    ck_assert_int_eq(find(), KC_SESSION_LIVE);
    ck_assert_int_eq(leave(NULL), KC_OK);
    ck_assert_uint_lt(strlen(answer.location), 4000);
    ck_assert_ptr_null(parameter_of(answer.location, "id_token_hint"));
    ck_assert_ptr_nonnull(parameter_of(answer.location, "post_logout_redirect_uri"));
}
END_TEST

START_TEST(a_redirect_uri_that_is_configured_is_where_keycloak_sends_back_to)
{
    site->conf->redirect_uri = "https://kubeflow.example.com/back";
    kc_fake_site_renew(site);
    sign_in();
    ck_assert_int_eq(leave(NULL), KC_OK);
    ck_assert_str_eq(parameter_of(answer.location, "post_logout_redirect_uri"),
                     "https://kubeflow.example.com/back");
}
END_TEST

START_TEST(without_keycloak_the_way_out_is_short)
{
    provide("");
    kc_fake_site_renew(site);
    sign_in();
    fake->now += site->conf->metadata_stale; /* what is known of it is too old */
    fake->http.is_down = 1;
    ck_assert_int_eq(leave(NULL), KC_OK);
    ck_assert_str_eq(answer.location, KC_FAKE_PUBLIC "/");
    ck_assert_ptr_null(kc_fake_site_cookie(site, LOGOUT));
    ck_assert(kc_fake_log_has(fake, "KC0201"));
}
END_TEST

START_TEST(a_provider_without_end_session_endpoint_is_not_visited)
{
    const char *metadata = kc_fake_site_metadata(site, "");
    char *at = strstr(metadata, "\"end_session_endpoint\"");

    memcpy(at, "\"xxx_session_endpoint\"", strlen("\"end_session_endpoint\""));
    kc_fake_answer(fake, KC_FAKE_DISCOVERY, 200, "application/json", metadata);
    kc_fake_site_renew(site);
    sign_in();
    ck_assert_int_eq(leave("/bye"), KC_OK);
    ck_assert_str_eq(answer.location, KC_FAKE_PUBLIC "/bye");
    ck_assert_ptr_null(kc_fake_site_cookie(site, LOGOUT));
}
END_TEST

START_TEST(a_store_that_is_down_keeps_the_session_and_its_cookie)
{
    sign_in();
    fake->sessions.is_down = 1;
    ck_assert_int_eq(leave(NULL), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    ck_assert_ptr_nonnull(kc_fake_site_cookie(site, SESSION));
    ck_assert_int_eq(kc_fake_request_count(fake, REVOKE), 0);
}
END_TEST

/* The provider's session may live on after ours. */
START_TEST(without_a_session_the_way_out_leads_through_keycloak_as_well)
{
    ck_assert_int_eq(
        kc_logout_begin(site->rp, &site->client, NULL, "/bye", testlib_pool, &answer, &last),
        KC_OK);
    ck_assert_int_eq(strncmp(answer.location, KC_FAKE_LOGOUT "?", strlen(KC_FAKE_LOGOUT "?")), 0);
    ck_assert_str_eq(parameter_of(answer.location, "client_id"), "kubeflow-oidc-authservice");
    ck_assert_ptr_null(parameter_of(answer.location, "id_token_hint"));
    ck_assert_int_eq(kc_fake_request_count(fake, REVOKE), 0);
    kc_fake_site_take(site, answer.cookies);
    ck_assert_int_eq(come_back(state_query()), KC_OK);
    ck_assert_str_eq(answer.location, KC_FAKE_PUBLIC "/bye");
}
END_TEST

START_TEST(without_a_session_and_keycloak_one_goes_on_to_the_page)
{
    fake->http.is_down = 1;
    ck_assert_int_eq(
        kc_logout_begin(site->rp, &site->client, NULL, NULL, testlib_pool, &answer, &last), KC_OK);
    ck_assert_str_eq(answer.location, KC_FAKE_PUBLIC "/");
    ck_assert(!kc_fake_log_has(fake, "session ended here, but not at Keycloak"));
}
END_TEST

/* Its home came back empty while the other hangs, and is back when it is too late. */
START_TEST(a_session_that_could_not_be_found_is_ended_as_well)
{
    kc_fake_entry_t copy;
    kc_bytes_t value;

    sign_in();
    copy = *kc_fake_store_nth(&fake->sessions, 0);
    value.data = copy.data;
    value.len = copy.len;
    kc_fake_store_nth(&fake->sessions, 0)->key[0] = '\0';
    fake->sessions.is_partial = 1;
    ck_assert_int_eq(kc_session_peek(site->rp, kc_buf_text(id), testlib_pool, &session, &last),
                     KC_SESSION_NONE);
    ck_assert_int_eq(
        kc_logout_begin(site->rp, &site->client, NULL, NULL, testlib_pool, &answer, &last), KC_OK);
    fake->sessions.is_partial = 0;
    ck_assert_int_eq(kc_store_put(&fake->sessions.store, copy.key, value, copy.expires_at, NULL),
                     KC_OK);
    ck_assert_int_eq(kc_session_peek(site->rp, kc_buf_text(id), testlib_pool, &session, &last),
                     KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_SIGNED_OUT);
}
END_TEST

/* ---------------------------------------------------------------- back */

static const struct {
    const char *configured, *wanted, *page;
} pages[] = {
    {"/", NULL, KC_FAKE_PUBLIC "/"},
    {"/bye", NULL, KC_FAKE_PUBLIC "/bye"},
    {"https://www.example.com/bye?x=1", NULL, "https://www.example.com/bye?x=1"},
    {"/bye", "/other?a=b", KC_FAKE_PUBLIC "/other?a=b"},
    {"/bye", "https://partner.example.com/x", "https://partner.example.com/x"},
    {"/bye", "https://evil.example.com/", KC_FAKE_PUBLIC "/"},
    {"/bye", "//evil.example.com/", KC_FAKE_PUBLIC "/"},
    {"/bye", "/\\evil.example.com/", KC_FAKE_PUBLIC "/"},
    {"/bye", "javascript:alert(1)", KC_FAKE_PUBLIC "/"},
};

/* threats.md A 24 */
START_TEST(who_comes_back_with_the_state_arrives_at_the_page)
{
    const char *query;

    site->conf->after_logout_url = pages[_i].configured;
    site->conf->return_hosts = apr_array_make(testlib_pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH((apr_array_header_t *)site->conf->return_hosts, const char *) =
        "partner.example.com";
    sign_in();
    ck_assert_int_eq(leave(pages[_i].wanted), KC_OK);
    ck_assert_ptr_nonnull(kc_fake_site_cookie(site, LOGOUT));
    query = state_query();
    ck_assert_int_eq(come_back(query), KC_OK);
    ck_assert_str_eq(answer.location, pages[_i].page);
    ck_assert_ptr_null(kc_fake_site_cookie(site, LOGOUT));
    ck_assert_int_eq(come_back(query), KC_REFUSED);
}
END_TEST

/* threats.md A 25: the provider gives no state back. */
START_TEST(who_comes_back_without_a_state_arrives_at_the_configured_page)
{
    site->conf->after_logout_url = "/bye";
    sign_in();
    ck_assert_int_eq(leave("/other"), KC_OK);
    ck_assert_int_eq(come_back(NULL), KC_OK);
    ck_assert_str_eq(answer.location, KC_FAKE_PUBLIC "/bye");
    ck_assert_int_eq(come_back(NULL), KC_MISS);
}
END_TEST

/* threats.md A 26 */
START_TEST(another_state_is_refused)
{
    const char *mine, *query;
    size_t i;

    sign_in();
    ck_assert_int_eq(leave(NULL), KC_OK);
    mine = query = state_query();
    for (i = strlen("state=logout."); i < strlen(mine); i++) {
        char *changed = apr_pstrdup(testlib_pool, mine);

        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        ck_assert_int_eq(come_back(changed), KC_REFUSED);
        ck_assert_int_eq(last.reason, KC_ERR_LOGOUT_STATE);
    }
    ck_assert_int_eq(come_back("state=logout."), KC_REFUSED);
    ck_assert_int_eq(come_back(apr_pstrcat(testlib_pool, mine, "A", NULL)), KC_REFUSED);
    kc_fake_site_plant(site, LOGOUT, NULL);
    ck_assert_int_eq(come_back(query), KC_REFUSED);
}
END_TEST

START_TEST(a_state_is_good_for_ten_minutes_only)
{
    sign_in();
    ck_assert_int_eq(leave(NULL), KC_OK);
    fake->now += 600;
    ck_assert_int_eq(come_back(state_query()), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_LOGOUT_STATE);
}
END_TEST

START_TEST(answers_to_a_sign_in_are_left_to_it)
{
    static const char *const queries[] = {"state=abc&code=x",
                                          "state=abc&error=x",
                                          "code=x",
                                          "error=x",
                                          "state=abc",
                                          "state=logout.a&state=logout.b",
                                          "%"};
    size_t i;

    ck_assert_int_eq(come_back(NULL), KC_MISS);
    sign_in();
    ck_assert_int_eq(leave(NULL), KC_OK);
    for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        ck_assert_msg(come_back(queries[i]) == KC_MISS, "%s", queries[i]);
}
END_TEST

static void add_there(Suite *suite)
{
    TCase *there = tcase_create("there");

    tcase_add_unchecked_fixture(there, make_keys, NULL);
    tcase_add_checked_fixture(there, setup, testlib_teardown);
    tcase_add_test(there, the_way_out_leads_through_keycloak);
    tcase_add_test(there, the_refresh_token_is_revoked);
    tcase_add_test(there, without_a_refresh_token_or_an_endpoint_nothing_is_revoked);
    tcase_add_test(there, a_revocation_that_fails_keeps_nobody_signed_in);
    tcase_add_loop_test(there, without_random_bytes_the_way_out_ends_here, 0, 2);
    tcase_add_loop_test(there, a_page_with_a_long_address_is_found_again, 0, 2);
    tcase_add_test(there, a_hint_of_some_length_is_sent);
    tcase_add_test(there, a_hint_that_is_too_long_for_a_request_line_is_left_out);
    tcase_add_test(there, a_redirect_uri_that_is_configured_is_where_keycloak_sends_back_to);
    tcase_add_test(there, without_keycloak_the_way_out_is_short);
    tcase_add_test(there, a_provider_without_end_session_endpoint_is_not_visited);
    tcase_add_test(there, a_store_that_is_down_keeps_the_session_and_its_cookie);
    tcase_add_test(there, without_a_session_the_way_out_leads_through_keycloak_as_well);
    tcase_add_test(there, without_a_session_and_keycloak_one_goes_on_to_the_page);
    tcase_add_test(there, a_session_that_could_not_be_found_is_ended_as_well);
    suite_add_tcase(suite, there);
}

Suite *kc_test_logout(void)
{
    Suite *suite = suite_create("logout");
    TCase *back = tcase_create("back");

    add_there(suite);
    tcase_add_unchecked_fixture(back, make_keys, NULL);
    tcase_add_checked_fixture(back, setup, testlib_teardown);
    tcase_add_loop_test(back, who_comes_back_with_the_state_arrives_at_the_page, 0,
                        (int)(sizeof(pages) / sizeof(pages[0])));
    tcase_add_test(back, who_comes_back_without_a_state_arrives_at_the_configured_page);
    tcase_add_test(back, another_state_is_refused);
    tcase_add_test(back, a_state_is_good_for_ten_minutes_only);
    tcase_add_test(back, answers_to_a_sign_in_are_left_to_it);
    suite_add_tcase(suite, back);
    return suite;
}

/* Tests of logout_front.h: which session ends when a browser's request comes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "logout/logout_front.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "testlib.h"

Suite *kc_test_logout_front(void);

#define ISSUER "iss=https%3A%2F%2Fkeycloak.example.com%2Frealms%2Fkubeflow"

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_session_t session; /* as found last */
static kc_err_t last;
static int is_ended;

static const char *put(const char *sid, int64_t token_life)
{
    char *id = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);
    kc_session_t fresh;

    memset(&fresh, 0, sizeof(fresh));
    fresh.created = fake->now;
    fresh.expires = fake->now + site->conf->session_max;
    fresh.token_expires = fake->now + token_life;
    fresh.sub = "alice";
    fresh.sid = sid;
    fresh.user = fresh.email = "alice@example.com";
    fresh.acr = fresh.groups = "";
    ck_assert_int_eq(kc_session_create(site->rp, &fresh, testlib_pool, id, NULL), KC_OK);
    return id;
}

static kc_rc_t take(const char *cookie, const char *query)
{
    memset(&last, 0, sizeof(last));
    is_ended = -1;
    return kc_logout_front_take(site->rp, kc_buf_text(cookie), query, testlib_pool, &session,
                                &is_ended, &last);
}

static kc_session_state_t state_of(const char *id)
{
    kc_session_t found;

    return kc_session_find(site->rp, kc_buf_text(id), testlib_pool, &found, NULL);
}

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
}

START_TEST(the_browsers_own_session_of_that_sid_ends_everywhere)
{
    const char *own = put("sid-a", 300), *twin = put("sid-a", 300), *other = put("sid-b", 300);

    ck_assert_int_eq(take(own, ISSUER "&sid=sid-a"), KC_OK);
    ck_assert_int_eq(is_ended, 1);
    ck_assert_str_eq(session.user, "alice@example.com");
    ck_assert_int_eq(state_of(own), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(twin), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(other), KC_SESSION_LIVE);
    ck_assert_int_eq(take(own, ISSUER "&sid=sid-a"), KC_OK);
    ck_assert_int_eq(is_ended, 0);
}
END_TEST

START_TEST(a_stale_session_ends_too)
{
    const char *own = put("sid-a", 300);

    fake->now += 400;
    ck_assert_int_eq(state_of(own), KC_SESSION_STALE);
    ck_assert_int_eq(take(own, "sid=sid-a&" ISSUER), KC_OK);
    ck_assert_int_eq(is_ended, 1);
    ck_assert_int_eq(state_of(own), KC_SESSION_ENDED);
}
END_TEST

/* Anybody may have a browser call this, as often as they like. */
START_TEST(without_a_session_of_that_sid_nothing_is_written)
{
    const char *own = put("sid-a", 300), *none = put("", 300);
    const char *cookies[] = {NULL, "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", own, none};
    int puts = fake->sessions.puts;
    size_t i;

    fake->now += site->conf->session_idle / 2; /* a use would be written by now */
    for (i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++) {
        ck_assert_int_eq(take(cookies[i], ISSUER "&sid=sid-b"), KC_OK);
        ck_assert_int_eq(is_ended, 0);
    }
    ck_assert_int_eq(take(own, ISSUER "&sid=sid-"), KC_OK);
    ck_assert_int_eq(is_ended, 0);
    ck_assert_int_eq(fake->sessions.puts, puts);
    ck_assert_int_eq(fake->sessions.adds + fake->sessions.touches + fake->sessions.drops, 0);
    ck_assert_int_eq(fake->host.puts + fake->host.adds + fake->host.touches, 0);
}
END_TEST

/* OpenID Connect Front-Channel Logout 1.0 section 2: both may be absent. */
static const char *const bare[] = {NULL, "", "a=b", "state=x&lang=de"};

START_TEST(where_it_is_optional_a_bare_visit_ends_the_browsers_own_session)
{
    const char *own = put(_i % 2 ? "" : "sid-a", 300), *twin = put("sid-a", 300);

    ck_assert_int_eq(take(own, bare[_i / 2]), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_FORM);
    site->conf->front_session = KC_FRONT_SESSION_OPTIONAL;
    ck_assert_int_eq(take(NULL, bare[_i / 2]), KC_OK);
    ck_assert_int_eq(is_ended, 0);
    ck_assert_int_eq(state_of(own), KC_SESSION_LIVE);
    ck_assert_int_eq(take(own, bare[_i / 2]), KC_OK);
    ck_assert_int_eq(is_ended, 1);
    ck_assert_str_eq(session.user, "alice@example.com");
    ck_assert_int_eq(state_of(own), KC_SESSION_ENDED);
    ck_assert_int_eq(state_of(twin), KC_SESSION_LIVE);
}
END_TEST

/* What is there is checked all the same. */
START_TEST(where_it_is_optional_half_a_name_is_none)
{
    static const char *const queries[] = {
        "sid=sid-a", ISSUER, ISSUER "&sid=", "iss=x&sid=sid-a", "sid=sid-a&sid=sid-a", "iss=&sid="};
    const char *own = put("sid-a", 300);
    size_t i;

    site->conf->front_session = KC_FRONT_SESSION_OPTIONAL;
    for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        ck_assert_msg(take(own, queries[i]) == KC_REFUSED, "%s", queries[i]);
        ck_assert_int_eq(last.reason, KC_ERR_FORM);
    }
    ck_assert_int_eq(take(own, ISSUER "&sid=sid-b"), KC_OK);
    ck_assert_int_eq(is_ended, 0);
    ck_assert_int_eq(state_of(own), KC_SESSION_LIVE);
    ck_assert_int_eq(take(own, ISSUER "&sid=sid-a"), KC_OK);
    ck_assert_int_eq(is_ended, 1);
}
END_TEST

START_TEST(a_query_that_is_not_whole_is_refused)
{
    static const char *const queries[] = {
        NULL,
        "",
        "sid=sid-a",
        ISSUER,
        ISSUER "&sid=",
        ISSUER "&sid=sid-a&sid=sid-a",
        ISSUER "&" ISSUER "&sid=sid-a",
        ISSUER "%2F&sid=sid-a",
        "iss=https%3A%2F%2FKEYCLOAK.example.com%2Frealms%2Fkubeflow&sid=sid-a",
        "iss=&sid=sid-a",
        ISSUER "&sid=%6",
        ISSUER "&sid=a%00b",
        ISSUER "&sid=a%0ab",
        ISSUER "&sid=%c2%85",
    };
    const char *own = put("sid-a", 300);
    size_t i;

    for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        ck_assert_msg(take(own, queries[i]) == KC_REFUSED, "%s", queries[i]);
        ck_assert_int_eq(is_ended, 0);
        ck_assert_int_eq(last.reason, KC_ERR_FORM);
        ck_assert(last.detail[0] != '\0');
    }
    ck_assert_int_eq(kc_err_row(KC_ERR_FORM)->status, 400);
    ck_assert_int_eq(state_of(own), KC_SESSION_LIVE);
}
END_TEST

/* Looking the session up, leaving the mark, ending: whatever does not answer, nobody is told that
 * the session has ended. */
START_TEST(a_store_that_is_down_is_told)
{
    const char *own = put("sid-a", 300);
    int calls;

    for (calls = 0; calls < 4; calls++) {
        fake->sessions.is_down = 0;
        fake->sessions.down_after = calls;
        ck_assert_msg(take(own, ISSUER "&sid=sid-a") == KC_DOWN, "after %d calls", calls);
        ck_assert_int_eq(is_ended, 0);
        ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
        fake->sessions.is_down = 0;
        fake->sessions.down_after = KC_FAKE_NEVER;
        if (calls > 2)
            break;
        ck_assert_int_eq(state_of(own), KC_SESSION_LIVE);
    }
    ck_assert_int_eq(state_of(own), KC_SESSION_ENDED);
}
END_TEST

Suite *kc_test_logout_front(void)
{
    Suite *suite = suite_create("logout_front");
    TCase *tests = tcase_create("front");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, the_browsers_own_session_of_that_sid_ends_everywhere);
    tcase_add_test(tests, a_stale_session_ends_too);
    tcase_add_test(tests, without_a_session_of_that_sid_nothing_is_written);
    tcase_add_loop_test(tests, where_it_is_optional_a_bare_visit_ends_the_browsers_own_session, 0,
                        2 * (int)(sizeof(bare) / sizeof(bare[0])));
    tcase_add_test(tests, where_it_is_optional_half_a_name_is_none);
    tcase_add_test(tests, a_query_that_is_not_whole_is_refused);
    tcase_add_test(tests, a_store_that_is_down_is_told);
    suite_add_tcase(suite, tests);
    return suite;
}

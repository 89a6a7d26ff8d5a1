/* Tests of session_cookie.h. SPDX-License-Identifier: Apache-2.0 */
#include "session/session_cookie.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "session/pack.h"
#include "session/session.h"
#include "testlib.h"

Suite *kc_test_session_cookie(void);

static kc_fake_site_t *site;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
}

static const struct {
    const char *header, *value; /* NULL: none */
} headers[] = {
    {NULL, NULL},
    {"", NULL},
    {"a=1; __Host-keycloak_session=x; b=2", "x"},
    {"__Host-keycloak_session=x; __Host-keycloak_session=y", NULL},
    {"__Host-keycloak_session=x; __Host-keycloak_session=x", NULL},
    {"__Host-keycloak_session=", NULL},
    {"__Host-keycloak_session", NULL},
    {"keycloak_session=x", NULL},
    {"__Host-keycloak_sessions=x", NULL},
};

START_TEST(the_cookie_is_found_where_it_is_there_once)
{
    kc_bytes_t value = kc_session_cookie_find(site->rp, 1, headers[_i].header);

    if (!headers[_i].value) {
        ck_assert_ptr_null(value.data);
        ck_assert_uint_eq(value.len, 0);
        return;
    }
    ck_assert_uint_eq(value.len, strlen(headers[_i].value));
    ck_assert_mem_eq(value.data, headers[_i].value, value.len);
}
END_TEST

START_TEST(without_https_it_has_another_name)
{
    const char *header = "keycloak_session=x";

    ck_assert_uint_eq(kc_session_cookie_find(site->rp, 0, header).len, 1);
    ck_assert_str_eq(kc_session_cookie_describe(site->rp, 0).name, "keycloak_session");
    ck_assert_int_eq(kc_session_cookie_describe(site->rp, 0).is_secure, 0);
    ck_assert_int_eq(kc_session_cookie_describe(site->rp, 1).is_secure, 1);
}
END_TEST

static const struct {
    const char *what;
    int persistent, refresh, refresh_at;
    int64_t age, token; /* seconds since the session began, and until its ID token ends */
    long max_age;
} ages[] = {
    {"not asked for", 0, 1, 1, 0, 60, -1},
    {"renewed for all its life", 1, 1, 1, 0, 60, 36000},
    {"some of its life is over", 1, 1, 1, 600, 60, 35400},
    {"nearly over", 1, 1, 1, 35999, 60, 1},
    {"over: 0 would read as a deletion", 1, 1, 1, 36000, 60, 1},
    {"long over", 1, 1, 1, 99999, 60, 1},
    {"no refresh token: it ends with its ID token", 1, 1, 0, 0, 60, 90},
    {"KeycloakRefresh off", 1, 0, 1, 0, 300, 330},
    {"an ID token that lasts longer than sessions may", 1, 0, 0, 0, 99999, 36000},
    {"the clock was set back: never longer than KeycloakSessionMax", 1, 1, 1, -5000, 60, 36000},
};

START_TEST(it_lasts_no_longer_than_its_session)
{
    kc_session_t session;
    int64_t now = site->fake->now;

    memset(&session, 0, sizeof(session));
    site->conf->cookie_persistent = ages[_i].persistent;
    site->conf->refresh = ages[_i].refresh;
    ck_assert_int_eq(site->conf->session_max, 36000);
    ck_assert_int_eq(site->conf->clock_skew, 30);
    session.created = now - ages[_i].age;
    session.expires = session.created + site->conf->session_max;
    session.refresh_at = ages[_i].refresh_at ? now + 30 : 0;
    session.token_expires = now + ages[_i].token;
    ck_assert_msg(kc_session_cookie_max_age(site->rp, &session) == ages[_i].max_age, "%s: %ld",
                  ages[_i].what, kc_session_cookie_max_age(site->rp, &session));
}
END_TEST

/* The count of sign-ins is this host's alone, whatever the session's cookie is. A browser deletes
 * only what has the domain that it was set with. */
START_TEST(both_are_deleted_with_what_they_were_set_with)
{
    apr_array_header_t *cookies = apr_array_make(testlib_pool, 2, sizeof(const char *));
    const char *session, *rounds;

    site->conf->cookie_domain = "example.com";
    site->conf->cookie_same_site = KC_SAME_SITE_NONE;
    kc_fake_site_renew(site);
    kc_session_cookie_forget(site->rp, 1, testlib_pool, cookies);
    ck_assert_int_eq(cookies->nelts, 2);
    session = APR_ARRAY_IDX(cookies, 0, const char *);
    rounds = APR_ARRAY_IDX(cookies, 1, const char *);
    ck_assert_msg(
        strncmp(session, site->rp->names[1].session, strlen(site->rp->names[1].session)) == 0, "%s",
        session);
    ck_assert_ptr_nonnull(strstr(session, "; Domain=example.com;"));
    ck_assert_ptr_nonnull(strstr(session, "; Max-Age=0;"));
    ck_assert_ptr_nonnull(strstr(session, "SameSite=None"));
    ck_assert_msg(strncmp(rounds, site->rp->names[1].rounds, strlen(site->rp->names[1].rounds)) ==
                      0,
                  "%s", rounds);
    ck_assert_ptr_null(strstr(rounds, "Domain="));
    ck_assert_ptr_nonnull(strstr(rounds, "; Max-Age=0;"));
    ck_assert_ptr_nonnull(strstr(rounds, "SameSite=Lax"));
}
END_TEST

/* ---------------------------------------------------------------- several cookies of the name */

#define NAME "__Host-keycloak_session"

/* The cookie of a new session of this user, made so many seconds ago. */
static const char *session_of(const char *sub, int64_t age)
{
    const kc_pack_t contents = {"id.to.ken", NULL, "refresh", {NULL, 0}};
    char *id = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);
    kc_session_t session;

    memset(&session, 0, sizeof(session));
    session.created = site->fake->now - age;
    session.expires = session.created + site->conf->session_max;
    session.token_expires = session.expires;
    session.sub = sub;
    session.sid = session.email = session.acr = session.groups = "";
    session.user = "alice@example.com";
    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &session.packed, NULL), KC_OK);
    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, id, NULL), KC_OK);
    return id;
}

static const char *cookie(const char *value)
{
    return apr_pstrcat(testlib_pool, NAME "=", value, NULL);
}

static const char *both(const char *first, const char *second)
{
    return apr_pstrcat(testlib_pool, cookie(first), "; ", cookie(second), NULL);
}

static const char *settled(const char *header)
{
    return kc_session_cookie_settle(site->rp, 1, header, testlib_pool);
}

/* One counts of these two, whichever the browser sends first. */
static void assert_counts(const char *one, const char *other)
{
    ck_assert_str_eq(settled(both(one, other)), cookie(one));
    ck_assert_str_eq(settled(both(other, one)), cookie(one));
}

static void assert_none_counts(const char *header)
{
    ck_assert_ptr_eq(settled(header), header);
}

START_TEST(where_there_is_nothing_to_choose_the_header_stays)
{
    const char *good = session_of("alice", 0), *many = "a=1";
    int i;

    assert_none_counts(NULL);
    assert_none_counts("");
    assert_none_counts("a=1; b=2");
    assert_none_counts(cookie(good));
    assert_none_counts(NAME "s=x; " NAME "s=y");
    site->fake->sessions.is_down = 1;
    for (i = 0; i < 5; i++)
        many = apr_psprintf(testlib_pool, "%s; " NAME "=%043d", many, i);
    assert_none_counts(apr_pstrcat(testlib_pool, many, "; ", cookie(good), NULL));
    many = both(good, good);
    for (i = 0; i < KC_COOKIE_LIST_MAX; i++)
        many = apr_pstrcat(testlib_pool, many, "; " NAME "s=x", NULL);
    assert_none_counts(many);
}
END_TEST

START_TEST(a_session_counts_and_what_is_none_does_not)
{
    const char *good = session_of("alice", 0), *ended = session_of("alice", 0);

    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(ended), testlib_pool, NULL), KC_OK);
    assert_counts(good, ended);
    assert_counts(good, "x");
    assert_counts(good, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_none_counts(both(ended, "x"));
    assert_none_counts(both("x", "y"));
    assert_none_counts(both("x", "x"));
    ck_assert_str_eq(settled(both(good, good)), cookie(good));
}
END_TEST

START_TEST(of_several_sessions_of_one_user_the_newest_counts)
{
    const char *new = session_of("alice", 1), *old = session_of("alice", 60);

    assert_counts(new, old);
    ck_assert_str_eq(settled(apr_pstrcat(testlib_pool, both(old, new), "; ",
                                         cookie(session_of("alice", 120)), NULL)),
                     cookie(new));
}
END_TEST

/* One of them may have been planted by another host of the domain. */
START_TEST(of_two_users_none_counts)
{
    const char *alice = session_of("alice", 0), *mallory = session_of("mallory", 60);

    assert_none_counts(both(alice, mallory));
    assert_none_counts(both(mallory, alice));
    assert_none_counts(apr_pstrcat(testlib_pool, both(mallory, "x"), "; ", cookie(alice), NULL));
}
END_TEST

START_TEST(the_other_cookies_stay)
{
    const char *good = session_of("alice", 0);
    const char *header = apr_pstrcat(testlib_pool, "a=1; ", both("x", good), "; " NAME "s=y", NULL);

    ck_assert_str_eq(settled(header),
                     apr_pstrcat(testlib_pool, cookie(good), "; a=1; " NAME "s=y", NULL));
}
END_TEST

/* Then the request is answered by what is known of one of them, and not as one without a cookie. */
START_TEST(while_the_store_does_not_answer_one_that_may_be_good_counts)
{
    const char *good = session_of("alice", 0);

    site->fake->sessions.is_down = 1;
    assert_counts(good, "x");
}
END_TEST

Suite *kc_test_session_cookie(void)
{
    Suite *suite = suite_create("session_cookie");
    TCase *tests = tcase_create("session_cookie");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_loop_test(tests, the_cookie_is_found_where_it_is_there_once, 0,
                        (int)(sizeof(headers) / sizeof(headers[0])));
    tcase_add_test(tests, without_https_it_has_another_name);
    tcase_add_loop_test(tests, it_lasts_no_longer_than_its_session, 0,
                        sizeof(ages) / sizeof(ages[0]));
    tcase_add_test(tests, both_are_deleted_with_what_they_were_set_with);
    tcase_add_test(tests, where_there_is_nothing_to_choose_the_header_stays);
    tcase_add_test(tests, a_session_counts_and_what_is_none_does_not);
    tcase_add_test(tests, of_several_sessions_of_one_user_the_newest_counts);
    tcase_add_test(tests, of_two_users_none_counts);
    tcase_add_test(tests, the_other_cookies_stay);
    tcase_add_test(tests, while_the_store_does_not_answer_one_that_may_be_good_counts);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Tests of session_index.h: which sessions of a user are listed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "rp.h"
#include "session/revocation.h"
#include "session/session.h"
#include "session/session_index.h"
#include "testlib.h"

Suite *kc_test_session_index(void);

#define ALICE "alice@example.com"

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_err_t last;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
}

/* A browser in which somebody has signed in. */
typedef struct browser_t {
    char id[KC_SESSION_ID_TEXT + 1];
    kc_session_t session;
} browser_t;

static browser_t *sign_in_as(const char *user, const char *sid, const char *address,
                             const char *agent)
{
    browser_t *browser = apr_pcalloc(testlib_pool, sizeof(*browser));
    kc_session_t *session = &browser->session;

    session->created = fake->now;
    session->expires = fake->now + site->conf->session_max;
    session->token_expires = session->expires;
    session->sub = user;
    session->sid = sid;
    session->user = user;
    session->email = session->acr = session->groups = "";
    ck_assert_int_eq(kc_revocation_begin(site->rp, session, INT64_MAX, testlib_pool, NULL), KC_OK);
    session->slot = kc_session_index_choose_slot(site->rp, user, testlib_pool);
    ck_assert_int_eq(kc_session_create(site->rp, session, testlib_pool, browser->id, NULL), KC_OK);
    kc_session_index_add(site->rp, session, address, agent, testlib_pool);
    return browser;
}

static browser_t *sign_in(const char *address)
{
    return sign_in_as(ALICE, "6d1c63f2", address, "Firefox");
}

static kc_session_state_t visit(const browser_t *browser)
{
    kc_session_t session;

    return kc_session_find(site->rp, kc_buf_text(browser->id), testlib_pool, &session, NULL);
}

static const apr_array_header_t *list_of(const char *user)
{
    const apr_array_header_t *entries = NULL;

    ck_assert_int_eq(kc_session_index_list(site->rp, user, testlib_pool, &entries, NULL, &last),
                     KC_OK);
    return entries;
}

static const kc_session_index_entry_t *entry(int index)
{
    const apr_array_header_t *entries = list_of(ALICE);

    ck_assert_int_gt(entries->nelts, index);
    return &APR_ARRAY_IDX(entries, index, kc_session_index_entry_t);
}

static int count(void)
{
    return list_of(ALICE)->nelts;
}

/* ---------------------------------------------------------------- */

START_TEST(a_session_is_listed_with_where_it_was_made)
{
    const browser_t *browser = sign_in("192.0.2.7");

    ck_assert_int_eq(count(), 1);
    ck_assert_str_eq(entry(0)->address, "192.0.2.7");
    ck_assert_str_eq(entry(0)->agent, "Firefox");
    ck_assert_str_eq(entry(0)->sub, ALICE);
    ck_assert_str_eq(entry(0)->key, browser->session.key);
    ck_assert_int_eq(entry(0)->created, fake->now);
    ck_assert_int_eq(entry(0)->used, fake->now);
}
END_TEST

/* Nothing is sealed with bytes that nobody has chosen. */
START_TEST(without_random_bytes_nothing_is_noted)
{
    browser_t *browser = sign_in("192.0.2.7");
    int puts = fake->sessions.puts;

    fake->is_random_broken = 1;
    kc_session_index_add(site->rp, &browser->session, "192.0.2.8", "Chrome", testlib_pool);
    ck_assert_int_eq(fake->sessions.puts, puts);
    ck_assert_str_eq(entry(0)->address, "192.0.2.7");
}
END_TEST

START_TEST(nobody_else_is_listed)
{
    (void)sign_in("192.0.2.7");
    (void)sign_in_as("bob@example.com", "", NULL, NULL);
    ck_assert_int_eq(count(), 1);
    ck_assert_int_eq(list_of("bob@example.com")->nelts, 1);
    ck_assert_int_eq(list_of("carol@example.com")->nelts, 0);
    ck_assert_str_eq(APR_ARRAY_IDX(list_of("bob@example.com"), 0, kc_session_index_entry_t).address,
                     "");
}
END_TEST

START_TEST(use_is_noted_and_the_last_used_comes_first)
{
    const browser_t *first = sign_in("192.0.2.1");

    (void)sign_in("192.0.2.2");
    fake->now += site->conf->session_idle / 2;
    ck_assert_int_eq(visit(first), KC_SESSION_LIVE);
    ck_assert_str_eq(entry(0)->address, "192.0.2.1");
    ck_assert_int_eq(entry(0)->used, fake->now);
    ck_assert_int_lt(entry(1)->used, fake->now);
    fake->now += site->conf->session_idle * 3 / 4; /* the second one is not used */
    ck_assert_int_eq(count(), 1);
    ck_assert_str_eq(entry(0)->address, "192.0.2.1");
}
END_TEST

START_TEST(a_session_that_has_ended_is_not_listed)
{
    const browser_t *left = sign_in("192.0.2.1"), *kept = sign_in("192.0.2.2");

    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(left->id), testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(count(), 1);
    ck_assert_int_eq(kc_revocation_end_session(site->rp, entry(0)->key, 0, NULL), KC_OK);
    ck_assert_int_eq(count(), 0);
    ck_assert_int_eq(visit(kept), KC_SESSION_ENDED);
}
END_TEST

START_TEST(what_a_mark_has_ended_is_not_listed)
{
    (void)sign_in_as(ALICE, "one", "192.0.2.1", NULL);
    (void)sign_in_as(ALICE, "two", "192.0.2.2", NULL);
    (void)sign_in_as(ALICE, "", "192.0.2.3", NULL);
    ck_assert_int_eq(count(), 3);
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_SID, "one", NULL), KC_OK);
    ck_assert_int_eq(count(), 2);
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_SUB, ALICE, NULL), KC_OK);
    ck_assert_int_eq(count(), 0);
    fake->now += 1;
    (void)sign_in("192.0.2.4");
    ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(there_is_room_for_the_sixteen_that_were_used_last)
{
    const browser_t *browsers[KC_SESSION_INDEX_SLOTS + 3];
    int i, total = (int)(sizeof(browsers) / sizeof(browsers[0]));

    for (i = 0; i < total; i++) {
        browsers[i] = sign_in(apr_psprintf(testlib_pool, "192.0.2.%d", i));
        fake->now += 1;
    }
    ck_assert_int_eq(count(), KC_SESSION_INDEX_SLOTS);
    ck_assert_str_eq(entry(0)->address, apr_psprintf(testlib_pool, "192.0.2.%d", total - 1));
    ck_assert_str_eq(entry(KC_SESSION_INDEX_SLOTS - 1)->address, "192.0.2.3");
    /* who lost the slot goes on, and takes it from nobody */
    fake->now += site->conf->session_idle / 2;
    ck_assert_int_eq(visit(browsers[0]), KC_SESSION_LIVE);
    ck_assert_str_eq(entry(KC_SESSION_INDEX_SLOTS - 1)->address, "192.0.2.3");
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_SUB, ALICE, NULL), KC_OK);
    ck_assert_int_eq(visit(browsers[0]), KC_SESSION_ENDED);
}
END_TEST

START_TEST(what_comes_from_outside_is_cut)
{
    char *agent = apr_pcalloc(testlib_pool, 5001);

    memset(agent, 'x', 5000);
    (void)sign_in_as(ALICE, "", "192.0.2.1", agent);
    ck_assert_uint_eq(strlen(entry(0)->agent), KC_SESSION_INDEX_TEXT_MAX);
}
END_TEST

START_TEST(an_entry_of_an_older_key_is_listed_until_it_is_noted_under_the_newest)
{
    static const char old[] = "0123456789abcdef0123456789abcdef";
    static const char fresh[] = "ffffffffffffffffffffffffffffffff";
    const browser_t *browser;

    site->keys = kc_fake_site_keys(site, old, NULL);
    kc_fake_site_renew(site);
    browser = sign_in("192.0.2.1");
    site->keys = kc_fake_site_keys(site, fresh, old);
    kc_fake_site_renew(site);
    ck_assert_int_eq(count(), 1);
    fake->now += site->conf->session_idle / 2;
    ck_assert_int_eq(visit(browser), KC_SESSION_LIVE);
    ck_assert_int_eq(count(), 1);
    fake->now += site->conf->session_idle * 3 / 4;
    ck_assert_int_eq(count(), 1);
}
END_TEST

/* One that was written before an update is the same without the moment of the name's mark. */
START_TEST(an_entry_of_before_is_listed)
{
    enum { USER_SEEN_AT = 1 + 1 + 3 * 8 + KC_STORE_KEY_LEN + 2 * KC_SESSION_NAME_SIZE };
    const kc_seal_use_t use = {"roster", kc_buf_text(ALICE), {site->rp->id, KC_RP_ID_SIZE}};
    static const unsigned char iv[KC_CRYPTO_IV_SIZE];
    kc_fake_entry_t *stored;
    kc_bytes_t sealed, plain;
    unsigned char *before;

    (void)sign_in("192.0.2.1");
    stored = kc_fake_store_nth(&fake->sessions, 1);
    sealed.data = stored->data;
    sealed.len = stored->len;
    ck_assert_int_eq(
        kc_seal_open(site->keys, &use, fake->now, sealed, testlib_pool, &plain, NULL, NULL), KC_OK);
    before = apr_pmemdup(testlib_pool, plain.data, plain.len);
    before[0] = 1;
    memmove(before + USER_SEEN_AT, before + USER_SEEN_AT + 8, plain.len - USER_SEEN_AT - 8);
    plain.data = before;
    plain.len -= 8;
    ck_assert_int_eq(
        kc_seal_close(site->keys, &use, fake->now + 60, iv, plain, testlib_pool, &sealed, NULL),
        KC_OK);
    ck_assert_int_eq(kc_store_put(fake->env.sessions, apr_pstrdup(testlib_pool, stored->key),
                                  sealed, fake->now + 60, NULL),
                     KC_OK);
    ck_assert_int_eq(count(), 1);
    ck_assert_str_eq(entry(0)->address, "192.0.2.1");
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_USER, ALICE, NULL), KC_OK);
    ck_assert_int_eq(count(), 0);
}
END_TEST

START_TEST(the_store_sees_no_name_and_a_changed_entry_is_none)
{
    kc_fake_entry_t *stored;
    int i;

    (void)sign_in("192.0.2.1");
    for (i = 0; i < 2; i++) {
        stored = kc_fake_store_nth(&fake->sessions, i);
        ck_assert_ptr_null(memmem(stored->data, stored->len, "alice", 5));
        ck_assert_ptr_null(memmem(stored->data, stored->len, "192.0.2", 7));
    }
    stored = kc_fake_store_nth(&fake->sessions, 1); /* the session came first */
    for (i = 0; i < (int)stored->len; i++) {
        stored->data[i] ^= 1;
        ck_assert_int_eq(count(), 0);
        stored->data[i] ^= 1;
    }
    ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(a_store_that_is_down_is_no_empty_list)
{
    const apr_array_header_t *entries;

    (void)sign_in("192.0.2.1");
    fake->sessions.is_down = 1;
    ck_assert_int_eq(kc_session_index_list(site->rp, ALICE, testlib_pool, &entries, NULL, &last),
                     KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    ck_assert_uint_eq(kc_session_index_choose_slot(site->rp, ALICE, testlib_pool),
                      KC_SESSION_NO_SLOT);
}
END_TEST

/* All that the store has of the sessions' lists is lost. */
static void lose_lists(const browser_t *const *browsers)
{
    kc_fake_entry_t *stored;
    int i, k, is_session;

    for (i = 0; (stored = kc_fake_store_nth(&fake->sessions, i)) != NULL; i += is_session) {
        for (k = is_session = 0; browsers[k]; k++)
            is_session |= strcmp(browsers[k]->session.key, stored->key) == 0;
        if (!is_session)
            stored->key[0] = '\0';
    }
}

START_TEST(who_is_listed_nowhere_is_ended_by_name)
{
    const browser_t *browsers[4] = {sign_in("192.0.2.1"), sign_in_as(ALICE, "", "192.0.2.2", NULL),
                                    sign_in_as("bob@example.com", "", NULL, NULL), NULL};
    const browser_t *later;

    lose_lists(browsers);
    ck_assert_int_eq(count(), 0);
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_USER, ALICE, NULL), KC_OK);
    fake->now += 1;
    later = sign_in("192.0.2.3");
    ck_assert_int_eq(visit(browsers[0]), KC_SESSION_ENDED);
    ck_assert_int_eq(visit(browsers[1]), KC_SESSION_ENDED);
    ck_assert_int_eq(visit(browsers[2]), KC_SESSION_LIVE);
    ck_assert_int_eq(visit(later), KC_SESSION_LIVE);
    ck_assert_int_eq(count(), 1);
    ck_assert_str_eq(entry(0)->address, "192.0.2.3");
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_USER, ALICE, NULL), KC_OK);
    ck_assert_int_eq(count(), 0);
}
END_TEST

/* Servers came back empty while others, which have all, do not answer. */
START_TEST(what_a_part_of_the_store_does_not_know_is_in_doubt)
{
    const apr_array_header_t *entries;
    int is_partial = 1;

    (void)sign_in("192.0.2.1");
    ck_assert_int_eq(
        kc_session_index_list(site->rp, ALICE, testlib_pool, &entries, &is_partial, &last), KC_OK);
    ck_assert_int_eq(is_partial, 0);
    fake->sessions.is_partial = 1;
    ck_assert_int_eq(
        kc_session_index_list(site->rp, ALICE, testlib_pool, &entries, &is_partial, &last), KC_OK);
    ck_assert_int_eq(is_partial, 1);
    ck_assert_int_eq(count(), 1);
    kc_fake_store_nth(&fake->sessions, 0)->key[0] = '\0'; /* the session: it may live elsewhere */
    ck_assert_int_eq(count(), 1);
    while (kc_fake_store_nth(&fake->sessions, 0))
        kc_fake_store_nth(&fake->sessions, 0)->key[0] = '\0';
    ck_assert_int_eq(kc_session_index_list(site->rp, ALICE, testlib_pool, &entries, NULL, &last),
                     KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    fake->sessions.is_partial = 0;
    ck_assert_int_eq(count(), 0);
}
END_TEST

Suite *kc_test_session_index(void)
{
    Suite *suite = suite_create("session_index");
    TCase *tests = tcase_create("roster");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, a_session_is_listed_with_where_it_was_made);
    tcase_add_test(tests, without_random_bytes_nothing_is_noted);
    tcase_add_test(tests, nobody_else_is_listed);
    tcase_add_test(tests, use_is_noted_and_the_last_used_comes_first);
    tcase_add_test(tests, a_session_that_has_ended_is_not_listed);
    tcase_add_test(tests, what_a_mark_has_ended_is_not_listed);
    tcase_add_test(tests, there_is_room_for_the_sixteen_that_were_used_last);
    tcase_add_test(tests, what_comes_from_outside_is_cut);
    tcase_add_test(tests, an_entry_of_an_older_key_is_listed_until_it_is_noted_under_the_newest);
    tcase_add_test(tests, an_entry_of_before_is_listed);
    tcase_add_test(tests, the_store_sees_no_name_and_a_changed_entry_is_none);
    tcase_add_test(tests, a_store_that_is_down_is_no_empty_list);
    tcase_add_test(tests, who_is_listed_nowhere_is_ended_by_name);
    tcase_add_test(tests, what_a_part_of_the_store_does_not_know_is_in_doubt);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Tests of revocation.h: the keys of revocation entries, how long they are kept, and which sessions
 * they end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/revocation.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "rp.h"
#include "testlib.h"

Suite *kc_test_revocation(void);

#define OLD_KEY "0123456789abcdef0123456789abcdef"
#define NEW_KEY "fedcba9876543210fedcba9876543210"

static kc_fake_site_t *site;
static kc_fake_t *fake;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
}

static void use_keys(const char *newest, const char *older)
{
    site->keys = kc_fake_site_keys(site, newest, older);
    kc_fake_site_renew(site);
}

static const char *name_of(kc_revocation_kind_t kind, const char *text)
{
    unsigned char name[KC_SESSION_NAME_SIZE];

    ck_assert_int_eq(kc_revocation_name(site->rp, kind, text, name, NULL), KC_OK);
    return testlib_hex(name, sizeof(name));
}

static void leave(kc_revocation_kind_t kind, const char *text)
{
    ck_assert_int_eq(kc_revocation_add(site->rp, kind, text, NULL), KC_OK);
}

/* As session.c makes one under the newest key. */
static kc_session_t session_of(const char *sub, const char *sid, int64_t created)
{
    unsigned char *names = apr_palloc(testlib_pool, (size_t)3 * KC_SESSION_NAME_SIZE);
    kc_session_t session;

    memset(&session, 0, sizeof(session));
    session.sub = sub;
    session.sid = sid;
    session.created = created;
    session.sub_key = names;
    session.sid_key = names + KC_SESSION_NAME_SIZE;
    session.user = "somebody";
    session.user_key = names + 2 * (size_t)KC_SESSION_NAME_SIZE;
    ck_assert_int_eq(kc_revocation_name(site->rp, KC_REVOCATION_USER, "somebody",
                                        names + 2 * (size_t)KC_SESSION_NAME_SIZE, NULL),
                     KC_OK);
    ck_assert_int_eq(kc_revocation_name(site->rp, KC_REVOCATION_SUB, sub, names, NULL), KC_OK);
    ck_assert_int_eq(
        kc_revocation_name(site->rp, KC_REVOCATION_SID, sid, names + KC_SESSION_NAME_SIZE, NULL),
        KC_OK);
    return session;
}

static int is_ended(const kc_session_t *session)
{
    kc_store_item_t items[KC_REVOCATION_KINDS];
    const char *keys[KC_REVOCATION_KINDS];
    kc_revocation_keys_t marks;
    size_t i;

    kc_revocation_keys(session, &marks);
    for (i = 0; i < marks.count; i++)
        keys[i] = marks.text[i];
    ck_assert_int_eq(kc_store_get(fake->env.sessions, keys, marks.count, items, testlib_pool, NULL),
                     KC_OK);
    return kc_revocation_is_revoked(session, &marks, items);
}

/* ---------------------------------------------------------------- names */

START_TEST(names_differ_by_kind_text_key_and_site)
{
    const char *names[7];
    size_t i, j;

    names[0] = name_of(KC_REVOCATION_SUB, "a");
    names[1] = name_of(KC_REVOCATION_SID, "a");
    names[2] = name_of(KC_REVOCATION_SUB, "b");
    names[3] = name_of(KC_REVOCATION_SUB, "");
    use_keys(NEW_KEY, OLD_KEY);
    names[4] = name_of(KC_REVOCATION_SUB, "a");
    use_keys(OLD_KEY, NULL);
    ck_assert_str_eq(name_of(KC_REVOCATION_SUB, "a"), names[0]);
    site->conf->client_id = "other";
    kc_fake_site_renew(site);
    names[5] = name_of(KC_REVOCATION_SUB, "a");
    names[6] = name_of(KC_REVOCATION_USER, "a");
    for (i = 0; i < 7; i++) {
        for (j = 0; j < i; j++)
            ck_assert_str_ne(names[i], names[j]);
    }
}
END_TEST

/* A sub may be longer than what a store key is derived of. */
START_TEST(every_byte_of_a_long_text_counts)
{
    char *text = apr_palloc(testlib_pool, 256);
    const char *name;

    memset(text, 'x', 255);
    text[255] = '\0';
    name = name_of(KC_REVOCATION_SUB, text);
    text[254] = 'y';
    ck_assert_str_ne(name_of(KC_REVOCATION_SUB, text), name);
}
END_TEST

START_TEST(a_session_without_a_sid_has_no_mark_of_one)
{
    kc_session_t session = session_of("alice", "", fake->now);
    kc_revocation_keys_t keys;

    kc_revocation_keys(&session, &keys);
    ck_assert_uint_eq(keys.count, 2);
    ck_assert_str_eq(keys.text[KC_REVOCATION_USER], name_of(KC_REVOCATION_USER, "somebody"));
    ck_assert_str_eq(keys.text[KC_REVOCATION_SUB], name_of(KC_REVOCATION_SUB, "alice"));
    session = session_of("alice", "sid-a", fake->now);
    kc_revocation_keys(&session, &keys);
    ck_assert_uint_eq(keys.count, 3);
    ck_assert_str_eq(keys.text[KC_REVOCATION_SID], name_of(KC_REVOCATION_SID, "sid-a"));
}
END_TEST

START_TEST(a_new_session_has_seen_no_mark)
{
    static const unsigned char zeros[KC_SESSION_NAME_SIZE];
    kc_session_t session = session_of("alice", "", fake->now);

    ck_assert_int_eq(kc_revocation_prepare(site->rp, &session, testlib_pool, NULL), KC_OK);
    ck_assert_str_eq(testlib_hex(session.sub_key, KC_SESSION_NAME_SIZE),
                     name_of(KC_REVOCATION_SUB, "alice"));
    ck_assert_mem_eq(session.sid_key, zeros, sizeof(zeros));
    ck_assert_int_eq(session.sub_seen, 0);
}
END_TEST

/* ---------------------------------------------------------------- leaving */

START_TEST(a_mark_stays_as_long_as_a_session_could)
{
    kc_session_t session = session_of("alice", "sid-a", fake->now);

    leave(KC_REVOCATION_SID, "sid-a");
    ck_assert_int_eq(kc_fake_store_nth(&fake->sessions, 0)->expires_at,
                     fake->now + site->conf->session_max);
    ck_assert_ptr_null(kc_fake_store_nth(&fake->sessions, 1));
    fake->now += site->conf->session_max - 1;
    ck_assert(is_ended(&session));
}
END_TEST

START_TEST(a_mark_stays_as_long_as_a_session_of_another_host_could)
{
    char mark[KC_STORE_KEY_LEN + 1];

    site->rp->longest = 3 * site->conf->session_max;
    leave(KC_REVOCATION_SID, "sid-a");
    ck_assert_int_eq(kc_fake_store_nth(&fake->sessions, 0)->expires_at,
                     fake->now + site->rp->longest);
    ck_assert_int_eq(kc_revocation_end_session(site->rp, name_of(KC_REVOCATION_SID, "x"), 0, NULL),
                     KC_OK);
    kc_revocation_own_key(name_of(KC_REVOCATION_SID, "x"), mark);
    ck_assert_int_eq(kc_fake_store_entry(&fake->sessions, mark)->expires_at,
                     fake->now + site->rp->longest);
}
END_TEST

START_TEST(a_sessions_own_mark_stays_until_its_end)
{
    int64_t end = fake->now + 7 * site->conf->session_max;
    char mark[KC_STORE_KEY_LEN + 1];

    ck_assert_int_eq(
        kc_revocation_end_session(site->rp, name_of(KC_REVOCATION_SID, "x"), end, NULL), KC_OK);
    kc_revocation_own_key(name_of(KC_REVOCATION_SID, "x"), mark);
    ck_assert_int_eq(kc_fake_store_entry(&fake->sessions, mark)->expires_at, end);
}
END_TEST

START_TEST(a_mark_is_left_under_every_key)
{
    kc_session_t of_old = session_of("alice", "sid-a", fake->now), of_new;

    use_keys(NEW_KEY, OLD_KEY);
    of_new = session_of("alice", "sid-a", fake->now);
    ck_assert(!is_ended(&of_old) && !is_ended(&of_new));
    leave(KC_REVOCATION_SID, "sid-a");
    ck_assert_int_eq(kc_fake_store_count(&fake->sessions), 2);
    ck_assert(is_ended(&of_old));
    ck_assert(is_ended(&of_new));
}
END_TEST

START_TEST(one_that_cannot_be_left_is_told)
{
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};

    use_keys(NEW_KEY, OLD_KEY);
    fake->sessions.down_after = 1;
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_SUB, "alice", &err), KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
    ck_assert_int_eq(fake->sessions.puts, 2);
}
END_TEST

static kc_rc_t refuse_put(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                          kc_err_t *err)
{
    (void)store, (void)key, (void)value, (void)expires_at;
    return KC_FAIL(err, KC_REFUSED, KC_ERR_STORE_VALUE, "told to refuse");
}

/* ---------------------------------------------------------------- ending */

START_TEST(a_sids_mark_ends_its_sessions_whenever_made)
{
    kc_session_t before = session_of("alice", "sid-a", fake->now - 100);
    kc_session_t after = session_of("alice", "sid-a", fake->now + 100);
    kc_session_t other = session_of("alice", "sid-b", fake->now - 100);
    kc_session_t none = session_of("alice", "", fake->now - 100);

    leave(KC_REVOCATION_SID, "sid-a");
    ck_assert(is_ended(&before));
    ck_assert(is_ended(&after));
    ck_assert(!is_ended(&other));
    ck_assert(!is_ended(&none));
}
END_TEST

/* A session that begins now, as a sign-in makes it. */
static kc_session_t begin(const char *sub)
{
    kc_session_t session = session_of(sub, "", fake->now);

    ck_assert_int_eq(kc_revocation_begin(site->rp, &session, fake->now * 1000 + fake->millis,
                                         testlib_pool, NULL),
                     KC_OK);
    return session;
}

static kc_rc_t begin_at(int64_t begun_ms)
{
    kc_session_t session = session_of("alice", "", fake->now);

    return kc_revocation_begin(site->rp, &session, begun_ms, testlib_pool, NULL);
}

START_TEST(a_subs_mark_ends_the_sessions_that_were_begun_before_it)
{
    kc_session_t before = begin("alice"), other = begin("bob"), after;

    leave(KC_REVOCATION_SUB, "alice");
    ck_assert(is_ended(&before));
    ck_assert(!is_ended(&other));
    fake->millis += 1; /* in the same second */
    after = begin("alice");
    ck_assert(!is_ended(&after));
    fake->millis += 1;
    leave(KC_REVOCATION_SUB, "alice");
    ck_assert(is_ended(&after));
    ck_assert(is_ended(&before));
}
END_TEST

/* Hosts that name people otherwise mean others by it; those with further headers the same. */
START_TEST(a_name_is_of_those_who_name_people_alike)
{
    kc_session_t here = begin("alice"), there, elsewhere;
    const kc_rp_t *rp = site->rp;

    site->conf->groups_claim = "roles";
    kc_fake_site_renew(site);
    there = begin("alice");
    site->conf->user_prefix = "x:";
    kc_fake_site_renew(site);
    elsewhere = begin("alice");
    ck_assert_int_eq(kc_revocation_add(rp, KC_REVOCATION_USER, "somebody", NULL), KC_OK);
    ck_assert(is_ended(&here));
    ck_assert(is_ended(&there));
    ck_assert(!is_ended(&elsewhere));
    leave(KC_REVOCATION_USER, "somebody");
    ck_assert(is_ended(&elsewhere));
}
END_TEST

START_TEST(a_names_mark_ends_the_sessions_that_were_begun_before_it)
{
    kc_session_t before = begin("alice"), after;

    leave(KC_REVOCATION_USER, "nobody");
    ck_assert(!is_ended(&before));
    leave(KC_REVOCATION_USER, "somebody");
    ck_assert(is_ended(&before));
    ck_assert_int_eq(begin_at(fake->now * 1000), KC_MISS);
    fake->millis += 1;
    after = begin("alice");
    ck_assert(!is_ended(&after));
    fake->millis += 1;
    leave(KC_REVOCATION_USER, "somebody");
    ck_assert(is_ended(&after));
    ck_assert(is_ended(&before));
}
END_TEST

/* Another node's clock, or this one's after it was set: no session lives again, none goes on. */
START_TEST(clocks_that_differ_revive_nobody)
{
    kc_session_t before, between;

    before = begin("alice");
    leave(KC_REVOCATION_SUB, "alice");
    fake->now += 20;
    between = begin("alice");
    fake->now -= 40;
    leave(KC_REVOCATION_SUB, "alice");
    ck_assert(is_ended(&before));
    ck_assert(is_ended(&between));
}
END_TEST

START_TEST(who_is_signed_out_while_signing_in_has_to_wait_for_the_clocks_alone)
{
    int64_t now_ms = fake->now * 1000;

    leave(KC_REVOCATION_SUB, "alice");
    ck_assert_int_eq(begin_at(now_ms - 1), KC_MISS);
    ck_assert_int_eq(begin_at(now_ms), KC_MISS);
    ck_assert_int_eq(begin_at(now_ms + 1), KC_OK);
    fake->now -= site->conf->clock_skew; /* left by a node whose clock is ahead */
    ck_assert_int_eq(begin_at(fake->now * 1000), KC_MISS);
    fake->millis = -1; /* by so much only one that was set back */
    ck_assert_int_eq(begin_at(fake->now * 1000), KC_OK);
}
END_TEST

/* Nobody else writes there: in doubt, the session has ended. */
START_TEST(a_mark_that_cannot_be_read_ends_the_session)
{
    kc_session_t session = begin("alice");
    kc_fake_entry_t *entry;

    ck_assert(!is_ended(&session));
    leave(KC_REVOCATION_SUB, "alice");
    entry = kc_fake_store_nth(&fake->sessions, 0);
    ck_assert_uint_eq(entry->len, 8);
    entry->len = 7;
    ck_assert(is_ended(&session));
    entry->len = 0;
    ck_assert(is_ended(&session));
    entry->len = 8;
    memset(entry->data, 0, 8); /* of no moment: as if the session knew it */
    ck_assert(is_ended(&session));
    memset(entry->data, 0xff, 8);
    ck_assert(is_ended(&session));
}
END_TEST

/* Neither hides the other: a mark that was not taken, and a session that is still there. */
START_TEST(what_could_not_be_buried_is_told)
{
    const char *key = name_of(KC_REVOCATION_SID, "x");
    kc_store_vtable_t half = *fake->sessions.store.vtable;
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};

    fake->sessions.down_after = 1;
    ck_assert_int_eq(kc_revocation_end_session(site->rp, key, 0, &err), KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
    fake->sessions.is_down = 0;
    fake->sessions.down_after = KC_FAKE_NEVER;
    half.put = refuse_put;
    fake->sessions.store.vtable = &half;
    ck_assert_int_eq(kc_revocation_end_session(site->rp, key, 0, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_VALUE);
    ck_assert_int_eq(fake->sessions.drops, 2);
    fake->sessions.drops = 0;
    fake->sessions.is_down = 1;
    ck_assert_int_eq(kc_revocation_end_session(site->rp, key, 0, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason,
                     KC_ERR_STORE_VALUE); /* the first one's, of which the rest follows */
    ck_assert_int_eq(fake->sessions.drops, 1);
}
END_TEST

Suite *kc_test_revocation(void)
{
    Suite *suite = suite_create("revocation");
    TCase *tests = tcase_create("marks");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, names_differ_by_kind_text_key_and_site);
    tcase_add_test(tests, every_byte_of_a_long_text_counts);
    tcase_add_test(tests, a_session_without_a_sid_has_no_mark_of_one);
    tcase_add_test(tests, a_new_session_has_seen_no_mark);
    tcase_add_test(tests, a_mark_stays_as_long_as_a_session_could);
    tcase_add_test(tests, a_mark_stays_as_long_as_a_session_of_another_host_could);
    tcase_add_test(tests, a_sessions_own_mark_stays_until_its_end);
    tcase_add_test(tests, a_mark_is_left_under_every_key);
    tcase_add_test(tests, one_that_cannot_be_left_is_told);
    tcase_add_test(tests, a_sids_mark_ends_its_sessions_whenever_made);
    tcase_add_test(tests, a_subs_mark_ends_the_sessions_that_were_begun_before_it);
    tcase_add_test(tests, a_name_is_of_those_who_name_people_alike);
    tcase_add_test(tests, a_names_mark_ends_the_sessions_that_were_begun_before_it);
    tcase_add_test(tests, clocks_that_differ_revive_nobody);
    tcase_add_test(tests, who_is_signed_out_while_signing_in_has_to_wait_for_the_clocks_alone);
    tcase_add_test(tests, a_mark_that_cannot_be_read_ends_the_session);
    tcase_add_test(tests, what_could_not_be_buried_is_told);
    suite_add_tcase(suite, tests);
    return suite;
}

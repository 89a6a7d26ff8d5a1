/* Tests of session.h and session_idle.h: when an unused session ends.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "session/pack.h"
#include "session/session.h"
#include "session/session_idle.h"
#include "session/session_index.h"
#include "testlib.h"

Suite *kc_test_session_idle(void);

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_view_cache_t *cache;
static kc_err_t last;
static int64_t idle;

/* A store such as memcached, which does not tell when a value expires. */
static void setup(void)
{
    static const kc_siphash_key_t key = {{1, 2}};

    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    fake->sessions.is_silent = 1;
    idle = site->conf->session_idle;
    ck_assert_int_eq(kc_view_cache_create(1024 * 1024, &key, testlib_pool, &cache, NULL), KC_OK);
    fake->env.cache = cache;
}

static kc_session_t sample(void)
{
    const kc_pack_t contents = {"id.to.ken", NULL, "refresh", {NULL, 0}};
    kc_session_t session;

    memset(&session, 0, sizeof(session));
    session.created = fake->now;
    session.expires = fake->now + site->conf->session_max;
    session.token_expires = session.expires;
    session.sub = "f7f3";
    session.sid = session.email = session.acr = session.groups = "";
    session.user = "alice@example.com";
    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &session.packed, NULL), KC_OK);
    return session;
}

static const char *create(void)
{
    char *id = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);
    kc_session_t session = sample();

    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, id, NULL), KC_OK);
    return id;
}

static kc_session_state_t find_as(const char *id, kc_session_t *session)
{
    memset(&last, 0, sizeof(last));
    memset(session, 0, sizeof(*session));
    return kc_session_find(site->rp, kc_buf_text(id), testlib_pool, session, &last);
}

static kc_session_state_t find(const char *id)
{
    kc_session_t session;

    return find_as(id, &session);
}

static kc_session_state_t peek_as(const char *id, kc_session_t *session)
{
    memset(&last, 0, sizeof(last));
    memset(session, 0, sizeof(*session));
    return kc_session_peek(site->rp, kc_buf_text(id), testlib_pool, session, &last);
}

static kc_session_state_t peek(const char *id)
{
    kc_session_t session;

    return peek_as(id, &session);
}

static void pass(int64_t milliseconds)
{
    fake->millis += milliseconds;
    fake->now += fake->millis / 1000;
    fake->millis %= 1000;
}

/* Every value that is there lives on for as long again, as after a repair that gives it its whole
 * span, or with a store whose clock is slow. */
static void prolong_all(void)
{
    kc_fake_entry_t *entry;
    int i;

    for (i = 0; (entry = kc_fake_store_nth(&fake->sessions, i)); i++)
        entry->expires_at = fake->now + 10 * site->conf->session_max;
}

static void assert_idle(kc_session_state_t state)
{
    ck_assert_int_eq(state, KC_SESSION_NONE);
    ck_assert_int_eq(last.reason, KC_ERR_SESSION_IDLE);
}

/* ---------------------------------------------------------------- the store does not decide */

START_TEST(what_the_store_keeps_too_long_has_ended_all_the_same)
{
    const char *id = create();

    fake->env.cache = _i ? cache : NULL;
    (void)find(id);
    prolong_all();
    fake->now += idle - 1;
    ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    fake->now += 1;
    assert_idle(find(id));
    assert_idle(peek(id));
}
END_TEST

START_TEST(looks_and_repairs_without_end_keep_no_session)
{
    const char *id = create();
    int64_t end = fake->now + idle;

    (void)find(id);
    for (; fake->now < end; fake->now += 60) {
        ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
        prolong_all();
    }
    assert_idle(peek(id));
    assert_idle(find(id));
}
END_TEST

START_TEST(use_moves_the_end_whatever_the_store_says)
{
    const char *id = create();
    kc_session_t session;
    int i;

    for (i = 0; i < 6; i++) {
        fake->now += idle * 9 / 10;
        ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
        ck_assert_int_eq(session.idle_end, fake->now + idle);
        prolong_all();
    }
    fake->now += idle;
    assert_idle(find(id));
}
END_TEST

/* Without a slot in the list of the user's sessions, where uses are noted as well. */
START_TEST(renewals_without_end_keep_no_session)
{
    const char *id = create();
    int64_t end = fake->now + idle;
    kc_session_t found, stored, fresh;

    ck_assert_int_eq(find_as(id, &found), KC_SESSION_LIVE);
    ck_assert_uint_eq(found.slot, KC_SESSION_NO_SLOT);
    for (; fake->now < end; fake->now += 60) {
        ck_assert_int_eq(kc_session_reload(&found, testlib_pool, &stored, NULL), KC_OK);
        ck_assert_int_eq(stored.idle_end, end);
        fresh = stored;
        ck_assert_int_eq(kc_session_replace(&stored, &fresh, testlib_pool, NULL), KC_OK);
        ck_assert_int_eq(fresh.idle_end, end);
        prolong_all();
    }
    ck_assert_int_eq(kc_session_reload(&found, testlib_pool, &stored, &last), KC_MISS);
    ck_assert_int_eq(last.reason, KC_ERR_SESSION_IDLE);
    assert_idle(find(id));
}
END_TEST

/* One begins while the person is away, and another request comes before it is done. */
START_TEST(a_renewal_takes_back_no_use)
{
    const char *id = create();
    kc_session_t found, stored, fresh;

    ck_assert_int_eq(find_as(id, &found), KC_SESSION_LIVE);
    fake->now += idle - 10;
    ck_assert_int_eq(kc_session_reload(&found, testlib_pool, &stored, NULL), KC_OK);
    fake->now += 5;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    fresh = stored;
    ck_assert_int_eq(kc_session_replace(&stored, &fresh, testlib_pool, NULL), KC_OK);
    fake->now += idle - 1;
    ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    fake->now += 1;
    assert_idle(peek(id));
}
END_TEST

/* ---------------------------------------------------------------- looks and the first tier */

START_TEST(looks_ask_the_store_once_in_a_ttl)
{
    const char *id = create();
    kc_session_t session;
    int i;

    for (i = 0; i < 900; i++) {
        ck_assert_int_eq(peek_as(id, &session), KC_SESSION_LIVE);
        ck_assert_int_eq(session.idle_end, KC_FAKE_NOW + idle);
        pass(1);
    }
    ck_assert_int_eq(fake->sessions.gets, 2); /* the session, then the marks that it names */
    for (; i < 9000; i++) {
        ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
        pass(1);
    }
    ck_assert_int_le(fake->sessions.gets, 2 + 10);
    ck_assert_int_eq(fake->sessions.touches, 0);
    ck_assert_int_eq(fake->sessions.puts, 1); /* the session itself */
}
END_TEST

START_TEST(who_is_only_looked_at_goes_on_while_the_store_is_down)
{
    const char *id = create();

    (void)peek(id);
    fake->sessions.is_down = 1;
    pass(1000 + site->conf->store_grace * 1000 - 1);
    ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    pass(1);
    ck_assert_int_eq(peek(id), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
}
END_TEST

START_TEST(no_outage_prolongs_a_session)
{
    const char *id = create();

    fake->now += idle - 2;
    (void)peek(id);
    fake->sessions.is_down = 1;
    fake->now += 1;
    ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    fake->now += 1;
    ck_assert_int_eq(peek(id), KC_SESSION_UNKNOWN);
}
END_TEST

/* ---------------------------------------------------------------- the record */

static kc_fake_entry_t *record_of(const char *id)
{
    char name[KC_STORE_KEY_LEN + 1];
    kc_session_t session;

    ck_assert_int_eq(peek_as(id, &session), KC_SESSION_LIVE);
    kc_session_idle_name(session.key, name);
    return kc_fake_store_entry(&fake->sessions, name);
}

/* Used once, late; then, without the record, it would be over already. */
static const char *create_and_use(void)
{
    const char *id = create();

    fake->now += idle - 10;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_ptr_nonnull(record_of(id));
    fake->now += 20;
    return id;
}

/* On a host that knows nothing from before. */
static kc_session_state_t peek_elsewhere(const char *id)
{
    kc_session_state_t state;

    fake->env.cache = NULL;
    state = peek(id);
    fake->env.cache = cache;
    return state;
}

/* threats.md J 132 */
START_TEST(a_record_with_any_byte_changed_is_none)
{
    const char *id = create_and_use();
    kc_fake_entry_t *record = record_of(id);
    size_t i;
    int bit;

    for (i = 0; i < record->len; i++) {
        for (bit = 0; bit < 8; bit++) {
            record->data[i] ^= (unsigned char)(1 << bit);
            assert_idle(peek_elsewhere(id));
            record->data[i] ^= (unsigned char)(1 << bit);
        }
    }
    ck_assert_int_eq(peek_elsewhere(id), KC_SESSION_LIVE);
}
END_TEST

/* threats.md J 133 */
START_TEST(a_record_of_any_other_length_is_none)
{
    const char *id = create_and_use();
    kc_fake_entry_t *record = record_of(id);
    size_t whole = record->len;
    unsigned char *longer = apr_pcalloc(testlib_pool, whole + 1);

    for (record->len = 0; record->len < whole; record->len++)
        assert_idle(peek_elsewhere(id));
    memcpy(longer, record->data, whole);
    record->data = longer;
    ck_assert_int_eq(peek_elsewhere(id), KC_SESSION_LIVE);
    record->len = whole + 1;
    assert_idle(peek_elsewhere(id));
}
END_TEST

/* threats.md J 134 */
START_TEST(a_record_of_another_session_is_none)
{
    const char *id = create_and_use(), *other = create();
    kc_fake_entry_t *record = record_of(id), *others;

    fake->now += idle - 40; /* the first one has ten seconds left */
    ck_assert_int_eq(find(other), KC_SESSION_LIVE);
    others = record_of(other);
    ck_assert_int_eq(peek_elsewhere(id), KC_SESSION_LIVE);
    fake->now += 20;
    record->data = others->data;
    assert_idle(peek_elsewhere(id));
    ck_assert_int_eq(peek_elsewhere(other), KC_SESSION_LIVE);
}
END_TEST

START_TEST(without_a_record_a_session_was_used_when_it_was_created)
{
    const char *id = create_and_use();

    record_of(id)->key[0] = '\0';
    ck_assert_int_eq(peek(id), KC_SESSION_LIVE); /* this host remembers */
    assert_idle(peek_elsewhere(id));
}
END_TEST

/* Where it is noted as well, if a little later. So the sessions of before an upgrade go on. */
START_TEST(without_a_record_the_list_of_sessions_tells_the_last_use)
{
    kc_session_t session = sample();
    char id[KC_SESSION_ID_TEXT + 1];

    session.slot = 1;
    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, id, NULL), KC_OK);
    session.rp = site->rp;
    kc_session_index_add(site->rp, &session, NULL, NULL, testlib_pool);
    fake->now += idle - 10;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    record_of(id)->key[0] = '\0';
    prolong_all();
    fake->now += 10; /* from now on it would be over by its beginning */
    ck_assert_int_eq(peek_elsewhere(id), KC_SESSION_LIVE);
    fake->now += idle - 11;
    ck_assert_int_eq(peek_elsewhere(id), KC_SESSION_LIVE);
    fake->now += 1;
    assert_idle(peek_elsewhere(id));
}
END_TEST

START_TEST(what_another_host_notes_counts_here)
{
    const char *id = create();

    (void)peek(id);
    fake->now += idle / 2;
    fake->env.cache = NULL;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    fake->env.cache = cache;
    fake->now += idle - 1;
    ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    fake->now += 1;
    assert_idle(peek(id));
}
END_TEST

/* Nothing could be written: this host at least knows better than the store. */
START_TEST(a_use_that_could_not_be_noted_counts_where_it_was)
{
    const char *id = create();

    (void)find(id);
    fake->now += idle / 2;
    fake->sessions.down_after = 1;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    fake->sessions.is_down = 0;
    fake->sessions.down_after = KC_FAKE_NEVER;
    fake->now += idle / 2 + 1;
    assert_idle(peek_elsewhere(id));
    ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    fake->now += idle / 2;
    assert_idle(peek(id));
}
END_TEST

/* Of a clock that was ahead: from the first look on time counts again. */
START_TEST(a_record_of_the_future_prolongs_nothing)
{
    const char *id = create();
    int64_t back = site->conf->session_max / 2, end;

    fake->env.cache = _i ? cache : NULL;
    fake->now += idle / 2;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    fake->now -= back;
    end = fake->now + idle;
    prolong_all();
    for (; fake->now < end; fake->now += 60)
        ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    assert_idle(peek(id));
    assert_idle(find(id));
}
END_TEST

/* Of one that is ahead by no more than clocks may differ: nothing is written for that. */
START_TEST(a_record_a_little_ahead_is_left_alone)
{
    const char *id = create();
    int puts;

    fake->env.cache = NULL;
    fake->now += idle / 2;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    fake->now -= site->conf->clock_skew;
    puts = fake->sessions.puts;
    ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    ck_assert_int_eq(fake->sessions.puts, puts);
    fake->now -= 1;
    ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    ck_assert_int_eq(fake->sessions.puts, puts + 1);
}
END_TEST

/* Two virtual hosts with the same sessions: each ends them after its own time. */
START_TEST(each_host_counts_by_its_own_setting)
{
    const char *id = create();
    int64_t shorter = idle / 4;
    int i;

    (void)find(id);
    for (i = 0; i < 2; i++) {
        fake->now += shorter - 1;
        site->conf->session_idle = shorter;
        ck_assert_int_eq(peek(id), i ? KC_SESSION_NONE : KC_SESSION_LIVE);
        site->conf->session_idle = idle;
        ck_assert_int_eq(peek(id), KC_SESSION_LIVE);
    }
}
END_TEST

START_TEST(who_is_over_is_not_listed)
{
    const apr_array_header_t *entries;
    kc_session_t session = sample();
    char id[KC_SESSION_ID_TEXT + 1];

    session.slot = 1;
    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, id, NULL), KC_OK);
    kc_session_index_add(site->rp, &session, NULL, NULL, testlib_pool);
    prolong_all();
    fake->now += idle - 1;
    ck_assert_int_eq(
        kc_session_index_list(site->rp, session.user, testlib_pool, &entries, NULL, NULL), KC_OK);
    ck_assert_int_eq(entries->nelts, 1);
    fake->now += 1;
    ck_assert_int_eq(
        kc_session_index_list(site->rp, session.user, testlib_pool, &entries, NULL, NULL), KC_OK);
    ck_assert_int_eq(entries->nelts, 0);
}
END_TEST

/* So that both have the same homes, and nothing else of the session has its name. */
START_TEST(a_record_has_a_name_with_the_sessions_ends)
{
    static const char key[] = "0123456789abcdef00112233445566778899aabbccddeeff0f1e2d3c4b5a6978";
    char name[KC_STORE_KEY_LEN + 1], again[KC_STORE_KEY_LEN + 1];

    kc_session_idle_name(key, name);
    ck_assert_str_eq(name, "01234567c3d2e1f0ffeeddccbbaa99887766554433221100fedcba984b5a6978");
    kc_session_idle_name(name, again);
    ck_assert_str_eq(again, key);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

Suite *kc_test_session_idle(void)
{
    Suite *suite = suite_create("session_idle");
    TCase *tests = new_case(suite, "end");

    tcase_add_loop_test(tests, what_the_store_keeps_too_long_has_ended_all_the_same, 0, 2);
    tcase_add_test(tests, looks_and_repairs_without_end_keep_no_session);
    tcase_add_test(tests, use_moves_the_end_whatever_the_store_says);
    tcase_add_test(tests, renewals_without_end_keep_no_session);
    tcase_add_test(tests, a_renewal_takes_back_no_use);
    tests = new_case(suite, "look");
    tcase_add_test(tests, looks_ask_the_store_once_in_a_ttl);
    tcase_add_test(tests, who_is_only_looked_at_goes_on_while_the_store_is_down);
    tcase_add_test(tests, no_outage_prolongs_a_session);
    tests = new_case(suite, "record");
    tcase_add_test(tests, a_record_with_any_byte_changed_is_none);
    tcase_add_test(tests, a_record_of_any_other_length_is_none);
    tcase_add_test(tests, a_record_of_another_session_is_none);
    tcase_add_test(tests, without_a_record_a_session_was_used_when_it_was_created);
    tcase_add_test(tests, without_a_record_the_list_of_sessions_tells_the_last_use);
    tcase_add_test(tests, what_another_host_notes_counts_here);
    tcase_add_test(tests, a_use_that_could_not_be_noted_counts_where_it_was);
    tcase_add_loop_test(tests, a_record_of_the_future_prolongs_nothing, 0, 2);
    tcase_add_test(tests, a_record_a_little_ahead_is_left_alone);
    tcase_add_test(tests, each_host_counts_by_its_own_setting);
    tcase_add_test(tests, who_is_over_is_not_listed);
    tcase_add_test(tests, a_record_has_a_name_with_the_sessions_ends);
    return suite;
}

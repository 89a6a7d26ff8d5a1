/* Tests of session.h with the first tier before the store: which requests ask the store, and how
 * long a view is used.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "session/session.h"
#include "session/session_tokens.h"
#include "testlib.h"

Suite *kc_test_session_tiers(void);

#define ID_TOKEN "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmN2YzIn0.c2lnbmF0dXJl"

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_view_cache_t *cache;
static kc_err_t last;

static void setup(void)
{
    static const kc_siphash_key_t key = {{1, 2}};

    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    ck_assert_int_eq(kc_view_cache_create(1024 * 1024, &key, testlib_pool, &cache, NULL), KC_OK);
    fake->env.cache = cache;
}

static kc_session_t sample(void)
{
    const kc_pack_t contents = {ID_TOKEN, NULL, NULL, {NULL, 0}};
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

static const char *put(kc_session_t *session)
{
    char *id = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);

    ck_assert_int_eq(kc_session_create(site->rp, session, testlib_pool, id, NULL), KC_OK);
    return id;
}

static const char *create(void)
{
    kc_session_t session = sample();

    return put(&session);
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

static void end(const char *id)
{
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
}

/* Another host ends the session: with the same store, but not our first tier. */
static void end_elsewhere(const char *id)
{
    fake->env.cache = NULL;
    end(id);
    fake->env.cache = cache;
}

static void pass(int64_t milliseconds)
{
    fake->millis += milliseconds;
    fake->now += fake->millis / 1000;
    fake->millis %= 1000;
}

enum { FIRST_LOOK = 2 /* gets: the session, then the marks that it names */ };

static int asked(void)
{
    int gets = fake->sessions.gets;

    fake->sessions.gets = 0;
    return gets;
}

/* ---------------------------------------------------------------- asking */

START_TEST(the_store_is_asked_once_in_a_ttl)
{
    const char *id = create();
    kc_session_t session;
    int i;

    for (i = 0; i < 900; i++) {
        ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
        ck_assert_str_eq(session.user, "alice@example.com");
        pass(1);
    }
    ck_assert_int_eq(asked(), FIRST_LOOK);
}
END_TEST

START_TEST(in_the_last_tenth_of_its_time_one_asks_and_the_others_go_on)
{
    const char *id = create();
    int i;

    (void)find(id);
    pass(899);
    (void)find(id);
    ck_assert_int_eq(asked(), FIRST_LOOK);
    pass(1);
    fake->sessions.is_down = 1; /* the answer does not come: nobody vouches */
    for (i = 0; i < 50; i++)
        ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), 1);
    fake->sessions.is_down = 0;
    pass(100);
    for (i = 0; i < 50; i++)
        ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), 1);
    pass(899);
    (void)find(id);
    ck_assert_int_eq(asked(), 0);
}
END_TEST

/* However many come at once: a view that is older than the TTL lets nobody in. */
START_TEST(a_view_past_its_ttl_lets_nobody_go_on)
{
    const char *id = create();

    (void)find(id);
    pass(950);
    fake->sessions.is_down = 1;
    (void)find(id); /* the one who asks */
    fake->sessions.is_down = 0;
    end_elsewhere(id);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    pass(50);
    ck_assert_int_eq(find(id), KC_SESSION_ENDED);
}
END_TEST

START_TEST(what_the_store_vouches_for_is_not_opened_again)
{
    const kc_seal_keys_t *keys = site->rp->keys;
    const kc_seal_keys_t none = {0, {NULL}};
    const char *id = create();

    (void)find(id);
    pass(5000);
    site->rp->keys = &none; /* nothing can be named or opened */
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), FIRST_LOOK + 1);
    site->rp->keys = keys;
}
END_TEST

/* What views know of a session must not outlive the key that it was sealed with. */
START_TEST(a_key_that_is_taken_away_ends_its_sessions)
{
    static const char old[] = "0123456789abcdef0123456789abcdef";
    static const char fresh[] = "ffffffffffffffffffffffffffffffff";
    const char *id;

    site->keys = kc_fake_site_keys(site, old, NULL);
    kc_fake_site_renew(site);
    id = create();
    site->keys = kc_fake_site_keys(site, fresh, old);
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    site->keys = kc_fake_site_keys(site, fresh, NULL);
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(id), KC_SESSION_NONE);
    pass(1000);
    ck_assert_int_eq(find(id), KC_SESSION_NONE);
}
END_TEST

/* threats.md J 132 */
START_TEST(a_stored_value_with_any_byte_changed_is_opened_and_refused)
{
    const char *id = create();
    kc_fake_entry_t *entry = kc_fake_store_nth(&fake->sessions, 0);
    size_t i;

    for (i = 0; i < entry->len; i++) {
        (void)find(id);
        pass(1000);
        entry->data[i] ^= 1;
        ck_assert_int_eq(find(id), KC_SESSION_NONE);
        ck_assert_int_eq(last.reason, KC_ERR_SEAL);
        entry->data[i] ^= 1;
        ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    }
}
END_TEST

START_TEST(asked_on_each_request_the_store_alone_decides)
{
    const char *id = create();
    int i;

    site->conf->cache_ttl = 0;
    for (i = 0; i < 10; i++)
        ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), FIRST_LOOK + 9);
    fake->sessions.is_down = 1;
    ck_assert_int_eq(find(id), KC_SESSION_UNKNOWN);
    fake->sessions.is_down = 0;
    end_elsewhere(id);
    ck_assert_int_eq(find(id), KC_SESSION_ENDED);
}
END_TEST

START_TEST(a_value_that_was_replaced_is_seen)
{
    static const char raw[KC_SESSION_ID_SIZE + 1] = "the same id for both sessions...";
    kc_session_t session = sample();
    const char *id;

    kc_fake_random(fake, raw, KC_SESSION_ID_SIZE);
    id = put(&session);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    session.user = "alice.b@example.com";
    kc_fake_random(fake, raw, KC_SESSION_ID_SIZE);
    ck_assert_str_eq(put(&session), id);
    pass(1000);
    ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
    ck_assert_str_eq(session.user, "alice.b@example.com");
    ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
    ck_assert_str_eq(session.user, "alice.b@example.com");
    ck_assert_int_eq(asked(), FIRST_LOOK + 1);
}
END_TEST

START_TEST(without_a_first_tier_the_store_is_asked_each_time)
{
    const char *id = create();
    int i;

    fake->env.cache = NULL;
    for (i = 0; i < 10; i++)
        ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), 10 * FIRST_LOOK);
}
END_TEST

START_TEST(a_session_too_large_for_a_view_is_found_all_the_same)
{
    kc_session_t session = sample();
    char *text = apr_palloc(testlib_pool, 480001);
    const char *id;

    memset(text, 'x', 480000);
    text[480000] = '\0';
    session.groups = text;
    id = put(&session);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
    ck_assert_str_eq(session.groups, text);
    ck_assert_int_eq(asked(), 2 * FIRST_LOOK);
}
END_TEST

/* Of somebody in thousands of groups: the store is asked as seldom as for others. */
START_TEST(a_session_of_many_groups_has_a_view)
{
    enum { GROUPS = 5000, SIZE = 150000 };
    kc_session_t session = sample();
    char *text = apr_palloc(testlib_pool, SIZE);
    const char *id;
    size_t i;

    for (i = 0; i < SIZE; i++)
        text[i] = (char)(i % (SIZE / GROUPS) == SIZE / GROUPS - 1 ? '\0' : 'a' + (char)(i % 23));
    session.group_list = (kc_session_list_t){text, SIZE, '\0'};
    id = put(&session);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), FIRST_LOOK);
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
        ck_assert_uint_eq(session.group_list.size, SIZE);
        ck_assert_mem_eq(session.group_list.text, text, SIZE);
    }
    ck_assert_int_eq(asked(), 0);
}
END_TEST

/* ---------------------------------------------------------------- the end */

/* Its only copy left is on a server that is passed by at this moment. */
START_TEST(a_session_that_cannot_be_seen_is_ended_all_the_same)
{
    const char *id = create();
    kc_fake_entry_t copy = *kc_fake_store_nth(&fake->sessions, 0);
    kc_bytes_t value = {copy.data, copy.len};

    (void)find(id);
    ck_assert_int_eq(kc_store_drop(&fake->sessions.store, copy.key, NULL), KC_OK);
    end(id);
    ck_assert_int_eq(kc_store_put(&fake->sessions.store, copy.key, value, copy.expires_at, NULL),
                     KC_OK);
    ck_assert_int_eq(find(id), KC_SESSION_ENDED);
}
END_TEST

/* That it is not there where its view says is an answer; other places are not asked. */
START_TEST(an_absent_session_is_absent_though_older_keys_are_in_use)
{
    const char *id;

    site->keys = kc_fake_site_keys(site, "ffffffffffffffffffffffffffffffff",
                                   "0123456789abcdef0123456789abcdef");
    kc_fake_site_renew(site);
    id = create();
    (void)find(id);
    ck_assert_int_eq(
        kc_store_drop(&fake->sessions.store, kc_fake_store_nth(&fake->sessions, 0)->key, NULL),
        KC_OK);
    pass(1000);
    (void)asked();
    fake->sessions.down_after = 1;
    ck_assert_int_eq(find(id), KC_SESSION_NONE);
    fake->sessions.down_after = KC_FAKE_NEVER;
    ck_assert_int_eq(asked(), 1);
}
END_TEST

START_TEST(a_session_that_ends_here_ends_at_once)
{
    const char *id = create();

    (void)find(id);
    end(id);
    ck_assert_int_eq(find(id), KC_SESSION_ENDED);
}
END_TEST

START_TEST(a_session_that_ends_elsewhere_ends_within_the_ttl)
{
    const char *id = create();

    (void)find(id);
    end_elsewhere(id);
    pass(899);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    pass(101);
    ck_assert_int_eq(find(id), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_SIGNED_OUT);
    /* and for good: no outage brings it back */
    fake->sessions.is_down = 1;
    ck_assert_int_eq(find(id), KC_SESSION_UNKNOWN);
}
END_TEST

/* threats.md J 144: memcached had to make room */
START_TEST(a_session_that_the_store_has_lost_is_no_session)
{
    const char *id = create();

    (void)find(id);
    kc_fake_store_nth(&fake->sessions, 0)->key[0] = '\0';
    pass(1000);
    ck_assert_int_eq(find(id), KC_SESSION_NONE);
    fake->sessions.is_down = 1;
    ck_assert_int_eq(find(id), KC_SESSION_UNKNOWN);
}
END_TEST

START_TEST(the_absolute_end_holds_in_the_first_tier)
{
    kc_session_t session = sample();
    const char *id;

    session.expires = fake->now + 1;
    fake->millis = 500;
    id = put(&session);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    pass(499);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    pass(1);
    ck_assert_int_ne(find(id), KC_SESSION_LIVE);
    fake->sessions.is_down = 1;
    ck_assert_int_ne(find(id), KC_SESSION_LIVE);
}
END_TEST

START_TEST(a_stale_token_is_stale_in_the_first_tier)
{
    kc_session_t session = sample();
    const char *id;

    session.token_expires = fake->now + 1 - site->conf->clock_skew;
    id = put(&session);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    pass(999);
    fake->sessions.is_down = 1;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    pass(1);
    ck_assert_int_eq(find(id), KC_SESSION_STALE);
    ck_assert_int_eq(last.reason, KC_ERR_SESSION_ENDED);
}
END_TEST

START_TEST(taking_a_key_away_ends_its_sessions_at_once)
{
    const char *id = create();

    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    site->keys = kc_fake_site_keys(site, "another key of 32 characters ....", NULL);
    kc_fake_site_renew(site);
    ck_assert_int_eq(find(id), KC_SESSION_NONE);
}
END_TEST

/* ---------------------------------------------------------------- outages */

START_TEST(who_was_seen_before_goes_on_while_the_store_is_down)
{
    const char *id = create(), *other = create();

    (void)find(id);
    fake->sessions.is_down = 1;
    pass(1000 + site->conf->store_grace * 1000 - 1);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(find(other), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    pass(1);
    ck_assert_int_eq(find(id), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(last.reason, KC_ERR_STORE_DOWN);
    fake->sessions.is_down = 0;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(find(other), KC_SESSION_LIVE);
}
END_TEST

START_TEST(without_grace_an_outage_is_seen_after_the_ttl)
{
    const char *id = create();

    site->conf->store_grace = 0;
    (void)find(id);
    fake->sessions.is_down = 1;
    pass(999);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    pass(1);
    ck_assert_int_eq(find(id), KC_SESSION_UNKNOWN);
}
END_TEST

/* Whoever signs out in an outage is out, on this host at least, though the store could not be told.
 */
START_TEST(signing_out_in_an_outage_forgets_the_view)
{
    const char *id = create();

    (void)find(id);
    fake->sessions.is_down = 1;
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, &last), KC_DOWN);
    ck_assert_int_eq(find(id), KC_SESSION_UNKNOWN);
}
END_TEST

static kc_rc_t failing_get(kc_store_t *store, const char *const *keys, size_t count,
                           kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err)
{
    (void)store, (void)keys, (void)count, (void)items, (void)pool;
    return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "a mark's home does not answer");
}

/* The homes of the user's mark hang, those of the session do not: its own mark can be left. */
START_TEST(who_is_known_is_signed_out_though_nobody_can_be_asked)
{
    const kc_store_vtable_t *whole = fake->sessions.store.vtable;
    kc_store_vtable_t deaf = *whole;
    const char *id = create(), *other = create();

    (void)find(id);
    deaf.get = failing_get;
    fake->sessions.store.vtable = &deaf;
    end(id);
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(other), testlib_pool, &last), KC_DOWN);
    fake->sessions.store.vtable = whole;
    ck_assert_int_eq(find(id), KC_SESSION_ENDED);
    ck_assert_int_eq(last.reason, KC_ERR_SIGNED_OUT);
    ck_assert_int_eq(find(other), KC_SESSION_LIVE);
}
END_TEST

/* ---------------------------------------------------------------- time */

START_TEST(a_clock_that_is_set_back_makes_views_old)
{
    const char *id = create();

    (void)find(id);
    (void)asked();
    pass(-3600 * 1000);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), 1);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), 0);
    pass(2 * 3600 * 1000);
    ck_assert_int_ne(find(id), KC_SESSION_UNKNOWN);
    ck_assert_int_eq(asked(), 1);
}
END_TEST

/* memcached counts on whatever the calendar says: it must hear of who is active. */
START_TEST(after_the_clock_is_set_back_the_store_is_still_told_of_use)
{
    const char *id = create();
    int64_t idle = site->conf->session_idle;

    (void)find(id);
    pass(-10 * idle * 1000);
    fake->sessions.touches = 0;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(fake->sessions.touches, 1);
    ck_assert_int_eq(kc_fake_store_nth(&fake->sessions, 0)->expires_at, fake->now + idle + 60);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(fake->sessions.touches, 1);
}
END_TEST

START_TEST(the_idle_end_moves_each_tenth_and_ends_the_view)
{
    const char *id = create();
    int64_t tenth = site->conf->session_idle / 10;
    int i;

    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(find(id), KC_SESSION_LIVE);
        pass(tenth * 100);
    }
    ck_assert_int_ge(fake->sessions.touches, 9);
    ck_assert_int_le(fake->sessions.touches, 10);
    pass(site->conf->session_idle * 1000);
    fake->sessions.is_down = 1;
    ck_assert_int_eq(find(id), KC_SESSION_UNKNOWN);
    fake->sessions.is_down = 0;
    ck_assert_int_eq(find(id), KC_SESSION_NONE);
}
END_TEST

/* With older keys in use the session's name is looked for. */
START_TEST(a_session_under_an_older_key_is_touched_too)
{
    const char *id = create();

    site->keys = kc_fake_site_keys(site, "another key of 32 characters ....",
                                   "0123456789abcdef0123456789abcdef");
    kc_fake_site_renew(site);
    if (find(id) != KC_SESSION_LIVE)
        ck_abort_msg("the fake site's own key has changed");
    pass(950 + site->conf->session_idle * 100);
    fake->sessions.touches = 0;
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_gt(kc_fake_store_nth(&fake->sessions, 0)->expires_at,
                     fake->now + site->conf->session_idle - 10);
}
END_TEST

/* ---------------------------------------------------------------- what a view has */

START_TEST(tokens_are_not_in_the_view_and_come_from_the_store)
{
    const char *id = create();
    kc_session_t session;

    (void)find(id);
    ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
    ck_assert_uint_eq(session.packed.len, 0);
    (void)asked();
    ck_assert_str_eq(kc_session_tokens_id_token(&session, testlib_pool), ID_TOKEN);
    ck_assert_int_eq(asked(), 1);
    ck_assert_str_eq(kc_json_member_string(kc_session_tokens_claims(&session, testlib_pool), "sub"),
                     "f7f3");
    fake->sessions.is_down = 1;
    ck_assert_ptr_null(kc_session_tokens_id_token(&session, testlib_pool));
    ck_assert_ptr_null(kc_session_tokens_claims(&session, testlib_pool));
    fake->sessions.is_down = 0;
    end(id);
    ck_assert_ptr_null(kc_session_tokens_id_token(&session, testlib_pool));
}
END_TEST

START_TEST(claims_are_in_the_view_where_they_are_asked_for)
{
    const char *id = create();
    kc_session_t session;

    site->rp->keeps_claims = 1;
    (void)find(id);
    ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
    fake->sessions.is_down = 1;
    ck_assert_str_eq(kc_json_member_string(kc_session_tokens_claims(&session, testlib_pool), "sub"),
                     "f7f3");
}
END_TEST

/* With KeycloakIDTokenHeader: without a question, and nothing but the ID token. */
START_TEST(a_view_keeps_an_id_token_that_is_handed_on)
{
    const kc_pack_t renewed = {"a.new.one", NULL, "refresh", {NULL, 0}};
    const char *id = create();
    kc_session_t session, fresh = sample();
    int gets;

    (void)find(id);
    ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
    ck_assert_ptr_null(session.id_token);
    site->conf->id_token_header = "Authorization";
    site->rp->keeps_claims = 1;
    id = create();
    (void)find(id);
    gets = fake->sessions.gets;
    ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
    ck_assert_str_eq(kc_session_tokens_id_token(&session, testlib_pool), ID_TOKEN);
    ck_assert_str_eq(kc_json_member_string(kc_session_tokens_claims(&session, testlib_pool), "sub"),
                     "f7f3");
    ck_assert_int_eq(fake->sessions.gets, gets);
    ck_assert_uint_eq(session.packed.len, 0);
    ck_assert_int_eq(kc_pack_close(&renewed, testlib_pool, &fresh.packed, NULL), KC_OK);
    ck_assert_int_eq(kc_session_replace(&session, &fresh, testlib_pool, NULL), KC_OK);
    for (gets = 0; gets < 2; gets++) {
        ck_assert_int_eq(find_as(id, &session), KC_SESSION_LIVE);
        ck_assert_str_eq(kc_session_tokens_id_token(&session, testlib_pool), "a.new.one");
    }
}
END_TEST

/* Code of another version may share the memory over a graceful restart. */
START_TEST(a_view_of_another_version_is_as_good_as_none)
{
    const char *id = create();
    unsigned char raw[KC_SESSION_ID_SIZE];
    kc_view_cache_view_t view = {
        {(const unsigned char *)"\3nothing that we know", 21}, 0, 0, "", ""};
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t none;
    kc_bytes_t bytes;

    ck_assert_int_eq(kc_buf_unbase64url(id, strlen(id), testlib_pool, &bytes), KC_OK);
    memcpy(raw, bytes.data, sizeof(raw));
    view.checked_ms = fake->now * 1000;
    view.moment = fake->now;
    (void)kc_view_cache_find(cache, site->rp->scope, raw, fake->now, testlib_pool, &ticket, &none);
    kc_view_cache_put(cache, &ticket, &view, fake->now);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), FIRST_LOOK);
    ck_assert_int_eq(find(id), KC_SESSION_LIVE);
    ck_assert_int_eq(asked(), 0);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

Suite *kc_test_session_tiers(void)
{
    Suite *suite = suite_create("session_tiers");
    TCase *tests = new_case(suite, "asking");

    tcase_add_test(tests, the_store_is_asked_once_in_a_ttl);
    tcase_add_test(tests, in_the_last_tenth_of_its_time_one_asks_and_the_others_go_on);
    tcase_add_test(tests, a_view_past_its_ttl_lets_nobody_go_on);
    tcase_add_test(tests, what_the_store_vouches_for_is_not_opened_again);
    tcase_add_test(tests, a_key_that_is_taken_away_ends_its_sessions);
    tcase_add_test(tests, a_stored_value_with_any_byte_changed_is_opened_and_refused);
    tcase_add_test(tests, asked_on_each_request_the_store_alone_decides);
    tcase_add_test(tests, a_value_that_was_replaced_is_seen);
    tcase_add_test(tests, without_a_first_tier_the_store_is_asked_each_time);
    tcase_add_test(tests, a_session_too_large_for_a_view_is_found_all_the_same);
    tcase_add_test(tests, a_session_of_many_groups_has_a_view);
    tests = new_case(suite, "end");
    tcase_add_test(tests, a_session_that_ends_here_ends_at_once);
    tcase_add_test(tests, a_session_that_cannot_be_seen_is_ended_all_the_same);
    tcase_add_test(tests, an_absent_session_is_absent_though_older_keys_are_in_use);
    tcase_add_test(tests, a_session_that_ends_elsewhere_ends_within_the_ttl);
    tcase_add_test(tests, a_session_that_the_store_has_lost_is_no_session);
    tcase_add_test(tests, the_absolute_end_holds_in_the_first_tier);
    tcase_add_test(tests, a_stale_token_is_stale_in_the_first_tier);
    tcase_add_test(tests, taking_a_key_away_ends_its_sessions_at_once);
    tests = new_case(suite, "outage");
    tcase_add_test(tests, who_was_seen_before_goes_on_while_the_store_is_down);
    tcase_add_test(tests, without_grace_an_outage_is_seen_after_the_ttl);
    tcase_add_test(tests, signing_out_in_an_outage_forgets_the_view);
    tcase_add_test(tests, who_is_known_is_signed_out_though_nobody_can_be_asked);
    tests = new_case(suite, "time");
    tcase_add_test(tests, a_clock_that_is_set_back_makes_views_old);
    tcase_add_test(tests, after_the_clock_is_set_back_the_store_is_still_told_of_use);
    tcase_add_test(tests, the_idle_end_moves_each_tenth_and_ends_the_view);
    tcase_add_test(tests, a_session_under_an_older_key_is_touched_too);
    tests = new_case(suite, "view");
    tcase_add_test(tests, tokens_are_not_in_the_view_and_come_from_the_store);
    tcase_add_test(tests, claims_are_in_the_view_where_they_are_asked_for);
    tcase_add_test(tests, a_view_keeps_an_id_token_that_is_handed_on);
    tcase_add_test(tests, a_view_of_another_version_is_as_good_as_none);
    return suite;
}

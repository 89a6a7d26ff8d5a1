/* Tests of session_view.h: how long a view is valid, to the millisecond.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_view.h"

#include <check.h>
#include <string.h>

#include "testlib.h"

Suite *kc_test_session_view(void);

enum { TTL = 1000 /* ms */, GRACE = 3 /* s */ };
#define MADE_MS INT64_C(1700000000000)

static const unsigned char scope[KC_VIEW_CACHE_SCOPE_SIZE], id[KC_VIEW_CACHE_ID_SIZE];
static kc_view_cache_t *cache;
static kc_view_cache_ticket_t ticket;
static kc_view_cache_view_t view;
static kc_conf_t conf;

static int find(void)
{
    return kc_view_cache_find(cache, scope, id, MADE_MS / 1000, testlib_pool, &ticket, &view);
}

static void setup(void)
{
    static const kc_siphash_key_t key = {{1, 2}};
    kc_view_cache_view_t made;

    testlib_setup();
    memset(&conf, 0, sizeof(conf));
    conf.cache_ttl = TTL;
    conf.store_grace = GRACE;
    ck_assert_int_eq(kc_view_cache_create(1024 * 1024, &key, testlib_pool, &cache, NULL), KC_OK);
    ck_assert(!find());
    memset(&made, 0, sizeof(made));
    made.bytes = kc_buf_text("a view");
    made.checked_ms = MADE_MS;
    kc_view_cache_put(cache, &ticket, &made, MADE_MS / 1000);
    ck_assert(find());
}

static int is_fresh(int64_t age)
{
    return kc_session_view_is_fresh(&conf, &ticket, &view, MADE_MS + age);
}

static int is_within_grace(int64_t age)
{
    return kc_session_view_is_within_grace(&conf, &view, MADE_MS + age);
}

START_TEST(a_view_is_fresh_for_its_time)
{
    int i;

    for (i = 0; i < 3; i++) { /* before its last tenth nobody has to ask */
        ck_assert(is_fresh(0));
        ck_assert(is_fresh(TTL - TTL / 10 - 1));
    }
    ck_assert(!is_fresh(TTL));
    ck_assert(!is_fresh(100 * TTL));
    ck_assert(!is_fresh(-1)); /* of the future, after a clock was set back */
}
END_TEST

START_TEST(in_its_last_tenth_one_request_asks)
{
    int64_t age;

    ck_assert(!is_fresh(TTL - TTL / 10));
    for (age = TTL - TTL / 10; age < TTL; age++)
        ck_assert(is_fresh(age));
    ck_assert(!is_fresh(TTL));
}
END_TEST

START_TEST(without_a_time_none_is_fresh)
{
    conf.cache_ttl = 0;
    ck_assert(!is_fresh(0));
    ck_assert(!is_within_grace(0)); /* the store is to be asked on each request */
}
END_TEST

START_TEST(for_its_grace_it_is_believed)
{
    ck_assert(is_within_grace(0));
    ck_assert(is_within_grace(TTL + 1000 * GRACE - 1));
    ck_assert(!is_within_grace(TTL + 1000 * GRACE));
    ck_assert(!is_within_grace(-1));
    conf.store_grace = 0;
    ck_assert(is_within_grace(TTL - 1));
    ck_assert(!is_within_grace(TTL));
}
END_TEST

Suite *kc_test_session_view(void)
{
    Suite *suite = suite_create("session_view");
    TCase *tests = tcase_create("session_view");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, a_view_is_fresh_for_its_time);
    tcase_add_test(tests, in_its_last_tenth_one_request_asks);
    tcase_add_test(tests, without_a_time_none_is_fresh);
    tcase_add_test(tests, for_its_grace_it_is_believed);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Tests of lease.h: who gets a lease, how it ends, and what a former holder can do to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "fake.h"
#include "store/lease.h"
#include "testlib.h"

Suite *kc_test_lease(void);

static const char key[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static kc_fake_t *fake;
static kc_lease_t mine, other;

enum { SPAN = 10 /* seconds */ };

static void setup(void)
{
    testlib_setup();
    fake = kc_fake_make(testlib_pool);
    kc_lease_init(&mine, fake->env.host, key, (const unsigned char *)"01234567");
    kc_lease_init(&other, fake->env.host, key, (const unsigned char *)"abcdefgh");
}

static kc_rc_t take(kc_lease_t *lease)
{
    return kc_lease_take_on_host(lease, fake->now, fake->elapsed, SPAN, testlib_pool, NULL);
}

static kc_fake_entry_t *entry(void)
{
    return kc_fake_store_entry(&fake->host, key);
}

static int is_own(const kc_lease_t *lease)
{
    return kc_lease_is_own(lease, testlib_pool);
}

START_TEST(one_has_it_until_it_is_given_back)
{
    ck_assert_int_eq(take(&mine), KC_OK);
    ck_assert_int_eq(take(&other), KC_EXISTS);
    ck_assert_int_eq(kc_lease_take(&other, fake->now + SPAN, NULL), KC_EXISTS);
    ck_assert(is_own(&mine) && !is_own(&other));
    kc_lease_give(&mine, testlib_pool);
    ck_assert_ptr_null(entry());
    ck_assert_int_eq(take(&other), KC_OK);
}
END_TEST

START_TEST(it_ends_by_itself)
{
    ck_assert_int_eq(take(&mine), KC_OK);
    fake->now += SPAN - 1;
    ck_assert_int_eq(take(&other), KC_EXISTS);
    fake->now++;
    ck_assert(!is_own(&mine));
    ck_assert_int_eq(take(&other), KC_OK);
}
END_TEST

/* Two takes of one second differ, as do two tries of one holder. */
START_TEST(a_later_try_is_a_lease_of_its_own)
{
    ck_assert_int_eq(take(&mine), KC_OK);
    fake->now += 2 * SPAN;
    ck_assert_int_eq(take(&mine), KC_OK);
    ck_assert(is_own(&mine));
    ck_assert_int_eq(entry()->expires_at, fake->now + SPAN);
}
END_TEST

/* Whose lease ran out while it worked must not end, move or replace another's. */
START_TEST(a_late_holder_does_nothing_to_anothers)
{
    const kc_bytes_t sign = {(const unsigned char *)"-", 1};
    int64_t end;

    ck_assert_int_eq(take(&mine), KC_OK);
    fake->now += SPAN;
    ck_assert_int_eq(take(&other), KC_OK);
    end = entry()->expires_at;
    kc_lease_give(&mine, testlib_pool);
    kc_lease_prolong_on_host(&mine, fake->now, fake->elapsed, 100 * SPAN, testlib_pool);
    kc_lease_replace(&mine, sign, fake->now + 100 * SPAN, testlib_pool);
    ck_assert(is_own(&other));
    ck_assert_int_eq(entry()->expires_at, end);
}
END_TEST

START_TEST(a_holder_prolongs_and_replaces)
{
    const kc_bytes_t sign = {(const unsigned char *)"-", 1};

    ck_assert_int_eq(take(&mine), KC_OK);
    kc_lease_prolong_on_host(&mine, fake->now, fake->elapsed, 3 * SPAN, testlib_pool);
    ck_assert_int_eq(entry()->expires_at, fake->now + 3 * SPAN);
    kc_lease_replace(&mine, sign, fake->now + 2 * SPAN, testlib_pool);
    ck_assert_int_eq(entry()->expires_at, fake->now + 2 * SPAN);
    ck_assert_uint_eq(entry()->len, 1);
    ck_assert(!is_own(&mine));
    kc_lease_give(&mine, testlib_pool);
    ck_assert_ptr_nonnull(entry());
}
END_TEST

/* It waits for somebody else's lease elsewhere, and tries again and again. */
START_TEST(a_try_in_vain_leaves_the_holder_its_lease)
{
    ck_assert_int_eq(take(&mine), KC_OK);
    fake->now++;
    fake->elapsed += 1000;
    ck_assert_int_eq(take(&mine), KC_EXISTS);
    ck_assert(is_own(&mine));
    kc_lease_give(&mine, testlib_pool);
    ck_assert_ptr_null(entry());
}
END_TEST

/* The clock is set back, and that many milliseconds pass: the lease of one who died ends by the
 * monotonic clock, that of one who is alive is not taken before. */
static const struct {
    int64_t back;
    int64_t passed;
    int is_taken;
} clocks[] = {{0, SPAN * 1000 - 1, 0},
              {1, SPAN * 1000 - 1, 0},
              {3600, 0, 0},
              {3600, SPAN * 1000 - 1, 0},
              {1, SPAN * 1000, 1},
              {3600, SPAN * 1000, 1},
              {-5, 5000, 0},
              {3600, 3600 * 1000, 1},
              {400 * 86400, SPAN * 1000, 1}};

START_TEST(a_clock_that_is_set_back_prolongs_no_lease_of_a_host)
{
    kc_rc_t taken = clocks[_i].is_taken ? KC_OK : KC_EXISTS;

    fake->elapsed = 123456789;
    ck_assert_int_eq(take(&mine), KC_OK);
    fake->now -= clocks[_i].back;
    fake->elapsed += clocks[_i].passed;
    ck_assert_int_eq(kc_lease_take(&other, fake->now + SPAN, NULL), KC_EXISTS);
    ck_assert(is_own(&mine));
    ck_assert_int_eq(take(&other), taken);
    ck_assert(is_own(&other) == clocks[_i].is_taken);
    if (clocks[_i].is_taken)
        ck_assert_int_eq(entry()->expires_at, fake->now + SPAN);
}
END_TEST

START_TEST(who_prolongs_is_not_over)
{
    ck_assert_int_eq(take(&mine), KC_OK);
    kc_lease_prolong_on_host(&mine, fake->now, fake->elapsed, 2 * SPAN, testlib_pool);
    fake->now -= 3600;
    fake->elapsed += SPAN * 1000;
    ck_assert_int_eq(take(&other), KC_EXISTS);
    ck_assert(is_own(&mine));
    fake->elapsed += SPAN * 1000;
    ck_assert_int_eq(take(&other), KC_OK);
}
END_TEST

/* What versions before this one have put there, or a pause: it ends by its own time. */
static const char *const strange[] = {
    "", "-", "1", "1234567", "sixteen letters!", "\xff\xff\xff\xff\xff\xff\xff\xff--------"};

START_TEST(what_has_no_time_is_left_to_end_by_itself)
{
    ck_assert_int_eq(
        kc_store_put(fake->env.host, key, kc_buf_text(strange[_i]), fake->now + SPAN, NULL), KC_OK);
    ck_assert_int_eq(take(&mine), KC_EXISTS);
    ck_assert(!is_own(&mine));
    fake->now += SPAN;
    ck_assert_int_eq(take(&mine), KC_OK);
}
END_TEST

START_TEST(a_store_that_is_down_gives_none)
{
    kc_err_t err;

    ck_assert_int_eq(take(&mine), KC_OK);
    fake->host.is_down = 1;
    ck_assert(!is_own(&mine));
    kc_lease_give(&mine, testlib_pool);
    ck_assert_int_eq(
        kc_lease_take_on_host(&other, fake->now, fake->elapsed, SPAN, testlib_pool, &err), KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
    fake->host.is_down = 0;
    ck_assert(is_own(&mine));
}
END_TEST

Suite *kc_test_lease(void)
{
    Suite *suite = suite_create("lease");
    TCase *tests = tcase_create("lease");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, one_has_it_until_it_is_given_back);
    tcase_add_test(tests, it_ends_by_itself);
    tcase_add_test(tests, a_later_try_is_a_lease_of_its_own);
    tcase_add_test(tests, a_late_holder_does_nothing_to_anothers);
    tcase_add_test(tests, a_holder_prolongs_and_replaces);
    tcase_add_test(tests, a_try_in_vain_leaves_the_holder_its_lease);
    tcase_add_loop_test(tests, a_clock_that_is_set_back_prolongs_no_lease_of_a_host, 0,
                        sizeof(clocks) / sizeof(clocks[0]));
    tcase_add_test(tests, who_prolongs_is_not_over);
    tcase_add_loop_test(tests, what_has_no_time_is_left_to_end_by_itself, 0,
                        sizeof(strange) / sizeof(strange[0]));
    tcase_add_test(tests, a_store_that_is_down_gives_none);
    suite_add_tcase(suite, tests);
    return suite;
}

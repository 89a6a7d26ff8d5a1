/* Tests of view_cache.h: views are complete, belong to the right session, and are gone when they
 * must be.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/view_cache.h"
#include "testlib.h"

Suite *kc_test_view_cache(void);

enum { NOW = 1700000000, SLOT_HEAD = 80, SMALL_MAX = 1024 - SLOT_HEAD };

static kc_view_cache_t *cache;
static const unsigned char scope[KC_VIEW_CACHE_SCOPE_SIZE] = "scope";
static unsigned char room[KC_VIEW_CACHE_VIEW_MAX + 1];

static kc_view_cache_t *make(size_t size)
{
    static const kc_siphash_key_t key = {{1, 2}};
    kc_view_cache_t *made;

    ck_assert_int_eq(kc_view_cache_create(size, &key, testlib_pool, &made, NULL), KC_OK);
    return made;
}

static void setup(void)
{
    testlib_setup();
    cache = make(2 * 1024 * 1024);
}

static const unsigned char *id_of(uint32_t number)
{
    static unsigned char id[KC_VIEW_CACHE_ID_SIZE];

    memcpy(id, &number, sizeof(number));
    return id;
}

static int find_at(uint32_t number, int64_t now, kc_view_cache_ticket_t *ticket,
                   kc_view_cache_view_t *view)
{
    return kc_view_cache_find(cache, scope, id_of(number), now, testlib_pool, ticket, view);
}

static int find(uint32_t number, kc_view_cache_ticket_t *ticket, kc_view_cache_view_t *view)
{
    return find_at(number, NOW, ticket, view);
}

/* A view of len bytes that differ from number to number. */
static kc_view_cache_view_t sample(uint32_t number, size_t len)
{
    kc_view_cache_view_t view = {{room, len}, NOW * INT64_C(1000), NOW + 3600, "", "stamp"};
    size_t i;

    memset(view.key, (int)('a' + number % 26), sizeof(view.key));
    for (i = 0; i < len; i++)
        room[i] = (unsigned char)(number * 31 + i * 7);
    return view;
}

static void put_at(uint32_t number, size_t len, int64_t now)
{
    kc_view_cache_view_t view = sample(number, len), old;
    kc_view_cache_ticket_t ticket;

    (void)find_at(number, now, &ticket, &old);
    kc_view_cache_put(cache, &ticket, &view, now);
}

static void put(uint32_t number, size_t len)
{
    put_at(number, len, NOW);
}

static void assert_found(uint32_t number, size_t len)
{
    kc_view_cache_view_t view, expected = sample(number, len);
    kc_view_cache_ticket_t ticket;

    ck_assert_int_eq(find(number, &ticket, &view), 1);
    ck_assert_uint_eq(view.bytes.len, len);
    ck_assert_mem_eq(view.bytes.data, expected.bytes.data, len);
    ck_assert_mem_eq(view.key, expected.key, KC_VIEW_CACHE_KEY_SIZE);
    ck_assert_mem_eq(view.stamp, expected.stamp, KC_VIEW_CACHE_STAMP_SIZE);
    ck_assert_int_eq(view.checked_ms, expected.checked_ms);
    ck_assert_int_eq(view.moment, expected.moment);
}

static void assert_missing(uint32_t number)
{
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;

    ck_assert_int_eq(find(number, &ticket, &view), 0);
    ck_assert_ptr_null(ticket.slot);
}

/* ---------------------------------------------------------------- finding */

START_TEST(what_was_put_is_found)
{
    static const size_t lens[] = {
        0, 1, 7, 8, 9, 400, SMALL_MAX - 1, SMALL_MAX, SMALL_MAX + 1, 3000, 16 * 1024, 150 * 1024};
    size_t i;

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        assert_missing((uint32_t)i);
        put((uint32_t)i, lens[i]);
        assert_found((uint32_t)i, lens[i]);
    }
}
END_TEST

/* Between the classes too, and the old view never comes back. */
START_TEST(a_later_view_replaces_the_earlier)
{
    static const size_t lens[] = {400, 3000, 500, 9000, 10};
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    size_t i;

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        put(1, lens[i]);
        assert_found(1, lens[i]);
    }
    (void)find(1, &ticket, &view);
    kc_view_cache_drop(cache, &ticket);
    assert_missing(1);
}
END_TEST

START_TEST(a_view_too_large_is_not_kept)
{
    cache = make(2 * 1024 * 1024 - 64 * 1024);
    put(1, KC_VIEW_CACHE_VIEW_MAX);
    assert_found(1, KC_VIEW_CACHE_VIEW_MAX);
    put(2, KC_VIEW_CACHE_VIEW_MAX + 1);
    assert_missing(2);
}
END_TEST

/* Of a small first tier one view takes half at most, so that it does not push out all others. */
START_TEST(a_view_too_large_for_its_area_costs_no_other)
{
    uint32_t i, kept = 0;

    cache = make(KC_VIEW_CACHE_SIZE_MIN);
    for (i = 0; i < 100; i++)
        put(1000 + i, 400);
    put(1, 40 * 1024);
    assert_found(1, 40 * 1024);
    put(2, KC_VIEW_CACHE_SIZE_MIN / 2);
    assert_missing(2);
    put(3, KC_VIEW_CACHE_VIEW_MAX);
    assert_missing(3);
    assert_found(1, 40 * 1024);
    for (i = 0; i < 100; i++) {
        kc_view_cache_ticket_t ticket;
        kc_view_cache_view_t view;

        kept += (uint32_t)find(1000 + i, &ticket, &view);
    }
    ck_assert_uint_eq(kept, 100);
}
END_TEST

START_TEST(scopes_and_ids_do_not_meet)
{
    static const unsigned char other[KC_VIEW_CACHE_SCOPE_SIZE] = "other";
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;

    put(1, 100);
    assert_missing(2);
    ck_assert_int_eq(kc_view_cache_find(cache, other, id_of(1), NOW, testlib_pool, &ticket, &view),
                     0);
    assert_found(1, 100);
}
END_TEST

START_TEST(another_process_finds_it_in_the_same_memory)
{
    size_t size = 2 * 1024 * 1024;
    void *memory = kc_view_cache_memory(cache);
    kc_view_cache_t *other;

    put(1, 300);
    ck_assert_int_eq(kc_view_cache_attach(memory, size, testlib_pool, &other, NULL), KC_OK);
    cache = other;
    assert_found(1, 300);
    ck_assert_int_eq(kc_view_cache_attach(memory, size - 1024, testlib_pool, &other, NULL),
                     KC_REFUSED);
    memset(memory, 0xff, 1024);
    ck_assert_int_eq(kc_view_cache_attach(memory, size, testlib_pool, &other, NULL), KC_REFUSED);
}
END_TEST

START_TEST(the_smallest_size_works_and_a_smaller_one_is_refused)
{
    static const kc_siphash_key_t key = {{1, 2}};

    cache = make(KC_VIEW_CACHE_SIZE_MIN);
    put(1, 100);
    put(2, 16 * 1024);
    assert_found(1, 100);
    assert_found(2, 16 * 1024);
    ck_assert_int_eq(
        kc_view_cache_create(KC_VIEW_CACHE_SIZE_MIN - 1, &key, testlib_pool, &cache, NULL),
        KC_REFUSED);
}
END_TEST

/* ---------------------------------------------------------------- what is forgotten */

START_TEST(full_the_one_used_the_longest_ago_goes)
{
    enum { MANY = 20000, USED = 5 };
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    uint32_t i;
    int kept = 0;

    put_at(USED, 400, NOW);
    for (i = 1000; i < 1000 + MANY; i++) {
        put_at(i, 400, NOW + i);
        (void)find_at(USED, NOW + i, &ticket, &view);
    }
    assert_found(USED, 400);
    for (i = 1000; i < 1000 + MANY; i++)
        kept += find(i, &ticket, &view);
    ck_assert_int_gt(kept, 1000);
    ck_assert_int_lt(kept, 3600); /* what 2 MiB have room for */
    assert_found(1000 + MANY - 1, 400);
}
END_TEST

START_TEST(a_dropped_view_is_gone)
{
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;

    put(1, 100);
    put(2, 100);
    ck_assert_int_eq(find(1, &ticket, &view), 1);
    kc_view_cache_drop(cache, &ticket);
    assert_missing(1);
    assert_found(2, 100);
    put(1, 100);
    assert_found(1, 100);
}
END_TEST

/* Somebody asks the store, the session is ended, and only then the answer arrives. */
START_TEST(nothing_is_left_of_a_dropped_view)
{
    kc_view_cache_view_t view = sample(3, 401);
    kc_view_cache_ticket_t ticket;

    put(3, 401);
    ck_assert_ptr_nonnull(memmem(kc_view_cache_memory(cache), 2 * 1024 * 1024, room + 8, 40));
    ck_assert_int_eq(find(3, &ticket, &view), 1);
    kc_view_cache_drop(cache, &ticket);
    ck_assert_ptr_null(memmem(kc_view_cache_memory(cache), 2 * 1024 * 1024, room + 8, 40));
    ck_assert_ptr_null(memmem(kc_view_cache_memory(cache), 2 * 1024 * 1024, room + 361, 40));
}
END_TEST

START_TEST(an_answer_of_before_the_drop_is_not_put)
{
    kc_view_cache_view_t view = sample(1, 100), none;
    kc_view_cache_ticket_t before, ticket;

    (void)find(1, &before, &none);
    (void)find(1, &ticket, &none);
    kc_view_cache_drop(cache, &ticket);
    kc_view_cache_put(cache, &before, &view, NOW);
    assert_missing(1);
}
END_TEST

/* ---------------------------------------------------------------- small changes */

START_TEST(one_of_all_askers_is_chosen)
{
    const int64_t now = NOW * INT64_C(1000);
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;

    put(1, 100);
    (void)find(1, &ticket, &view);
    ck_assert_int_eq(kc_view_cache_claim(&ticket, now, 100), 1);
    ck_assert_int_eq(kc_view_cache_claim(&ticket, now, 100), 0);
    ck_assert_int_eq(kc_view_cache_claim(&ticket, now + 99, 100), 0);
    ck_assert_int_eq(kc_view_cache_claim(&ticket, now + 100, 100), 1);
    /* a clock that was set back chooses somebody at once */
    ck_assert_int_eq(kc_view_cache_claim(&ticket, now - 3600000, 100), 1);
    ck_assert_int_eq(kc_view_cache_claim(&ticket, now - 3600000, 100), 0);
}
END_TEST

START_TEST(a_view_is_vouched_for)
{
    kc_view_cache_ticket_t ticket, late;
    kc_view_cache_view_t view, old;

    put(1, 100);
    (void)find(1, &ticket, &view);
    (void)find(1, &late, &old);
    kc_view_cache_vouch(&ticket, &view, view.checked_ms + 500);
    (void)find(1, &ticket, &view);
    ck_assert_int_eq(view.checked_ms, old.checked_ms + 500);
    /* an older answer changes nothing */
    kc_view_cache_vouch(&late, &old, old.checked_ms + 400);
    (void)find(1, &ticket, &view);
    ck_assert_int_eq(view.checked_ms, old.checked_ms + 500);
}
END_TEST

START_TEST(one_of_all_users_tells_the_store)
{
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;

    put(1, 100);
    (void)find(1, &ticket, &view);
    ck_assert_int_eq(kc_view_cache_touch(&ticket, &view, NOW + 4000), 1);
    ck_assert_int_eq(kc_view_cache_touch(&ticket, &view, NOW + 4000), 0);
    (void)find(1, &ticket, &view);
    ck_assert_int_eq(view.moment, NOW + 4000);
}
END_TEST

/* ---------------------------------------------------------------- killed writers */

/* The word of the memory that holds this view's sequence: what differs by one write of it. */
static uint64_t *sequence_of(uint32_t number)
{
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;

    ck_assert_int_eq(find(number, &ticket, &view), 1);
    return ticket.slot; /* the first word of a slot */
}

START_TEST(a_view_left_half_written_is_not_read_and_its_place_is_used_again)
{
    uint64_t *sequence;

    put(1, 100);
    sequence = sequence_of(1);
    *sequence += 1;
    assert_missing(1);
    put(1, 100);
    assert_found(1, 100);
    ck_assert_ptr_eq(sequence_of(1), sequence);
    ck_assert_uint_eq(*sequence % 2, 0);
}
END_TEST

/* Dies in the middle of putting a view of 1500 bytes, with the lock in hand: behind the first 700
 * there is no memory. */
static void put_and_die(uint32_t number)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *pages =
        mmap(NULL, page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    kc_view_cache_view_t view = sample(number, 1500), old;
    kc_view_cache_ticket_t ticket;

    if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE))
        _exit(2);
    (void)signal(SIGSEGV, SIG_DFL);
    view.bytes.data = pages + page - 700;
    (void)find(number, &ticket, &old);
    kc_view_cache_put(cache, &ticket, &view, NOW);
    _exit(0);
}

static void kill_writer(uint32_t number)
{
    int status = 0;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (!pid)
        put_and_die(number);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
}

/* Whatever a killed writer had in hand is free again, and everything else stays. */
START_TEST(a_killed_writer_costs_its_own_view_alone)
{
    enum { OTHERS = 300, ROUNDS = 40, LEN = 2400 };
    uint32_t i, round, kept;
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;

    for (i = 0; i < OTHERS; i++)
        put(i, LEN);
    for (round = 0; round < ROUNDS; round++) {
        kill_writer(1000 + round % 3);
        for (i = 0; i < OTHERS; i++)
            assert_found(i, LEN); /* without the lock */
        put(1000 + round % 3, 300);
        assert_found(1000 + round % 3, 300);
        if (round % 7 == 0)
            put(1000 + round % 3, 3000);
    }
    for (i = 0; i < OTHERS; i++)
        assert_found(i, LEN);
    for (i = 2000; i < 4000; i++)
        put(i, LEN);
    for (i = 2000, kept = 0; i < 4000; i++)
        kept += (uint32_t)find(i, &ticket, &view);
    ck_assert_uint_ge(kept, 650); /* what 2 MiB have room for: no block was lost */
}
END_TEST

static kc_view_cache_fill_t filled(void)
{
    kc_view_cache_fill_t fill;

    kc_view_cache_fill(cache, &fill);
    return fill;
}

START_TEST(its_fill_is_counted)
{
    kc_view_cache_view_t view;
    kc_view_cache_ticket_t ticket;
    uint64_t used;

    ck_assert_uint_eq(filled().entries, 0);
    ck_assert_uint_eq(filled().used, 0);
    ck_assert_uint_gt(filled().size, 1024 * 1024);
    put(1, 100);
    put(2, 1000);
    used = filled().used;
    ck_assert_uint_eq(filled().entries, 2);
    ck_assert_uint_ge(used, 1100);
    put(2, 1000);
    ck_assert_uint_eq(filled().entries, 2);
    ck_assert_uint_eq(filled().used, used);
    (void)find(2, &ticket, &view);
    kc_view_cache_drop(cache, &ticket);
    ck_assert_uint_eq(filled().entries, 1);
    kc_view_cache_drop(cache, &ticket);
    ck_assert_uint_eq(filled().entries, 1);
}
END_TEST

START_TEST(evictions_are_counted)
{
    size_t evicted = 0;
    uint32_t i;

    for (i = 0; i < 5000; i++) {
        kc_view_cache_view_t view = sample(i, 900), old;
        kc_view_cache_ticket_t ticket;

        (void)find(i, &ticket, &old);
        evicted += kc_view_cache_put(cache, &ticket, &view, NOW);
        ck_assert_uint_eq(filled().entries, i + 1 - evicted);
    }
    ck_assert_uint_gt(evicted, 0);
    ck_assert_uint_le(filled().used, filled().size);
}
END_TEST

/* A version before this one has written views without counting them. */
START_TEST(a_restart_counts_what_is_there)
{
    void *memory = kc_view_cache_memory(cache);
    const size_t size = 2 * 1024 * 1024;
    kc_view_cache_t *again;

    put(1, 100);
    put(2, 100);
    put(3, 100);
    ck_assert_int_eq(kc_view_cache_attach(memory, size, testlib_pool, &again, NULL), KC_OK);
    cache = again;
    ck_assert_uint_eq(filled().entries, 3);
}
END_TEST

Suite *kc_test_view_cache(void)
{
    Suite *suite = suite_create("view_cache");
    TCase *tests = tcase_create("views");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, what_was_put_is_found);
    tcase_add_test(tests, a_later_view_replaces_the_earlier);
    tcase_add_test(tests, a_view_too_large_is_not_kept);
    tcase_add_test(tests, a_view_too_large_for_its_area_costs_no_other);
    tcase_add_test(tests, scopes_and_ids_do_not_meet);
    tcase_add_test(tests, another_process_finds_it_in_the_same_memory);
    tcase_add_test(tests, the_smallest_size_works_and_a_smaller_one_is_refused);
    tcase_add_test(tests, full_the_one_used_the_longest_ago_goes);
    tcase_add_test(tests, its_fill_is_counted);
    tcase_add_test(tests, evictions_are_counted);
    tcase_add_test(tests, a_restart_counts_what_is_there);
    tcase_add_test(tests, a_dropped_view_is_gone);
    tcase_add_test(tests, nothing_is_left_of_a_dropped_view);
    tcase_add_test(tests, an_answer_of_before_the_drop_is_not_put);
    tcase_add_test(tests, one_of_all_askers_is_chosen);
    tcase_add_test(tests, a_view_is_vouched_for);
    tcase_add_test(tests, one_of_all_users_tells_the_store);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_killed_writer_costs_its_own_view_alone);
    tcase_add_test(tests, a_view_left_half_written_is_not_read_and_its_place_is_used_again);
    suite_add_tcase(suite, tests);
    return suite;
}

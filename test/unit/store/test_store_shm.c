/* The store in shared memory: one process and several.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store.h"
#include "store/store_shm.h"
#include "testlib.h"
#include "values.h"

Suite *kc_test_store_shm(void);

enum {
    MIB = 1024 * 1024,
    START = 1000000,
    PROCESSES = 4,
    THREADS = 4,
    KEYS = 64,
    ROUNDS = 1500,
    TRIES = 1000
};

static int64_t now;
static kc_store_t *store;
static kc_err_t err;

static int64_t clock_now(void *context)
{
    return *(int64_t *)context;
}

static void setup(void)
{
    testlib_setup();
    now = START;
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(kc_store_shm_create(MIB, clock_now, &now, testlib_pool, &store, &err), KC_OK);
}

/* ---------------------------------------------------------------- one process */

START_TEST(keeps_a_value_until_it_expires)
{
    kc_store_item_t item;

    ck_assert(!values_is_there(store, 1));
    ck_assert_int_eq(values_put(store, 1, 1, 1500, START + 10), KC_OK);
    now = START + 9;
    item = values_get(store, 1);
    ck_assert_uint_eq(item.value.len, 1500);
    ck_assert_int_eq(item.expires_at, START + 10);
    ck_assert(values_is_whole(item.value, 1));
    now = START + 10;
    item = values_get(store, 1);
    ck_assert_ptr_null(item.value.data);
    ck_assert_int_eq(item.expires_at, 0);
}
END_TEST

START_TEST(overwrites)
{
    values_key_t key = values_key(7);
    kc_bytes_t empty = {NULL, 0};
    unsigned int version;

    for (version = 0; version < 100; version++) {
        ck_assert_int_eq(values_put(store, 7, version, 1000 + version, START + 10), KC_OK);
        ck_assert_uint_eq(values_get(store, 7).value.len, 1000 + version);
        ck_assert(values_is_there(store, 7));
    }
    ck_assert_int_eq(kc_store_put(store, key.text, empty, START + 10, &err), KC_OK);
    ck_assert_ptr_nonnull(values_get(store, 7).value.data);
    ck_assert_uint_eq(values_get(store, 7).value.len, 0);
}
END_TEST

START_TEST(adds_once)
{
    values_key_t key = values_key(3);
    kc_bytes_t first = {(const unsigned char *)"first", 5};
    kc_bytes_t second = {(const unsigned char *)"second", 6};

    ck_assert_int_eq(kc_store_add(store, key.text, first, START + 5, &err), KC_OK);
    ck_assert_int_eq(kc_store_add(store, key.text, second, START + 50, &err), KC_EXISTS);
    ck_assert_mem_eq(values_get(store, 3).value.data, "first", 5);
    now = START + 5;
    ck_assert_int_eq(kc_store_add(store, key.text, second, START + 50, &err), KC_OK);
    ck_assert_mem_eq(values_get(store, 3).value.data, "second", 6);
    ck_assert_int_eq(kc_store_drop(store, key.text, &err), KC_OK);
    ck_assert_int_eq(kc_store_add(store, key.text, first, START + 50, &err), KC_OK);
}
END_TEST

START_TEST(touches_what_is_there)
{
    values_key_t key = values_key(5);

    ck_assert_int_eq(kc_store_touch(store, key.text, START + 100, &err), KC_MISS);
    ck_assert_int_eq(values_put(store, 5, 0, 100, START + 10), KC_OK);
    ck_assert_int_eq(kc_store_touch(store, key.text, START + 100, &err), KC_OK);
    now = START + 99;
    ck_assert(values_is_there(store, 5));
    ck_assert_int_eq(values_get(store, 5).expires_at, START + 100);
    now = START + 100;
    ck_assert_int_eq(kc_store_touch(store, key.text, START + 200, &err), KC_MISS);
}
END_TEST

START_TEST(drops)
{
    values_key_t key = values_key(6);

    ck_assert_int_eq(kc_store_drop(store, key.text, &err), KC_OK);
    ck_assert_int_eq(values_put(store, 6, 0, 100, START + 10), KC_OK);
    ck_assert_int_eq(kc_store_drop(store, key.text, &err), KC_OK);
    ck_assert(!values_is_there(store, 6));
}
END_TEST

START_TEST(gets_several)
{
    values_key_t texts[KC_STORE_GET_MAX];
    const char *keys[KC_STORE_GET_MAX];
    kc_store_item_t items[KC_STORE_GET_MAX];
    unsigned int i;

    for (i = 0; i < KC_STORE_GET_MAX; i++) {
        texts[i] = values_key(i);
        keys[i] = texts[i].text;
        if (i % 2)
            ck_assert_int_eq(values_put(store, i, 0, 100 + i * 50, START + 10 + i), KC_OK);
    }
    ck_assert_int_eq(kc_store_get(store, keys, KC_STORE_GET_MAX, items, testlib_pool, &err), KC_OK);
    for (i = 0; i < KC_STORE_GET_MAX; i++) {
        ck_assert_int_eq(items[i].value.data != NULL, i % 2);
        if (items[i].value.data) {
            ck_assert(values_is_whole(items[i].value, i));
            ck_assert_int_eq(items[i].expires_at, START + 10 + i);
        }
    }
}
END_TEST

START_TEST(takes_every_size)
{
    static const size_t sizes[] = {8,    55,   56,   57,    183,    184,   185,
                                   2089, 4096, 4097, 65536, 524287, 524288};
    size_t i, j;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            ck_assert_int_eq(values_put(store, 9, 1, sizes[i], START + 10), KC_OK);
            ck_assert_int_eq(values_put(store, 9, 2, sizes[j], START + 10), KC_OK);
            ck_assert_uint_eq(values_get(store, 9).value.len, sizes[j]);
            ck_assert(values_is_there(store, 9));
        }
    }
    ck_assert_int_eq(values_put(store, 9, 3, KC_STORE_VALUE_MAX + 1, START + 10), KC_REFUSED);
    ck_assert_uint_eq(values_get(store, 9).value.len, KC_STORE_VALUE_MAX);
}
END_TEST

/* Sizes on both sides of each limit, written often enough that every slot has a later neighbour. */
START_TEST(neighbours_do_not_overlap)
{
    static const size_t sizes[] = {56, 57, 184, 185, 5000, 16425};
    unsigned int round, i;

    for (round = 0; round < 6; round++) {
        for (i = 0; i < 300; i++)
            ck_assert_int_eq(
                values_put(store, i, round, sizes[(i * 7 + round) % 6], START + 1000 + i), KC_OK);
        for (i = 0; i < 300; i++) {
            kc_store_item_t item = values_get(store, i);

            if (!item.value.data)
                continue;
            ck_assert(values_is_whole(item.value, i));
            ck_assert_int_eq(item.expires_at, START + 1000 + i);
        }
    }
}
END_TEST

/* A value that has moved from one class of sizes to another has left no copy behind. */
START_TEST(leaves_no_copy_in_another_class)
{
    static const size_t sizes[] = {100, 1500, 10000, 200000, 10000, 1500, 100, 200000, 1500};
    values_key_t key = values_key(11);
    unsigned int i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        ck_assert_int_eq(values_put(store, 11, i, sizes[i], START + 10), KC_OK);
        ck_assert_uint_eq(values_get(store, 11).value.len, sizes[i]);
        if (i % 3 != 2)
            continue;
        ck_assert_int_eq(kc_store_drop(store, key.text, &err), KC_OK);
        ck_assert(!values_is_there(store, 11));
    }
}
END_TEST

/* Values all of one size, whatever that is, have most of the memory, and the oldest make room. */
START_TEST(any_size_fills_the_memory)
{
    static const size_t sizes[] = {100, 300, 700, 1500, 2100, 3000, 5000, 9000, 20000, 100000};
    size_t len = sizes[_i];
    unsigned int many = (unsigned int)(2 * MIB / len), fit = (unsigned int)(MIB / len), i;
    unsigned int count = 0, late = 0;

    for (i = 0; i < many; i++) {
        ck_assert_int_eq(values_put(store, i, 0, len, START + 1000), KC_OK);
        ck_assert(values_is_there(store, i));
    }
    for (i = 0; i < many; i++) {
        int is_kept = values_is_there(store, i);

        ck_assert(!late || is_kept); /* none is younger than one that went */
        late |= (unsigned int)is_kept;
        count += (unsigned int)is_kept;
    }
    ck_assert_uint_le(count, fit);
    /* less what keys and times take, and what is kept for others */
    ck_assert_uint_ge(count * (len + 72 + 128), MIB / 100 * 85 - len);
    ck_assert_uint_eq(kc_store_shm_evicted(store), many - count);
}
END_TEST

/* What was written is the newest, and so is what was touched; whatever its size. */
START_TEST(the_oldest_make_room_for_a_large_one)
{
    unsigned int i;

    for (i = 0; i < 300; i++)
        ck_assert_int_eq(values_put(store, i, 0, 2000, START + 1000), KC_OK);
    for (i = 0; i < 100; i++) {
        values_key_t key = values_key(i);

        ck_assert_int_eq(kc_store_touch(store, key.text, START + 1000, &err), KC_OK);
    }
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(values_put(store, 1000 + i, 0, 200000, START + 1000), KC_OK);
    ck_assert(!values_is_there(store, 100));
    for (i = 0; i < 100; i++)
        ck_assert(values_is_there(store, i));
}
END_TEST

START_TEST(expired_values_make_room_first)
{
    unsigned int round, i;

    for (i = 0; i < 40; i++)
        ck_assert_int_eq(values_put(store, i, 0, 1500, START + 1000000), KC_OK);
    for (round = 0; round < 100; round++) {
        for (i = 0; i < 20; i++)
            ck_assert_int_eq(values_put(store, 1000 + round * 20 + i, 0, 1500, now + 5), KC_OK);
        now += 5;
    }
    for (i = 0; i < 40; i++)
        ck_assert(values_is_there(store, i));
}
END_TEST

/* 1 MiB has room for four of these. */
START_TEST(what_was_touched_is_not_the_oldest)
{
    values_key_t first = values_key(1);
    unsigned int i;

    for (i = 1; i <= 4; i++)
        ck_assert_int_eq(values_put(store, i, 0, 200000, START + 10), KC_OK);
    ck_assert_int_eq(kc_store_touch(store, first.text, START + 20, &err), KC_OK);
    ck_assert_int_eq(values_put(store, 5, 0, 200000, START + 10), KC_OK);
    ck_assert(values_is_there(store, 1));
    ck_assert(!values_is_there(store, 2));
    ck_assert(values_is_there(store, 3) && values_is_there(store, 4) && values_is_there(store, 5));
}
END_TEST

/* When nothing is free, a value is written over itself and costs no other its place. */
START_TEST(overwriting_pushes_nobody_out)
{
    unsigned int i;

    for (i = 1; i <= 4; i++)
        ck_assert_int_eq(values_put(store, i, 0, 200000, START + 10), KC_OK);
    ck_assert_int_eq(values_put(store, 2, 1, 150000, START + 10), KC_OK);
    for (i = 1; i <= 4; i++)
        ck_assert(values_is_there(store, i));
    ck_assert_uint_eq(values_get(store, 2).value.len, 150000);
    ck_assert_uint_eq(kc_store_shm_evicted(store), 0);
}
END_TEST

/* ---------------------------------------------------------------- kinds */

static kc_rc_t write_kind(unsigned int number, kc_store_kind_t kind, size_t len)
{
    static unsigned char data[KC_STORE_VALUE_MAX];
    values_key_t key = values_key(number);
    const kc_store_write_t write = {key.text, {data, len}, now + 600, kind, 0};

    return kc_store_write(store, &write, &err);
}

static unsigned int count_there(unsigned int from, unsigned int count)
{
    unsigned int i, found = 0;

    for (i = from; i < from + count; i++)
        found += values_get(store, i).value.data != NULL;
    return found;
}

enum { KEPT = 20, FLOOD = 20000 };

static void keep_some(void)
{
    unsigned int i;

    for (i = 0; i < KEPT; i++) {
        ck_assert_int_eq(write_kind(i, KC_STORE_CRITICAL, 8), KC_OK);
        ck_assert_int_eq(write_kind(KEPT + i, KC_STORE_OWNED, 440), KC_OK);
        ck_assert_int_eq(write_kind(2 * KEPT + i, KC_STORE_OWNED, 3000), KC_OK);
    }
}

/* Whatever their size: it is not by that that they are told from others. */
START_TEST(what_strangers_can_have_written_pushes_out_nothing_of_others)
{
    static const size_t sizes[] = {1, 100, 440, 3000, 20000};
    unsigned int i;

    keep_some();
    for (i = 0; i < FLOOD; i++)
        ck_assert_int_eq(write_kind(1000 + i, KC_STORE_OPEN, sizes[_i]), KC_OK);
    ck_assert_uint_eq(count_there(0, 3 * KEPT), 3 * KEPT);
    ck_assert_uint_gt(count_there(1000, FLOOD), 1);
    ck_assert_uint_eq(kc_store_shm_evicted(store), 0);
}
END_TEST

/* However full it is: their own part is theirs, and no more. */
START_TEST(nor_when_the_memory_is_full)
{
    unsigned int i, before, open;

    for (i = 0; i < FLOOD; i++)
        ck_assert_int_eq(write_kind(1000 + i, KC_STORE_OPEN, 100), KC_OK);
    open = count_there(1000, FLOOD);
    for (i = 0; i < 2000; i++)
        ck_assert_int_eq(write_kind(100000 + i, KC_STORE_OWNED, 1000), KC_OK);
    ck_assert_uint_eq(count_there(1000, FLOOD), open);
    before = count_there(100000, 2000);
    for (i = 0; i < FLOOD; i++)
        ck_assert_int_eq(write_kind(200000 + i, KC_STORE_OPEN, 100), KC_OK);
    ck_assert_uint_eq(count_there(100000, 2000), before);
    ck_assert_uint_eq(count_there(200000, FLOOD), open);
}
END_TEST

/* A session that a mark has ended must not outlive it. */
START_TEST(sessions_push_out_no_marks)
{
    unsigned int i;

    keep_some();
    for (i = 0; i < FLOOD; i++)
        ck_assert_int_eq(write_kind(1000 + i, KC_STORE_OWNED, 1000), KC_OK);
    ck_assert_uint_eq(count_there(0, KEPT), KEPT);
    ck_assert_uint_eq(count_there(KEPT, 2 * KEPT), 0);
}
END_TEST

START_TEST(marks_have_a_part_of_the_memory_and_no_more)
{
    unsigned int i, sessions, marks;

    for (i = 0; i < 2000; i++)
        ck_assert_int_eq(write_kind(100000 + i, KC_STORE_OWNED, 1000), KC_OK);
    sessions = count_there(100000, 2000);
    for (i = 0; i < FLOOD; i++)
        ck_assert_int_eq(write_kind(1000 + i, KC_STORE_CRITICAL, 8), KC_OK);
    marks = count_there(1000, FLOOD);
    ck_assert_uint_ge(marks, MIB / 10 / 133);
    ck_assert_uint_ge(count_there(100000, 2000), sessions * 4 / 5);
    ck_assert_uint_eq(count_there(1000 + FLOOD - marks, marks), marks); /* the latest */
}
END_TEST

START_TEST(a_value_too_large_for_its_kind)
{
    keep_some();
    ck_assert_int_eq(write_kind(1000, KC_STORE_OPEN, 200000), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_VALUE);
    ck_assert_int_eq(write_kind(1001, KC_STORE_CRITICAL, 200000), KC_OK);
    ck_assert_uint_eq(count_there(1000, 2), 1);
    ck_assert_uint_eq(count_there(0, 3 * KEPT), 3 * KEPT);
}
END_TEST

static uint64_t told;
static unsigned int tellings;

static void tell(void *context, uint64_t count)
{
    *(uint64_t *)context += count;
    tellings++;
}

/* Once a minute, all that have gone since; what had expired does not count. */
START_TEST(it_is_told_when_the_living_make_room)
{
    unsigned int i;

    told = 0;
    tellings = 0;
    kc_store_shm_report(store, tell, &told);
    for (i = 0; i < FLOOD; i++)
        ck_assert_int_eq(write_kind(i, KC_STORE_OPEN, 100), KC_OK);
    ck_assert_uint_eq(tellings, 0);
    for (i = 0; i < 2000; i++)
        ck_assert_int_eq(values_put(store, i, 0, 1500, now + 1000), KC_OK);
    ck_assert_uint_eq(tellings, 1);
    ck_assert_uint_eq(told, 1);
    now += 59;
    ck_assert_int_eq(values_put(store, 5000, 0, 1500, now + 10), KC_OK);
    ck_assert_uint_eq(tellings, 1);
    now++;
    ck_assert_int_eq(values_put(store, 5001, 0, 1500, now + 10), KC_OK);
    ck_assert_uint_eq(tellings, 2);
    ck_assert_uint_eq(told, kc_store_shm_evicted(store));
    now += 2000; /* all have expired */
    for (i = 0; i < 500; i++)
        ck_assert_int_eq(values_put(store, 6000 + i, 0, 1500, now + 10), KC_OK);
    ck_assert_uint_eq(tellings, 2);
}
END_TEST

/* Children look at the clock before they wait for a lock, and so come with different times. */
START_TEST(a_child_that_is_late_tells_nothing_again)
{
    unsigned int i;

    told = 0;
    tellings = 0;
    kc_store_shm_report(store, tell, &told);
    for (i = 0; i < 2000; i++)
        ck_assert_int_eq(values_put(store, i, 0, 1500, now + 1000), KC_OK);
    ck_assert_uint_eq(tellings, 1);
    now--;
    ck_assert_int_eq(values_put(store, 5000, 0, 1500, now + 1000), KC_OK);
    now -= 58;
    ck_assert_int_eq(values_put(store, 5001, 0, 1500, now + 1000), KC_OK);
    ck_assert_uint_eq(tellings, 1);
    now--; /* the clock was set back */
    ck_assert_int_eq(values_put(store, 5002, 0, 1500, now + 1000), KC_OK);
    ck_assert_uint_eq(tellings, 2);
    ck_assert_uint_eq(told, kc_store_shm_evicted(store));
}
END_TEST

START_TEST(memory_outlives_its_handle)
{
    void *memory = kc_store_shm_memory(store);
    kc_store_t *again;
    kc_store_item_t item;
    values_key_t key = values_key(4);
    const char *keys[] = {key.text};

    ck_assert_int_eq(values_put(store, 4, 0, 1500, START + 10), KC_OK);
    ck_assert_int_eq(kc_store_shm_attach(memory, MIB, clock_now, &now, testlib_pool, &again, &err),
                     KC_OK);
    ck_assert_int_eq(kc_store_get(again, keys, 1, &item, testlib_pool, &err), KC_OK);
    ck_assert(values_is_whole(item.value, 4));
    ck_assert_int_eq(
        kc_store_shm_attach(memory, 2 * MIB, clock_now, &now, testlib_pool, &again, &err),
        KC_REFUSED);
}
END_TEST

START_TEST(refuses_too_little_memory)
{
    kc_store_t *none = NULL;

    ck_assert_int_eq(kc_store_shm_create(MIB - 1, clock_now, &now, testlib_pool, &none, &err),
                     KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
    ck_assert_ptr_null(none);
}
END_TEST

/* Every size gives a layout that stays within the memory: the last page is not touched from
 * outside. */
START_TEST(every_size_has_a_layout)
{
    size_t size;

    for (size = MIB; size < 40 * MIB; size += 777777) {
        unsigned int i;

        ck_assert_int_eq(kc_store_shm_create(size, clock_now, &now, testlib_pool, &store, &err),
                         KC_OK);
        for (i = 0; i < 64; i++) {
            ck_assert_int_eq(values_put(store, i, 0, 200000, START + 10), KC_OK);
            ck_assert(values_is_there(store, i));
            ck_assert_int_eq(values_put(store, i, 0, 100, START + 10), KC_OK);
            ck_assert(values_is_there(store, i));
        }
        apr_pool_clear(testlib_pool);
    }
}
END_TEST

/* ---------------------------------------------------------------- several processes and threads */

/* One operation of those that are told apart by what; version is of a value that is put. */
static kc_rc_t act(unsigned int what, unsigned int number, unsigned int version, apr_pool_t *pool)
{
    values_key_t key = values_key(number);
    const char *keys[] = {key.text};
    kc_store_item_t item;
    kc_rc_t rc;

    if (what < 3)
        return values_put(store, number, version, values_size(version), START + 10);
    if (what == 3)
        return kc_store_drop(store, key.text, NULL);
    if (what == 4) {
        rc = kc_store_touch(store, key.text, START + 20, NULL);
        return rc == KC_MISS ? KC_OK : rc;
    }
    rc = kc_store_get(store, keys, 1, &item, pool, NULL);
    if (rc == KC_OK && item.value.data && !values_is_whole(item.value, number))
        return KC_FAULT;
    return rc;
}

/* NULL: every value seen was whole. A thread that holds the lock may be made to wait by the machine
 * for longer than the others wait for the lock. They are told so, and ask again. */
static void *hammer(void *context)
{
    unsigned int seed = *(unsigned int *)context, tries = 0;
    apr_pool_t *pool;
    unsigned int i;
    int is_good = 1;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return context;
    for (i = 0; is_good && i < ROUNDS; i++) {
        unsigned int number = values_random(&seed) % KEYS;
        unsigned int what = values_random(&seed) % 10, version = values_random(&seed);
        kc_rc_t rc;

        do {
            rc = act(what, number, version, pool);
            apr_pool_clear(pool);
        } while (rc == KC_DOWN && tries++ < TRIES);
        is_good = rc == KC_OK;
    }
    apr_pool_destroy(pool);
    return is_good ? NULL : context;
}

static int hammer_process(unsigned int process)
{
    pthread_t threads[THREADS];
    unsigned int seeds[THREADS];
    int is_good = 1;
    unsigned int i;

    for (i = 0; i < THREADS; i++) {
        seeds[i] = process * 1000 + i;
        if (pthread_create(&threads[i], NULL, hammer, &seeds[i]))
            return 0;
    }
    for (i = 0; i < THREADS; i++) {
        void *result = NULL;

        is_good &= !pthread_join(threads[i], &result) && !result;
    }
    return is_good;
}

START_TEST(threads_see_whole_values)
{
    ck_assert(hammer_process(1));
}
END_TEST

START_TEST(processes_see_whole_values)
{
    pid_t pids[PROCESSES];
    unsigned int i;

    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (!pids[i])
            _exit(hammer_process(i) ? 0 : 1);
    }
    for (i = 0; i < PROCESSES; i++) {
        int status = -1;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
}
END_TEST

/* ---------------------------------------------------------------- suite */

Suite *kc_test_store_shm(void)
{
    Suite *suite = suite_create("store_shm");
    TCase *one = tcase_create("whole processes");

    tcase_add_checked_fixture(one, setup, testlib_teardown);
    tcase_set_timeout(one, 300);
    suite_add_tcase(suite, one);
    tcase_add_test(one, keeps_a_value_until_it_expires);
    tcase_add_test(one, overwrites);
    tcase_add_test(one, adds_once);
    tcase_add_test(one, touches_what_is_there);
    tcase_add_test(one, drops);
    tcase_add_test(one, gets_several);
    tcase_add_test(one, takes_every_size);
    tcase_add_test(one, neighbours_do_not_overlap);
    tcase_add_test(one, leaves_no_copy_in_another_class);
    tcase_add_loop_test(one, any_size_fills_the_memory, 0, 10);
    tcase_add_test(one, the_oldest_make_room_for_a_large_one);
    tcase_add_test(one, expired_values_make_room_first);
    tcase_add_test(one, what_was_touched_is_not_the_oldest);
    tcase_add_test(one, overwriting_pushes_nobody_out);
    tcase_add_test(one, memory_outlives_its_handle);
    tcase_add_loop_test(one, what_strangers_can_have_written_pushes_out_nothing_of_others, 0, 5);
    tcase_add_test(one, nor_when_the_memory_is_full);
    tcase_add_test(one, sessions_push_out_no_marks);
    tcase_add_test(one, marks_have_a_part_of_the_memory_and_no_more);
    tcase_add_test(one, a_value_too_large_for_its_kind);
    tcase_add_test(one, it_is_told_when_the_living_make_room);
    tcase_add_test(one, a_child_that_is_late_tells_nothing_again);
    tcase_add_test(one, refuses_too_little_memory);
    tcase_add_test(one, every_size_has_a_layout);
    tcase_add_test(one, threads_see_whole_values); /* 1 MiB has one lock: all meet there */
    tcase_add_test(one, processes_see_whole_values);
    return suite;
}

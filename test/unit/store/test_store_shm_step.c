/* The store in shared memory when a process is killed after each single write to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "step.h"
#include "store/store.h"
#include "store/store_shm.h"
#include "testlib.h"

Suite *kc_test_store_shm_step(void);

/*
 * A child runs one operation instruction by instruction. Whenever it has changed the shared memory,
 * we take a copy, do to its lock what the kernel does when the owner dies, and look at what such a
 * child would have left. (The other suite kills in earnest, but at points that it cannot choose.)
 */

enum {
    SIZE = 1024 * 1024,
    START = 1000000,
    STEPS_MAX = 500000,
    CROWD = 100, /* values that are looked at again */
    LARGE = 100 * 1024,
    LARGE_COUNT = 8,
    FILL_MAX = 3000
};

typedef enum { PUT, TOUCH, DROP } verb_t;

typedef struct {
    const char *name;
    verb_t verb;
    size_t old_len; /* of the value that is there before; 0: none */
    size_t new_len;
    int is_crowded; /* there is no room but what others have */
    int may_vanish;
} scene_t;

static const scene_t scenes[] = {
    {"a new value", PUT, 0, 100, 0, 1},
    {"overwritten", PUT, 90, 100, 0, 0},
    {"grown into another class", PUT, 100, 300, 0, 0},
    {"shrunk into another class", PUT, 300, 100, 0, 0},
    {"another makes room", PUT, 0, 100, 1, 1},
    {"overwritten in place", PUT, 90, 100, 1, 1},
    {"touched", TOUCH, 100, 0, 0, 0},
    {"dropped", DROP, 100, 0, 0, 1},
    {"of several blocks", PUT, 500, 450, 0, 0},
    {"shrunk in a crowd", PUT, 500, 90, 1, 1},
    {"grown in a crowd", PUT, 90, 500, 1, 1},
    {"touched in a crowd", TOUCH, 100, 0, 1, 0},
};

static const scene_t *scene; /* that is on */
static step_t step;
static int64_t now = START;
static kc_store_t *store;
static kc_store_t *copy;    /* what it would leave */
static unsigned char *left; /* the copy's memory */
static char subject[KC_STORE_KEY_LEN + 1];
static unsigned char subject_data[512];
static kc_bytes_t subject_value = {subject_data, 0};

static int64_t clock_now(void *context)
{
    return *(int64_t *)context;
}

static void key_text(unsigned int number, char key[KC_STORE_KEY_LEN + 1])
{
    (void)snprintf(key, KC_STORE_KEY_LEN + 1, "%064x", number);
}

static unsigned char value_byte(unsigned int number, size_t len)
{
    return (unsigned char)(number * 7 + len);
}

/* A value of number's: every byte follows from the number and the length. */
static kc_rc_t put(kc_store_t *to, unsigned int number, size_t len)
{
    unsigned char data[512];
    kc_bytes_t value = {data, len};
    char key[KC_STORE_KEY_LEN + 1];

    key_text(number, key);
    memset(data, value_byte(number, len), sizeof(data));
    return kc_store_put(to, key, value, START + 100, NULL);
}

static void assert_whole(unsigned int number, const kc_store_item_t *item)
{
    int is_whole = 1;
    size_t i;

    for (i = 0; i < item->value.len; i++)
        is_whole &= item->value.data[i] == value_byte(number, item->value.len);
    ck_assert(is_whole);
}

/* The length of number's value, which is whole; 0: not there. */
static size_t len_of(kc_store_t *from, unsigned int number)
{
    char key[KC_STORE_KEY_LEN + 1];
    const char *keys[] = {key};
    kc_store_item_t item;

    key_text(number, key);
    ck_assert_int_eq(kc_store_get(from, keys, 1, &item, testlib_pool, NULL), KC_OK);
    assert_whole(number, &item);
    return item.value.data ? item.value.len : 0;
}

/* The crowd is the oldest, and small; large values take most of the memory, and others the rest. */
static void crowd_in(void)
{
    static unsigned char data[LARGE];
    const kc_bytes_t value = {data, sizeof(data)};
    char key[KC_STORE_KEY_LEN + 1];
    unsigned int i;

    for (i = 1; i <= CROWD; i++)
        ck_assert_int_eq(put(store, i, 50), KC_OK);
    for (i = 0; i < LARGE_COUNT; i++) {
        key_text(1000 + i, key);
        ck_assert_int_eq(kc_store_put(store, key, value, START + 100, NULL), KC_OK);
    }
    for (i = 0; i < FILL_MAX && !kc_store_shm_evicted(store); i++)
        ck_assert_int_eq(put(store, 2000 + i, 50), KC_OK);
    ck_assert_uint_eq(kc_store_shm_evicted(store),
                      1); /* the last one has taken the first's place */
}

static void scene_set(void)
{
    apr_pool_clear(testlib_pool);
    ck_assert_int_eq(kc_store_shm_create(SIZE, clock_now, &now, testlib_pool, &copy, NULL), KC_OK);
    ck_assert_int_eq(kc_store_shm_create(SIZE, clock_now, &now, testlib_pool, &store, NULL), KC_OK);
    left = kc_store_shm_memory(copy);
    step.memory = kc_store_shm_memory(store);
    if (scene->is_crowded)
        crowd_in();
    if (scene->old_len)
        ck_assert_int_eq(put(store, 0, scene->old_len), KC_OK);
    key_text(0, subject);
    subject_value.len = scene->new_len;
    memset(subject_data, value_byte(0, scene->new_len), sizeof(subject_data));
}

/* As few instructions as can be: all are stepped through, many times. */
static void scene_run(void)
{
    if (scene->verb == PUT)
        (void)kc_store_put(store, subject, subject_value, START + 100, NULL);
    else if (scene->verb == TOUCH)
        (void)kc_store_touch(store, subject, START + 200, NULL);
    else
        (void)kc_store_drop(store, subject, NULL);
}

/* The value is the old one or the new one, no other is torn, and the store works. */
static void scene_check(kc_store_t *from)
{
    size_t len = len_of(from, 0);
    unsigned int i, living = 0;

    ck_assert(len == scene->old_len || len == scene->new_len || (!len && scene->may_vanish));
    for (i = 1; scene->is_crowded && i <= CROWD; i++)
        living += len_of(from, i) == 50;
    ck_assert(!scene->is_crowded || living >= CROWD - 20);
    ck_assert_int_eq(kc_store_drop(from, subject, NULL), KC_OK);
    ck_assert_uint_eq(len_of(from, 0), 0); /* there was no second copy */
    ck_assert_int_eq(put(from, 0, 200), KC_OK);
    ck_assert_uint_eq(len_of(from, 0), 200);
}

START_TEST(killed_after_each_write)
{
    unsigned int points = 0;

    scene = &scenes[_i];
    step = (step_t){.size = SIZE, .head = 1, .run = scene_run};
    scene_set();
    step_learn(&step);
    scene_set();
    step_start(&step);
    while (step_on(&step, STEPS_MAX)) {
        points++;
        (void)step_copy(&step, left);
        scene_check(copy);
    }
    ck_assert_uint_ge(points, 4); /* the lock, the tag or the time, the lock again */
}
END_TEST

Suite *kc_test_store_shm_step(void)
{
    Suite *suite = suite_create("store_shm_step");
    TCase *tcase = tcase_create("killed after each write");

    tcase_add_checked_fixture(tcase, testlib_setup, testlib_teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, killed_after_each_write, 0,
                        (int)(sizeof(scenes) / sizeof(scenes[0])));
    suite_add_tcase(suite, tcase);
    return suite;
}

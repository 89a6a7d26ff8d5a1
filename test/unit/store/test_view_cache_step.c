/* The first tier when a process is killed after each single write to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "step.h"
#include "store/view_cache.h"
#include "testlib.h"

Suite *kc_test_view_cache_step(void);

/*
 * A child changes a view instruction by instruction. Whenever it has changed the shared memory, we
 * take a copy, do to its lock what the kernel does when the owner dies, and look at what such a
 * child would have left: first without the lock, as readers do, and then as the next writer.
 */

enum {
    SIZE = KC_VIEW_CACHE_SIZE_MIN,
    NOW = 1700000000,
    STEPS_MAX = 1000000,
    OTHERS = 30,
    LEN = 300,       /* of the others */
    CROWD_LEN = 900, /* of so many that they fill the memory */
    CROWD = 500,
    LOST_MAX = 8, /* of the others that are in the way of a new one */
    FLOOD = 320,  /* more than there is room for */
    LATER = NOW + 100,
    FLOOD_EACH = 64 /* points */
};

typedef struct {
    const char *name;
    size_t old_len; /* of the view that is there before; 0: none */
    size_t new_len; /* 0: it is dropped */
    int is_crowded;
} scene_t;

static const scene_t scenes[] = {
    {"a new view", 0, 500, 0},       {"replaced", 500, 480, 0}, {"grown", 100, 700, 0},
    {"shrunk", 700, 100, 0},         {"dropped", 500, 0, 0},    {"another makes room", 0, 700, 1},
    {"grown in a crowd", 0, 900, 1},
};

static kc_view_cache_t *cache;
static kc_view_cache_t *copy; /* what it would leave */
static unsigned char *left;   /* the copy's memory */
static const scene_t *scene;  /* that is on */
static step_t step;
static int64_t now = NOW;
static unsigned int views_max;        /* that the memory has room for */
static kc_view_cache_ticket_t ticket; /* of the child's operation */
static kc_view_cache_view_t view;
static unsigned char bytes[1024];
static apr_pool_t *readers; /* what is read goes after each look */

static int find(kc_view_cache_t *in, uint32_t number, kc_view_cache_ticket_t *found_ticket,
                kc_view_cache_view_t *found)
{
    static const unsigned char scope[KC_VIEW_CACHE_SCOPE_SIZE] = "scope";
    unsigned char id[KC_VIEW_CACHE_ID_SIZE] = {0};

    memcpy(id, &number, sizeof(number));
    return kc_view_cache_find(in, scope, id, now, readers, found_ticket, found);
}

/* Every byte follows from the number and the length. */
static void sample(uint32_t number, size_t len, kc_view_cache_view_t *out)
{
    memset(out, 0, sizeof(*out));
    memset(bytes, (int)(number * 7 + len) & 0xff, sizeof(bytes));
    memset(out->key, (int)('a' + (number + len) % 26), sizeof(out->key));
    memset(out->stamp, (int)(number + len) & 0xff, sizeof(out->stamp));
    out->bytes.data = bytes;
    out->bytes.len = len;
    out->checked_ms = NOW + (int64_t)len;
    out->moment = NOW - (int64_t)len;
}

static void put(kc_view_cache_t *to, uint32_t number, size_t len)
{
    kc_view_cache_ticket_t fresh_ticket;
    kc_view_cache_view_t fresh, old;

    sample(number, len, &fresh);
    (void)find(to, number, &fresh_ticket, &old);
    kc_view_cache_put(to, &fresh_ticket, &fresh, now);
}

/* The length of number's view, all of which is of that length; 0: not there. */
static size_t len_of(kc_view_cache_t *in, uint32_t number)
{
    kc_view_cache_view_t found, expected;
    kc_view_cache_ticket_t found_ticket;

    if (!find(in, number, &found_ticket, &found))
        return 0;
    ck_assert_uint_le(found.bytes.len, sizeof(bytes));
    sample(number, found.bytes.len, &expected);
    ck_assert_mem_eq(found.bytes.data, bytes, found.bytes.len);
    ck_assert_mem_eq(found.key, expected.key, sizeof(found.key));
    ck_assert_mem_eq(found.stamp, expected.stamp, sizeof(found.stamp));
    ck_assert_int_eq(found.checked_ms, expected.checked_ms);
    ck_assert_int_eq(found.moment, expected.moment);
    return found.bytes.len;
}

/* Uses all of the memory, and gives the number of views that it has room for. */
static unsigned int flood(kc_view_cache_t *in)
{
    unsigned int kept = 0;
    uint32_t i;

    now = LATER;
    for (i = 0; i < FLOOD; i++) {
        put(in, 5000 + i, CROWD_LEN);
        ck_assert_uint_eq(len_of(in, 5000 + i), CROWD_LEN);
    }
    for (i = 0; i < FLOOD; i++)
        kept += len_of(in, 5000 + i) == CROWD_LEN;
    now = NOW;
    return kept;
}

static kc_view_cache_t *make(void)
{
    static const kc_siphash_key_t key = {{1, 2}};
    kc_view_cache_t *made;

    ck_assert_int_eq(kc_view_cache_create(SIZE, &key, testlib_pool, &made, NULL), KC_OK);
    return made;
}

static void scene_set(void)
{
    uint32_t i;

    apr_pool_clear(testlib_pool);
    ck_assert_int_eq(apr_pool_create(&readers, testlib_pool), APR_SUCCESS);
    copy = make();
    cache = make();
    left = kc_view_cache_memory(copy);
    step.memory = kc_view_cache_memory(cache);
    for (i = 0; scene->is_crowded && i < CROWD; i++)
        put(cache, 1000 + i, CROWD_LEN);
    for (i = 1; i <= OTHERS; i++)
        put(cache, i, LEN);
    if (scene->old_len)
        put(cache, 0, scene->old_len);
    ck_assert_uint_eq(len_of(cache, 0), scene->old_len);
    (void)find(cache, 0, &ticket, &view);
    sample(0, scene->new_len, &view);
}

/* As few instructions as can be: all are stepped through. */
static void scene_run(void)
{
    if (scene->new_len)
        kc_view_cache_put(cache, &ticket, &view, NOW);
    else
        kc_view_cache_drop(cache, &ticket);
}

static void assert_others(void)
{
    uint32_t i, living = 0;

    for (i = 1; i <= OTHERS; i++) {
        size_t len = len_of(copy, i);

        ck_assert(!len || len == LEN);
        living += len == LEN;
    }
    ck_assert_uint_ge(living, scene->is_crowded ? OTHERS - LOST_MAX : OTHERS);
}

/* The view is the old one, the new one or none; no other is torn; and the next writer can write. */
static void scene_check(void)
{
    size_t len = len_of(copy, 0);

    ck_assert(!len || len == scene->old_len || len == scene->new_len);
    assert_others();
    put(copy, 0, 650);
    ck_assert_uint_eq(len_of(copy, 0), 650);
    assert_others();
    put(copy, 0, 64);
    ck_assert_uint_eq(len_of(copy, 0), 64);
}

START_TEST(killed_after_each_write)
{
    unsigned int points = 0, locked = 0;

    scene = &scenes[_i];
    step = (step_t){.size = SIZE, .head = 3, .run = scene_run}; /* the drops and the lock */
    scene_set();
    step_learn(&step);
    views_max = flood(cache);
    scene_set();
    step_start(&step);
    while (step_on(&step, STEPS_MAX)) {
        points++;
        locked += (unsigned int)step_copy(&step, left);
        scene_check();
        if (points % FLOOD_EACH == 0)
            ck_assert_uint_eq(flood(copy), views_max);
        apr_pool_clear(readers);
    }
    ck_assert_uint_ge(locked, 10);
    ck_assert_uint_gt(points, locked); /* the lock was given back */
    ck_assert_uint_eq(len_of(cache, 0), scene->new_len);
}
END_TEST

Suite *kc_test_view_cache_step(void)
{
    Suite *suite = suite_create("view_cache_step");
    TCase *tcase = tcase_create("killed after each write");

    tcase_add_checked_fixture(tcase, testlib_setup, testlib_teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, killed_after_each_write, 0,
                        (int)(sizeof(scenes) / sizeof(scenes[0])));
    suite_add_tcase(suite, tcase);
    return suite;
}

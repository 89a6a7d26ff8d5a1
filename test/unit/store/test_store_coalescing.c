/* Tests of store_coalescing.h: which caller asks, which share, and what each gets.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/store.h"
#include "store/store_coalescing.h"
#include "testlib.h"

Suite *kc_test_store_coalescing(void);

enum {
    CALLERS = 1 + KC_STORE_GET_MAX / 2 +
              4, /* one asks alone, and two keys each are too many for the next question */
    ROUNDS_MAX = 200,
    PATIENT_MS = 30000
};

/* A store that answers a key with the key itself and an edition, and that can be held up: then it
 * has made up its answer, and gives it when it is let go. */
typedef struct {
    kc_store_t store; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int is_held;
    int is_slow;        /* each question takes about two milliseconds */
    const char *dead;   /* a key that is nowhere to be had */
    int inside;         /* questions under way */
    unsigned int begun; /* callers that are about to ask */
    int edition;        /* of all values */
    int questions;      /* so far */
    size_t most;        /* keys of one question */
    int writes;
    kc_rc_t probe; /* what it says then */
    kc_rc_t rc;
} inner_t;

typedef struct {
    pthread_t thread;
    apr_pool_t *pool;
    unsigned int number;
    char keys[2][KC_STORE_KEY_LEN + 1];
    kc_store_item_t items[2];
    kc_rc_t rc;
    kc_err_t err;
    int times; /* to ask */
    int wrong; /* answers that were not to its question */
} caller_t;

static inner_t inner;
static kc_store_t *store;
static caller_t callers[CALLERS];
static kc_err_t err;

static kc_rc_t inner_get(kc_store_t *handle, const char *const *keys, size_t count,
                         kc_store_item_t *items, apr_pool_t *pool, kc_err_t *why)
{
    static const struct timespec span = {0, 2000000};
    kc_rc_t rc;
    size_t i;

    (void)handle;
    (void)pthread_mutex_lock(&inner.lock);
    inner.questions++;
    inner.inside++;
    if (count > inner.most)
        inner.most = count;
    rc = inner.rc;
    for (i = 0; i < count && inner.dead; i++) {
        if (!strcmp(keys[i], inner.dead))
            rc = KC_DOWN;
    }
    for (i = 0; i < count && !rc; i++) {
        items[i].value = kc_buf_text(apr_psprintf(pool, "%s %d", keys[i], inner.edition));
        items[i].expires_at = inner.edition;
    }
    (void)pthread_cond_broadcast(&inner.changed);
    while (inner.is_held)
        (void)pthread_cond_wait(&inner.changed, &inner.lock);
    inner.inside--;
    (void)pthread_mutex_unlock(&inner.lock);
    if (inner.is_slow)
        (void)nanosleep(&span, NULL);
    return rc == KC_OK ? KC_OK : KC_FAIL(why, rc, KC_ERR_STORE_DOWN, "it is down");
}

static kc_rc_t inner_write(kc_store_t *handle, const char *key, kc_bytes_t value,
                           int64_t expires_at, kc_err_t *why)
{
    (void)handle, (void)key, (void)value, (void)expires_at, (void)why;
    inner.writes++;
    return KC_EXISTS;
}

static kc_rc_t inner_write_kind(kc_store_t *handle, const kc_store_write_t *write, kc_err_t *why)
{
    (void)handle, (void)why;
    inner.writes += write->kind == KC_STORE_CRITICAL ? 1000 : 0;
    return KC_DOWN;
}

static kc_rc_t inner_touch(kc_store_t *handle, const char *key, int64_t expires_at, kc_err_t *why)
{
    (void)handle, (void)key, (void)expires_at, (void)why;
    inner.writes += 10;
    return KC_MISS;
}

static kc_rc_t inner_drop(kc_store_t *handle, const char *key, kc_err_t *why)
{
    (void)handle, (void)key, (void)why;
    inner.writes += 100;
    return KC_OK;
}

static void key_make(unsigned int number, char *out)
{
    (void)snprintf(out, KC_STORE_KEY_LEN + 1, "%064x", number);
}

static kc_rc_t inner_probe(kc_store_t *handle, const char *key, apr_pool_t *pool, kc_err_t *why)
{
    (void)handle, (void)key, (void)pool;
    return inner.probe == KC_OK ? KC_OK
                                : KC_FAIL(why, inner.probe, KC_ERR_STORE_DOWN, "nobody is there");
}

static void setup(void)
{
    static const kc_store_vtable_t vtable = {"inner",     inner_get,       inner_write,
                                             inner_write, inner_touch,     inner_drop,
                                             inner_probe, inner_write_kind};
    unsigned int i;

    testlib_setup();
    memset(&inner, 0, sizeof(inner));
    memset(callers, 0, sizeof(callers));
    inner.store.vtable = &vtable;
    (void)pthread_mutex_init(&inner.lock, NULL);
    (void)pthread_cond_init(&inner.changed, NULL);
    ck_assert_int_eq(
        kc_store_coalescing_create(&inner.store, PATIENT_MS, testlib_pool, &store, &err), KC_OK);
    for (i = 0; i < CALLERS; i++) {
        callers[i].number = i;
        key_make(2 * i, callers[i].keys[0]);
        key_make(2 * i + 1, callers[i].keys[1]);
    }
}

static int is_key_in(const kc_store_item_t *item, const char *key)
{
    return item->value.data && item->value.len > KC_STORE_KEY_LEN &&
           memcmp(item->value.data, key, KC_STORE_KEY_LEN) == 0;
}

START_TEST(a_probe_asks_what_is_behind_it)
{
    ck_assert_int_eq(kc_store_probe(store, testlib_pool, &err), KC_OK);
    inner.probe = KC_DOWN;
    ck_assert_int_eq(kc_store_probe(store, testlib_pool, &err), KC_DOWN);
    ck_assert_str_eq(err.detail, "nobody is there");
    ck_assert_int_eq(inner.writes, 0);
}
END_TEST

static void *call(void *data)
{
    caller_t *caller = data;
    const char *keys[2] = {caller->keys[0], caller->keys[1]};
    int i;

    (void)pthread_mutex_lock(&inner.lock);
    inner.begun++;
    (void)pthread_cond_broadcast(&inner.changed);
    (void)pthread_mutex_unlock(&inner.lock);
    for (i = 0; i == 0 || i < caller->times; i++) {
        apr_pool_clear(caller->pool);
        caller->rc = kc_store_get(store, keys, 2, caller->items, caller->pool, &caller->err);
        caller->wrong +=
            !is_key_in(&caller->items[0], keys[0]) || !is_key_in(&caller->items[1], keys[1]);
    }
    return NULL;
}

/* What it was answered goes with it. */
static void forget(caller_t *caller)
{
    if (caller->pool)
        apr_pool_destroy(caller->pool);
    caller->pool = NULL;
}

static void start(caller_t *caller)
{
    forget(caller);
    ck_assert_int_eq(apr_pool_create_unmanaged_ex(&caller->pool, NULL, NULL), APR_SUCCESS);
    ck_assert_int_eq(pthread_create(&caller->thread, NULL, call, caller), 0);
}

static void teardown(void)
{
    unsigned int i;

    for (i = 0; i < CALLERS; i++)
        forget(&callers[i]);
    testlib_teardown();
}

static void hold(void)
{
    (void)pthread_mutex_lock(&inner.lock);
    inner.is_held = 1;
    (void)pthread_mutex_unlock(&inner.lock);
}

static void let_go(void)
{
    (void)pthread_mutex_lock(&inner.lock);
    inner.is_held = 0;
    (void)pthread_cond_broadcast(&inner.changed);
    (void)pthread_mutex_unlock(&inner.lock);
}

static void wait_for_questions(int count)
{
    (void)pthread_mutex_lock(&inner.lock);
    while (inner.inside < count)
        (void)pthread_cond_wait(&inner.changed, &inner.lock);
    (void)pthread_mutex_unlock(&inner.lock);
}

static void wait_for_callers(unsigned int count)
{
    (void)pthread_mutex_lock(&inner.lock);
    while (inner.begun < count)
        (void)pthread_cond_wait(&inner.changed, &inner.lock);
    (void)pthread_mutex_unlock(&inner.lock);
}

static void assert_answered(const caller_t *caller, int edition)
{
    size_t i;

    ck_assert_int_eq(caller->rc, KC_OK);
    for (i = 0; i < 2; i++) {
        char expected[KC_STORE_KEY_LEN + 16];

        (void)snprintf(expected, sizeof(expected), "%s %d", caller->keys[i], edition);
        ck_assert_uint_eq(caller->items[i].value.len, strlen(expected));
        ck_assert_mem_eq(caller->items[i].value.data, expected, strlen(expected));
        ck_assert_int_eq(caller->items[i].expires_at, edition);
    }
}

/* One is held up asking while the others come; a few rounds of it until all others are seen to
 * share questions, for nobody can tell when a thread has begun to wait. */
static void crowd(unsigned int count, size_t keys, int questions)
{
    int round;

    for (round = 0; round < ROUNDS_MAX; round++) {
        unsigned int i;

        inner.questions = 0;
        inner.most = 0;
        inner.begun = 0;
        hold();
        start(&callers[0]);
        wait_for_questions(1);
        for (i = 1; i < count; i++)
            start(&callers[i]);
        wait_for_callers(count);
        for (i = 0; i < count; i++)
            (void)sched_yield();
        let_go();
        for (i = 0; i < count; i++)
            ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
        if (inner.most == keys && inner.questions == questions)
            return;
        for (i = 0; i < count; i++)
            forget(&callers[i]);
    }
    ck_abort_msg("%d rounds, and never %zu keys in %d questions", round, keys, questions);
}

START_TEST(who_is_alone_asks_at_once)
{
    start(&callers[0]);
    ck_assert_int_eq(pthread_join(callers[0].thread, NULL), 0);
    assert_answered(&callers[0], 0);
    ck_assert_int_eq(inner.questions, 1);
    ck_assert_uint_eq(inner.most, 2);
    start(&callers[1]);
    ck_assert_int_eq(pthread_join(callers[1].thread, NULL), 0);
    assert_answered(&callers[1], 0);
    ck_assert_int_eq(inner.questions, 2);
}
END_TEST

START_TEST(who_comes_meanwhile_shares_the_next_question)
{
    unsigned int i, j;

    crowd(6, 10, 2);
    /* each has its answer in its own memory */
    for (i = 0; i < 6; i++) {
        for (j = i; j < 6; j++)
            assert_answered(&callers[j], 0);
        forget(&callers[i]);
    }
}
END_TEST

START_TEST(more_than_one_question_takes_are_asked_in_several)
{
    unsigned int i;

    crowd(CALLERS, KC_STORE_GET_MAX, 3);
    for (i = 0; i < CALLERS; i++)
        assert_answered(&callers[i], 0);
}
END_TEST

START_TEST(the_same_key_is_asked_for_once)
{
    unsigned int i;

    for (i = 1; i < 6; i++)
        memcpy(callers[i].keys, callers[1].keys, sizeof(callers[i].keys));
    memcpy(callers[5].keys[0], callers[0].keys[0], sizeof(callers[5].keys[0]));
    crowd(6, 3, 2);
    for (i = 0; i < 6; i++)
        assert_answered(&callers[i], 0);
}
END_TEST

/* What was asked before somebody came is no answer to that one. */
START_TEST(no_answer_is_older_than_its_question)
{
    hold();
    start(&callers[0]);
    wait_for_questions(1);
    (void)pthread_mutex_lock(&inner.lock);
    inner.edition = 1;
    (void)pthread_mutex_unlock(&inner.lock);
    memcpy(callers[1].keys, callers[0].keys, sizeof(callers[1].keys));
    start(&callers[1]);
    let_go();
    ck_assert_int_eq(pthread_join(callers[0].thread, NULL), 0);
    ck_assert_int_eq(pthread_join(callers[1].thread, NULL), 0);
    assert_answered(&callers[0], 0);
    assert_answered(&callers[1], 1);
}
END_TEST

/* A question that hangs holds up nobody but who has asked it. */
START_TEST(who_has_waited_for_long_asks)
{
    unsigned int i;

    ck_assert_int_eq(kc_store_coalescing_create(&inner.store, 1, testlib_pool, &store, &err),
                     KC_OK);
    hold();
    for (i = 0; i < 4; i++) {
        start(&callers[i]);
        wait_for_questions((int)i + 1);
    }
    let_go();
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
        assert_answered(&callers[i], 0);
    }
    ck_assert_int_eq(inner.questions, 4);
    start(&callers[5]);
    ck_assert_int_eq(pthread_join(callers[5].thread, NULL), 0);
    assert_answered(&callers[5], 0);
}
END_TEST

/* A caller that leads takes others along; their wait limit ends while they wait for that one. */
START_TEST(who_was_taken_along_waits_for_its_answer)
{
    unsigned int i;

    ck_assert_int_eq(kc_store_coalescing_create(&inner.store, 1, testlib_pool, &store, &err),
                     KC_OK);
    inner.is_slow = 1;
    for (i = 0; i < CALLERS; i++)
        callers[i].times = 200;
    for (i = 0; i < CALLERS; i++)
        start(&callers[i]);
    for (i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
        assert_answered(&callers[i], 0);
        ck_assert_int_eq(callers[i].wrong, 0);
    }
    ck_assert_int_lt(inner.questions, CALLERS * 200 / 2); /* and they did share */
}
END_TEST

/* What one asks for must not become an outage to those who share the question. */
START_TEST(a_key_that_cannot_be_had_is_nobody_elses_outage)
{
    unsigned int i;

    inner.dead = callers[3].keys[1];
    crowd(6, 10, 2 + 5);
    for (i = 0; i < 6; i++) {
        if (i == 3)
            ck_assert_int_eq(callers[i].rc, KC_DOWN);
        else
            assert_answered(&callers[i], 0);
    }
}
END_TEST

START_TEST(an_outage_is_everybodys)
{
    unsigned int i;
    size_t j;

    inner.rc = KC_DOWN;
    crowd(6, 10, 2 + 5);
    for (i = 0; i < 6; i++) {
        ck_assert_int_eq(callers[i].rc, KC_DOWN);
        ck_assert_int_eq(callers[i].err.reason, KC_ERR_STORE_DOWN);
        ck_assert_str_eq(callers[i].err.detail, "it is down");
        for (j = 0; j < 2; j++)
            ck_assert_ptr_null(callers[i].items[j].value.data);
    }
    inner.rc = KC_OK;
    start(&callers[0]);
    ck_assert_int_eq(pthread_join(callers[0].thread, NULL), 0);
    assert_answered(&callers[0], 0);
}
END_TEST

START_TEST(writes_go_straight_on)
{
    const char *key = callers[0].keys[0];
    const kc_store_write_t mark = {key, kc_buf_text("x"), 1, KC_STORE_CRITICAL, 0};

    ck_assert_int_eq(kc_store_put(store, key, kc_buf_text("x"), 1, &err), KC_EXISTS);
    ck_assert_int_eq(kc_store_add(store, key, kc_buf_text("x"), 1, &err), KC_EXISTS);
    ck_assert_int_eq(kc_store_touch(store, key, 1, &err), KC_MISS);
    ck_assert_int_eq(kc_store_drop(store, key, &err), KC_OK);
    ck_assert_int_eq(kc_store_write(store, &mark, &err), KC_DOWN);
    ck_assert_int_eq(inner.writes, 1112);
    ck_assert_int_eq(inner.questions, 0);
}
END_TEST

Suite *kc_test_store_coalescing(void)
{
    Suite *suite = suite_create("store_coalescing");
    TCase *tests = tcase_create("combined");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, who_is_alone_asks_at_once);
    tcase_add_test(tests, a_probe_asks_what_is_behind_it);
    tcase_add_test(tests, who_comes_meanwhile_shares_the_next_question);
    tcase_add_test(tests, more_than_one_question_takes_are_asked_in_several);
    tcase_add_test(tests, the_same_key_is_asked_for_once);
    tcase_add_test(tests, no_answer_is_older_than_its_question);
    tcase_add_test(tests, who_has_waited_for_long_asks);
    tcase_add_test(tests, who_was_taken_along_waits_for_its_answer);
    tcase_add_test(tests, a_key_that_cannot_be_had_is_nobody_elses_outage);
    tcase_add_test(tests, an_outage_is_everybodys);
    tcase_add_test(tests, writes_go_straight_on);
    suite_add_tcase(suite, tests);
    return suite;
}

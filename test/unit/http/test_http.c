/* Tests of the gate in http.h: which threads get a slot, in which order, and which do not wait.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <sched.h>
#include <string.h>

#include "http/http.h"
#include "net/wait_limit.h"

Suite *kc_test_http(void);

enum {
    LIMIT = 2,
    QUEUE = 5,
    LONG = 600000 /* milliseconds: for ever, where a test is concerned */
};

static kc_http_gate_t gate;
static uint32_t stop;
static int order[QUEUE], arrived; /* guarded by the gate itself: one is in at a time */

typedef struct {
    pthread_t thread;
    int number;
    int is_urgent;
    int64_t time;
    int is_in;
} comer_t;

static void setup(void)
{
    memset(&gate, 0xff, sizeof(gate)); /* memory that was somebody's */
    kc_http_gate_init(&gate, LIMIT, QUEUE);
    stop = 0;
    arrived = 0;
}

static uint32_t waiting(void)
{
    uint32_t count;

    (void)pthread_mutex_lock(&gate.lock);
    count = gate.waiting.count;
    (void)pthread_mutex_unlock(&gate.lock);
    return count;
}

static void *come(void *context)
{
    comer_t *comer = context;

    comer->is_in = kc_http_gate_wait(&gate, comer->time, comer->is_urgent, &stop);
    if (comer->is_in) {
        order[arrived++] = comer->number;
        kc_http_gate_tell(&gate, 1);
        kc_http_gate_leave(&gate);
    }
    return NULL;
}

/* Each is in the queue before the next one comes. */
static void start(comer_t *comer, int number, int64_t time)
{
    uint32_t before = waiting();

    memset(comer, 0, sizeof(*comer));
    comer->number = number;
    comer->time = time;
    ck_assert_int_eq(pthread_create(&comer->thread, NULL, come, comer), 0);
    while (waiting() == before)
        (void)sched_yield();
}

static int end(comer_t *comer)
{
    ck_assert_int_eq(pthread_join(comer->thread, NULL), 0);
    return comer->is_in;
}

static void fill(void)
{
    int i;

    for (i = 0; i < LIMIT; i++)
        ck_assert(kc_http_gate_wait(&gate, LONG, 0, NULL));
    ck_assert_uint_eq(gate.taken, LIMIT);
}

START_TEST(they_get_in_in_the_order_in_which_they_came)
{
    comer_t comers[QUEUE];
    int i;

    kc_http_gate_init(&gate, 1, QUEUE);
    ck_assert(kc_http_gate_wait(&gate, LONG, 0, NULL));
    for (i = 0; i < QUEUE; i++)
        start(&comers[i], i, LONG);
    kc_http_gate_leave(&gate);
    for (i = 0; i < QUEUE; i++)
        ck_assert(end(&comers[i]));
    for (i = 0; i < QUEUE; i++)
        ck_assert_int_eq(order[i], i);
    ck_assert_uint_eq(gate.taken, 0);
    ck_assert_uint_eq(gate.waiting.count, 0);
}
END_TEST

START_TEST(it_shows_how_many_are_there)
{
    uint64_t taken = 7, queued = 7;
    comer_t comer;

    kc_http_gate_init(&gate, 1, QUEUE);
    kc_http_gate_show(&gate, &taken, &queued);
    ck_assert(kc_http_gate_enter(&gate));
    ck_assert_uint_eq(taken, 1);
    start(&comer, 0, LONG);
    (void)pthread_mutex_lock(&gate.lock);
    ck_assert_uint_eq(queued, 1);
    (void)pthread_mutex_unlock(&gate.lock);
    kc_http_gate_leave(&gate);
    ck_assert(end(&comer));
    ck_assert_uint_eq(taken, 0);
    ck_assert_uint_eq(queued, 0);
}
END_TEST

START_TEST(so_many_wait_and_no_more)
{
    comer_t comers[QUEUE];
    int i;

    kc_http_gate_init(&gate, 1, QUEUE);
    ck_assert(kc_http_gate_wait(&gate, LONG, 0, NULL));
    for (i = 0; i < QUEUE; i++)
        start(&comers[i], i, LONG);
    ck_assert(!kc_http_gate_wait(&gate, LONG, 0, NULL));
    ck_assert(!kc_http_gate_enter(&gate));
    kc_http_gate_leave(&gate);
    for (i = 0; i < QUEUE; i++)
        ck_assert(end(&comers[i]));
}
END_TEST

START_TEST(without_a_queue_nobody_waits)
{
    kc_http_gate_init(&gate, LIMIT, 0);
    fill();
    ck_assert(!kc_http_gate_wait(&gate, LONG, 0, NULL));
    kc_http_gate_leave(&gate);
    ck_assert(kc_http_gate_enter(&gate));
    ck_assert(!kc_http_gate_enter(&gate));
}
END_TEST

START_TEST(nobody_waits_longer_than_may_be)
{
    comer_t comer;

    fill();
    start(&comer, 0, 50);
    ck_assert(!end(&comer));
    ck_assert_uint_eq(gate.waiting.count, 0);
    kc_http_gate_leave(&gate);
    ck_assert_uint_eq(gate.taken, LIMIT - 1); /* the place is nobody's */
}
END_TEST

/* Else a provider that hangs would take all threads that may wait. */
START_TEST(nobody_waits_for_a_provider_that_does_not_answer)
{
    comer_t comer;

    fill();
    start(&comer, 0, LONG);
    ck_assert(!end(&comer)); /* after KC_HTTP_GATE_STALL_MS */
    kc_http_gate_tell(&gate, 0);
    kc_http_gate_leave(&gate);
    ck_assert(kc_http_gate_wait(&gate, LONG, 0, NULL));
    ck_assert(!kc_http_gate_wait(&gate, LONG, 0, NULL)); /* now at once */
    ck_assert_uint_eq(gate.waiting.count, 0);
    kc_http_gate_tell(&gate, 1);
    start(&comer, 0, LONG);
    kc_http_gate_leave(&gate);
    ck_assert(end(&comer));
}
END_TEST

START_TEST(what_was_begun_is_not_turned_away)
{
    comer_t comers[QUEUE + 1];
    int i;

    fill();
    for (i = 0; i < QUEUE; i++)
        start(&comers[i], i, LONG);
    memset(&comers[QUEUE], 0, sizeof(comers[QUEUE]));
    comers[QUEUE].is_urgent = 1;
    comers[QUEUE].time = LONG;
    ck_assert_int_eq(pthread_create(&comers[QUEUE].thread, NULL, come, &comers[QUEUE]), 0);
    while (waiting() <= QUEUE)
        (void)sched_yield();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED); /* and a child that ends lets nobody wait */
    for (i = 0; i <= QUEUE; i++)
        ck_assert(!end(&comers[i]));
}
END_TEST

/* Who lingers takes no turn, and holds up nobody who does. */
START_TEST(who_lingers_is_one_of_those_who_wait)
{
    comer_t comers[QUEUE];
    int64_t began = kc_wait_limit_now();
    int i;

    ck_assert(kc_http_gate_linger(&gate, 20));
    ck_assert_int_ge(kc_wait_limit_now() - began, 20);
    ck_assert_uint_eq(gate.lingering.count, 0);
    gate.lingering.count = QUEUE - 1;
    ck_assert(kc_http_gate_linger(&gate, 1));
    fill();
    start(&comers[0], 0, LONG);
    ck_assert(!kc_http_gate_linger(&gate, LONG)); /* at once */
    ck_assert(!kc_http_gate_wait(&gate, LONG, 0, NULL));
    kc_http_gate_leave(&gate);
    ck_assert(end(&comers[0]));
    arrived = 0;
    gate.lingering.count = QUEUE;
    ck_assert(kc_http_gate_wait(&gate, LONG, 0, NULL)); /* the free place */
    ck_assert_uint_eq(gate.taken, LIMIT);
    gate.lingering.count = 0;
    for (i = 0; i < QUEUE; i++)
        start(&comers[i], i, LONG);
    ck_assert(!kc_http_gate_linger(&gate, LONG));
    kc_http_gate_leave(&gate);
    for (i = 0; i < QUEUE; i++)
        ck_assert(end(&comers[i]));
}
END_TEST

static void *linger(void *context)
{
    comer_t *comer = context;

    comer->is_in = kc_http_gate_linger(&gate, comer->time);
    return NULL;
}

static uint32_t lingering(void)
{
    uint32_t count;

    (void)pthread_mutex_lock(&gate.lock);
    count = gate.lingering.count;
    (void)pthread_mutex_unlock(&gate.lock);
    return count;
}

/* Whoever says of themselves that other tabs are signing in may linger: that must not keep the
 * places of those who have a code to hand in. */
START_TEST(who_lingers_gives_way_to_who_waits_for_a_place)
{
    comer_t lingerers[QUEUE], comers[QUEUE];
    int i;

    fill();
    for (i = 0; i < QUEUE; i++) {
        memset(&lingerers[i], 0, sizeof(lingerers[i]));
        lingerers[i].time = LONG;
        ck_assert_int_eq(pthread_create(&lingerers[i].thread, NULL, linger, &lingerers[i]), 0);
        while (lingering() != (uint32_t)i + 1)
            (void)sched_yield();
    }
    ck_assert(!kc_http_gate_linger(&gate, LONG)); /* at once */
    for (i = 0; i < QUEUE; i++) {
        start(&comers[i], i, LONG);
        ck_assert_uint_eq(lingering(), (uint32_t)(QUEUE - 1 - i));
        ck_assert(!end(&lingerers[i])); /* the one that has been there longest */
    }
    ck_assert(!kc_http_gate_wait(&gate, LONG, 0, NULL));
    kc_http_gate_leave(&gate);
    for (i = 0; i < QUEUE; i++)
        ck_assert(end(&comers[i]));
    ck_assert_uint_eq(waiting(), 0);
}
END_TEST

Suite *kc_test_http(void)
{
    Suite *suite = suite_create("http");
    TCase *tcase = tcase_create("gate");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, they_get_in_in_the_order_in_which_they_came);
    tcase_add_test(tcase, it_shows_how_many_are_there);
    tcase_add_test(tcase, so_many_wait_and_no_more);
    tcase_add_test(tcase, without_a_queue_nobody_waits);
    tcase_add_test(tcase, nobody_waits_longer_than_may_be);
    tcase_add_test(tcase, nobody_waits_for_a_provider_that_does_not_answer);
    tcase_add_test(tcase, what_was_begun_is_not_turned_away);
    tcase_add_test(tcase, who_lingers_is_one_of_those_who_wait);
    tcase_add_test(tcase, who_lingers_gives_way_to_who_waits_for_a_place);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* The gate before the provider: how many threads talk to it, and who is next.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <string.h>
#include <time.h>

enum { SLICE_MS = 250 /* between two looks whether waiting still makes sense */ };

/* Who waits, on its own stack. */
typedef struct kc_turn_t {
    struct kc_turn_t *next;
    pthread_cond_t called;
    int is_in;
} turn_t;

static int64_t now_ms(void)
{
    struct timespec time = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void kc_http_gate_init(kc_http_gate_t *gate, uint32_t limit, uint32_t queue)
{
    memset(gate, 0, sizeof(*gate));
    (void)pthread_mutex_init(&gate->lock, NULL);
    gate->limit = limit;
    gate->queue = queue;
    gate->end = &gate->next;
}

static int take(kc_http_gate_t *gate)
{
    if (gate->taken >= gate->limit)
        return 0;
    gate->taken++;
    gate->moved_ms = now_ms();
    return 1;
}

int kc_http_gate_enter(kc_http_gate_t *gate)
{
    int is_in;

    (void)pthread_mutex_lock(&gate->lock);
    is_in = take(gate);
    (void)pthread_mutex_unlock(&gate->lock);
    return is_in;
}

static void take_out(kc_http_gate_t *gate, turn_t *turn)
{
    turn_t **link = &gate->next;

    while (*link && *link != turn)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = turn->next;
    if (!turn->next)
        gate->end = link;
    gate->waiting--;
}

/* A little longer at most; a broken clock is as good as none. */
static void sleep_until(kc_http_gate_t *gate, turn_t *turn, int64_t end)
{
    int64_t slice = now_ms() + SLICE_MS;
    struct timespec time;

    if (end < slice)
        slice = end;
    time.tv_sec = (time_t)(slice / 1000);
    time.tv_nsec = (long)(slice % 1000) * 1000000;
    (void)pthread_cond_timedwait(&turn->called, &gate->lock, &time);
}

static int is_moving(const kc_http_gate_t *gate)
{
    return !gate->is_suspect && now_ms() - gate->moved_ms < KC_HTTP_GATE_STALL_MS;
}

/* With the lock held. */
static int wait_for_turn(kc_http_gate_t *gate, int64_t time, const uint32_t *stop)
{
    int64_t end = now_ms() + time;
    turn_t turn = {.next = NULL};
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&turn.called, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    *gate->end = &turn;
    gate->end = &turn.next;
    gate->waiting++;
    while (!turn.is_in && is_moving(gate) && now_ms() < end &&
           !(stop && __atomic_load_n(stop, __ATOMIC_RELAXED)))
        sleep_until(gate, &turn, end);
    if (!turn.is_in)
        take_out(gate, &turn);
    (void)pthread_cond_destroy(&turn.called);
    return turn.is_in;
}

/* With the lock held. */
static int has_room(const kc_http_gate_t *gate)
{
    return gate->waiting + gate->lingering < gate->queue;
}

int kc_http_gate_wait(kc_http_gate_t *gate, int64_t time, int is_urgent, const uint32_t *stop)
{
    int is_in;

    (void)pthread_mutex_lock(&gate->lock);
    is_in = !gate->waiting && take(gate);
    if (!is_in && (is_urgent || has_room(gate)))
        is_in = wait_for_turn(gate, time, stop);
    (void)pthread_mutex_unlock(&gate->lock);
    return is_in;
}

int kc_http_gate_linger(kc_http_gate_t *gate, int64_t time)
{
    const struct timespec pause = {(time_t)(time / 1000), (long)(time % 1000) * 1000000};
    int may;

    (void)pthread_mutex_lock(&gate->lock);
    may = has_room(gate);
    gate->lingering += may ? 1U : 0U;
    (void)pthread_mutex_unlock(&gate->lock);
    if (!may)
        return 0;
    (void)nanosleep(&pause, NULL);
    (void)pthread_mutex_lock(&gate->lock);
    gate->lingering--;
    (void)pthread_mutex_unlock(&gate->lock);
    return 1;
}

void kc_http_gate_leave(kc_http_gate_t *gate)
{
    turn_t *turn;

    (void)pthread_mutex_lock(&gate->lock);
    turn = gate->next;
    if (turn) {
        take_out(gate, turn);
        turn->is_in = 1;
        (void)pthread_cond_signal(&turn->called);
    } else {
        gate->taken--;
    }
    (void)pthread_mutex_unlock(&gate->lock);
}

void kc_http_gate_tell(kc_http_gate_t *gate, int is_answered)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->is_suspect = !is_answered;
    if (is_answered)
        gate->moved_ms = now_ms();
    (void)pthread_mutex_unlock(&gate->lock);
}

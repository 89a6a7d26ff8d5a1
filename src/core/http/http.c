/* The gate in front of the provider: how many threads talk to it, and which is next.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/http.h"

#include <string.h>
#include <time.h>

#include "net/wait_limit.h"

enum { SLICE_MS = 250 /* between two checks whether waiting still makes sense */ };

/* A waiting thread, on its own stack. */
typedef struct kc_turn_t {
    struct kc_turn_t *next;
    pthread_cond_t called;
    int is_called; /* admitted, or sent away */
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
    gate->waiting.end = &gate->waiting.first;
    gate->lingering.end = &gate->lingering.first;
}

void kc_http_gate_show(kc_http_gate_t *gate, uint64_t *taken, uint64_t *queued)
{
    gate->taken_shown = taken;
    gate->queued_shown = queued;
}

/* With the lock held, as all functions below. */
static void show(const kc_http_gate_t *gate)
{
    if (gate->taken_shown)
        kc_metrics_set(gate->taken_shown, gate->taken);
    if (gate->queued_shown)
        kc_metrics_set(gate->queued_shown, gate->waiting.count + gate->lingering.count);
}

static int take(kc_http_gate_t *gate)
{
    if (gate->taken >= gate->limit)
        return 0;
    gate->taken++;
    gate->moved_ms = now_ms();
    show(gate);
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

static void begin(kc_turns_t *turns, turn_t *turn)
{
    pthread_condattr_t monotonic;

    memset(turn, 0, sizeof(*turn));
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&turn->called, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    *turns->end = turn;
    turns->end = &turn->next;
    turns->count++;
}

static void take_out(kc_turns_t *turns, turn_t *turn)
{
    turn_t **link = &turns->first;

    while (*link && *link != turn)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = turn->next;
    if (!turn->next)
        turns->end = link;
    turns->count--;
}

static void call(kc_turns_t *turns, turn_t *turn)
{
    take_out(turns, turn);
    turn->is_called = 1;
    (void)pthread_cond_signal(&turn->called);
}

/* 1 when it was called. */
static int end(kc_turns_t *turns, turn_t *turn)
{
    if (!turn->is_called)
        take_out(turns, turn);
    (void)pthread_cond_destroy(&turn->called);
    return turn->is_called;
}

/* Sleeps a little longer at most. With a broken clock it does not sleep. */
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

static int wait_for_turn(kc_http_gate_t *gate, int64_t time, const uint32_t *stop)
{
    int64_t until = now_ms() + time;
    int is_called;
    turn_t turn;

    begin(&gate->waiting, &turn);
    show(gate);
    while (!turn.is_called && is_moving(gate) && now_ms() < until &&
           !(stop && __atomic_load_n(stop, __ATOMIC_RELAXED)))
        sleep_until(gate, &turn, until);
    is_called = end(&gate->waiting, &turn);
    show(gate);
    return is_called;
}

/* With the lock held. */
static int has_room(const kc_http_gate_t *gate)
{
    return gate->waiting.count + gate->lingering.count < gate->queue;
}

/* The same for a thread that waits for a slot: the longest lingering thread gives way. */
static int has_room_for_slot(kc_http_gate_t *gate)
{
    if (!has_room(gate) && gate->lingering.first)
        call(&gate->lingering, gate->lingering.first);
    return has_room(gate);
}

int kc_http_gate_wait(kc_http_gate_t *gate, int64_t time, int is_urgent, const uint32_t *stop)
{
    int is_in;

    (void)pthread_mutex_lock(&gate->lock);
    is_in = !gate->waiting.count && take(gate);
    if (!is_in && (is_urgent || has_room_for_slot(gate)))
        is_in = wait_for_turn(gate, time, stop);
    (void)pthread_mutex_unlock(&gate->lock);
    return is_in;
}

int kc_http_gate_linger(kc_http_gate_t *gate, int64_t time)
{
    int64_t until = now_ms() + time;
    int may = 0;
    turn_t turn;

    (void)pthread_mutex_lock(&gate->lock);
    if (has_room(gate)) {
        begin(&gate->lingering, &turn);
        show(gate);
        while (!turn.is_called && now_ms() < until)
            sleep_until(gate, &turn, until);
        may = !end(&gate->lingering, &turn);
        show(gate);
    }
    (void)pthread_mutex_unlock(&gate->lock);
    return may;
}

void kc_http_gate_leave(kc_http_gate_t *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    if (gate->waiting.first)
        call(&gate->waiting, gate->waiting.first);
    else
        gate->taken--;
    show(gate);
    (void)pthread_mutex_unlock(&gate->lock);
}

kc_rc_t kc_http_gate_admit(kc_http_gate_t *gate, const kc_http_request_t *request, int64_t limit_ms,
                           const uint32_t *stop, kc_http_request_t *timed, kc_err_t *err)
{
    const int64_t begun = kc_wait_limit_now();

    *timed = *request;
    if (timed->timeout_ms <= 0 || timed->timeout_ms > limit_ms)
        timed->timeout_ms = limit_ms;
    if (!kc_http_gate_wait(gate, timed->timeout_ms, request->is_urgent, stop))
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY,
                       "%u threads talk to the provider already", (unsigned int)gate->limit);
    timed->timeout_ms -= kc_wait_limit_now() - begun;
    if (timed->timeout_ms > 0)
        return KC_OK;
    kc_http_gate_leave(gate);
    return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY, "no time is left for the provider");
}

void kc_http_gate_tell(kc_http_gate_t *gate, int is_answered)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->is_suspect = !is_answered;
    if (is_answered)
        gate->moved_ms = now_ms();
    (void)pthread_mutex_unlock(&gate->lock);
}

/* Patience with an answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "patience.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <time.h>

int64_t kc_patience_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t real_now(void *context)
{
    (void)context;
    return kc_patience_now();
}

static int real_poll(void *context, int fd, short events, int64_t milliseconds)
{
    struct pollfd one = {.fd = fd, .events = events};

    int found;

    (void)context;
    found = poll(&one, 1, milliseconds < INT_MAX ? (int)milliseconds : INT_MAX);
    return found < 0 && errno != EINTR ? 1 : found; /* reading will tell */
}

static const kc_patience_world_t real_world = {real_now, real_poll, NULL};

static int64_t now_of(const kc_patience_t *patience)
{
    return patience->world->now(patience->world->context);
}

static int look(const kc_patience_t *patience, int fd, short events, int64_t milliseconds)
{
    return patience->world->poll(patience->world->context, fd, events, milliseconds) > 0;
}

void kc_patience_start(kc_patience_t *patience, int64_t slice_ms, const kc_patience_world_t *world)
{
    patience->world = world ? world : &real_world;
    patience->slice_ms = slice_ms;
    patience->began = now_of(patience);
    patience->ends_at = patience->began + slice_ms;
    patience->slices = KC_PATIENCE_SLICES;
    patience->stops = KC_PATIENCE_STOPS;
    patience->looks = KC_PATIENCE_LOOKS;
    patience->pieces = KC_PATIENCE_PIECES;
}

/* Up to the end of the slice; *late: so many milliseconds ago. */
static int wait_here(kc_patience_t *patience, int fd, short events, int64_t *late)
{
    int64_t now = now_of(patience);

    while (now < patience->ends_at) {
        if (look(patience, fd, events, patience->ends_at - now))
            return 1;
        now = now_of(patience);
    }
    *late = now - patience->ends_at;
    return patience->looks > 0 && patience->looks-- && look(patience, fd, events, 0);
}

/* 1 when there is another slice. Time that passed without us is not the other side's. */
static int go_on(kc_patience_t *patience, int64_t late)
{
    if (late >= KC_PATIENCE_STOPPED_MS && patience->stops > 0)
        patience->stops--;
    else if (patience->slices > 0)
        patience->slices--;
    if (!patience->slices)
        return 0;
    patience->ends_at = now_of(patience) + patience->slice_ms;
    return 1;
}

void kc_patience_end(kc_patience_t *patience)
{
    patience->slices = patience->stops = 0;
    patience->ends_at = now_of(patience);
}

int kc_patience_count(kc_patience_t *patience)
{
    return patience->pieces-- > 0;
}

int kc_patience_wait_slice(kc_patience_t *patience, int fd, short events)
{
    int64_t late;

    if (wait_here(patience, fd, events, &late))
        return 1;
    (void)go_on(patience, late);
    return 0;
}

int kc_patience_wait(kc_patience_t *patience, int fd, short events, const kc_breaker_t *breaker)
{
    int64_t late;

    while (!wait_here(patience, fd, events, &late)) {
        if (!go_on(patience, late))
            return 0;
        if (breaker && !kc_breaker_is_closed(breaker))
            return 0;
    }
    return 1;
}

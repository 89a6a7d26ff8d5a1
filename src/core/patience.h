/* Patience: how long an answer is waited for, where a busy machine is not taken for an outage.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PATIENCE_H
#define KC_PATIENCE_H

#include <stdint.h>

#include "breaker.h"

enum {
    KC_PATIENCE_SLICES = 3,      /* as many times the configured time, before it counts */
    KC_PATIENCE_STOPS = 4,       /* slices that are given back, because we had been stopped */
    KC_PATIENCE_STOPPED_MS = 20, /* who looks at the clock so much too late had been stopped */
    KC_PATIENCE_LOOKS = 64,      /* after the end of a slice, by which something was there */
    KC_PATIENCE_PIECES = 4096    /* in which all answers of an operation may come */
};

/* The clock and the waiting; unit tests have others. */
typedef struct kc_patience_world_t {
    int64_t (*now)(void *context); /* milliseconds of a monotonic clock */
    /* poll(2) of one descriptor: above 0: ready, or an error that reading will tell; 0: not in so
     * many milliseconds; below 0: a signal came in between. */
    int (*poll)(void *context, int fd, short events, int64_t milliseconds);
    void *context;
} kc_patience_world_t;

/* The time of one operation, whatever it is made of: connecting, sending, receiving. For one
 * thread. */
typedef struct kc_patience_t {
    const kc_patience_world_t *world;
    int64_t slice_ms;
    int64_t began;   /* the operation */
    int64_t ends_at; /* this slice */
    int slices;      /* left, this one included */
    int stops;       /* left */
    int looks;       /* left */
    int pieces;      /* left */
} kc_patience_t;

/* The monotonic clock in milliseconds. */
int64_t kc_patience_now(void);

/* Begins now. slice_ms: the configured time. world: NULL: the real one; it is kept. */
void kc_patience_start(kc_patience_t *patience, int64_t slice_ms, const kc_patience_world_t *world);

/* Waits until the descriptor is ready for the events of poll(2), or has failed, which reading or
 * writing will tell: 1. 0: the time is over. The time is three slices; one that this process spent
 * being stopped (frozen, or without a processor) is given back, four times at most; and it ends
 * with this slice once somebody has found that the other side is down (breaker is open; NULL:
 * nobody is asked). Before it gives up it has looked after the end whether the answer is there;
 * what comes in drops has an end all the same. */
int kc_patience_wait(kc_patience_t *patience, int fd, short events, const kc_breaker_t *breaker);
/* Ends it: only what is there already is taken. */
void kc_patience_end(kc_patience_t *patience);
/* One more piece has come: 0 when there were too many. */
int kc_patience_count(kc_patience_t *patience);
/* The same up to the end of this slice, where there is something else to try. */
int kc_patience_wait_slice(kc_patience_t *patience, int fd, short events);

#endif

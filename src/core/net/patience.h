/* Patience: how long an answer is waited for, where a busy machine is not taken for an outage.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PATIENCE_H
#define KC_PATIENCE_H

#include <stdint.h>

#include "net/breaker.h"

enum {
    KC_PATIENCE_SLICES = 3,     /* as many times the configured time, before it counts */
    KC_PATIENCE_STOPS = 4,      /* waits that are forgiven, because we had been stopped */
    KC_PATIENCE_STOPPED_MS = 20 /* who looks at the clock so much too late had been stopped */
};

/* The clock, in milliseconds; unit tests have another. */
typedef struct kc_patience_world_t {
    int64_t (*now)(void *context); /* a monotonic one */
    void *context;
} kc_patience_world_t;

/* The time of one operation, whatever it is made of: connecting, sending, receiving. For one
 * thread. */
typedef struct kc_patience_t {
    const kc_patience_world_t *world;
    int64_t slice_ms;
    int64_t began; /* the operation */
    int64_t ends_at;
    int stops; /* left */
} kc_patience_t;

/* Whose time it is. breaker: the other side's, by which others tell that it is down; NULL: nobody
 * is asked. */
typedef struct kc_patience_time_t {
    kc_patience_t *patience;
    const kc_breaker_t *breaker;
} kc_patience_time_t;

/* The monotonic clock in milliseconds. */
int64_t kc_patience_now(void);
/* The same by the clock of the operation's world. */
int64_t kc_patience_clock(const kc_patience_t *patience);

/* Begins now. slice_ms: the configured time. world: NULL: the real one; it is kept. */
void kc_patience_start(kc_patience_t *patience, int64_t slice_ms, const kc_patience_world_t *world);
/* Milliseconds that are left of three slices; 0: none. Of the last two nothing is left once
 * somebody has found that the other side is down. */
int64_t kc_patience_left(const kc_patience_time_t *time);
/* A wait that began at `since`, by the operation's clock, and was to last wait_ms has ended without
 * an answer; 0: there was nothing to wait for. 1 when it took
 * much longer: this process had been stopped (frozen, or without a processor), perhaps the other
 * side too, and there are three slices again, four times at most. 0: the other side is late. */
int kc_patience_excuse(kc_patience_t *patience, int64_t since, int64_t wait_ms);
/* 1 when a wait of it has been excused. Not after kc_patience_end. */
int kc_patience_was_stopped(const kc_patience_t *patience);
/* Ends it: only what is there already is taken. */
void kc_patience_end(kc_patience_t *patience);

#endif

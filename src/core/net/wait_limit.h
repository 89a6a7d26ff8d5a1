/* Wait limits: how long to wait for an answer, without taking a busy machine for an outage.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PATIENCE_H
#define KC_PATIENCE_H

#include <stdint.h>

#include "net/breaker.h"

enum {
    KC_PATIENCE_SLICES = 3,     /* the limit is this many times the configured time */
    KC_PATIENCE_STOPS = 4,      /* waits that do not count, because this process had been stopped */
    KC_PATIENCE_STOPPED_MS = 20 /* a thread that wakes up this much too late had been stopped */
};

/* The clock, in milliseconds; unit tests have another. */
typedef struct kc_patience_world_t {
    int64_t (*now)(void *context); /* a monotonic one */
    void *context;
} kc_patience_world_t;

/* The time of one operation with all its parts: connecting, sending, receiving. For one thread. */
typedef struct kc_patience_t {
    const kc_patience_world_t *world;
    int64_t slice_ms;
    int64_t began; /* the operation */
    int64_t ends_at;
    int stops; /* left */
} kc_patience_t;

/* The time limit of an operation. breaker: that of the server, by which other requests report that
 * it is down; NULL: none. */
typedef struct kc_patience_time_t {
    kc_patience_t *patience;
    const kc_breaker_t *breaker;
} kc_patience_time_t;

/* The monotonic clock in milliseconds. */
int64_t kc_patience_now(void);
/* The same by the clock of the operation's world. */
int64_t kc_patience_clock(const kc_patience_t *patience);

/* Begins now. slice_ms: the configured time. world: kept; NULL: the real one. */
void kc_patience_start(kc_patience_t *patience, int64_t slice_ms, const kc_patience_world_t *world);
/* Milliseconds left of three slices; 0: none. Nothing is left of the last two once another request
 * has found the server down. */
int64_t kc_patience_left(const kc_patience_time_t *time);
/* A wait that began at `since`, by the operation's clock, and was to last wait_ms (0: there was
 * nothing to wait for), has ended without an answer. 1 when it took much longer: this process had
 * been stopped (frozen, or without a processor), and perhaps the server too. Then there are three
 * slices again, at most four times. 0: the server is late. */
int kc_patience_excuse(kc_patience_t *patience, int64_t since, int64_t wait_ms);
/* 1 when a wait of the operation has not counted. Not after kc_patience_end. */
int kc_patience_was_stopped(const kc_patience_t *patience);
/* Ends the time: from now on only data that is already there is read. */
void kc_patience_end(kc_patience_t *patience);

#endif

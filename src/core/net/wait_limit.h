/* Wait limits: how long to wait for an answer, without taking a busy machine for an outage.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_WAIT_LIMIT_H
#define KC_WAIT_LIMIT_H

#include <stdint.h>

#include "net/breaker.h"

enum {
    KC_WAIT_LIMIT_SLICES = 3, /* the limit is this many times the configured time */
    KC_WAIT_LIMIT_STOPS = 4,  /* waits that do not count, because this process had been stopped */
    KC_WAIT_LIMIT_STOPPED_MS = 20 /* a thread that wakes up this much too late had been stopped */
};

/* The clock, in milliseconds; unit tests have another. */
typedef struct kc_wait_limit_world_t {
    int64_t (*now)(void *context); /* a monotonic one */
    void *context;
} kc_wait_limit_world_t;

/* The time of one operation with all its parts: connecting, sending, receiving. For one thread. */
typedef struct kc_wait_limit_t {
    const kc_wait_limit_world_t *world;
    int64_t slice_ms;
    int64_t began; /* the operation */
    int64_t ends_at;
    int stops; /* left */
} kc_wait_limit_t;

/* The time limit of an operation. breaker: that of the server, by which other requests report that
 * it is down; NULL: none. */
typedef struct kc_wait_limit_time_t {
    kc_wait_limit_t *limit;
    const kc_breaker_t *breaker;
} kc_wait_limit_time_t;

/* The monotonic clock in milliseconds. */
int64_t kc_wait_limit_now(void);
/* The same by the clock of the operation's world. */
int64_t kc_wait_limit_clock(const kc_wait_limit_t *limit);

/* Begins now. slice_ms: the configured time. world: kept; NULL: the real one. */
void kc_wait_limit_start(kc_wait_limit_t *limit, int64_t slice_ms,
                         const kc_wait_limit_world_t *world);
/* Milliseconds left of three slices; 0: none. Nothing is left of the last two once another request
 * has found the server down. */
int64_t kc_wait_limit_left(const kc_wait_limit_time_t *time);
/* A wait that began at `since`, by the operation's clock, and was to last wait_ms (0: there was
 * nothing to wait for), has ended without an answer. 1 when it took much longer: this process had
 * been stopped (frozen, or without a processor), and perhaps the server too. Then there are three
 * slices again, at most four times. 0: the server is late. */
int kc_wait_limit_excuse(kc_wait_limit_t *limit, int64_t since, int64_t wait_ms);
/* 1 when a wait of the operation has not counted. Not after kc_wait_limit_end. */
int kc_wait_limit_was_stopped(const kc_wait_limit_t *limit);
/* Ends the time: from now on only data that is already there is read. */
void kc_wait_limit_end(kc_wait_limit_t *limit);

#endif

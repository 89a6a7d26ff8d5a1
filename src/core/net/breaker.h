/* A circuit breaker: what has failed is left alone for a moment, then tried by one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_BREAKER_H
#define KC_BREAKER_H

#include <stdint.h>

enum {
    KC_BREAKER_WRONG_MAX = 3 /* failures in a row, other than the two that tell by themselves */
};

/* Zeros: closed, all is well. Shared by threads, and by processes when it is in
 * shared memory; every function is safe to call from several. */
typedef struct kc_breaker_t {
    int64_t retry_at;    /* milliseconds of a monotonic clock; 0: closed */
    int64_t answered_at; /* when it last worked, the same clock; 0: never */
    uint32_t failures;   /* of probes in a row */
    uint32_t wrong;      /* KC_BREAKER_WRONG in a row */
} kc_breaker_t;

typedef enum {
    KC_BREAKER_CLOSED, /* go */
    KC_BREAKER_PROBE,  /* go, alone: whether it works decides for all */
    KC_BREAKER_OPEN    /* do not go */
} kc_breaker_way_t;

/* How it failed. */
typedef enum {
    KC_BREAKER_REFUSED, /* it is not there: opens */
    KC_BREAKER_LATE,    /* no answer in all the time there was: opens, unless it has answered
                           somebody meanwhile */
    KC_BREAKER_WRONG    /* anything else: the third in a row opens */
} kc_breaker_fault_t;

/* Cheap: one load. */
int kc_breaker_is_closed(const kc_breaker_t *breaker);
/* Whether to go. Who is told PROBE must report success or failure; one who never does is followed
 * by the next after 500 ms. now: a monotonic clock's milliseconds, as everywhere here. */
kc_breaker_way_t kc_breaker_ask(kc_breaker_t *breaker, int64_t now);
/* What began at `began` has failed. Opens for 100 ms, after each failed probe twice as long, up to
 * 500 ms. 1 when it has just been opened. */
int kc_breaker_fail(kc_breaker_t *breaker, kc_breaker_way_t way, kc_breaker_fault_t fault,
                    int64_t began, int64_t now);
/* It worked. 1 when it has just been closed. */
int kc_breaker_succeed(kc_breaker_t *breaker, kc_breaker_way_t way, int64_t now);

#endif

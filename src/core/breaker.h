/* A circuit breaker: what has failed is left alone for a moment, then tried by one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_BREAKER_H
#define KC_BREAKER_H

#include <stdint.h>

/* Zeros: closed, all is well. Shared by threads, and by processes when it is in
 * shared memory; every function is safe to call from several. */
typedef struct kc_breaker_t {
    int64_t retry_at;  /* milliseconds of a monotonic clock; 0: closed */
    uint32_t failures; /* of probes in a row */
} kc_breaker_t;

typedef enum {
    KC_BREAKER_CLOSED, /* go */
    KC_BREAKER_PROBE,  /* go, alone: whether it works decides for all */
    KC_BREAKER_OPEN    /* do not go */
} kc_breaker_way_t;

/* Cheap: one load. */
int kc_breaker_is_closed(const kc_breaker_t *breaker);
/* Whether to go. Who is told PROBE must report success or failure; one who never does is followed
 * by the next after 500 ms. now: a monotonic clock's milliseconds, as everywhere here. */
kc_breaker_way_t kc_breaker_ask(kc_breaker_t *breaker, int64_t now);
/* It failed: open for 100 ms, after each failed probe twice as long, up to 500 ms. 1 when it has
 * just been opened. */
int kc_breaker_fail(kc_breaker_t *breaker, kc_breaker_way_t way, int64_t now);
/* It worked. 1 when it has just been closed. */
int kc_breaker_succeed(kc_breaker_t *breaker, kc_breaker_way_t way);

#endif

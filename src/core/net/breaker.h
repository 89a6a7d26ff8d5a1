/* A circuit breaker: after a failure a server is left alone for a moment, then tried by one
 * request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_BREAKER_H
#define KC_BREAKER_H

#include <stdint.h>

enum {
    KC_BREAKER_WRONG_MAX = 3 /* failures of kind KC_BREAKER_WRONG in a row; the other kinds open it
                                at once */
};

/* All zeros: closed, no failure. Shared by threads, and by processes when it is in shared memory.
 * Every function is safe to call from several. */
typedef struct kc_breaker_t {
    int64_t retry_at;    /* milliseconds of a monotonic clock; 0: closed */
    int64_t answered_at; /* when it last worked, by the same clock; 0: never */
    uint32_t failures;   /* of probes in a row */
    uint32_t wrong;      /* KC_BREAKER_WRONG in a row */
} kc_breaker_t;

typedef enum {
    KC_BREAKER_CLOSED, /* send the request */
    KC_BREAKER_PROBE,  /* send it, as the only one: its result decides for all */
    KC_BREAKER_OPEN    /* do not send it */
} kc_breaker_state_t;

/* The kind of failure. */
typedef enum {
    KC_BREAKER_REFUSED, /* the server is not there: opens */
    KC_BREAKER_LATE,    /* no answer within the time limit: opens, unless another request was
                           answered meanwhile */
    KC_BREAKER_WRONG    /* anything else: the third in a row opens */
} kc_breaker_fault_t;

/* Cheap: one load. */
int kc_breaker_is_closed(const kc_breaker_t *breaker);
/* Whether to send a request. A caller that gets PROBE must report success or failure; if it does
 * not, the next caller gets PROBE after 500 ms. now: milliseconds of a monotonic clock, as
 * everywhere here. */
kc_breaker_state_t kc_breaker_ask(kc_breaker_t *breaker, int64_t now);
/* A request that began at `began` has failed. Opens for 100 ms; each further failed probe doubles
 * that, up to 500 ms. 1 when it has just been opened. */
int kc_breaker_fail(kc_breaker_t *breaker, kc_breaker_state_t state, kc_breaker_fault_t fault,
                    int64_t began, int64_t now);
/* A request has succeeded. 1 when the breaker has just been closed. */
int kc_breaker_succeed(kc_breaker_t *breaker, kc_breaker_state_t state, int64_t now);

#endif

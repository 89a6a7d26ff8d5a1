/* One operation with a server of a store: its waits, and whether to try it again.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_ATTEMPT_H
#define KC_STORE_ATTEMPT_H

#include <stdint.h>

#include "base/err.h"
#include "net/breaker.h"
#include "net/wait_limit.h"

/* An operation that may have to be tried again. */
typedef struct kc_store_attempt_t {
    const kc_wait_limit_time_t *time;
    int64_t since;             /* start of the present wait, or end of the last one; 0: none */
    int64_t wait_ms;           /* its limit; 0: it has ended */
    int is_again;              /* it failed for a reason that a new connection does not have */
    kc_breaker_fault_t *fault; /* how it failed */
    kc_err_t *err;
} kc_store_attempt_t;

/* 1 when the present wait, which brought no answer, does not count: this process had been stopped.
 * The operation then has that time again. One thread at a time, like all functions here. */
int kc_store_attempt_is_excused(const kc_store_attempt_t *attempt);
/* Begins a wait of wait_ms milliseconds, at least 1. */
void kc_store_attempt_wait(kc_store_attempt_t *attempt, int64_t wait_ms);
/* The present wait has brought an answer. */
void kc_store_attempt_end_wait(kc_store_attempt_t *attempt);
/* Begins a wait with the rest of the operation's time, and returns it in milliseconds, at least 1.
 * Time in which this process was stopped, in the wait before or between the two, is not counted. */
int64_t kc_store_attempt_wait_on(kc_store_attempt_t *attempt);

#endif

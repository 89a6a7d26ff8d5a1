/* One operation with a server of a store: its waits, and whether it is worth doing again.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_ATTEMPT_H
#define KC_STORE_ATTEMPT_H

#include <stdint.h>

#include "base/err.h"
#include "net/breaker.h"
#include "net/patience.h"

/* An operation that may have to be done again. */
typedef struct kc_store_attempt_t {
    const kc_patience_time_t *time;
    int64_t since;             /* the wait that is under way, or the end of the last one; 0: none */
    int64_t wait_ms;           /* its time; 0: it has ended */
    int is_again;              /* it failed for a reason that a new connection has not */
    kc_breaker_fault_t *fault; /* how it failed */
    kc_err_t *err;
} kc_store_attempt_t;

/* 1 when the wait under way, which brought no answer, was none: this process had been stopped. The
 * operation has got that time again then. One thread at a time, as all here. */
int kc_store_attempt_is_excused(const kc_store_attempt_t *attempt);
/* Begins a wait of wait_ms milliseconds, 1 at least. */
void kc_store_attempt_wait(kc_store_attempt_t *attempt, int64_t wait_ms);
/* The wait under way has brought an answer. */
void kc_store_attempt_end_wait(kc_store_attempt_t *attempt);
/* Begins a wait that gets what is left of the operation's time, and returns it in milliseconds, 1
 * at least. Where this process was stopped in the wait before it, or between the two, that time is
 * not counted. */
int64_t kc_store_attempt_wait_on(kc_store_attempt_t *attempt);

#endif

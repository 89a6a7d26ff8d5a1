/* One operation with a server of a store: its waits, and whether to try it again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_attempt.h"

enum { LATE_MS = 1 /* the time is over: only data that has arrived is read */ };

int kc_store_attempt_is_excused(const kc_store_attempt_t *attempt)
{
    return kc_wait_limit_excuse(attempt->time->limit, attempt->since, attempt->wait_ms);
}

static void begin(kc_store_attempt_t *attempt, int64_t wait_ms)
{
    attempt->since = kc_wait_limit_clock(attempt->time->limit);
    attempt->wait_ms = wait_ms;
}

void kc_store_attempt_wait(kc_store_attempt_t *attempt, int64_t wait_ms)
{
    begin(attempt, wait_ms > LATE_MS ? wait_ms : LATE_MS);
}

void kc_store_attempt_end_wait(kc_store_attempt_t *attempt)
{
    begin(attempt, 0);
}

int64_t kc_store_attempt_wait_on(kc_store_attempt_t *attempt)
{
    if (attempt->since)
        (void)kc_store_attempt_is_excused(attempt);
    kc_store_attempt_wait(attempt, kc_wait_limit_left(attempt->time));
    return attempt->wait_ms;
}

/* A circuit breaker, in a few words of memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "net/breaker.h"

enum { FIRST_MS = 100, LONGEST_MS = 500 };

static int64_t load(const int64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static int swap(kc_breaker_t *breaker, int64_t from, int64_t to)
{
    return __atomic_compare_exchange_n(&breaker->retry_at, &from, to, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

int kc_breaker_is_closed(const kc_breaker_t *breaker)
{
    return load(&breaker->retry_at) == 0;
}

kc_breaker_state_t kc_breaker_ask(kc_breaker_t *breaker, int64_t now)
{
    int64_t retry_at = load(&breaker->retry_at);

    if (!retry_at)
        return KC_BREAKER_CLOSED;
    if (now < retry_at || !swap(breaker, retry_at, now + LONGEST_MS))
        return KC_BREAKER_OPEN;
    return KC_BREAKER_PROBE;
}

/* 1 when a failure is a reason to open. A server that answers other requests meanwhile is slow, or
 * its machine is busy. */
static int is_reason(kc_breaker_t *breaker, kc_breaker_fault_t fault, int64_t began)
{
    if (fault == KC_BREAKER_LATE)
        return load(&breaker->answered_at) < began;
    return fault == KC_BREAKER_REFUSED ||
           __atomic_add_fetch(&breaker->wrong, 1, __ATOMIC_ACQ_REL) >= KC_BREAKER_WRONG_MAX;
}

/* When many fail together, the first one opens it. Only a failed probe counts as a further failure,
 * because there is one at a time. A probe that took so long that a later one has closed the breaker
 * counts as an ordinary failure. */
int kc_breaker_fail(kc_breaker_t *breaker, kc_breaker_state_t state, kc_breaker_fault_t fault,
                    int64_t began, int64_t now)
{
    int64_t retry_at = load(&breaker->retry_at), wait;
    uint32_t failures;

    if (state == KC_BREAKER_CLOSED || !retry_at)
        return is_reason(breaker, fault, began) && swap(breaker, 0, now + FIRST_MS);
    failures = __atomic_add_fetch(&breaker->failures, 1, __ATOMIC_ACQ_REL);
    wait = failures > 2 ? LONGEST_MS : (int64_t)FIRST_MS << failures;
    (void)swap(breaker, retry_at, now + wait);
    return 0;
}

int kc_breaker_succeed(kc_breaker_t *breaker, kc_breaker_state_t state, int64_t now)
{
    __atomic_store_n(&breaker->answered_at, now, __ATOMIC_RELEASE);
    if (__atomic_load_n(&breaker->wrong, __ATOMIC_RELAXED))
        __atomic_store_n(&breaker->wrong, 0, __ATOMIC_RELAXED);
    if (state != KC_BREAKER_PROBE)
        return 0;
    __atomic_store_n(&breaker->failures, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&breaker->retry_at, 0, __ATOMIC_RELEASE);
    return 1;
}

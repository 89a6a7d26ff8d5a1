/* A circuit breaker, in two words.
 * SPDX-License-Identifier: Apache-2.0 */
#include "breaker.h"

enum { FIRST_MS = 100, LONGEST_MS = 500 };

static int64_t load(const kc_breaker_t *breaker)
{
    return __atomic_load_n(&breaker->retry_at, __ATOMIC_ACQUIRE);
}

static int swap(kc_breaker_t *breaker, int64_t from, int64_t to)
{
    return __atomic_compare_exchange_n(&breaker->retry_at, &from, to, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

int kc_breaker_is_closed(const kc_breaker_t *breaker)
{
    return load(breaker) == 0;
}

kc_breaker_way_t kc_breaker_ask(kc_breaker_t *breaker, int64_t now)
{
    int64_t retry_at = load(breaker);

    if (!retry_at)
        return KC_BREAKER_CLOSED;
    if (now < retry_at || !swap(breaker, retry_at, now + LONGEST_MS))
        return KC_BREAKER_OPEN;
    return KC_BREAKER_PROBE;
}

/* Of many that fail together the first opens it; only who probes is alone and may count. */
int kc_breaker_fail(kc_breaker_t *breaker, kc_breaker_way_t way, int64_t now)
{
    uint32_t failures;
    int64_t wait;

    if (way == KC_BREAKER_CLOSED)
        return swap(breaker, 0, now + FIRST_MS);
    failures = __atomic_add_fetch(&breaker->failures, 1, __ATOMIC_ACQ_REL);
    wait = failures > 2 ? LONGEST_MS : (int64_t)FIRST_MS << failures;
    __atomic_store_n(&breaker->retry_at, now + wait, __ATOMIC_RELEASE);
    return 0;
}

int kc_breaker_succeed(kc_breaker_t *breaker, kc_breaker_way_t way)
{
    if (way != KC_BREAKER_PROBE)
        return 0;
    __atomic_store_n(&breaker->failures, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&breaker->retry_at, 0, __ATOMIC_RELEASE);
    return 1;
}

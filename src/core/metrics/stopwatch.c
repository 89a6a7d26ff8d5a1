/* A clock in microseconds, and how long each thread has waited for the store and for Keycloak.
 * SPDX-License-Identifier: Apache-2.0 */
#include "metrics/stopwatch.h"

#include <time.h>

static __thread int64_t totals[KC_STOPWATCHES];

int64_t kc_stopwatch_now(void)
{
    struct timespec time = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t kc_stopwatch_stop(kc_stopwatch_t kind, int64_t since)
{
    int64_t spent = kc_stopwatch_now() - since;

    totals[kind] += spent;
    return spent;
}

int64_t kc_stopwatch_total(kc_stopwatch_t kind)
{
    return totals[kind];
}

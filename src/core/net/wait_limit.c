/* Wait limits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "net/wait_limit.h"

#include <stddef.h>
#include <time.h>

int64_t kc_wait_limit_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t real_now(void *context)
{
    (void)context;
    return kc_wait_limit_now();
}

static const kc_wait_limit_world_t real_world = {real_now, NULL};

int64_t kc_wait_limit_clock(const kc_wait_limit_t *limit)
{
    return limit->world->now(limit->world->context);
}

void kc_wait_limit_start(kc_wait_limit_t *limit, int64_t slice_ms,
                         const kc_wait_limit_world_t *world)
{
    limit->world = world ? world : &real_world;
    limit->slice_ms = slice_ms;
    limit->began = kc_wait_limit_clock(limit);
    limit->ends_at = limit->began + KC_WAIT_LIMIT_SLICES * slice_ms;
    limit->stops = KC_WAIT_LIMIT_STOPS;
}

int64_t kc_wait_limit_left(const kc_wait_limit_time_t *time)
{
    const kc_wait_limit_t *limit = time->limit;
    int64_t now = kc_wait_limit_clock(limit), left = limit->ends_at - now;

    if (time->breaker && !kc_breaker_is_closed(time->breaker))
        left -= (KC_WAIT_LIMIT_SLICES - 1) * limit->slice_ms;
    return left > 0 ? left : 0;
}

int kc_wait_limit_excuse(kc_wait_limit_t *limit, int64_t since, int64_t wait_ms)
{
    int64_t now = kc_wait_limit_clock(limit);

    if (now - since < wait_ms + KC_WAIT_LIMIT_STOPPED_MS || limit->stops < 1)
        return 0;
    limit->stops--;
    limit->ends_at = now + KC_WAIT_LIMIT_SLICES * limit->slice_ms;
    return 1;
}

int kc_wait_limit_was_stopped(const kc_wait_limit_t *limit)
{
    return limit->stops < KC_WAIT_LIMIT_STOPS;
}

void kc_wait_limit_end(kc_wait_limit_t *limit)
{
    limit->stops = 0;
    limit->ends_at = kc_wait_limit_clock(limit);
}

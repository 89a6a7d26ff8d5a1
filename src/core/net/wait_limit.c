/* Wait limits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "net/wait_limit.h"

#include <stddef.h>
#include <time.h>

int64_t kc_patience_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t real_now(void *context)
{
    (void)context;
    return kc_patience_now();
}

static const kc_patience_world_t real_world = {real_now, NULL};

int64_t kc_patience_clock(const kc_patience_t *patience)
{
    return patience->world->now(patience->world->context);
}

void kc_patience_start(kc_patience_t *patience, int64_t slice_ms, const kc_patience_world_t *world)
{
    patience->world = world ? world : &real_world;
    patience->slice_ms = slice_ms;
    patience->began = kc_patience_clock(patience);
    patience->ends_at = patience->began + KC_PATIENCE_SLICES * slice_ms;
    patience->stops = KC_PATIENCE_STOPS;
}

int64_t kc_patience_left(const kc_patience_time_t *time)
{
    const kc_patience_t *patience = time->patience;
    int64_t now = kc_patience_clock(patience), left = patience->ends_at - now;

    if (time->breaker && !kc_breaker_is_closed(time->breaker))
        left -= (KC_PATIENCE_SLICES - 1) * patience->slice_ms;
    return left > 0 ? left : 0;
}

int kc_patience_excuse(kc_patience_t *patience, int64_t since, int64_t wait_ms)
{
    int64_t now = kc_patience_clock(patience);

    if (now - since < wait_ms + KC_PATIENCE_STOPPED_MS || patience->stops < 1)
        return 0;
    patience->stops--;
    patience->ends_at = now + KC_PATIENCE_SLICES * patience->slice_ms;
    return 1;
}

int kc_patience_was_stopped(const kc_patience_t *patience)
{
    return patience->stops < KC_PATIENCE_STOPS;
}

void kc_patience_end(kc_patience_t *patience)
{
    patience->stops = 0;
    patience->ends_at = kc_patience_clock(patience);
}

/* Regular checks of the memcached servers: whether they work at first, and their clocks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_clock.h"

#include <apr_strings.h>
#include <inttypes.h>
#include <string.h>

#include "store/store_memcached.h"
#include "store/store_replicas.h"

/* Whether a server has worked since the start. */
enum { UNKNOWN, LATE, USELESS, OF_USE };

struct kc_store_clock_t {
    kc_store_memcached_options_t options;
    kc_store_clock_shared_t *shared;
    void (*warn)(void *context, const kc_err_t *err);
    kc_store_memcached_t **servers;
};

static int64_t span(int64_t seconds)
{
    return seconds < 0 ? -seconds : seconds;
}

/* Both clocks count whole seconds, so a difference of one means nothing. */
static void compare(const kc_store_clock_t *clock, size_t server, int64_t off)
{
    kc_store_clock_shared_t *shared = &clock->shared[server];
    int64_t told = __atomic_load_n(&shared->told, __ATOMIC_ACQUIRE);
    kc_err_t err;

    if (span(off) <= KC_STORE_CLOCK_OFF)
        off = 0;
    if (!off == !told && span(off - told) <= KC_STORE_CLOCK_OFF)
        return;
    __atomic_store_n(&shared->told, off, __ATOMIC_RELEASE);
    if (!off)
        return;
    (void)KC_FAIL(
        &err, KC_FAULT, KC_ERR_STORE_CLOCK,
        "memcached %s: its clock is %" PRId64 " s %s this host's. Synchronise both: tokens "
        "are checked by this host's clock, and values that are kept for more than 30 days "
        "expire by memcached's",
        kc_store_memcached_text(clock->servers[server]), span(off),
        off > 0 ? "ahead of" : "behind");
    clock->warn(clock->options.context, &err);
}

static int64_t slice_ms(const kc_store_clock_t *clock)
{
    int64_t timeout_ms = clock->options.timeout_ms;

    return timeout_ms < KC_STORE_CLOCK_SLICE_MS ? timeout_ms : KC_STORE_CLOCK_SLICE_MS;
}

static void note_works(const kc_store_clock_t *clock, size_t server)
{
    const kc_store_memcached_options_t *options = &clock->options;
    int64_t was = __atomic_exchange_n(&clock->shared[server].use, OF_USE, __ATOMIC_ACQ_REL);

    if (was == USELESS && options->report)
        options->report(options->context, kc_store_memcached_text(clock->servers[server]), 1,
                        "it answers now");
}

/* Returns in how many milliseconds the server is checked again. Two failures are not reported at
 * once: on a busy machine an answer may be late, and a name server is no part of memcached. */
static int64_t note_failed(const kc_store_clock_t *clock, size_t server, kc_breaker_fault_t fault,
                           const kc_err_t *err)
{
    int64_t *use = &clock->shared[server].use, was = __atomic_load_n(use, __ATOMIC_ACQUIRE);
    int is_soon = was == UNKNOWN && fault == KC_BREAKER_LATE;

    if (!kc_store_memcached_is_named(clock->servers[server]))
        return KC_STORE_CLOCK_AGAIN_MS;
    if (was < USELESS)
        __atomic_store_n(use, is_soon ? LATE : USELESS, __ATOMIC_RELEASE);
    if (was < USELESS && !is_soon)
        clock->warn(clock->options.context, err);
    return is_soon ? KC_STORE_CLOCK_AGAIN_MS : KC_STORE_CLOCK_RETRY * 1000;
}

static void take_time(void *context, const char *name, const char *value)
{
    if (strcmp(name, "time") == 0)
        *(int64_t *)context = apr_atoi64(value);
}

static void look(const kc_store_clock_t *clock, size_t server, int64_t now_ms)
{
    kc_store_clock_shared_t *shared = &clock->shared[server];
    int64_t due_at = __atomic_load_n(&shared->due_at, __ATOMIC_ACQUIRE), theirs = 0, next;
    kc_store_memcached_statistics_t statistics = {NULL, take_time, &theirs, 0};
    kc_breaker_fault_t fault = KC_BREAKER_WRONG;
    kc_wait_limit_t limit;
    const kc_wait_limit_time_t time = {&limit, NULL};
    kc_err_t err;

    if (now_ms < due_at ||
        !__atomic_compare_exchange_n(&shared->due_at, &due_at,
                                     now_ms + (int64_t)KC_STORE_CLOCK_PERIOD * 1000, 0,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return;
    kc_wait_limit_start(&limit, slice_ms(clock), NULL);
    if (kc_store_memcached_statistics(clock->servers[server], &statistics, &time, &fault, &err) ==
        KC_OK) {
        note_works(clock, server);
        if (theirs)
            compare(clock, server, theirs - clock->options.now(clock->options.context));
    } else {
        next = now_ms + note_failed(clock, server, fault, &err);
        __atomic_store_n(&shared->due_at, next, __ATOMIC_RELEASE);
    }
}

static int is_stopped(const uint32_t *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED);
}

void kc_store_clock_look(kc_store_clock_t *clock, int64_t now_ms, const uint32_t *stop)
{
    size_t i;

    for (i = 0; i < clock->options.count && !is_stopped(stop); i++)
        look(clock, i, now_ms);
}

kc_rc_t kc_store_clock_create(const kc_store_memcached_options_t *options,
                              kc_store_clock_shared_t *shared,
                              void (*warn)(void *context, const kc_err_t *err), apr_pool_t *pool,
                              kc_store_clock_t **out, kc_err_t *err)
{
    kc_store_clock_t *clock = apr_pcalloc(pool, sizeof(*clock));
    kc_resolver_t *resolver = options->resolver;
    kc_rc_t rc = KC_OK;
    size_t i;

    clock->options = *options;
    clock->shared = shared;
    clock->warn = warn;
    clock->servers = apr_pcalloc(pool, options->count * sizeof(*clock->servers));
    if (!resolver)
        rc = kc_resolver_create(NULL, pool, &resolver, err);
    for (i = 0; rc == KC_OK && i < options->count; i++)
        rc = kc_store_memcached_open(options->servers[i], options, resolver, pool,
                                     &clock->servers[i], err);
    *out = clock;
    return rc;
}

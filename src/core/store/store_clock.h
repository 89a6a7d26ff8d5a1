/* Background check of the memcached servers: whether they work at all, and whether their clocks are
 * right.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_CLOCK_H
#define KC_STORE_CLOCK_H

#include "store/store.h"
#include "store/store_replicas.h"

enum {
    KC_STORE_CLOCK_OFF = 5,         /* seconds: smaller differences are not reported */
    KC_STORE_CLOCK_PERIOD = 600,    /* seconds between two checks of a server */
    KC_STORE_CLOCK_RETRY = 10,      /* seconds after a check that failed */
    KC_STORE_CLOCK_AGAIN_MS = 1000, /* milliseconds, when it is not certain yet that it failed */
    KC_STORE_CLOCK_SLICE_MS = 200   /* of waiting for a server, when timeout_ms is more: a child
                                       that ends waits for the thread that checks */
};

/* State of one server, shared by all processes of a host; zeros at first. */
typedef struct kc_store_clock_shared_t {
    int64_t due_at; /* milliseconds of a monotonic clock; the process that checks next moves it
                       on */
    int64_t told;   /* the last reported clock difference in seconds; 0: none */
    int64_t use;    /* whether the server has ever worked, see store_clock.c */
} kc_store_clock_shared_t;

/* For use by one thread, the background thread. */
typedef struct kc_store_clock_t kc_store_clock_t;

/* options as for kc_store_replicas_create. shared: one for each server. warn (with the context of
 * the options) is called with KC_ERR_STORE_CLOCK once when a server's clock is off, and again when
 * the difference has changed. It is called once with KC_ERR_STORE_DOWN when a server has not worked
 * since the start: it cannot be reached, or is no memcached. The report of the options is called
 * when such a server answers after all. Later failures are reported by the breakers. */
kc_rc_t kc_store_clock_create(const kc_store_memcached_options_t *options,
                              kc_store_clock_shared_t *shared,
                              void (*warn)(void *context, const kc_err_t *err), apr_pool_t *pool,
                              kc_store_clock_t **out, kc_err_t *err);
/* Checks the servers that are due; each is checked by one process of the host. now_ms: the
 * monotonic clock. A server that does not answer is checked again later. When it is only late, or
 * its host name is not resolved yet, that is after KC_STORE_CLOCK_AGAIN_MS. Once *stop is not 0 no
 * further server is checked; NULL: never. */
void kc_store_clock_look(kc_store_clock_t *clock, int64_t now_ms, const uint32_t *stop);

#endif

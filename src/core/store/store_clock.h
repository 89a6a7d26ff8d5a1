/* Whether memcached servers can be used at all, and have the time that we have.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_CLOCK_H
#define KC_STORE_CLOCK_H

#include "store/store.h"
#include "store/store_replicas.h"

enum {
    KC_STORE_CLOCK_OFF = 5,         /* seconds: less is not told */
    KC_STORE_CLOCK_PERIOD = 600,    /* seconds between two looks at a server */
    KC_STORE_CLOCK_RETRY = 10,      /* after one that failed */
    KC_STORE_CLOCK_AGAIN_MS = 1000, /* when it is not sure yet that it failed */
    KC_STORE_CLOCK_SLICE_MS = 200   /* of patience with a server, where timeout_ms is more: a child
                                       that ends waits for who looks */
};

/* Of one server, shared by all processes of a host; zeros at first. */
typedef struct kc_store_clock_shared_t {
    int64_t due_at; /* milliseconds of a monotonic clock: who looks next moves it on */
    int64_t told;   /* by how many seconds it was off when that was told last; 0: it was not */
    int64_t use;    /* whether it was ever of use, see store_clock.c */
} kc_store_clock_shared_t;

/* For one thread, that of the background. */
typedef struct kc_store_clock_t kc_store_clock_t;

/* options as for kc_store_replicas_create; shared: one for each server. warn is told (context of
 * the options) once when a server's clock is off (KC_ERR_STORE_CLOCK), and again when that has
 * changed; and once (KC_ERR_STORE_DOWN) when a server has not been of use since the start: it
 * cannot be reached, or is no memcached. The report of the options is told when such a server
 * answers after all. What fails later is the breakers' to report. */
kc_rc_t kc_store_clock_create(const kc_store_memcached_options_t *options,
                              kc_store_clock_shared_t *shared,
                              void (*warn)(void *context, const kc_err_t *err), apr_pool_t *pool,
                              kc_store_clock_t **out, kc_err_t *err);
/* Asks the servers that are due, of which each is asked by one process of the host. now_ms: the
 * monotonic clock. A server that does not answer is left for later; one that is only late, or
 * whose host's name nobody has answered for yet, for KC_STORE_CLOCK_AGAIN_MS. Once *stop is not 0
 * no further one is asked; NULL: never. */
void kc_store_clock_look(kc_store_clock_t *clock, int64_t now_ms, const uint32_t *stop);

#endif

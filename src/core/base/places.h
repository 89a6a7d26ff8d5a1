/* Places for work that a client can make slow. Each thread that comes gets one. When all are taken,
 * the thread that has held its place longest loses it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PLACES_H
#define KC_PLACES_H

#include <apr_pools.h>
#include <pthread.h>
#include <stdint.h>

/* The place of one thread, in its own memory, from kc_places_enter to kc_places_leave. */
typedef struct kc_place_t {
    struct kc_place_t *newer;
    const char *who; /* as given; must outlive the place */
    uint32_t is_lost;
} kc_place_t;

typedef struct kc_places_t {
    pthread_mutex_t lock;
    kc_place_t *oldest;
    uint32_t limit;
    uint32_t taken;
} kc_places_t;

/* The owner of an address's places: the address itself, or, for an IPv6 address, its first 64 bits
 * (RFC 4291 section 2.5.4), because one host has all addresses below them. Returns address itself,
 * or a text in pool. A text that is no address is returned unchanged. Thread safe. */
const char *kc_places_network(const char *address, apr_pool_t *pool);

/* limit: at least 1. */
void kc_places_init(kc_places_t *places, uint32_t limit);
/* Takes a place for who (an address, a user; compared as text). When all are taken, the owner with
 * the most places (counting this one) loses its oldest. Thread safe; does not wait. */
void kc_places_enter(kc_places_t *places, kc_place_t *place, const char *who);
/* Each thread that entered must leave, even when it has lost its place. Thread safe. */
void kc_places_leave(kc_places_t *places, kc_place_t *place);
/* 1 when the place has been lost. Thread safe. */
int kc_places_is_lost(const kc_place_t *place);

#endif

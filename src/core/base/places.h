/* Places for what somebody may make slow: whoever comes has one, and when all are taken, who has
 * had one for longest has lost it. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PLACES_H
#define KC_PLACES_H

#include <apr_pools.h>
#include <pthread.h>
#include <stdint.h>

/* A place of one thread, in its own memory, from kc_places_enter to kc_places_leave. */
typedef struct kc_place_t {
    struct kc_place_t *newer;
    const char *who; /* as given; outlives the place */
    uint32_t is_lost;
} kc_place_t;

typedef struct kc_places_t {
    pthread_mutex_t lock;
    kc_place_t *oldest;
    uint32_t limit;
    uint32_t taken;
} kc_places_t;

/* Whose places an address's are: its own, or, of an IPv6 address, those of its first 64 bits (RFC
 * 4291 section 2.5.4), since one host has all addresses below them. address itself, or a text in
 * pool; what is no address is itself. Thread safe. */
const char *kc_places_network(const char *address, apr_pool_t *pool);

/* limit: at least 1. */
void kc_places_init(kc_places_t *places, uint32_t limit);
/* Takes a place for who (an address, a user; compared as text). When all are taken, it is taken
 * from whoever has most of them, with this one, and there from the oldest. Thread safe, and waits
 * for nobody. */
void kc_places_enter(kc_places_t *places, kc_place_t *place, const char *who);
/* Each thread that entered leaves, also when it has lost its place. Thread safe. */
void kc_places_leave(kc_places_t *places, kc_place_t *place);
/* 1 when another has it by now. Thread safe. */
int kc_places_is_lost(const kc_place_t *place);

#endif

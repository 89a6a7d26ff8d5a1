/* Leases in a store: the right to do something, for one holder at a time. A lease ends by itself,
 * so that a holder that dies keeps nobody waiting for long. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LEASE_H
#define KC_LEASE_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

enum {
    KC_LEASE_SIZE = 16,       /* bytes of its value */
    KC_LEASE_RANDOM_SIZE = 8, /* bytes of that which are random */
    KC_LEASE_CLOCK_SLACK = 5 /* seconds by which clocks may differ that are the same: a time that is
                                further in the future is from before the clock was set back */
};

/* One try to get a lease, or what its holder has. For one thread at a time. */
typedef struct kc_lease_t {
    kc_store_t *store;
    const char *key;                    /* in the store; NUL-terminated */
    unsigned char value[KC_LEASE_SIZE]; /* tells this holder from all others: the time of its last
                                           try (eight octets, most significant first), and random
                                           bytes */
} kc_lease_t;

/* Prepares a try. store and key must outlive it. random: KC_LEASE_RANDOM_SIZE bytes. */
void kc_lease_init(kc_lease_t *lease, kc_store_t *store, const char *key,
                   const unsigned char *random);
/* Takes the lease for that many seconds from now (seconds since 1970). KC_EXISTS: somebody else has
 * it; KC_DOWN: the store does not answer. */
kc_rc_t kc_lease_take(kc_lease_t *lease, int64_t now, int64_t seconds, kc_err_t *err);
/* As kc_lease_take, in a store that all users share with one clock (that of a host): takes a lease
 * of the future from its holder. It is from before the clock was set back, and would last for as
 * long as that was. Two who find it at once may both get it. */
kc_rc_t kc_lease_take_on_host(kc_lease_t *lease, int64_t now, int64_t seconds, apr_pool_t *pool,
                              kc_err_t *err);
/* 1 while the lease is this holder's: one that ran out may be another's by now. 0 also when the
 * store does not answer. */
int kc_lease_is_own(const kc_lease_t *lease, apr_pool_t *pool);
/* What follows does nothing to a lease that is another's. Lets it last until then. */
void kc_lease_prolong(const kc_lease_t *lease, int64_t expires_at, apr_pool_t *pool);
/* Puts something else in its place, until then. */
void kc_lease_replace(const kc_lease_t *lease, kc_bytes_t value, int64_t expires_at,
                      apr_pool_t *pool);
/* Gives it back. */
void kc_lease_give(const kc_lease_t *lease, apr_pool_t *pool);

#endif

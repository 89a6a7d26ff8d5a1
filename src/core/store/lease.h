/* Leases in a store: the right to do something, for one holder at a time. A lease expires by
 * itself, so that a dead holder does not block others for long.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LEASE_H
#define KC_LEASE_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

enum {
    KC_LEASE_END_SIZE = KC_BUF_U64_SIZE, /* bytes of its end, which is first in its value */
    KC_LEASE_RANDOM_SIZE = 8,            /* bytes behind that, which are random */
    KC_LEASE_SIZE = KC_LEASE_END_SIZE + KC_LEASE_RANDOM_SIZE
};

/* One try to get a lease, or the lease of its holder. For one thread at a time. */
typedef struct kc_lease_t {
    kc_store_t *store;
    const char *key;                    /* in the store; NUL-terminated */
    unsigned char value[KC_LEASE_SIZE]; /* identifies this holder: random bytes, and the end of the
                                           lease on the host's monotonic clock (milliseconds, eight
                                           octets, most significant first; 0: of no host) */
} kc_lease_t;

/* Prepares a try. store and key must outlive it. random: KC_LEASE_RANDOM_SIZE bytes. */
void kc_lease_init(kc_lease_t *lease, kc_store_t *store, const char *key,
                   const unsigned char *random);
/* Takes the lease until expires_at (seconds since 1970). KC_EXISTS: another holder has it; what
 * lease had before stays. KC_DOWN: the store does not answer. */
kc_rc_t kc_lease_take(kc_lease_t *lease, int64_t expires_at, kc_err_t *err);
/* Like kc_lease_take, in a store of one host. A lease also ends there by the host's monotonic clock
 * (elapsed_ms, in milliseconds; seconds: how long it lasts). So a holder that died before the clock
 * of now was set back keeps nobody waiting, and one that is alive keeps its lease. pool: for this
 * call. */
kc_rc_t kc_lease_take_on_host(kc_lease_t *lease, int64_t now, int64_t elapsed_ms, int64_t seconds,
                              apr_pool_t *pool, kc_err_t *err);
/* 1 while this holder has the lease: after it has expired another one may have it. 0 also when the
 * store does not answer. */
int kc_lease_is_own(const kc_lease_t *lease, apr_pool_t *pool);
/* The functions below do nothing to a lease of another holder. This one makes a lease of
 * kc_lease_take_on_host last for that many seconds from now. */
void kc_lease_prolong_on_host(kc_lease_t *lease, int64_t now, int64_t elapsed_ms, int64_t seconds,
                              apr_pool_t *pool);
/* Replaces the lease by another value, until expires_at. */
void kc_lease_replace(const kc_lease_t *lease, kc_bytes_t value, int64_t expires_at,
                      apr_pool_t *pool);
/* Like kc_lease_replace, in a store of one host: by a pause that ends as a lease of
 * kc_lease_take_on_host does. Its value is the end alone. */
void kc_lease_pause_on_host(const kc_lease_t *lease, int64_t now, int64_t elapsed_ms,
                            int64_t seconds, apr_pool_t *pool);
/* 1 when there is something in place of the lease that is no lease. elapsed_ms: a pause whose end
 * has passed does not count; 0 in a store of several hosts. */
int kc_lease_is_paused(const kc_lease_t *lease, int64_t elapsed_ms, apr_pool_t *pool);
/* Gives the lease back. */
void kc_lease_give(const kc_lease_t *lease, apr_pool_t *pool);

/* Writes an end (milliseconds of the host's monotonic clock), as values of one host begin with it.
 */
kc_bytes_t kc_lease_write_end(int64_t end_ms, unsigned char out[KC_LEASE_END_SIZE]);
/* 1 when a value that begins with an end is still there although that has passed: the clock by
 * which the store removes it was set back. 0 for any other value. */
int kc_lease_is_over(kc_bytes_t value, int64_t elapsed_ms);

#endif

/* What the children of a host share of a provider: the last documents, the failure of the last try,
 * and the right to fetch.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METADATA_SHARED_H
#define KC_METADATA_SHARED_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "env.h"
#include "store/lease.h"

enum {
    KC_METADATA_SHARED_FAILURE_SECONDS = 15, /* how long the last failure can be read */
    KC_METADATA_SHARED_NAME_SIZE = KC_STORE_KEY_LEN + 1
};

/* One provider's keys in env->host. Thread safe once it is made; nothing here waits for the
 * network. With a store that is down, each child works as if it were the only one. */
typedef struct kc_metadata_shared_t {
    const kc_conf_t *conf;
    const kc_env_t *env;
    char documents[KC_METADATA_SHARED_NAME_SIZE];
    char failure[KC_METADATA_SHARED_NAME_SIZE]; /* to reach the provider */
    char verdict[KC_METADATA_SHARED_NAME_SIZE]; /* on its documents, by this server's settings */
    char lease[KC_METADATA_SHARED_NAME_SIZE];
    char limit[KC_METADATA_SHARED_NAME_SIZE];
    char foreign_limit[KC_METADATA_SHARED_NAME_SIZE];
} kc_metadata_shared_t;

/* Metadata and keys, as received. */
typedef struct kc_metadata_documents_t {
    kc_bytes_t metadata;
    kc_bytes_t keys;
    int64_t fetched; /* seconds since 1970 */
} kc_metadata_documents_t;

/* conf and env must outlive shared. Servers of this host share documents when they use the same
 * address and trust the same certificates. They share a failure to get them when they also ask in
 * the same way (deadline, certificate). They share a verdict on them, the lease and the limit for
 * unknown kids only when they check documents in the same way. So no server takes another one down.
 * Leases and failures of another generation of children are ignored, because its settings may have
 * differed. */
kc_rc_t kc_metadata_shared_init(const kc_conf_t *conf, const kc_env_t *env, apr_pool_t *pool,
                                kc_metadata_shared_t *shared, kc_err_t *err);

/* 1 when since (seconds since 1970) is less than that many seconds ago. 0 for a time in the future:
 * the clock was set back, and nothing may last longer because of that. */
int kc_metadata_shared_is_within(const kc_env_t *env, int64_t since, int64_t seconds);
int kc_metadata_shared_is_within_ms(const kc_env_t *env, int64_t since_ms, int64_t milliseconds);

/* Shares documents until expires_at. Documents that are too large to share are fetched by each
 * child. */
void kc_metadata_shared_put(const kc_metadata_shared_t *shared,
                            const kc_metadata_documents_t *documents, int64_t expires_at,
                            apr_pool_t *pool);
/* 1 with the last shared documents, in pool; 0 when there are none. */
int kc_metadata_shared_get(const kc_metadata_shared_t *shared, apr_pool_t *pool,
                           kc_metadata_documents_t *out);

/* put_failure tells the other children why a fetch has just failed; drop_failure removes that.
 * is_verdict: the provider has answered, and its answer does not suit this server. */
void kc_metadata_shared_put_failure(const kc_metadata_shared_t *shared, int is_verdict,
                                    const kc_err_t *failure, apr_pool_t *pool);
void kc_metadata_shared_drop_failure(const kc_metadata_shared_t *shared);
/* 1 when the last fetch failed less than that many milliseconds ago, with its time (also in
 * milliseconds) and reason. */
int kc_metadata_shared_get_failure(const kc_metadata_shared_t *shared, int64_t milliseconds,
                                   apr_pool_t *pool, int64_t *failed_at, kc_err_t *failure);

/* The right to fetch, for one child at a time. It expires a little after the deadline of one
 * exchange, so that a dead child delays nobody. Prolong it before each further exchange, and give
 * it back by kc_lease_give. lease: filled. 0: another child has it. */
int kc_metadata_shared_take_lease(const kc_metadata_shared_t *shared, kc_lease_t *lease,
                                  apr_pool_t *pool);
void kc_metadata_shared_prolong_lease(const kc_metadata_shared_t *shared, kc_lease_t *lease,
                                      apr_pool_t *pool);
/* The right to fetch for an unknown kid, once a minute. is_foreign: any client may have sent the
 * token; such tokens have a minute of their own. 0: not now, and never without the store. */
int kc_metadata_shared_take_minute(const kc_metadata_shared_t *shared, int is_foreign,
                                   apr_pool_t *pool);
/* After such a fetch has brought other keys: shortens the rest of the minute to a few seconds. */
void kc_metadata_shared_cut_minute(const kc_metadata_shared_t *shared, int is_foreign);

#endif

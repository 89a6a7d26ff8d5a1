/* What the children of a host share of a provider: the documents fetched last, the failure of the
 * last try, and who may try. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METADATA_SHARED_H
#define KC_METADATA_SHARED_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "env.h"

enum {
    KC_METADATA_SHARED_FAILURE_SECONDS = 15, /* so long the last failure is to be found */
    KC_METADATA_SHARED_NAME_SIZE = KC_STORE_KEY_LEN + 1
};

/* One provider's names in env->host. Thread safe once it is made; nothing here waits for the
 * network. A store that is down is as if nobody else were there. */
typedef struct kc_metadata_shared_t {
    const kc_conf_t *conf;
    const kc_env_t *env;
    char documents[KC_METADATA_SHARED_NAME_SIZE];
    char failure[KC_METADATA_SHARED_NAME_SIZE]; /* of asking the provider */
    char verdict[KC_METADATA_SHARED_NAME_SIZE]; /* on its documents, by this server's settings */
    char lease[KC_METADATA_SHARED_NAME_SIZE];
    char limit[KC_METADATA_SHARED_NAME_SIZE];
    char foreign_limit[KC_METADATA_SHARED_NAME_SIZE];
} kc_metadata_shared_t;

/* Metadata and keys, as they came. */
typedef struct kc_metadata_documents_t {
    kc_bytes_t metadata;
    kc_bytes_t keys;
    int64_t fetched; /* seconds since 1970 */
} kc_metadata_documents_t;

/* conf and env must outlive shared. Documents are the same for all servers that ask at one address
 * and trust alike. That they cannot be had is so for those alone that ask in the same way
 * (deadline, certificate); that they do not fit, who may fetch, and the minute of unknown kids
 * belong to those that judge alike, so that no server takes its neighbours down. Leases and
 * failures of another generation of children do not count: its settings may have been others. */
kc_rc_t kc_metadata_shared_init(const kc_conf_t *conf, const kc_env_t *env, apr_pool_t *pool,
                                kc_metadata_shared_t *shared, kc_err_t *err);

/* 1 when since (seconds since 1970) is less than so many seconds ago. What lies in the future is
 * not: the clock was set back, and nothing may last longer for that. */
int kc_metadata_shared_is_within(const kc_env_t *env, int64_t since, int64_t seconds);
int kc_metadata_shared_is_within_ms(const kc_env_t *env, int64_t since_ms, int64_t milliseconds);

/* Shares documents until expires_at. Too large to share: each child fetches its own. */
void kc_metadata_shared_put(const kc_metadata_shared_t *shared,
                            const kc_metadata_documents_t *documents, int64_t expires_at,
                            apr_pool_t *pool);
/* 1 and the documents shared last, in pool; 0 when there are none. */
int kc_metadata_shared_get(const kc_metadata_shared_t *shared, apr_pool_t *pool,
                           kc_metadata_documents_t *out);

/* Tells the other children why a fetch failed just now; forgets it. is_verdict: the provider has
 * answered, and what it said does not fit this server. */
void kc_metadata_shared_put_failure(const kc_metadata_shared_t *shared, int is_verdict,
                                    const kc_err_t *failure, apr_pool_t *pool);
void kc_metadata_shared_drop_failure(const kc_metadata_shared_t *shared);
/* 1 when the last fetch failed less than so many milliseconds ago: when (also in milliseconds) and
 * why. */
int kc_metadata_shared_get_failure(const kc_metadata_shared_t *shared, int64_t milliseconds,
                                   apr_pool_t *pool, int64_t *failed_at, kc_err_t *failure);

/* The right to fetch, for one child at a time: it ends by itself a little after one exchange's
 * deadline, so that nobody waits for a dead child; prolong it before each further exchange. 0:
 * another child has it. */
int kc_metadata_shared_take_lease(const kc_metadata_shared_t *shared, apr_pool_t *pool);
void kc_metadata_shared_prolong_lease(const kc_metadata_shared_t *shared);
void kc_metadata_shared_give_lease(const kc_metadata_shared_t *shared);
/* The right to fetch for an unknown kid, once a minute; is_foreign: of a token that anybody may
 * have sent, which has a minute of its own. 0: not now, and not without the store. */
int kc_metadata_shared_take_minute(const kc_metadata_shared_t *shared, int is_foreign,
                                   apr_pool_t *pool);
/* That fetch has brought other keys: what is left of the minute is a few seconds. */
void kc_metadata_shared_cut_minute(const kc_metadata_shared_t *shared, int is_foreign);

#endif

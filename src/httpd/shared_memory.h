/* The shared memory of this host, kept over restarts: the store and the first tier.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_SHARED_MEMORY_H
#define AKC_SHARED_MEMORY_H

#include "module.h"

#include "core/base/buf.h"
#include "core/store/store.h"
#include "core/store/view_cache.h"

/* Shared by all servers and children of this host. */
typedef struct akc_shared_memory_t {
    kc_store_t *store;
    kc_view_cache_t *cache;
} akc_shared_memory_t;

/* At start, in the parent: opens the memory from before a graceful restart if KeycloakCacheSize is
 * unchanged, else makes new memory. The memory belongs to the process; handles are in pool. Warns
 * when sessions are lost. Later it warns, at most once a minute, when sessions were evicted. */
kc_rc_t akc_shared_memory_open(server_rec *main, const kc_conf_t *conf, apr_pool_t *pool,
                               akc_shared_memory_t *shared, kc_err_t *err);
/* At start: the random bytes that seal sessions of servers without KeycloakCryptoKey, made once for
 * the process. secret points into its memory. */
kc_rc_t akc_shared_memory_secret(server_rec *main, kc_bytes_t *secret, kc_err_t *err);

#endif

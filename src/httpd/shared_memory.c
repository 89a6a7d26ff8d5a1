/* The shared memory of this host: plain memory without pointers into the module's code, which httpd
 * unloads at each restart.
 * SPDX-License-Identifier: Apache-2.0 */
#include "shared_memory.h"

#include "effects.h"
#include "log.h"

#include "core/crypto/crypto.h"
#include "core/crypto/siphash.h"
#include "core/store/store_shm.h"

/* Kept for the life of the process, across restarts that unload this module: plain memory without
 * pointers into the module's code. */
typedef struct kept_t {
    void *memory;                             /* shared: the store; NULL: not made yet */
    void *cache;                              /* shared: the first tier */
    size_t size;                              /* of both */
    unsigned char secret[KC_CRYPTO_KEY_SIZE]; /* for servers without KeycloakCryptoKey */
    int has_secret;
} kept_t;

static const char kept_name[] = "mod_auth_keycloak.kept.2";

static kept_t *find_kept(server_rec *main)
{
    apr_pool_t *pool = main->process->pool;
    void *kept = NULL;

    apr_pool_userdata_get(&kept, kept_name, pool);
    if (!kept) {
        kept = apr_pcalloc(pool, sizeof(kept_t));
        apr_pool_userdata_set(kept, kept_name, NULL, pool);
    }
    return kept;
}

static size_t store_share(size_t size)
{
    size_t rest = size - kc_view_cache_share(size);

    return rest < KC_STORE_SHM_SIZE_MIN ? KC_STORE_SHM_SIZE_MIN : rest;
}

static int attach(const kept_t *kept, apr_pool_t *pool, akc_shared_memory_t *shared)
{
    return kept->memory &&
           kc_store_shm_attach(kept->memory, store_share(kept->size), akc_effects_now, NULL, pool,
                               &shared->store, NULL) == KC_OK &&
           kc_view_cache_attach(kept->cache, kc_view_cache_share(kept->size), pool, &shared->cache,
                                NULL) == KC_OK;
}

static kc_rc_t make_shared(kept_t *kept, apr_pool_t *pool, akc_shared_memory_t *shared,
                           kc_err_t *err)
{
    kc_siphash_key_t key;
    kc_rc_t rc = kc_crypto_random((unsigned char *)&key, sizeof(key), err);

    if (rc == KC_OK)
        rc = kc_store_shm_create(store_share(kept->size), akc_effects_now, NULL, pool,
                                 &shared->store, err);
    if (rc == KC_OK)
        rc = kc_view_cache_create(kc_view_cache_share(kept->size), &key, pool, &shared->cache, err);
    if (rc != KC_OK)
        return rc;
    kept->memory = kc_store_shm_memory(shared->store);
    kept->cache = kc_view_cache_memory(shared->cache);
    return KC_OK;
}

/* Users whose sessions were evicted would otherwise notice it before their administrator. */
static void report_full(void *context, uint64_t count)
{
    AKC_LOG_SERVER_AT(APLOG_WARNING, (server_rec *)context, KC_ERR_STORE_FULL,
                      "KeycloakCacheSize is too small: %" APR_UINT64_T_FMT
                      " sessions and entries that were still valid had to make room for newer "
                      "ones; raise it, or keep sessions in KeycloakMemcached",
                      count);
}

/* The shared memory of this host: the one from before a graceful restart if its size is
 * unchanged. */
static kc_rc_t find_or_make(server_rec *main, const kc_conf_t *conf, apr_pool_t *pool,
                            akc_shared_memory_t *shared, kc_err_t *err)
{
    kept_t *kept = find_kept(main);
    size_t size = (size_t)conf->cache_size;

    if (kept->size == size && attach(kept, pool, shared))
        return KC_OK;
    if (kept->memory)
        AKC_LOG_SERVER(main, KC_ERR_EVENT_CACHE_SIZE_CHANGED,
                       "KeycloakCacheSize changed: sessions in shared memory are lost");
    kept->size = size;
    kept->memory = NULL;
    return make_shared(kept, main->process->pool, shared, err);
}

kc_rc_t akc_shared_memory_open(server_rec *main, const kc_conf_t *conf, apr_pool_t *pool,
                               akc_shared_memory_t *shared, kc_err_t *err)
{
    kc_rc_t rc = find_or_make(main, conf, pool, shared, err);

    if (rc == KC_OK)
        kc_store_shm_report(shared->store, report_full, main);
    return rc;
}

kc_rc_t akc_shared_memory_secret(server_rec *main, kc_bytes_t *secret, kc_err_t *err)
{
    kept_t *kept = find_kept(main);

    if (!kept->has_secret && kc_crypto_random(kept->secret, sizeof(kept->secret), err) != KC_OK)
        return KC_FAULT;
    kept->has_secret = 1;
    secret->data = kept->secret;
    secret->len = sizeof(kept->secret);
    return KC_OK;
}

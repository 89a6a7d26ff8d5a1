/* Snapshots of a provider's metadata and keys: made of documents, reference-counted, released.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/metadata_snapshot.h"

#include <apr_atomic.h>

apr_status_t kc_metadata_snapshot_release(void *data)
{
    kc_metadata_holder_t *holder = data;

    if (apr_atomic_dec32(&holder->references) == 0)
        apr_pool_destroy(holder->pool);
    return APR_SUCCESS;
}

void kc_metadata_snapshot_hold(kc_metadata_holder_t *holder, apr_pool_t *pool,
                               const kc_metadata_snapshot_t **out)
{
    apr_atomic_inc32(&holder->references);
    apr_pool_cleanup_register(pool, holder, kc_metadata_snapshot_release, apr_pool_cleanup_null);
    *out = &holder->snapshot;
}

kc_rc_t kc_metadata_snapshot_make(const kc_conf_t *conf, const kc_metadata_documents_t *documents,
                                  kc_metadata_holder_t **out, kc_err_t *err)
{
    apr_pool_t *pool;
    kc_metadata_holder_t *holder;
    kc_provider_t *provider;
    kc_jwks_t *keys;
    kc_rc_t rc;

    /* an allocator of its own, because any thread may be the last to release it */
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no memory for the provider's metadata");
    holder = apr_pcalloc(pool, sizeof(*holder));
    rc = kc_provider_parse(conf, (const char *)documents->metadata.data, documents->metadata.len,
                           pool, &provider, err);
    if (rc == KC_OK)
        rc = kc_crypto_sha256(documents->keys, holder->snapshot.digest, err);
    if (rc == KC_OK)
        rc = kc_jwks_parse((const char *)documents->keys.data, documents->keys.len, pool, &keys,
                           err);
    if (rc != KC_OK) {
        apr_pool_destroy(pool);
        return rc;
    }
    holder->snapshot.provider = provider;
    holder->snapshot.keys = keys;
    holder->snapshot.fetched = documents->fetched;
    holder->pool = pool;
    holder->references = 1;
    *out = holder;
    return KC_OK;
}

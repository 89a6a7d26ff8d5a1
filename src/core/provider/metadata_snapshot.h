/* Snapshots of a provider's metadata and keys: made of documents, reference-counted, released.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METADATA_SNAPSHOT_H
#define KC_METADATA_SNAPSHOT_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "crypto/crypto.h"
#include "crypto/jwks.h"
#include "provider/metadata_shared.h"
#include "provider/provider.h"

/* One state of the provider. Never changed; freed when its last user releases it. */
typedef struct kc_metadata_snapshot_t {
    const kc_provider_t *provider;
    const kc_jwks_t *keys;
    int64_t fetched;                             /* seconds since 1970 */
    unsigned char digest[KC_CRYPTO_SHA256_SIZE]; /* of the key set's text: distinguishes two fetched
                                                    in one second */
} kc_metadata_snapshot_t;

/* A snapshot with its own pool. kc_metadata_t holds a reference, and each request that uses it
 * another. */
typedef struct kc_metadata_holder_t {
    kc_metadata_snapshot_t snapshot;
    apr_pool_t *pool;
    apr_uint32_t references;
} kc_metadata_holder_t;

/* Makes a snapshot of documents, with one reference. Fails like kc_provider_parse and
 * kc_jwks_parse. Thread safe. */
kc_rc_t kc_metadata_snapshot_make(const kc_conf_t *conf, const kc_metadata_documents_t *documents,
                                  kc_metadata_holder_t **out, kc_err_t *err);
/* Adds a reference to the snapshot, until pool is cleared. Thread safe while the caller has a
 * reference, or keeps another one from being released. */
void kc_metadata_snapshot_hold(kc_metadata_holder_t *holder, apr_pool_t *pool,
                               const kc_metadata_snapshot_t **out);
/* Releases a reference of a kc_metadata_holder_t; the last one destroys it. Also for pool
 * cleanups. */
apr_status_t kc_metadata_snapshot_release(void *holder);

#endif

/* A provider's metadata and keys: immutable snapshots, fetched once for all children of a host and
 * kept when fetching fails. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METADATA_H
#define KC_METADATA_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "crypto/crypto.h"
#include "crypto/jwks.h"
#include "env.h"
#include "provider/provider.h"

/* One state of the provider. Never edited; lives until its last holder lets go. */
typedef struct kc_metadata_snapshot_t {
    const kc_provider_t *provider;
    const kc_jwks_t *keys;
    int64_t fetched; /* seconds since 1970 */
    unsigned char
        digest[KC_CRYPTO_SHA256_SIZE]; /* of the key set's text: tells two of one second apart */
} kc_metadata_snapshot_t;

typedef struct kc_metadata_t kc_metadata_t;

/* One for each relying party and child, made after fork; starts with what the other children have
 * shared, without a call. conf and env must outlive pool. */
kc_rc_t kc_metadata_create(const kc_conf_t *conf, const kc_env_t *env, apr_pool_t *pool,
                           kc_metadata_t **out, kc_err_t *err);

/* The current snapshot, held until pool is cleared. Fetches when there is none, and when it is
 * older than KeycloakMetadataTTL; keeps the old one up to KeycloakMetadataStale while fetching
 * fails. At most one thread of all children of the host fetches: the others go on with the old
 * snapshot or, without one, wait for the fetch (with a deadline, and each at a place of env's
 * gate). After a failed fetch nobody tries for half a second, or for 15 when there are old ones to
 * go on with, and nobody waits for another's next try. KC_DOWN with the reason
 * (KC_ERR_PROVIDER_DOWN, DISCOVERY…, KEYS) when there is nothing to give, and with
 * KC_ERR_PROVIDER_BUSY at once when the gate is full. Thread safe; holds no lock across I/O. */
kc_rc_t kc_metadata_get(kc_metadata_t *metadata, apr_pool_t *pool,
                        const kc_metadata_snapshot_t **out, kc_err_t *err);

/* For a probe: KC_OK when there is a snapshot that kc_metadata_get would go on with, however old;
 * else the reason. Without one it takes over what another child has fetched, or fetches over http
 * (NULL: does not), as rarely as get; it waits for nobody else who fetches, and is then KC_DOWN
 * with KC_ERR_PROVIDER_BUSY or why the fetch before failed. */
kc_rc_t kc_metadata_probe(kc_metadata_t *metadata, kc_http_t *http, kc_err_t *err);

/* What keeps the snapshot young, so that no request has to: called several times a second by one
 * thread of a child, it fetches over http (with a gate of its own: requests and it must not keep
 * each other from theirs) when four fifths of KeycloakMetadataTTL are over, and 10 seconds after a
 * failure, or half a second when nothing is left to go on with; takes over what another child
 * fetched; waits for nobody else. Logs over env when fetching begins or ceases to fail. */
void kc_metadata_refresh(kc_metadata_t *metadata, kc_http_t *http);

/* For a key that the snapshot does not have, or that does not fit any more: one fetch, at most once
 * a minute for all children of the host, or after a few seconds when the last one brought other
 * keys. is_foreign: anybody may have sent the token, whose fetches are counted by themselves.
 * Thread safe; waits for one fetch. */
void kc_metadata_renew_for_kid(kc_metadata_t *metadata, const kc_metadata_snapshot_t *known,
                               int is_foreign, apr_pool_t *pool);
/* The settings that it was made with. */
const kc_conf_t *kc_metadata_conf(const kc_metadata_t *metadata);

#endif

/* The keyring: immutable snapshots of a provider's metadata and keys, fetched when needed and kept
 * when fetching fails. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_KEYRING_H
#define KC_KEYRING_H

#include <apr_pools.h>
#include <stdint.h>

#include "conf.h"
#include "crypto.h"
#include "env.h"
#include "err.h"
#include "jwks.h"
#include "provider.h"

/* One state of the provider. Never edited; lives until its last holder lets go. */
typedef struct kc_keyring_snapshot_t {
    const kc_provider_t *provider;
    const kc_jwks_t *keys;
    int64_t fetched; /* seconds since 1970 */
    unsigned char
        digest[KC_CRYPTO_SHA256_SIZE]; /* of the key set's text: tells two of one second apart */
} kc_keyring_snapshot_t;

typedef struct kc_keyring_t kc_keyring_t;

/* One for each relying party and child, made after fork. */
kc_rc_t kc_keyring_create(const kc_conf_t *conf, const kc_env_t *env, apr_pool_t *pool,
                          kc_keyring_t **out, kc_err_t *err);

/* The current snapshot, held until pool is cleared. Fetches (at most one thread of the child does,
 * the others wait with a deadline) when there is none, and when it is older than
 * KeycloakMetadataTTL; keeps the old one up to KeycloakMetadataStale while fetching fails. After a
 * failed fetch nobody tries for a second, or for 15 when there are old ones to go on with. KC_DOWN
 * with the reason (KC_ERR_PROVIDER_DOWN, DISCOVERY…, KEYS) when there is nothing to give, and with
 * KC_ERR_PROVIDER_BUSY at once when env's gate is full. Thread safe; holds no
 * lock across I/O. */
kc_rc_t kc_keyring_get(kc_keyring_t *keyring, apr_pool_t *pool, const kc_keyring_snapshot_t **out,
                       kc_err_t *err);
/* The key for a token's alg and kid. An unknown kid leads to one fetch, at most once a minute for
 * all children of the host; *snapshot is then replaced. Else as kc_jwks_select. */
kc_rc_t kc_keyring_select(kc_keyring_t *keyring, const char *alg, const char *kid, apr_pool_t *pool,
                          const kc_keyring_snapshot_t **snapshot, const kc_jose_key_t **out,
                          kc_err_t *err);

#endif

/* A provider's metadata and keys: immutable snapshots, fetched once for all children of a host, and
 * kept when fetching fails.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METADATA_H
#define KC_METADATA_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "crypto/crypto.h"
#include "crypto/jwks.h"
#include "env.h"
#include "provider/metadata_snapshot.h"
#include "provider/provider.h"

typedef struct kc_metadata_t kc_metadata_t;

/* One for each relying party and child, made after fork. Starts with what the other children have
 * shared, without a call to the provider. conf and env must outlive pool. */
kc_rc_t kc_metadata_create(const kc_conf_t *conf, const kc_env_t *env, apr_pool_t *pool,
                           kc_metadata_t **out, kc_err_t *err);

/* The current snapshot, held until pool is cleared. Fetches when there is none, and when it is
 * older than KeycloakMetadataTTL. Keeps the old one up to KeycloakMetadataStale while fetching
 * fails.
 *
 * At most one thread of all children of the host fetches. Other threads continue with the old
 * snapshot. Without one they wait for the fetch, with a deadline, and each occupies a slot of env's
 * gate. After a failed fetch no thread tries again for half a second, or for 15 seconds when an old
 * snapshot can be used. In that time no thread waits for the next try either.
 *
 * KC_DOWN with the reason (KC_ERR_PROVIDER_DOWN, DISCOVERY…, KEYS) when there is no usable
 * snapshot. KC_DOWN with KC_ERR_PROVIDER_BUSY at once when the gate is full. Thread safe; holds no
 * lock across I/O. */
kc_rc_t kc_metadata_get(kc_metadata_t *metadata, apr_pool_t *pool,
                        const kc_metadata_snapshot_t **out, kc_err_t *err);

/* For a probe: KC_OK when there is a snapshot, however old, that kc_metadata_get would use; else
 * the reason. Without one it takes the documents that another child has fetched, or fetches over
 * http (NULL: does not), as rarely as kc_metadata_get. It does not wait for another thread's fetch.
 * It is then KC_DOWN with KC_ERR_PROVIDER_BUSY, or with the reason why the fetch before failed. */
kc_rc_t kc_metadata_probe(kc_metadata_t *metadata, kc_http_t *http, kc_err_t *err);

/* Keeps the snapshot fresh, so that no request has to fetch. Called several times a second by one
 * thread of a child. Fetches over http, with a gate of its own, so that it and the requests do not
 * block each other. It fetches when four fifths of KeycloakMetadataTTL have passed, and 10 seconds
 * after a failure, or half a second when no snapshot is usable. Takes documents that another child
 * fetched; waits for no other thread. Logs through env when fetching begins to fail, and when it
 * works again. */
void kc_metadata_refresh(kc_metadata_t *metadata, kc_http_t *http);

/* For a key that the snapshot does not have, or that no longer verifies: fetches once, at most once
 * a minute for all children of the host. After a fetch that brought other keys, that is a few
 * seconds. is_foreign: any client may have sent the token; such fetches are counted separately.
 * Thread safe; waits for one fetch. */
void kc_metadata_renew_for_kid(kc_metadata_t *metadata, const kc_metadata_snapshot_t *known,
                               int is_foreign, apr_pool_t *pool);
/* Seconds since the documents in use were fetched; -1: there are none. Thread safe. */
int64_t kc_metadata_age(kc_metadata_t *metadata);
/* The settings that it was made with. */
const kc_conf_t *kc_metadata_conf(const kc_metadata_t *metadata);

#endif

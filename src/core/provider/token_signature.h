/* Signed tokens of the provider: parsed, and verified with its keys.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TOKEN_SIGNATURE_H
#define KC_TOKEN_SIGNATURE_H

#include <apr_pools.h>

#include "base/err.h"
#include "crypto/jose.h"
#include "crypto/jws.h"
#include "provider/metadata.h"

/* The key for a token's alg and kid. An unknown kid causes one fetch, at most once a minute for all
 * children of the host; a few seconds after a fetch that brought other keys. *snapshot is then
 * replaced. Otherwise like kc_jwks_select. */
kc_rc_t kc_token_signature_key(kc_metadata_t *metadata, const char *alg, const char *kid,
                               apr_pool_t *pool, const kc_metadata_snapshot_t **snapshot,
                               const kc_jose_key_t **out, kc_err_t *err);

/* Parses a token (kc_jws_parse: compact must outlive it) and verifies its signature. Its alg must
 * be one of KeycloakAlgorithms, its key one of the provider's, found like kc_token_signature_key.
 * When no kid names the key, a signature that does not verify causes such a fetch too. The claims
 * are read last, and are NULL on failure. KC_REFUSED with KC_ERR_TOKEN_FORM, _HEADER, _ALG, _KEY or
 * _SIGNATURE; KC_DOWN when the keys are not available. */
kc_rc_t kc_token_signature_verify(kc_metadata_t *metadata, const char *compact, apr_pool_t *pool,
                                  const kc_metadata_snapshot_t **snapshot, kc_jws_t *token,
                                  kc_err_t *err);

/* The same for a token that any client may have sent. Its unknown kid does not use up the fetch per
 * minute that the provider's own tokens have. A header that brings a key along (jwk, jku, x5u, x5c)
 * is refused. */
kc_rc_t kc_token_signature_verify_untrusted(kc_metadata_t *metadata, const char *compact,
                                            apr_pool_t *pool,
                                            const kc_metadata_snapshot_t **snapshot,
                                            kc_jws_t *token, kc_err_t *err);

#endif

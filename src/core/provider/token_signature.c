/* Signed tokens of the provider: parsed, and verified with its keys.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/token_signature.h"

#include <string.h>

#include "conf/conf.h"
#include "crypto/jwks.h"
#include "crypto/jws.h"

typedef struct {
    const kc_metadata_snapshot_t **snapshot;
    int is_foreign;
} wanted_t;

static kc_rc_t find_key(kc_metadata_t *metadata, const wanted_t *wanted, const kc_jws_t *token,
                        apr_pool_t *pool, const kc_jose_key_t **out, kc_err_t *err)
{
    kc_rc_t rc = kc_jwks_select((*wanted->snapshot)->keys, token->alg, token->kid, out, err);

    if (rc != KC_MISS)
        return rc;
    kc_metadata_renew_for_kid(metadata, *wanted->snapshot, wanted->is_foreign, pool);
    rc = kc_metadata_get(metadata, pool, wanted->snapshot, err);
    if (rc == KC_OK)
        rc = kc_jwks_select((*wanted->snapshot)->keys, token->alg, token->kid, out, err);
    return rc == KC_MISS ? KC_REFUSED : rc;
}

kc_rc_t kc_token_signature_key(kc_metadata_t *metadata, const char *alg, const char *kid,
                               apr_pool_t *pool, const kc_metadata_snapshot_t **snapshot,
                               const kc_jose_key_t **out, kc_err_t *err)
{
    const kc_jws_t token = {.alg = alg, .kid = kid};
    const wanted_t wanted = {snapshot, 0};

    return find_key(metadata, &wanted, &token, pool, out, err);
}

/* When no kid names the key, only a failing signature shows that the key has changed. */
static kc_rc_t verify_by_newer(kc_metadata_t *metadata, const wanted_t *wanted,
                               const kc_jws_t *token, apr_pool_t *pool, kc_err_t *err)
{
    const kc_metadata_snapshot_t *known = *wanted->snapshot;
    const kc_jose_key_t *key;
    kc_rc_t rc;

    kc_metadata_renew_for_kid(metadata, known, wanted->is_foreign, pool);
    if (kc_metadata_get(metadata, pool, wanted->snapshot, NULL) != KC_OK)
        *wanted->snapshot = known;
    if (*wanted->snapshot == known)
        return KC_REFUSED;
    rc = kc_jwks_select((*wanted->snapshot)->keys, token->alg, token->kid, &key, err);
    return rc == KC_OK ? kc_jose_verify(token, key, err) : KC_REFUSED;
}

static kc_rc_t verify_token(kc_metadata_t *metadata, const char *compact, const wanted_t *wanted,
                            apr_pool_t *pool, kc_jws_t *token, kc_err_t *err)
{
    const kc_jose_key_t *key;
    kc_rc_t rc = kc_jws_parse(compact, strlen(compact), pool, token, err);

    if (rc != KC_OK)
        return rc;
    if (!kc_conf_table_is_allowed(kc_metadata_conf(metadata), token->alg))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ALG, "alg '%.20s' is not allowed", token->alg);
    if (wanted->is_foreign && token->brought_key)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_HEADER,
                       "the token's header brings a key along (%s)", token->brought_key);
    rc = find_key(metadata, wanted, token, pool, &key, err);
    if (rc != KC_OK)
        return rc;
    rc = kc_jose_verify(token, key, err);
    return rc == KC_OK || (token->kid && kc_jose_key_kid(key))
               ? rc
               : verify_by_newer(metadata, wanted, token, pool, err);
}

/* Any client can send a token with a large payload, so only a signed payload is parsed. */
static kc_rc_t open_token(kc_metadata_t *metadata, const char *compact, const wanted_t *wanted,
                          apr_pool_t *pool, kc_jws_t *token, kc_err_t *err)
{
    kc_rc_t rc = verify_token(metadata, compact, wanted, pool, token, err);

    return rc == KC_OK ? kc_jws_read_claims(token, pool, err) : rc;
}

kc_rc_t kc_token_signature_verify(kc_metadata_t *metadata, const char *compact, apr_pool_t *pool,
                                  const kc_metadata_snapshot_t **snapshot, kc_jws_t *token,
                                  kc_err_t *err)
{
    const wanted_t wanted = {snapshot, 0};

    return open_token(metadata, compact, &wanted, pool, token, err);
}

kc_rc_t kc_token_signature_verify_untrusted(kc_metadata_t *metadata, const char *compact,
                                            apr_pool_t *pool,
                                            const kc_metadata_snapshot_t **snapshot,
                                            kc_jws_t *token, kc_err_t *err)
{
    const wanted_t wanted = {snapshot, 1};

    return open_token(metadata, compact, &wanted, pool, token, err);
}

/* A provider's key set: read, filtered, and asked for the one key that fits a token.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jwks.h"

#include <string.h>

struct kc_jwks_t {
    size_t count;
    const kc_jose_key_t *key[KC_JWKS_KEYS_MAX];
};

/* RFC 7517 section 5: keys that are not understood or lack something are left out, the others
 * count. */
static kc_rc_t add_key(kc_jwks_t *keys, const kc_json_t *jwk, apr_pool_t *pool, kc_err_t *err)
{
    kc_jose_key_t *key;
    kc_rc_t rc;

    if (kc_json_type(jwk) != KC_JSON_OBJECT)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_KEYS, "the key set holds what is not a key");
    rc = kc_jose_key_import(jwk, pool, &key, err);
    if (rc == KC_MISS || rc == KC_REFUSED)
        return KC_OK;
    if (rc != KC_OK)
        return rc;
    keys->key[keys->count++] = key;
    return KC_OK;
}

static kc_rc_t read_document(const char *text, size_t len, apr_pool_t *scratch,
                             const kc_json_t **list, kc_err_t *err)
{
    kc_err_t json = {0};
    const kc_json_t *document;

    if (kc_json_parse(text, len, scratch, &document, &json) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_KEYS, "the key set: %s", json.detail);
    *list = kc_json_member(document, "keys");
    if (kc_json_type(*list) != KC_JSON_ARRAY)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_KEYS, "the key set has no list of keys");
    if (KC_JWKS_KEYS_MAX < kc_json_size(*list))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_KEYS, "the key set has more than %d keys",
                       KC_JWKS_KEYS_MAX);
    return KC_OK;
}

static kc_rc_t read_keys(kc_jwks_t *keys, const char *text, size_t len, apr_pool_t *scratch,
                         apr_pool_t *pool, kc_err_t *err)
{
    const kc_json_t *list = NULL;
    kc_rc_t rc = read_document(text, len, scratch, &list, err);
    size_t i;

    for (i = 0; rc == KC_OK && i < kc_json_size(list); i++)
        rc = add_key(keys, kc_json_at(list, i), pool, err);
    if (rc == KC_OK && !keys->count)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_KEYS,
                       "the key set has no key that verifies signatures");
    return rc;
}

kc_rc_t kc_jwks_parse(const char *text, size_t len, apr_pool_t *pool, kc_jwks_t **out,
                      kc_err_t *err)
{
    kc_jwks_t *keys = apr_pcalloc(pool, sizeof(*keys));
    apr_pool_t *scratch;
    kc_rc_t rc;

    *out = NULL;
    if (apr_pool_create(&scratch, pool) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no memory for a key set");
    rc = read_keys(keys, text, len, scratch, pool, err);
    apr_pool_destroy(scratch);
    if (rc == KC_OK)
        *out = keys;
    return rc;
}

size_t kc_jwks_count(const kc_jwks_t *keys)
{
    return keys->count;
}

static int is_wanted(const kc_jose_key_t *key, const char *alg, const char *kid)
{
    const char *own = kc_jose_key_kid(key);

    if (kid && (!own || strcmp(own, kid) != 0))
        return 0;
    return kc_jose_key_fits(key, alg);
}

kc_rc_t kc_jwks_select(const kc_jwks_t *keys, const char *alg, const char *kid,
                       const kc_jose_key_t **out, kc_err_t *err)
{
    const kc_jose_key_t *found = NULL;
    size_t i;

    *out = NULL;
    /* Not worth a fetch: no key set has a key for it. */
    if (!kc_jose_is_alg_known(alg))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ALG, "the token's alg is not one we verify");
    for (i = 0; i < keys->count; i++) {
        if (!is_wanted(keys->key[i], alg, kid))
            continue;
        /* Trying one after the other would let whoever adds a key choose which one counts. */
        if (found)
            return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_KEY,
                           "several keys of the provider fit the token");
        found = keys->key[i];
    }
    if (!found)
        return KC_FAIL(err, KC_MISS, KC_ERR_TOKEN_KEY, "no key of the provider fits the token");
    *out = found;
    return KC_OK;
}

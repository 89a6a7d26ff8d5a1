/* A provider's key set: parsed, filtered, and searched for the one key that fits a token.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jwks.h"

#include <apr_strings.h>
#include <string.h>

enum { LEFT_OUT_MAX = 600 /* bytes of the text; further keys are only counted */ };

struct kc_jwks_t {
    const char *left_out;
    int is_odd; /* of the keys that were left out */
    size_t count;
    const kc_jose_key_t *key[KC_JWKS_KEYS_MAX];
};

/* Keycloak's realms have such a key by default. */
static int is_for_encryption(const kc_json_t *jwk)
{
    const char *use = kc_json_member_string(jwk, "use");

    return use && strcmp(use, "enc") == 0;
}

/* Notes a left-out key for the log. why: "a key of the provider…: what is wrong". */
static void leave_out(kc_jwks_t *keys, const kc_json_t *jwk, int is_odd, const char *why,
                      apr_pool_t *pool)
{
    const char *kid = kc_json_member_string(jwk, "kid"), *reason = strstr(why, ": ");
    const char *separator = *keys->left_out ? "; " : "";

    keys->is_odd |= is_odd;
    if (strlen(keys->left_out) > LEFT_OUT_MAX)
        return;
    keys->left_out =
        apr_psprintf(pool, "%s%skey %.60s%.60s: %.120s", keys->left_out, separator,
                     kid ? "" : "without kid", kid ? kid : "", reason ? reason + 2 : why);
}

/* RFC 7517 section 5: keys that are not understood or incomplete are left out; the others are
 * used. */
static kc_rc_t add_key(kc_jwks_t *keys, const kc_json_t *jwk, apr_pool_t *pool, kc_err_t *err)
{
    kc_jose_key_t *key;
    kc_err_t why = {0};
    kc_rc_t rc = kc_jose_key_import(jwk, pool, &key, &why);

    if (rc == KC_OK) {
        keys->key[keys->count++] = key;
    } else if (rc == KC_MISS || rc == KC_REFUSED) {
        leave_out(keys, jwk, rc == KC_REFUSED || !is_for_encryption(jwk), why.detail, pool);
        rc = KC_OK;
    } else if (err) {
        *err = why;
    }
    return rc;
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
    keys->left_out = "";
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

const char *kc_jwks_left_out(const kc_jwks_t *keys, int *is_odd)
{
    *is_odd = keys->is_odd;
    return keys->left_out;
}

/* Which keys are searched for. */
typedef struct {
    const char *alg;
    const char *kid;    /* NULL: any */
    int is_for_signing; /* only keys whose use says so */
} wanted_t;

static int is_wanted(const kc_jose_key_t *key, const wanted_t *wanted)
{
    const char *own = kc_jose_key_kid(key);

    if (wanted->kid && (!own || strcmp(own, wanted->kid) != 0))
        return 0;
    if (wanted->is_for_signing && !kc_jose_key_is_for_signing(key))
        return 0;
    return kc_jose_key_fits(key, wanted->alg);
}

/* How many different keys match: 0, 1, or 2 for several. *out is the first. */
static int find(const kc_jwks_t *keys, const wanted_t *wanted, const kc_jose_key_t **out)
{
    size_t i;

    *out = NULL;
    for (i = 0; i < keys->count; i++) {
        if (!is_wanted(keys->key[i], wanted))
            continue;
        if (*out && !kc_jose_key_is_same(*out, keys->key[i]))
            return 2;
        if (!*out)
            *out = keys->key[i];
    }
    return *out ? 1 : 0;
}

/* Trying several keys in turn would let anyone who adds a key choose which one is used. */
static int find_unambiguous(const kc_jwks_t *keys, wanted_t *wanted, const kc_jose_key_t **out)
{
    int found = find(keys, wanted, out);

    if (found == 2 && wanted->kid) {
        wanted->is_for_signing = 1;
        return find(keys, wanted, out) == 1 ? 1 : 2;
    }
    if (found == 0 && wanted->kid) {
        wanted->kid = NULL;
        found = find(keys, wanted, out) == 1 && !kc_jose_key_kid(*out);
    }
    return found;
}

kc_rc_t kc_jwks_select(const kc_jwks_t *keys, const char *alg, const char *kid,
                       const kc_jose_key_t **out, kc_err_t *err)
{
    wanted_t wanted = {alg, kid, 0};
    const kc_jose_key_t *key = NULL;

    *out = NULL;
    /* A fetch does not help: no key set has a key for it. */
    if (!kc_jose_is_alg_known(alg))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ALG, "the token's alg is not one we verify");
    switch (find_unambiguous(keys, &wanted, &key)) {
    case 0:
        return KC_FAIL(err, KC_MISS, KC_ERR_TOKEN_KEY, "no key of the provider fits the token");
    case 1:
        *out = key;
        return KC_OK;
    default:
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_KEY,
                       "several keys of the provider fit the token");
    }
}

/* Sealed values: the encrypted form in which sessions, login states and snapshots leave the
 * process.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crypto/seal.h"

#include <string.h>

enum {
    HEAD_SIZE = 1 + 1 + 8, /* version, key id, expiry: authenticated, not encrypted */
    LABEL_SIZE = 64        /* bytes of a derivation label, including the closing NUL */
};

/* Sealing keys are derived under labels of their own. So no other use of kc_crypto_derive, such as
 * a public store key, can ever yield the same bytes. */
static const char label_prefix[] = "seal ";

/* Derives a separate sealing key for each purpose and binding. The caller cleanses it. */
static kc_rc_t derive(const kc_crypto_key_t *from, const kc_seal_use_t *use,
                      unsigned char key[KC_CRYPTO_KEY_SIZE], kc_err_t *err)
{
    char label[LABEL_SIZE];
    size_t len = strlen(use->purpose);

    if (sizeof(label) - sizeof(label_prefix) < len)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "a seal's purpose is too long");
    memcpy(label, label_prefix, sizeof(label_prefix) - 1);
    memcpy(label + sizeof(label_prefix) - 1, use->purpose, len + 1);
    return kc_crypto_derive(from, label, use->binding, key, err);
}

/* The additional authenticated data of a value; empty when a binding or context is absurdly
 * large. */
static kc_bytes_t aad_of(const unsigned char head[HEAD_SIZE], const kc_seal_use_t *use,
                         apr_pool_t *pool)
{
    kc_buf_t buf;
    kc_bytes_t aad;

    kc_buf_init(&buf, KC_SEAL_MAX, pool);
    kc_buf_put(&buf, head, HEAD_SIZE);
    kc_buf_put(&buf, use->purpose, strlen(use->purpose) + 1);
    kc_buf_put_u32(&buf, (uint32_t)use->binding.len);
    kc_buf_put(&buf, use->binding.data, use->binding.len);
    kc_buf_put(&buf, use->context.data, use->context.len);
    if (kc_buf_bytes(&buf, &aad) != KC_OK)
        aad.len = 0;
    return aad;
}

static void write_head(unsigned char head[HEAD_SIZE], uint8_t key_id, int64_t expires_at)
{
    uint64_t rest = (uint64_t)expires_at;
    size_t i;

    head[0] = KC_SEAL_VERSION;
    head[1] = key_id;
    for (i = HEAD_SIZE; 2 < i; i--) {
        head[i - 1] = (unsigned char)(rest & 0xff);
        rest >>= 8;
    }
}

kc_rc_t kc_seal_close(const kc_seal_keys_t *keys, const kc_seal_use_t *use, int64_t expires_at,
                      const unsigned char iv[KC_CRYPTO_IV_SIZE], kc_bytes_t plain, apr_pool_t *pool,
                      kc_bytes_t *out, kc_err_t *err)
{
    unsigned char key[KC_CRYPTO_KEY_SIZE];
    unsigned char *value;
    kc_bytes_t aad;
    kc_rc_t rc;

    out->data = NULL;
    out->len = 0;
    if (KC_SEAL_MAX < plain.len)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_STORE_VALUE, "%" APR_SIZE_T_FMT " bytes to seal",
                       plain.len);
    value = apr_palloc(pool, plain.len + KC_SEAL_OVERHEAD);
    write_head(value, kc_crypto_key_id(keys->key[0]), expires_at);
    memcpy(value + HEAD_SIZE, iv, KC_CRYPTO_IV_SIZE);
    aad = aad_of(value, use, pool);
    if (!aad.len)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "a seal's binding is too long");
    rc = derive(keys->key[0], use, key, err);
    if (rc == KC_OK)
        rc = kc_crypto_seal(key, iv, aad, plain, value + HEAD_SIZE + KC_CRYPTO_IV_SIZE, err);
    kc_crypto_cleanse(key, sizeof(key));
    if (rc != KC_OK)
        return rc;
    out->data = value;
    out->len = plain.len + KC_SEAL_OVERHEAD;
    return KC_OK;
}

/* ---------------------------------------------------------------- opening */

/* A sealed value split into parts, and memory for its content. */
typedef struct opening_t {
    const unsigned char *head;
    const unsigned char *iv;
    kc_bytes_t body; /* ciphertext and tag */
    kc_bytes_t aad;
    unsigned char *plain;
    size_t plain_len;
} opening_t;

/* One error for every fault of a value, so that it does not reveal how far a forgery got. */
static kc_rc_t refuse(kc_err_t *err)
{
    return KC_FAIL(err, KC_REFUSED, KC_ERR_SEAL, "the value is not genuine");
}

static apr_status_t plain_cleanup(void *data)
{
    const opening_t *opening = data;

    kc_crypto_cleanse(opening->plain, opening->plain_len);
    return APR_SUCCESS;
}

/* KC_REFUSED for a size that no sealed value has. */
static kc_rc_t take_apart(kc_bytes_t sealed, const kc_seal_use_t *use, opening_t *opening,
                          apr_pool_t *pool)
{
    if (sealed.len < KC_SEAL_OVERHEAD || KC_SEAL_MAX + KC_SEAL_OVERHEAD < sealed.len)
        return KC_REFUSED;
    opening->head = sealed.data;
    opening->iv = sealed.data + HEAD_SIZE;
    opening->body.data = opening->iv + KC_CRYPTO_IV_SIZE;
    opening->body.len = sealed.len - HEAD_SIZE - KC_CRYPTO_IV_SIZE;
    opening->plain_len = sealed.len - KC_SEAL_OVERHEAD;
    opening->aad = aad_of(opening->head, use, pool);
    return opening->head[0] == KC_SEAL_VERSION && opening->aad.len ? KC_OK : KC_REFUSED;
}

static kc_rc_t open_with(const kc_crypto_key_t *from, const kc_seal_use_t *use,
                         const opening_t *opening, kc_err_t *err)
{
    unsigned char key[KC_CRYPTO_KEY_SIZE];
    kc_rc_t rc = derive(from, use, key, err);

    if (rc == KC_OK)
        rc = kc_crypto_open(key, opening->iv, opening->aad, opening->body, opening->plain, err);
    kc_crypto_cleanse(key, sizeof(key));
    return rc;
}

/* Tries every key with the id that the value names, because two may share it. */
static kc_rc_t open_any(const kc_seal_keys_t *keys, const kc_seal_use_t *use,
                        const opening_t *opening, kc_err_t *err)
{
    size_t i;

    for (i = 0; i < keys->count && i < KC_SEAL_KEYS_MAX; i++) {
        kc_rc_t rc;

        if (kc_crypto_key_id(keys->key[i]) != opening->head[1])
            continue;
        rc = open_with(keys->key[i], use, opening, err);
        if (rc != KC_REFUSED)
            return rc;
    }
    return refuse(err);
}

static int64_t expiry_of(const unsigned char head[HEAD_SIZE])
{
    uint64_t value = 0;
    size_t i;

    for (i = 2; i < HEAD_SIZE; i++)
        value = value << 8 | head[i];
    return (int64_t)value;
}

kc_rc_t kc_seal_open(const kc_seal_keys_t *keys, const kc_seal_use_t *use, int64_t now,
                     kc_bytes_t sealed, apr_pool_t *pool, kc_bytes_t *plain, int64_t *expires_at,
                     kc_err_t *err)
{
    opening_t *opening = apr_pcalloc(pool, sizeof(*opening));
    int64_t expiry;
    kc_rc_t rc;

    plain->data = NULL;
    plain->len = 0;
    if (take_apart(sealed, use, opening, pool) != KC_OK)
        return refuse(err);
    opening->plain = apr_palloc(pool, opening->plain_len + 1);
    opening->plain[opening->plain_len] = 0;
    apr_pool_cleanup_register(pool, opening, plain_cleanup, apr_pool_cleanup_null);
    rc = open_any(keys, use, opening, err);
    if (rc != KC_OK)
        return rc;
    expiry = expiry_of(opening->head);
    if (expires_at)
        *expires_at = expiry;
    if (expiry <= now) {
        kc_crypto_cleanse(opening->plain, opening->plain_len);
        return KC_FAIL(err, KC_MISS, KC_ERR_SEAL, "the value has expired");
    }
    plain->data = opening->plain;
    plain->len = opening->plain_len;
    return KC_OK;
}

int kc_seal_has_key(const kc_seal_keys_t *keys, uint8_t key_id)
{
    size_t i;

    for (i = 0; i < keys->count && i < KC_SEAL_KEYS_MAX; i++) {
        if (kc_crypto_key_id(keys->key[i]) == key_id)
            return 1;
    }
    return 0;
}

int kc_seal_is_foreign(const kc_seal_keys_t *keys, kc_bytes_t sealed)
{
    return sealed.len >= KC_SEAL_OVERHEAD && sealed.data[0] == KC_SEAL_VERSION &&
           !kc_seal_has_key(keys, sealed.data[1]);
}

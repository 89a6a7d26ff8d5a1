/* Cryptography: random bytes, hashes, key derivation and authenticated encryption. The only user of
 * OpenSSL.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>

enum {
    SHA256_BLOCK = 64,
    INNER_PAD = 0x36,
    OUTER_PAD = 0x5c /* RFC 2104 */
};

/* HMAC-SHA256 with the key already absorbed: the hash states after the inner and the outer pad.
 * Copying these two for each use costs half as much as copying an EVP_MAC context, which holds
 * three. */
struct kc_crypto_key_t {
    EVP_MD_CTX *inner;
    EVP_MD_CTX *outer;
    uint8_t id;
};

/* Looking up the cipher by name for each operation would cost more than the operation. The
 * fetched cipher is shared by the keys, and freed with the last of them, before httpd unloads
 * the module. */
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static EVP_CIPHER *shared_gcm;
static unsigned int shared_users;

void kc_crypto_forget_errors(void)
{
    ERR_clear_error();
}

/* Reports which call failed and why. Empties the queue, because mod_ssl reads it too. */
static kc_rc_t fail(const char *what, kc_err_t *err)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "%s failed: %s", what,
                   reason ? reason : "no reason given");
}

/* ---------------------------------------------------------------- random, hashes, comparison */

kc_rc_t kc_crypto_random(unsigned char *out, size_t len, kc_err_t *err)
{
    if (INT_MAX < len)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "too many random bytes asked for");
    if (RAND_bytes(out, (int)len) != 1)
        return fail("RAND_bytes", err);
    return KC_OK;
}

static kc_rc_t digest(const EVP_MD *md, kc_bytes_t data, unsigned char *out, size_t *out_len,
                      kc_err_t *err)
{
    unsigned int len = 0;

    if (EVP_Digest(data.len ? data.data : (const unsigned char *)"", data.len, out, &len, md,
                   NULL) != 1)
        return fail("EVP_Digest", err);
    *out_len = len;
    return KC_OK;
}

kc_rc_t kc_crypto_sha256(kc_bytes_t data, unsigned char out[KC_CRYPTO_SHA256_SIZE], kc_err_t *err)
{
    size_t len;

    return digest(EVP_sha256(), data, out, &len, err);
}

kc_rc_t kc_crypto_fingerprint(kc_bytes_t secret, unsigned char out[KC_CRYPTO_PRINT_SIZE],
                              kc_err_t *err)
{
    static const unsigned char salt[] = "mod_auth_keycloak fingerprint 1";
    const uint64_t blocks = 32768, size = 8, memory = 64 * 1024 * 1024;

    if (EVP_PBE_scrypt((const char *)secret.data, secret.len, salt, sizeof(salt) - 1, blocks, size,
                       1, memory, out, KC_CRYPTO_PRINT_SIZE) != 1)
        return fail("EVP_PBE_scrypt", err);
    return KC_OK;
}

kc_rc_t kc_crypto_sha2(int bits, kc_bytes_t data, unsigned char out[KC_CRYPTO_SHA_MAX],
                       size_t *out_len, kc_err_t *err)
{
    *out_len = 0;
    switch (bits) {
    case 256:
        return digest(EVP_sha256(), data, out, out_len, err);
    case 384:
        return digest(EVP_sha384(), data, out, out_len, err);
    case 512:
        return digest(EVP_sha512(), data, out, out_len, err);
    default:
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "there is no SHA-2 of %d bits", bits);
    }
}

int kc_crypto_is_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
    if (a_len != b_len)
        return 0;
    return !a_len || CRYPTO_memcmp(a, b, a_len) == 0;
}

void kc_crypto_cleanse(void *data, size_t len)
{
    /* as reliable as OPENSSL_cleanse, which writes byte by byte */
    if (data && len)
        explicit_bzero(data, len);
}

/* ---------------------------------------------------------------- the shared cipher */

static int shared_gcm_take(void)
{
    EVP_CIPHER *gcm;

    pthread_mutex_lock(&shared_lock);
    gcm = shared_gcm;
    if (!gcm)
        gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (gcm)
        shared_users++;
    __atomic_store_n(&shared_gcm, gcm, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&shared_lock);
    return gcm != NULL;
}

static void shared_gcm_drop(void)
{
    EVP_CIPHER *gcm = NULL;

    pthread_mutex_lock(&shared_lock);
    if (--shared_users == 0) {
        gcm = shared_gcm;
        __atomic_store_n(&shared_gcm, NULL, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&shared_lock);
    EVP_CIPHER_free(gcm);
}

/* ---------------------------------------------------------------- keys */

/* SHA-256 that has absorbed the key, XORed with one of HMAC's pads. */
static EVP_MD_CTX *keyed_half(const EVP_MD *md, const unsigned char prk[KC_CRYPTO_SHA256_SIZE],
                              unsigned char pad)
{
    unsigned char block[SHA256_BLOCK];
    EVP_MD_CTX *half = EVP_MD_CTX_new();
    size_t i;

    memset(block, pad, sizeof(block));
    for (i = 0; i < KC_CRYPTO_SHA256_SIZE; i++)
        block[i] = (unsigned char)(prk[i] ^ pad);
    if (half && (EVP_DigestInit_ex2(half, md, NULL) != 1 ||
                 EVP_DigestUpdate(half, block, sizeof(block)) != 1)) {
        EVP_MD_CTX_free(half);
        half = NULL;
    }
    OPENSSL_cleanse(block, sizeof(block));
    return half;
}

static apr_status_t key_cleanup(void *data)
{
    kc_crypto_key_t *key = data;

    EVP_MD_CTX_free(key->inner);
    EVP_MD_CTX_free(key->outer);
    memset(key, 0, sizeof(*key));
    shared_gcm_drop();
    return APR_SUCCESS;
}

static int key_prepare(kc_crypto_key_t *key, const unsigned char prk[KC_CRYPTO_SHA256_SIZE])
{
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA2-256", NULL);

    if (!md)
        return 0;
    key->inner = keyed_half(md, prk, INNER_PAD);
    key->outer = keyed_half(md, prk, OUTER_PAD);
    EVP_MD_free(md); /* the contexts hold it */
    return key->inner && key->outer;
}

kc_rc_t kc_crypto_key_make(kc_bytes_t secret, apr_pool_t *pool, kc_crypto_key_t **out,
                           kc_err_t *err)
{
    static const unsigned char salt[] = "mod_auth_keycloak key 1";
    unsigned char prk[KC_CRYPTO_SHA256_SIZE], name[KC_CRYPTO_KEY_SIZE];
    kc_crypto_key_t *key = apr_pcalloc(pool, sizeof(*key));
    const kc_bytes_t nothing = {NULL, 0};
    unsigned int len = 0;
    int is_ready;

    *out = NULL;
    if (!shared_gcm_take())
        return fail("EVP_CIPHER_fetch of AES-256-GCM", err);
    apr_pool_cleanup_register(pool, key, key_cleanup, apr_pool_cleanup_null);
    is_ready = HMAC(EVP_sha256(), salt, (int)sizeof(salt) - 1, secret.len ? secret.data : salt,
                    secret.len, prk, &len) &&
               key_prepare(key, prk);
    OPENSSL_cleanse(prk, sizeof(prk));
    if (!is_ready)
        return fail("preparing a key", err);
    if (kc_crypto_derive(key, "key-id", nothing, name, err) != KC_OK)
        return KC_FAULT;
    key->id = name[0];
    OPENSSL_cleanse(name, sizeof(name));
    *out = key;
    return KC_OK;
}

uint8_t kc_crypto_key_id(const kc_crypto_key_t *key)
{
    return key->id;
}

/* The inner hash over label, 0, context, 1. */
static int hash_info(EVP_MD_CTX *hash, const char *label, kc_bytes_t context)
{
    static const unsigned char one = 1;

    return EVP_DigestUpdate(hash, label, strlen(label) + 1) == 1 &&
           (!context.len || EVP_DigestUpdate(hash, context.data, context.len) == 1) &&
           EVP_DigestUpdate(hash, &one, 1) == 1;
}

kc_rc_t kc_crypto_derive(const kc_crypto_key_t *key, const char *label, kc_bytes_t context,
                         unsigned char out[KC_CRYPTO_KEY_SIZE], kc_err_t *err)
{
    unsigned char sum[KC_CRYPTO_SHA256_SIZE];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int is_done =
        hash && EVP_MD_CTX_copy_ex(hash, key->inner) == 1 && hash_info(hash, label, context) &&
        EVP_DigestFinal_ex(hash, sum, NULL) == 1 && EVP_MD_CTX_copy_ex(hash, key->outer) == 1 &&
        EVP_DigestUpdate(hash, sum, sizeof(sum)) == 1 && EVP_DigestFinal_ex(hash, out, NULL) == 1;

    EVP_MD_CTX_free(hash);
    OPENSSL_cleanse(sum, sizeof(sum));
    if (is_done)
        return KC_OK;
    OPENSSL_cleanse(out, KC_CRYPTO_KEY_SIZE);
    return fail("HMAC-SHA256", err);
}

/* ---------------------------------------------------------------- AES-256-GCM */

/* Processes all data. When opening, the tag was set before. */
static int gcm_run(EVP_CIPHER_CTX *cipher, kc_bytes_t aad, kc_bytes_t in, unsigned char *out)
{
    unsigned char unused[KC_CRYPTO_TAG_SIZE]; /* GCM writes nothing at its end */
    int len = 0;

    if (aad.len && EVP_CipherUpdate(cipher, NULL, &len, aad.data, (int)aad.len) != 1)
        return 0;
    if (in.len && EVP_CipherUpdate(cipher, out, &len, in.data, (int)in.len) != 1)
        return 0;
    return EVP_CipherFinal_ex(cipher, unused, &len) == 1;
}

static EVP_CIPHER_CTX *gcm_new(const unsigned char *key, const unsigned char *iv, int is_sealing,
                               const OSSL_PARAM *params)
{
    const EVP_CIPHER *gcm = __atomic_load_n(&shared_gcm, __ATOMIC_ACQUIRE);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();

    if (!gcm)
        gcm = EVP_aes_256_gcm();
    if (cipher && EVP_CipherInit_ex2(cipher, gcm, key, iv, is_sealing, params) != 1) {
        EVP_CIPHER_CTX_free(cipher);
        cipher = NULL;
    }
    return cipher;
}

static int is_fit_for_gcm(kc_bytes_t aad, kc_bytes_t data)
{
    return aad.len <= INT_MAX && data.len <= INT_MAX - KC_CRYPTO_TAG_SIZE;
}

kc_rc_t kc_crypto_seal(const unsigned char key[KC_CRYPTO_KEY_SIZE],
                       const unsigned char iv[KC_CRYPTO_IV_SIZE], kc_bytes_t aad, kc_bytes_t plain,
                       unsigned char *out, kc_err_t *err)
{
    EVP_CIPHER_CTX *cipher;
    int is_done;

    if (!is_fit_for_gcm(aad, plain))
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "too many bytes to seal");
    cipher = gcm_new(key, iv, 1, NULL);
    is_done = cipher && gcm_run(cipher, aad, plain, out) &&
              EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, KC_CRYPTO_TAG_SIZE,
                                  out + plain.len) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return is_done ? KC_OK : fail("sealing with AES-256-GCM", err);
}

kc_rc_t kc_crypto_open(const unsigned char key[KC_CRYPTO_KEY_SIZE],
                       const unsigned char iv[KC_CRYPTO_IV_SIZE], kc_bytes_t aad, kc_bytes_t sealed,
                       unsigned char *out, kc_err_t *err)
{
    unsigned char tag[KC_CRYPTO_TAG_SIZE];
    OSSL_PARAM params[2];
    EVP_CIPHER_CTX *cipher;
    kc_bytes_t body = sealed;
    int is_genuine;

    if (sealed.len < KC_CRYPTO_TAG_SIZE || !is_fit_for_gcm(aad, sealed))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SEAL, "the value is not genuine");
    body.len -= KC_CRYPTO_TAG_SIZE;
    memcpy(tag, sealed.data + body.len, sizeof(tag));
    params[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, sizeof(tag));
    params[1] = OSSL_PARAM_construct_end();
    cipher = gcm_new(key, iv, 0, params);
    if (!cipher)
        return fail("opening with AES-256-GCM", err);
    is_genuine = gcm_run(cipher, aad, body, out);
    EVP_CIPHER_CTX_free(cipher);
    if (is_genuine)
        return KC_OK;
    /* Bytes that GCM decrypted before it checked the tag may be an attacker's, or another
     * user's. */
    kc_crypto_cleanse(out, body.len);
    ERR_clear_error();
    return KC_FAIL(err, KC_REFUSED, KC_ERR_SEAL, "the value is not genuine");
}

/* ---------------------------------------------------------------- PEM */

/* Never asks the administrator for a passphrase. */
static int have_no_passphrase(char *out, int size, int is_writing, void *context)
{
    (void)out;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

static X509 *next_certificate(BIO *text)
{
    return PEM_read_bio_X509_AUX(text, NULL, have_no_passphrase, NULL);
}

int kc_crypto_count_certificates(const char *pem, int *bad)
{
    BIO *text = BIO_new_mem_buf(pem, -1);
    X509 *certificate;
    int count = 0;

    ERR_clear_error();
    while (text && (certificate = next_certificate(text)) != NULL) {
        X509_free(certificate);
        count++;
    }
    *bad = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? 0 : count + 1;
    BIO_free(text);
    ERR_clear_error();
    return count;
}

kc_crypto_pair_t kc_crypto_check_pair(const char *key_pem, const char *certificate_pem)
{
    BIO *key_text = BIO_new_mem_buf(key_pem, -1);
    BIO *text = certificate_pem ? BIO_new_mem_buf(certificate_pem, -1) : NULL;
    EVP_PKEY *key =
        key_text ? PEM_read_bio_PrivateKey(key_text, NULL, have_no_passphrase, NULL) : NULL;
    X509 *certificate = text ? next_certificate(text) : NULL;
    kc_crypto_pair_t pair = KC_CRYPTO_PAIR;

    if (!key)
        pair = KC_CRYPTO_NO_KEY;
    else if (certificate && X509_check_private_key(certificate, key) != 1)
        pair = KC_CRYPTO_NO_PAIR;
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(text);
    BIO_free(key_text);
    ERR_clear_error();
    return pair;
}

/* Cryptography: random, hashes, key derivation and authenticated sealing. The only user of OpenSSL.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CRYPTO_H
#define KC_CRYPTO_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    KC_CRYPTO_SHA256_SIZE = 32, /* bytes */
    KC_CRYPTO_KEY_SIZE = 32,    /* AES-256 key */
    KC_CRYPTO_IV_SIZE = 12,     /* AES-GCM nonce */
    KC_CRYPTO_TAG_SIZE = 16,    /* AES-GCM tag */
    KC_CRYPTO_SHA_MAX = 64      /* SHA-512 */
};

/* All functions are thread safe. Failures of OpenSSL are KC_FAULT with KC_ERR_CRYPTO and leave
 * OpenSSL's error queue empty. */

/* RAND_bytes, checked. */
kc_rc_t kc_crypto_random(unsigned char *out, size_t len, kc_err_t *err);
kc_rc_t kc_crypto_sha256(kc_bytes_t data, unsigned char out[KC_CRYPTO_SHA256_SIZE], kc_err_t *err);
/* SHA-2 by its size in bits (256, 384, 512); *out_len is bits / 8 bytes. */
kc_rc_t kc_crypto_sha2(int bits, kc_bytes_t data, unsigned char out[KC_CRYPTO_SHA_MAX],
                       size_t *out_len, kc_err_t *err);
/* Constant time in the contents; unequal lengths are unequal. 1 when equal. */
int kc_crypto_is_equal(const void *a, size_t a_len, const void *b, size_t b_len);
void kc_crypto_cleanse(void *data, size_t len);
/* Empties this thread's queue of OpenSSL errors, after a library above OpenSSL has failed: what is
 * left there would be taken by mod_ssl for a failure of its connection. */
void kc_crypto_forget_errors(void);

/* Reads each certificate of a text in PEM (RFC 7468), between which there may be anything else.
 * Returns how many there are; *bad is the number of the first that cannot be read, with which it
 * ends, counted from 1, or 0. */
int kc_crypto_count_certificates(const char *pem, int *bad);

typedef enum {
    KC_CRYPTO_PAIR,   /* the key of the certificate */
    KC_CRYPTO_NO_KEY, /* it cannot be read: there is none, or it needs a passphrase */
    KC_CRYPTO_NO_PAIR /* it is another's */
} kc_crypto_pair_t;

/* Reads a private key in PEM, and compares it with the first certificate of the other text, when
 * that is not NULL and has one that can be read. */
kc_crypto_pair_t kc_crypto_check_pair(const char *key_pem, const char *certificate_pem);

/* A prepared HKDF key (RFC 5869): the pseudo-random key of a configured secret, ready to expand. */
typedef struct kc_crypto_key_t kc_crypto_key_t;

/* HKDF-Extract over secret with the project's fixed salt. The key lives in pool and is cleansed
 * with it; use at start-up only. It may be used by several threads and after fork. */
kc_rc_t kc_crypto_key_make(kc_bytes_t secret, apr_pool_t *pool, kc_crypto_key_t **out,
                           kc_err_t *err);
/* A byte that names the key inside sealed values; derived, tells nothing of the key. */
uint8_t kc_crypto_key_id(const kc_crypto_key_t *key);
/* HKDF-Expand, one block: HMAC-SHA256(PRK, label || 0 || context || 1). label is a static purpose
 * such as "store-key"; context is for instance the session id's raw bytes. Cheap: this is on the
 * request path. */
kc_rc_t kc_crypto_derive(const kc_crypto_key_t *key, const char *label, kc_bytes_t context,
                         unsigned char out[KC_CRYPTO_KEY_SIZE], kc_err_t *err);

/* AES-256-GCM. seal writes plain.len bytes of ciphertext and then KC_CRYPTO_TAG_SIZE bytes of tag
 * to out; open takes that form and writes sealed.len - KC_CRYPTO_TAG_SIZE bytes to out, KC_REFUSED
 * with KC_ERR_SEAL (and out cleansed) when anything differs or sealed is too short. */
kc_rc_t kc_crypto_seal(const unsigned char key[KC_CRYPTO_KEY_SIZE],
                       const unsigned char iv[KC_CRYPTO_IV_SIZE], kc_bytes_t aad, kc_bytes_t plain,
                       unsigned char *out, kc_err_t *err);
kc_rc_t kc_crypto_open(const unsigned char key[KC_CRYPTO_KEY_SIZE],
                       const unsigned char iv[KC_CRYPTO_IV_SIZE], kc_bytes_t aad, kc_bytes_t sealed,
                       unsigned char *out, kc_err_t *err);

#endif

/* Cryptography: random bytes, hashes, key derivation and authenticated encryption. The only user of
 * OpenSSL.
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
    KC_CRYPTO_SHA_MAX = 64,     /* SHA-512 */
    KC_CRYPTO_PRINT_SIZE = 8    /* bytes of a secret's fingerprint */
};

/* All functions are thread safe. Failures of OpenSSL are KC_FAULT with KC_ERR_CRYPTO and leave
 * OpenSSL's error queue empty. */

/* RAND_bytes, checked. */
kc_rc_t kc_crypto_random(unsigned char *out, size_t len, kc_err_t *err);
kc_rc_t kc_crypto_sha256(kc_bytes_t data, unsigned char out[KC_CRYPTO_SHA256_SIZE], kc_err_t *err);
/* SHA-2 by its size in bits (256, 384, 512); *out_len is bits / 8 bytes. */
kc_rc_t kc_crypto_sha2(int bits, kc_bytes_t data, unsigned char out[KC_CRYPTO_SHA_MAX],
                       size_t *out_len, kc_err_t *err);
/* A fingerprint of a secret that may be shown: scrypt (RFC 7914) with N 32768, r 8, p 1 and the
 * project's fixed salt. The same secret has the same one everywhere. A guess costs 32 MiB and about
 * a tenth of a second. */
kc_rc_t kc_crypto_fingerprint(kc_bytes_t secret, unsigned char out[KC_CRYPTO_PRINT_SIZE],
                              kc_err_t *err);
/* 1 when equal. The time does not depend on the contents; unequal lengths are unequal. */
int kc_crypto_is_equal(const void *a, size_t a_len, const void *b, size_t b_len);
void kc_crypto_cleanse(void *data, size_t len);
/* Empties this thread's queue of OpenSSL errors, after a library that uses OpenSSL has failed.
 * Otherwise mod_ssl would take these errors for a failure of its connection. */
void kc_crypto_forget_errors(void);

/* Reads each certificate of a text in PEM (RFC 7468); any other text may be between them. Returns
 * how many there are. *bad is the number, from 1, of the first certificate that cannot be read,
 * where reading stops; or 0. */
int kc_crypto_count_certificates(const char *pem, int *bad);

typedef enum {
    KC_CRYPTO_PAIR,   /* the key of the certificate */
    KC_CRYPTO_NO_KEY, /* the key cannot be read: there is none, or it needs a passphrase */
    KC_CRYPTO_NO_PAIR /* it belongs to another certificate */
} kc_crypto_pair_t;

/* Reads a private key in PEM. Compares it with the first certificate of the other text, when that
 * is not NULL and has a readable one. */
kc_crypto_pair_t kc_crypto_check_pair(const char *key_pem, const char *certificate_pem);

/* A prepared HKDF key (RFC 5869): the pseudo-random key of a configured secret, ready to expand. */
typedef struct kc_crypto_key_t kc_crypto_key_t;

/* HKDF-Extract over secret with the project's fixed salt. The key lives in pool and is cleansed
 * with it; call it only at start. It may be used by several threads and after fork. */
kc_rc_t kc_crypto_key_make(kc_bytes_t secret, apr_pool_t *pool, kc_crypto_key_t **out,
                           kc_err_t *err);
/* A byte that names the key in sealed values. It is derived, and reveals nothing about the key. */
uint8_t kc_crypto_key_id(const kc_crypto_key_t *key);
/* HKDF-Expand, one block: HMAC-SHA256(PRK, label || 0 || context || 1). label is a static purpose
 * such as "store-key"; context is, for instance, the raw bytes of a session's id. Must be cheap: it
 * is on the request path. */
kc_rc_t kc_crypto_derive(const kc_crypto_key_t *key, const char *label, kc_bytes_t context,
                         unsigned char out[KC_CRYPTO_KEY_SIZE], kc_err_t *err);

/* AES-256-GCM. seal writes plain.len bytes of ciphertext to out, and then KC_CRYPTO_TAG_SIZE bytes
 * of tag. open reads that and writes sealed.len - KC_CRYPTO_TAG_SIZE bytes to out. KC_REFUSED with
 * KC_ERR_SEAL (and out cleansed) when anything differs or sealed is too short. */
kc_rc_t kc_crypto_seal(const unsigned char key[KC_CRYPTO_KEY_SIZE],
                       const unsigned char iv[KC_CRYPTO_IV_SIZE], kc_bytes_t aad, kc_bytes_t plain,
                       unsigned char *out, kc_err_t *err);
kc_rc_t kc_crypto_open(const unsigned char key[KC_CRYPTO_KEY_SIZE],
                       const unsigned char iv[KC_CRYPTO_IV_SIZE], kc_bytes_t aad, kc_bytes_t sealed,
                       unsigned char *out, kc_err_t *err);

#endif

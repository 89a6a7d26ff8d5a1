/* Sealed values: the encrypted form in which sessions, login states and snapshots leave the
 * process.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SEAL_H
#define KC_SEAL_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/crypto.h"

/* Format, big endian: version (1 byte, KC_SEAL_VERSION), key id (1), expiry in seconds since 1970
 * (8), IV (12), ciphertext, tag (16). The AES-256-GCM key is derived from the configured key under
 * the label "seal " and purpose, with the binding as context. The AAD is the 10 header bytes,
 * purpose, 0, the binding's length (u32), binding, context. */
enum {
    KC_SEAL_VERSION = 1,
    KC_SEAL_OVERHEAD = 1 + 1 + 8 + 12 + 16,
    KC_SEAL_MAX = 512 * 1024, /* bytes */
    KC_SEAL_KEYS_MAX = 8
};

/* The configured keys, newest first. Sealing uses the first; opening tries any. Immutable after
 * start. */
typedef struct kc_seal_keys_t {
    size_t count; /* at least 1 */
    const kc_crypto_key_t *key[KC_SEAL_KEYS_MAX];
} kc_seal_keys_t;

/* What a value is used for; opening needs the same. */
typedef struct kc_seal_use_t {
    const char *purpose; /* static: "session", "login", "mark" … */
    kc_bytes_t binding;  /* secret or public bytes that only the right holder presents, such as a
                            session  id */
    kc_bytes_t context;  /* the configuration's id */
} kc_seal_use_t;

/* Seals plain (up to KC_SEAL_MAX bytes) until expires_at (seconds since 1970). *out is in pool. iv:
 * 12 new random bytes. */
kc_rc_t kc_seal_close(const kc_seal_keys_t *keys, const kc_seal_use_t *use, int64_t expires_at,
                      const unsigned char iv[KC_CRYPTO_IV_SIZE], kc_bytes_t plain, apr_pool_t *pool,
                      kc_bytes_t *out, kc_err_t *err);
/* Opens a sealed value. KC_REFUSED with KC_ERR_SEAL (one uniform error) for anything foreign, cut,
 * changed, or of another version or unknown key id. KC_MISS when it is genuine but expired (now >=
 * expiry). *plain is in pool, which cleanses it at its end, and is followed by a NUL. *expires_at
 * may be NULL. */
kc_rc_t kc_seal_open(const kc_seal_keys_t *keys, const kc_seal_use_t *use, int64_t now,
                     kc_bytes_t sealed, apr_pool_t *pool, kc_bytes_t *plain, int64_t *expires_at,
                     kc_err_t *err);

/* 1 when one of the keys has that id. An id reveals nothing about a key: one in 256 has it by
 * chance. */
int kc_seal_has_key(const kc_seal_keys_t *keys, uint8_t key_id);
/* 1 when a sealed value has this version and names none of these keys. It need not be genuine: use
 * this for a log line, not for a decision. */
int kc_seal_is_foreign(const kc_seal_keys_t *keys, kc_bytes_t sealed);

#endif

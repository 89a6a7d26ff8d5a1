/* A provider's key set: read, filtered, and asked for the one key that fits a token.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_JWKS_H
#define KC_JWKS_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/err.h"
#include "crypto/jose.h"

enum { KC_JWKS_KEYS_MAX = 100 };

/* Immutable; lives in the pool given to parse; usable by several threads. */
typedef struct kc_jwks_t kc_jwks_t;

/* Reads a JWK Set (RFC 7517 section 5). Keys that are not for us or malformed are left out, as that
 * section wants, and so is what is no key; KC_REFUSED with KC_ERR_KEYS when the document is
 * malformed, has more than KC_JWKS_KEYS_MAX keys, or none that can verify a signature. */
kc_rc_t kc_jwks_parse(const char *text, size_t len, apr_pool_t *pool, kc_jwks_t **out,
                      kc_err_t *err);
size_t kc_jwks_count(const kc_jwks_t *keys);
/* Which keys were left out, and why: text for the log, as long as the set; "" when none was.
 * *is_odd: one of them is not merely for another purpose (use enc, an alg of encryption). */
const char *kc_jwks_left_out(const kc_jwks_t *keys, int *is_odd);
/* The one key for a token's alg and kid (kid may be NULL). The same key twice is one; of several
 * keys of one kid one that alone says that it is for signatures goes before others; a kid that no
 * key has means the only fitting key, if that has none. KC_MISS with KC_ERR_TOKEN_KEY: no key of
 * that kid fits (worth one fetch); KC_REFUSED with KC_ERR_TOKEN_KEY: more than one fits, with or
 * without a kid; with KC_ERR_TOKEN_ALG: alg is none that kc_jose_is_alg_known knows (not worth a
 * fetch). */
kc_rc_t kc_jwks_select(const kc_jwks_t *keys, const char *alg, const char *kid,
                       const kc_jose_key_t **out, kc_err_t *err);

#endif

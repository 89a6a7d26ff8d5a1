/* A provider's key set: parsed, filtered, and searched for the one key that fits a token.
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

/* Reads a JWK Set (RFC 7517 section 5). Keys that cannot be used here or are malformed are left
 * out, as that section wants; so are elements that are no keys. KC_REFUSED with KC_ERR_KEYS when
 * the document is malformed, has more than KC_JWKS_KEYS_MAX keys, or none that can verify a
 * signature. */
kc_rc_t kc_jwks_parse(const char *text, size_t len, apr_pool_t *pool, kc_jwks_t **out,
                      kc_err_t *err);
size_t kc_jwks_count(const kc_jwks_t *keys);
/* Which keys were left out, and why: text for the log, which lives as long as the set; "" when none
 * was. *is_odd: at least one was left out for another reason than its purpose (use enc, an alg of
 * encryption). */
const char *kc_jwks_left_out(const kc_jwks_t *keys, int *is_odd);
/* The one key for a token's alg and kid (kid may be NULL). The same key twice counts once. Of
 * several keys with one kid, the only one whose use is sig is preferred. A kid that no key has
 * selects the only fitting key, if that key has no kid.
 *
 * KC_MISS with KC_ERR_TOKEN_KEY: no key with that kid fits; a fetch may help. KC_REFUSED with
 * KC_ERR_TOKEN_KEY: more than one fits, with or without a kid. KC_REFUSED with KC_ERR_TOKEN_ALG:
 * kc_jose_is_alg_known does not know alg; a fetch does not help. */
kc_rc_t kc_jwks_select(const kc_jwks_t *keys, const char *alg, const char *kid,
                       const kc_jose_key_t **out, kc_err_t *err);

#endif

/* The numbers of a JWK, as encoded by RFC 7518 section 6.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_JWK_H
#define KC_JWK_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/* A member that is a big-endian number in base64url; *out is without leading zeros, in pool.
 * KC_REFUSED when it is absent, not a number, or zero. Thread safe, like all functions here. */
kc_rc_t kc_jwk_read_number(const kc_json_t *jwk, const char *name, apr_pool_t *pool,
                           kc_bytes_t *out);
/* For a number without leading zeros: its bits; 1 when it is odd; 1 when it is a usable RSA
 * exponent: odd, from 3 to 2^32. Others are useless, or make each verification expensive. */
size_t kc_jwk_bits(kc_bytes_t number);
int kc_jwk_is_odd(kc_bytes_t number);
int kc_jwk_is_exponent(kc_bytes_t number);
/* A coordinate in base64url of size bytes, including leading zeros (RFC 7518 section 6.2.1.2). Some
 * providers encode it as a number, without leading zeros or with one more; that means the same
 * point. NULL when it is no coordinate, or too long. In pool. */
const char *kc_jwk_read_coordinate(const kc_json_t *jwk, const char *name, size_t size,
                                   apr_pool_t *pool);

#endif

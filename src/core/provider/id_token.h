/* The checks of an ID token.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_ID_TOKEN_H
#define KC_ID_TOKEN_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/jws.h"

/* The values that an ID token must agree with. */
typedef struct kc_id_token_expect_t {
    const char *issuer;
    const char *client_id;
    const char *nonce; /* as sent; of a renewed token: the first token's, NULL when it had none */
    const char *access_token; /* for at_hash; NULL when none was received */
    int64_t now;              /* seconds since 1970 */
    int64_t skew;             /* seconds */
    int is_renewed;           /* an ID token of a refresh: it need not have a nonce */
} kc_id_token_expect_t;

/* Checks a token whose signature has been verified (OpenID Connect Core 1.0 with errata set 2,
 * section 3.1.3.7; RFC 8725):
 *   - it is an ID token by its types (token_type.h), and has no events;
 *   - iss is exact;
 *   - aud is a string or array of strings that has client_id;
 *   - azp, when there, is a string, and is client_id when aud has others too;
 *   - exp and iat are as kc_json_seconds reads them; exp > now - skew, iat and nbf <= now + skew,
 *     exp > iat;
 *   - sub has 1..KC_CLAIMS_TEXT_MAX bytes without control characters;
 *   - nonce is a string, compared in constant time;
 *   - at_hash, when there, is right;
 *   - auth_time and sid, when there, are well-formed.
 *
 * KC_REFUSED with the KC_ERR_TOKEN_… that names the fault. */
kc_rc_t kc_id_token_verify(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                           kc_err_t *err);

/* The checks that every kind of token for this client must pass: issuer, audience (and azp), exp,
 * iat and nbf as above. Uses issuer, client_id, now and skew of expect. */
kc_rc_t kc_id_token_verify_origin(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                                  kc_err_t *err);
/* The checks that every bearer token must pass, except those of its type and audience: issuer,
 * times, sub, sid and auth_time as above. Uses issuer, now and skew of expect. */
kc_rc_t kc_id_token_verify_bearer(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                                  kc_err_t *err);

#endif

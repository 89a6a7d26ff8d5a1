/* Back-channel logout: the provider reports that sessions of a user have ended.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGOUT_TOKEN_H
#define KC_LOGOUT_TOKEN_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/jws.h"
#include "provider/id_token.h"
#include "rp.h"

enum {
    KC_LOGOUT_TOKEN_AGE = 120, /* seconds that a token is valid, plus the clock skew */
    KC_LOGOUT_TOKEN_MAX =
        16 * 1024 /* bytes: it names a session or a user, and any client may send one */
};

/* The content of a logout token. */
typedef struct kc_logout_token_t {
    const char *jti;
    const char *sub; /* NULL when absent; then sid is there */
    const char *sid; /* NULL when absent */
    int64_t issued;  /* seconds since 1970 */
} kc_logout_token_t;

/* Checks a token whose signature has been verified (OpenID Connect Back-Channel Logout 1.0 section
 * 2.6, RFC 8725):
 *   - JOSE typ is absent, JWT or logout+jwt; payload typ (Keycloak's) is absent or Logout;
 *   - events is an object whose member for back-channel logout is an object; there is no nonce;
 *   - issuer, audience and times are as those of an ID token, except that exp and azp may be
 *     absent, and iat may be at most KC_LOGOUT_TOKEN_AGE and the skew ago;
 *   - jti, sub and sid are as kc_claims_is_id_text; jti and one of the others are there.
 *
 * Uses issuer, client_id, now and skew of expect. KC_REFUSED with KC_ERR_LOGOUT_TOKEN, or the
 * KC_ERR_TOKEN_… that names the fault. *out points into the token. Thread safe, like all functions
 * here. */
kc_rc_t kc_logout_token_verify(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                               kc_logout_token_t *out, kc_err_t *err);

/* Handles the body of a back-channel request (section 2.5; len bytes and a NUL that is not
 * counted): a form with exactly one logout_token. The token is verified, accepted once, and acted
 * on. With a sid the sessions of this sid end, without one all sessions of the sub that were made
 * until now, on all nodes.
 *
 * *out in pool. KC_REFUSED with KC_ERR_FORM, _LOGOUT_TOKEN (explained in the detail) or
 * _LOGOUT_REPLAY. KC_DOWN when store or provider do not answer: sessions may live on, and the same
 * token may be sent again. A token over KC_LOGOUT_TOKEN_MAX is refused. */
kc_rc_t kc_logout_token_take(const kc_rp_t *rp, const char *form, size_t len, apr_pool_t *pool,
                             kc_logout_token_t *out, kc_err_t *err);

#endif

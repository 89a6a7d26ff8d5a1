/* Back-channel logout: the provider says that somebody's sessions have ended.
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
    KC_LOGOUT_TOKEN_AGE = 120, /* seconds that one is good for, besides the clocks' skew */
    KC_LOGOUT_TOKEN_MAX =
        16 * 1024 /* bytes: it names a session or a person, and anybody may send one */
};

/* What a logout token says. */
typedef struct kc_logout_token_t {
    const char *jti;
    const char *sub; /* NULL when absent; then sid is not */
    const char *sid; /* NULL when absent */
    int64_t issued;  /* seconds since 1970 */
} kc_logout_token_t;

/* Checks a token whose signature is verified already (OpenID Connect Back-Channel Logout 1.0
 * section 2.6, RFC 8725): JOSE typ absent, JWT or logout+jwt; payload typ (Keycloak's) absent or
 * Logout; events an object whose member for back-channel logout is one; no nonce; issuer, audience
 * and times as an ID token's, but that exp and azp need not be there, and iat not more than
 * KC_LOGOUT_TOKEN_AGE and the skew ago; jti, sub and sid as kc_claims_is_id_text, jti and one of
 * the others there. Of expect issuer, client_id, now and skew count. KC_REFUSED with
 * KC_ERR_LOGOUT_TOKEN, or the KC_ERR_TOKEN_… that names it. *out points into the token. Thread
 * safe, as all here. */
kc_rc_t kc_logout_token_verify(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                               kc_logout_token_t *out, kc_err_t *err);

/* Takes the body of a back-channel request (section 2.5; len bytes and a NUL that is not counted):
 * a form with exactly one logout_token, which is verified, taken once, and acted on: with a sid the
 * sessions of this sid end, without one all of the sub's that were made up to now, on all nodes.
 * *out in pool. KC_REFUSED with KC_ERR_FORM, _LOGOUT_TOKEN (which the detail explains) or
 * _LOGOUT_REPLAY; KC_DOWN when store or provider do not answer: sessions may live on, and the same
 * token may come again. A token over KC_LOGOUT_TOKEN_MAX is not sound. */
kc_rc_t kc_logout_token_take(const kc_rp_t *rp, const char *form, size_t len, apr_pool_t *pool,
                             kc_logout_token_t *out, kc_err_t *err);

#endif

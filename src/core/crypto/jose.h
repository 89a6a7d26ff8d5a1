/* JOSE: keys, and signatures made and verified by cjose. The only user of cjose.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_JOSE_H
#define KC_JOSE_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "crypto/jws.h"

enum {
    KC_JOSE_RSA_MIN = 2048, /* bits */
    KC_JOSE_RSA_MAX = 8192  /* bits */
};

/* A verification key (public), immutable, usable by several threads; lives in a pool. */
typedef struct kc_jose_key_t kc_jose_key_t;

/* 1 when alg is one of the asymmetric signature algorithms that this build verifies (RS, PS, ES
 * with 256, 384, 512). */
int kc_jose_is_alg_known(const char *alg);

/* Makes a key of one JWK (RFC 7517, 7518). KC_MISS for keys that cannot be used here: oct, OKP, use
 * other than sig, key_ops without verify, private members, alg that is not for signatures, RSA
 * below KC_JOSE_RSA_MIN or above _MAX bits, curves other than P-256, P-384, P-521. KC_REFUSED when
 * malformed. */
kc_rc_t kc_jose_key_import(const kc_json_t *jwk, apr_pool_t *pool, kc_jose_key_t **out,
                           kc_err_t *err);
/* The key's id or NULL. */
const char *kc_jose_key_kid(const kc_jose_key_t *key);
/* 1 when its use says that it is for signatures; use is optional. */
int kc_jose_key_is_for_signing(const kc_jose_key_t *key);
/* 1 when both have the same numbers; other members may differ. */
int kc_jose_key_is_same(const kc_jose_key_t *a, const kc_jose_key_t *b);
/* 1 when the key's type, curve and own alg member fit alg. */
int kc_jose_key_fits(const kc_jose_key_t *key, const char *alg);
/* Verifies the signature. The key must fit token->alg, else KC_REFUSED. KC_ERR_TOKEN_SIGNATURE for
 * a wrong signature, and for one with another length than alg's. */
kc_rc_t kc_jose_verify(const kc_jws_t *token, const kc_jose_key_t *key, kc_err_t *err);

/* Signs claims for client authentication (RFC 7523): with the client's secret by alg (HS256, HS384,
 * HS512), or with a private JWK (JSON text). */
kc_rc_t kc_jose_sign_secret(const kc_json_t *claims, const char *secret, const char *alg,
                            apr_pool_t *pool, char **compact, kc_err_t *err);
kc_rc_t kc_jose_sign_jwk(const kc_json_t *claims, const char *private_jwk, apr_pool_t *pool,
                         char **compact, kc_err_t *err);

#endif

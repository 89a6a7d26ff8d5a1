/* What the token endpoint has granted: the tokens' checks, and the session that is made of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TOKEN_SET_H
#define KC_TOKEN_SET_H

#include <apr_pools.h>

#include "base/err.h"
#include "crypto/jws.h"
#include "provider/metadata.h"
#include "provider/token_endpoint.h"
#include "rp.h"
#include "session/identity.h"
#include "session/pack.h"
#include "session/session.h"

/* Filled by the caller down to tokens, the rest zero. Everything in the pool. */
typedef struct kc_token_set_t {
    const kc_rp_t *rp;
    const kc_metadata_snapshot_t *snapshot; /* a newer one when a key was unknown */
    apr_pool_t *pool;
    const char *nonce;  /* as sent; of a refresh: as in the first ID token, or NULL */
    int is_renewed;     /* a refresh */
    int has_known_more; /* of a session that knows what only userinfo may tell now */
    kc_token_endpoint_answer_t tokens;
    kc_jws_t id_token;
    const kc_json_t *claims; /* the ID token's, or merged with userinfo's */
    int dropped;             /* groups and claims that cannot be header values */
} kc_token_set_t;

/* Checks the ID token: alg, signature, claims (OpenID Connect Core 1.0 sections 3.1.3.7, 12.2).
 * KC_REFUSED with the KC_ERR_TOKEN_… that names what is wrong; KC_DOWN: its key cannot be had. */
kc_rc_t kc_token_set_verify(kc_token_set_t *grant, kc_err_t *err);
/* After kc_token_set_verify: the session, but for created and expires; asks userinfo where that is
 * configured (userinfo.h). KC_REFUSED: no identity can be made of the claims; KC_DOWN: userinfo
 * does not answer, and is needed. */
kc_rc_t kc_token_set_to_session(kc_token_set_t *grant, kc_session_t *session, kc_err_t *err);
/* Puts who somebody is into a session; texts are the identity's, lists in pool. */
void kc_token_set_identify(const kc_identity_t *identity, apr_pool_t *pool, kc_session_t *session);
/* Of a refresh without an ID token: KC_REFUSED with KC_ERR_TOKEN_SUBJECT when the access token is
 * one of the issuer's that names another sub. KC_OK also when it is opaque, or names none. */
kc_rc_t kc_token_set_check_subject(kc_token_set_t *grant, const char *sub, kc_err_t *err);
/* Of a refresh without an ID token, which providers may give: keeps the ID token and claims of
 * before, for as long as the new access token lasts (300 s when that is not told). */
kc_rc_t kc_token_set_keep_id_token(const kc_token_set_t *grant, const kc_pack_t *before,
                                   kc_session_t *session, kc_err_t *err);
/* Of a refresh whose tokens cannot be used now: keeps everything of before, also its times, but for
 * the refresh token, of which the old one may be spent. */
kc_rc_t kc_token_set_keep_tokens(const kc_token_set_t *grant, const kc_pack_t *before,
                                 kc_session_t *session, kc_err_t *err);

#endif

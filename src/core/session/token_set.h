/* The token set of a response of the token endpoint: its checks, and the session made of it.
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

/* The caller fills it down to tokens; the rest is zero. Everything is in the pool. */
typedef struct kc_token_set_t {
    const kc_rp_t *rp;
    const kc_metadata_snapshot_t *snapshot; /* replaced by a newer one when a key was unknown */
    apr_pool_t *pool;
    const char *nonce;  /* as sent; of a refresh: as in the first ID token, or NULL */
    int is_renewed;     /* the tokens come from a refresh */
    int has_known_more; /* the session has claims that only userinfo may have now */
    kc_token_endpoint_answer_t tokens;
    kc_jws_t id_token;
    const kc_json_t *claims; /* of the ID token, or merged with userinfo's */
    const char *act;         /* who acts as the user (kc_audit_actor); NULL: nobody */
    int dropped;             /* groups and claims that cannot be header values */
} kc_token_set_t;

/* Checks the ID token: alg, signature, claims (OpenID Connect Core 1.0 sections 3.1.3.7, 12.2).
 * KC_REFUSED with the KC_ERR_TOKEN_… that names the fault. KC_DOWN: its key cannot be fetched. */
kc_rc_t kc_token_set_verify(kc_token_set_t *token_set, kc_err_t *err);
/* After kc_token_set_verify and kc_userinfo_add (userinfo.h): makes the session, without created
 * and expires. KC_REFUSED: no identity can be made of the claims. */
kc_rc_t kc_token_set_to_session(kc_token_set_t *token_set, kc_session_t *session, kc_err_t *err);
/* Copies an identity into a session. Texts stay those of the identity; lists are in pool. */
void kc_token_set_identify(const kc_identity_t *identity, apr_pool_t *pool, kc_session_t *session);
/* After a refresh without an ID token: KC_REFUSED with KC_ERR_TOKEN_SUBJECT when the access token
 * is from this issuer and names another sub. KC_OK also when it is opaque, or names no sub. */
kc_rc_t kc_token_set_check_subject(kc_token_set_t *token_set, const char *sub, kc_err_t *err);
/* After a refresh without an ID token, which providers may leave out: keeps the old ID token and
 * claims for the lifetime of the new access token (300 s when that is not told). */
kc_rc_t kc_token_set_keep_id_token(const kc_token_set_t *token_set, const kc_pack_t *before,
                                   kc_session_t *session, kc_err_t *err);
/* After a refresh whose new tokens cannot be used: keeps the old tokens and expiry, but stores the
 * new refresh token, because the old one may be used up. */
kc_rc_t kc_token_set_keep_tokens(const kc_token_set_t *token_set, const kc_pack_t *before,
                                 kc_session_t *session, kc_err_t *err);

#endif

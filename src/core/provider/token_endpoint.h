/* The back-channel calls of a sign-in: code for tokens, and userinfo.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TOKEN_ENDPOINT_H
#define KC_TOKEN_ENDPOINT_H

#include <apr_pools.h>

#include "base/err.h"
#include "base/json.h"
#include "conf/conf.h"
#include "env.h"
#include "provider/provider.h"

/* What became of a request: whether a code or refresh token may have been spent by it. */
typedef enum {
    KC_TOKEN_ENDPOINT_NOT_SENT,
    KC_TOKEN_ENDPOINT_UNANSWERED, /* sent, and nobody knows */
    KC_TOKEN_ENDPOINT_ANSWERED
} kc_token_endpoint_fate_t;

/* What the token endpoint gave; everything in the pool. fate is filled whatever is returned. */
typedef struct kc_token_endpoint_answer_t {
    kc_token_endpoint_fate_t fate;
    const char *id_token;       /* NULL only when a refresh gave none */
    const char *access_token;   /* never NULL */
    const char *refresh_token;  /* NULL when none came */
    int64_t expires_in;         /* seconds; 0 when that is absent or makes no sense */
    int64_t refresh_expires_in; /* the same of the refresh token (Keycloak's), of which 0 also says
                                   that it does not end */
} kc_token_endpoint_answer_t;

/* RFC 6749 section 4.1.3 with RFC 7636: asked once and never again, whatever happens. Client
 * authentication as conf->client_auth says (RFC 6749 section 2.3.1 (id and secret form-encoded
 * before base64), RFC 7523 with jti, iat, exp 60 s, aud token_audience; RFC 8705). KC_DOWN:
 * unreachable, 5xx, 429 (KC_ERR_PROVIDER_DOWN/BUSY), an answer of 200 that cannot be read
 * (KC_ERR_JSON). KC_REFUSED: an OAuth error (KC_ERR_TOKEN_ENDPOINT; invalid_client and
 * unauthorized_client: KC_ERR_CLIENT_AUTH, whose detail says what to look at), other statuses, a
 * token_type other than Bearer, a missing id_token. Details may quote error and error_description.
 */
kc_rc_t kc_token_endpoint_exchange(const kc_conf_t *conf, const kc_env_t *env,
                                   const kc_provider_t *provider, const char *code,
                                   const char *redirect_uri, const char *verifier, apr_pool_t *pool,
                                   kc_token_endpoint_answer_t *out, kc_err_t *err);

/* RFC 6749 section 6, OpenID Connect Core 1.0 section 12: new tokens for a refresh token, which may
 * be spent by this. As kc_token_endpoint_exchange, but that an ID token may be missing, and that
 * KC_REFUSED with KC_ERR_REFRESH_REFUSED (invalid_grant; invalid_scope: the person's consent is
 * gone) says that the refresh token is no longer good. */
kc_rc_t kc_token_endpoint_refresh(const kc_conf_t *conf, const kc_env_t *env,
                                  const kc_provider_t *provider, const char *refresh_token,
                                  apr_pool_t *pool, kc_token_endpoint_answer_t *out, kc_err_t *err);

/* RFC 7009: the refresh token, and with it what was granted, is good no more. KC_OK also when the
 * provider has no revocation endpoint; failures as of kc_token_endpoint_refresh. */
kc_rc_t kc_token_endpoint_revoke(const kc_conf_t *conf, const kc_env_t *env,
                                 const kc_provider_t *provider, const char *refresh_token,
                                 apr_pool_t *pool, kc_err_t *err);

/* What the userinfo endpoint gave: claims, or a signed answer (application/jwt). The other is NULL.
 */
typedef struct kc_token_endpoint_userinfo_t {
    const kc_json_t *claims; /* their sub is whom it was asked of */
    const char *jwt;         /* not verified */
} kc_token_endpoint_userinfo_t;

/* OpenID Connect Core 1.0 section 5.3. The answer's sub must equal sub, else KC_REFUSED with
 * KC_ERR_USERINFO; of a signed one that is for the caller to see
 * (kc_token_endpoint_check_userinfo). */
kc_rc_t kc_token_endpoint_userinfo(const kc_conf_t *conf, const kc_env_t *env,
                                   const kc_provider_t *provider, const char *access_token,
                                   const char *sub, apr_pool_t *pool,
                                   kc_token_endpoint_userinfo_t *out, kc_err_t *err);
/* KC_REFUSED with KC_ERR_USERINFO unless the claims are those of sub. */
kc_rc_t kc_token_endpoint_check_userinfo(const kc_json_t *claims, const char *sub, kc_err_t *err);

#endif

/* Back-channel calls: the token endpoint, revocation, and userinfo.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TOKEN_ENDPOINT_H
#define KC_TOKEN_ENDPOINT_H

#include <apr_pools.h>

#include "base/err.h"
#include "base/json.h"
#include "conf/conf.h"
#include "env.h"
#include "provider/provider.h"

/* The fate of a request: whether a code or refresh token may have been used up by it. */
typedef enum {
    KC_TOKEN_ENDPOINT_NOT_SENT,
    KC_TOKEN_ENDPOINT_UNANSWERED, /* sent, without an answer: unknown */
    KC_TOKEN_ENDPOINT_ANSWERED
} kc_token_endpoint_fate_t;

/* The answer of the token endpoint; everything is in the pool. fate is always filled. */
typedef struct kc_token_endpoint_answer_t {
    kc_token_endpoint_fate_t fate;
    const char *id_token;       /* NULL only when a refresh returned none */
    const char *access_token;   /* never NULL */
    const char *refresh_token;  /* NULL when none was returned */
    int64_t expires_in;         /* seconds; 0 when it is absent or makes no sense */
    int64_t refresh_expires_in; /* the same of the refresh token (Keycloak's); 0 also when it does
                                   not end */
    const char *error;       /* the OAuth error (RFC 6749 section 5.2); NULL when there is none */
    const char *description; /* the error_description, as it came; NULL when there is none */
} kc_token_endpoint_answer_t;

/* RFC 6749 section 4.1.3 with RFC 7636. Sent once and never again, whatever happens. Client
 * authentication as conf->client_auth says: RFC 6749 section 2.3.1 (id and secret form-encoded
 * before base64); RFC 7523 with jti, iat, exp 60 s, aud token_audience; RFC 8705.
 *
 * KC_DOWN: unreachable, 5xx, 429 (KC_ERR_PROVIDER_DOWN/BUSY), or an answer of 200 that cannot be
 * read (KC_ERR_JSON). KC_REFUSED: an OAuth error (KC_ERR_TOKEN_ENDPOINT), other statuses, a
 * token_type other than Bearer, or a missing id_token. For invalid_client and unauthorized_client
 * that is KC_ERR_CLIENT_AUTH, and the detail says what to check. Details may quote error and
 * error_description. */
kc_rc_t kc_token_endpoint_exchange(const kc_conf_t *conf, const kc_env_t *env,
                                   const kc_provider_t *provider, const char *code,
                                   const char *redirect_uri, const char *verifier, apr_pool_t *pool,
                                   kc_token_endpoint_answer_t *out, kc_err_t *err);

/* Whose tokens: those of a user (RFC 6749 section 4.3.2), or of the client itself (section 4.4.2).
 */
typedef struct kc_token_endpoint_grant_t {
    const char *user; /* NULL: the client itself */
    const char *password;
    const char *scope;
} kc_token_endpoint_grant_t;

/* Tokens without a browser, for checks; nobody signs in by this. Fails like
 * kc_token_endpoint_exchange, except that an ID token may be missing. */
kc_rc_t kc_token_endpoint_grant(const kc_conf_t *conf, const kc_env_t *env,
                                const kc_provider_t *provider,
                                const kc_token_endpoint_grant_t *grant, apr_pool_t *pool,
                                kc_token_endpoint_answer_t *out, kc_err_t *err);

/* RFC 6749 section 6, OpenID Connect Core 1.0 section 12: new tokens for a refresh token, which may
 * be used up by this. Like kc_token_endpoint_exchange, except that an ID token may be missing.
 * KC_REFUSED with KC_ERR_REFRESH_REFUSED: the refresh token is no longer valid (invalid_grant;
 * invalid_scope: the user's consent is gone). */
kc_rc_t kc_token_endpoint_refresh(const kc_conf_t *conf, const kc_env_t *env,
                                  const kc_provider_t *provider, const char *refresh_token,
                                  apr_pool_t *pool, kc_token_endpoint_answer_t *out, kc_err_t *err);

/* RFC 7009: revokes the refresh token, and with it the tokens of the same grant. KC_OK also when
 * the provider has no revocation endpoint. Fails like kc_token_endpoint_refresh. */
kc_rc_t kc_token_endpoint_revoke(const kc_conf_t *conf, const kc_env_t *env,
                                 const kc_provider_t *provider, const char *refresh_token,
                                 apr_pool_t *pool, kc_err_t *err);

/* The answer of the userinfo endpoint: claims, or a signed answer (application/jwt). The other one
 * is NULL. */
typedef struct kc_token_endpoint_userinfo_t {
    const kc_json_t *claims; /* their sub is the one that was asked for */
    const char *jwt;         /* not verified */
} kc_token_endpoint_userinfo_t;

/* OpenID Connect Core 1.0 section 5.3. The answer's sub must equal sub, else KC_REFUSED with
 * KC_ERR_USERINFO. For a signed answer the caller must check that
 * (kc_token_endpoint_check_userinfo). */
kc_rc_t kc_token_endpoint_userinfo(const kc_conf_t *conf, const kc_env_t *env,
                                   const kc_provider_t *provider, const char *access_token,
                                   const char *sub, apr_pool_t *pool,
                                   kc_token_endpoint_userinfo_t *out, kc_err_t *err);
/* KC_REFUSED with KC_ERR_USERINFO unless the claims are those of sub. */
kc_rc_t kc_token_endpoint_check_userinfo(const kc_json_t *claims, const char *sub, kc_err_t *err);

#endif

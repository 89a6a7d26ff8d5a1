/* The back-channel calls: tokens for a code or refresh token, with client authentication;
 * revocation; userinfo.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/token_endpoint.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/url.h"
#include "conf/conf_watch.h"
#include "crypto/crypto.h"
#include "crypto/jose.h"
#include "crypto/jws.h"
#include "provider/deadline.h"

enum {
    EXPIRES_IN_MAX = 86400,                /* seconds */
    REFRESH_EXPIRES_IN_MAX = 3650 * 86400, /* seconds */
    /* bytes: an ID, an access and a refresh token of maximum length, and the JSON around them */
    ANSWER_MAX = 3 * KC_JWS_MAX + 64 * 1024,
    FORM_MAX = 64 * 1024,                       /* bytes of a request's body */
    TOKEN_FORM_MAX = 3 * KC_JWS_MAX + FORM_MAX, /* the same with a refresh token of maximum length,
                                                   all of it escaped */
    ASSERTION_SECONDS = 60,
    JTI_SIZE = 16 /* bytes */
};

static const char assertion_type[] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/* A request that is being made. */
typedef struct {
    const kc_conf_t *conf;
    const kc_env_t *env;
    const kc_provider_t *provider;
    const char *endpoint;
    kc_metrics_endpoint_t meter; /* the same, for the metrics */
    int is_refresh;
    int needs_no_id_token;
    kc_buf_t form;
    char *authorization;
    apr_pool_t *pool;
} call_t;

typedef struct {
    kc_rc_t (*apply)(call_t *call, kc_err_t *err);
    const char *advice; /* what an administrator should check when the provider refuses the
                           client */
} method_t;

/* Pool memory is reused without being cleared, so secrets in it are wiped here. */
static void wipe(char *text)
{
    if (text)
        kc_crypto_cleanse(text, strlen(text));
}

static kc_rc_t need_secret(const call_t *call, kc_err_t *err)
{
    if (!call->conf->client_secret.text)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CLIENT_AUTH, "KeycloakClientSecret is not set");
    return KC_OK;
}

static kc_rc_t apply_id(call_t *call, kc_err_t *err)
{
    (void)err;
    kc_url_put_parameter(&call->form, "client_id", call->conf->client_id);
    return KC_OK;
}

/* Id and secret are form-encoded before base64, so that a colon in the id is not taken for the
 * separator (RFC 6749 section 2.3.1). */
static kc_rc_t apply_basic(call_t *call, kc_err_t *err)
{
    char *pair;
    char *encoded;
    kc_rc_t rc = need_secret(call, err);

    if (rc != KC_OK)
        return rc;
    pair = apr_pstrcat(call->pool, kc_url_escape(call->conf->client_id, call->pool), ":",
                       kc_url_escape(call->conf->client_secret.text, call->pool), NULL);
    encoded = kc_buf_base64(kc_buf_text(pair), call->pool);
    call->authorization = apr_pstrcat(call->pool, "Basic ", encoded, NULL);
    wipe(pair);
    wipe(encoded);
    return KC_OK;
}

static kc_rc_t apply_post(call_t *call, kc_err_t *err)
{
    kc_rc_t rc = need_secret(call, err);

    if (rc != KC_OK)
        return rc;
    kc_url_put_parameter(&call->form, "client_secret", call->conf->client_secret.text);
    return apply_id(call, err);
}

static kc_rc_t make_assertion(const call_t *call, kc_json_t **out, kc_err_t *err)
{
    unsigned char random[JTI_SIZE];
    kc_bytes_t bytes = {random, sizeof(random)};
    kc_json_t *claims;
    int64_t now = call->env->now(call->env->context);

    if (call->env->random(call->env->context, random, sizeof(random)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a client assertion");
    claims = kc_json_new_object(call->pool);
    kc_json_set_string(claims, "iss", call->conf->client_id);
    kc_json_set_string(claims, "sub", call->conf->client_id);
    kc_json_set_string(claims, "aud", call->provider->token_audience);
    kc_json_set_string(claims, "jti", kc_buf_base64url(bytes, call->pool));
    kc_json_set_integer(claims, "iat", now);
    kc_json_set_integer(claims, "exp", now + ASSERTION_SECONDS);
    *out = claims;
    return KC_OK;
}

static kc_rc_t put_assertion(call_t *call, const char *assertion, kc_err_t *err)
{
    kc_url_put_parameter(&call->form, "client_assertion_type", assertion_type);
    kc_url_put_parameter(&call->form, "client_assertion", assertion);
    return apply_id(call, err);
}

/* In the order of KeycloakClientAuthAlgorithm's choices. */
static const char *secret_algorithm(const kc_conf_t *conf)
{
    static const char *const algs[] = {KC_CHOICES_ARRAY(CLIENT)};
    int index = conf->client_auth_algorithm;

    return index >= KC_CLIENT_HS256 && index <= KC_CLIENT_HS512 ? algs[index] : algs[0];
}

static kc_rc_t apply_secret_jwt(call_t *call, kc_err_t *err)
{
    kc_json_t *claims;
    char *assertion;
    kc_rc_t rc = need_secret(call, err);

    if (rc == KC_OK)
        rc = make_assertion(call, &claims, err);
    if (rc == KC_OK)
        rc = kc_jose_sign_secret(claims, call->conf->client_secret.text,
                                 secret_algorithm(call->conf), call->pool, &assertion, err);
    return rc == KC_OK ? put_assertion(call, assertion, err) : rc;
}

static kc_rc_t apply_private_key_jwt(call_t *call, kc_err_t *err)
{
    const char *jwk = call->conf->client_key.text;
    kc_json_t *claims;
    char *assertion;
    kc_rc_t rc;

    if (!jwk)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CLIENT_AUTH, "KeycloakClientKey is not set");
    rc = make_assertion(call, &claims, err);
    if (rc == KC_OK)
        rc = kc_jose_sign_jwk(claims, jwk, call->pool, &assertion, err);
    return rc == KC_OK ? put_assertion(call, assertion, err) : rc;
}

static const method_t methods[] = {
    [KC_AUTH_BASIC] = {apply_basic, "KeycloakClientID and KeycloakClientSecret"},
    [KC_AUTH_POST] = {apply_post, "KeycloakClientID and KeycloakClientSecret"},
    [KC_AUTH_SECRET_JWT] =
        {apply_secret_jwt,
         "KeycloakClientSecret, this host's clock and KeycloakClientAuthAlgorithm"},
    [KC_AUTH_PRIVATE_KEY_JWT] = {apply_private_key_jwt,
                                 "KeycloakClientKey, this host's clock and the client's keys"},
    [KC_AUTH_TLS] = {apply_id, "KeycloakClientCert and the client's certificate subject"},
    [KC_AUTH_NONE] = {apply_id, "KeycloakClientID, and that the client is a public one"},
};

static const method_t *find_method(const kc_conf_t *conf)
{
    if (conf->client_auth < 0 || conf->client_auth >= (int)(sizeof(methods) / sizeof(methods[0])))
        return &methods[KC_AUTH_BASIC];
    return &methods[conf->client_auth];
}

/* Sends the form once. Afterwards the secrets in it are wiped from memory. */
static kc_rc_t perform(call_t *call, kc_http_response_t *response, kc_err_t *err)
{
    kc_http_request_t request = {0};
    kc_bytes_t form;
    kc_rc_t rc;

    if (kc_buf_bytes(&call->form, &form) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the token request would be too large");
    request.url = call->endpoint;
    request.form = (const char *)form.data;
    request.authorization = call->authorization;
    request.body_max = ANSWER_MAX;
    request.endpoint = call->meter;
    rc = kc_deadline_perform(call->env, call->conf->http_timeout, &request, call->pool, response,
                             err);
    kc_crypto_cleanse(call->form.data, call->form.len);
    wipe(call->authorization);
    return rc;
}

/* Statuses by which a server says that it cannot answer now, whatever the body is. */
static kc_rc_t check_status(const char *endpoint, const kc_http_response_t *response, kc_err_t *err)
{
    if (response->status == 429)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY, "the %s endpoint answers 429", endpoint);
    if (response->status >= 500)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "the %s endpoint answers %d", endpoint,
                       response->status);
    return KC_OK;
}

static kc_rc_t read_body(const char *endpoint, const kc_http_response_t *response, apr_pool_t *pool,
                         const kc_json_t **out, kc_err_t *err)
{
    kc_err_t cause = {0};

    if (kc_json_parse(response->body, response->body_len, pool, out, &cause) != KC_OK)
        return KC_FAIL(err, KC_DOWN, KC_ERR_JSON, "the %s endpoint's answer (%.60s): %.100s",
                       endpoint, response->content_type ? response->content_type : "",
                       cause.detail);
    return KC_OK;
}

static int is_client_refused(const char *error)
{
    return !strcmp(error, "invalid_client") || !strcmp(error, "unauthorized_client");
}

/* RFC 6749 section 5.2: the grant has ended, or the user no longer consents to its scope. All other
 * errors are about the client or the realm. */
static int is_grant_over(const char *error)
{
    return !strcmp(error, "invalid_grant") || !strcmp(error, "invalid_scope");
}

/* Keycloak's answers for a realm that is disabled, deleted or renamed. */
static const char *realm_advice(int status, const char *error)
{
    if (status == 404)
        return "; check that the realm of KeycloakIssuer exists";
    if (error && !strcmp(error, "access_denied"))
        return "; check that the realm of KeycloakIssuer is enabled";
    return "";
}

/* An OAuth error (RFC 6749 section 5.2), or a status other than success. */
static kc_rc_t refuse(const call_t *call, int status, const kc_json_t *body,
                      kc_token_endpoint_answer_t *out, kc_err_t *err)
{
    const char *error = kc_json_member_string(body, "error");
    const char *description = kc_json_member_string(body, "error_description");

    if (out) {
        out->error = error;
        out->description = description;
    }
    if (!error)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ENDPOINT, "the token endpoint answers %d%s",
                       status, realm_advice(status, NULL));
    if (is_client_refused(error))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CLIENT_AUTH,
                       "%.30s (%.69s): check that the client is enabled, %s", error,
                       description ? description : "", find_method(call->conf)->advice);
    return KC_FAIL(
        err, KC_REFUSED,
        call->is_refresh && is_grant_over(error) ? KC_ERR_REFRESH_REFUSED : KC_ERR_TOKEN_ENDPOINT,
        "%.30s: %.69s%s", error, description ? description : "", realm_advice(status, error));
}

/* 1*VSCHAR (RFC 6749 appendix A.12 and A.17): ASCII from the space to the tilde. */
static int is_token(const char *text)
{
    const char *at;

    for (at = text; at && *at; at++) {
        if (*at < 0x20 || *at >= 0x7f)
            return 0;
    }
    return text && *text;
}

static kc_rc_t read_token(const kc_json_t *body, const char *name, const char **out, kc_err_t *err)
{
    *out = kc_json_member_string(body, name);
    if (!is_token(*out))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ENDPOINT, "%s is absent or no token", name);
    return KC_OK;
}

static void read_span(const kc_json_t *body, const char *name, int64_t max, int64_t *out)
{
    if (!kc_json_seconds(kc_json_member(body, name), out) || *out > max)
        *out = 0;
}

static kc_rc_t read_tokens(const call_t *call, const kc_json_t *body,
                           kc_token_endpoint_answer_t *out, kc_err_t *err)
{
    const char *type = kc_json_member_string(body, "token_type");
    kc_rc_t rc;

    if (!type || strcasecmp(type, "Bearer") != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ENDPOINT, "token_type is %.60s, not Bearer",
                       type ? type : "absent or no string");
    rc = read_token(body, "access_token", &out->access_token, err);
    if (rc == KC_OK && (!call->needs_no_id_token || kc_json_member(body, "id_token")))
        rc = read_token(body, "id_token", &out->id_token, err);
    read_span(body, "expires_in", EXPIRES_IN_MAX, &out->expires_in);
    read_span(body, "refresh_expires_in", REFRESH_EXPIRES_IN_MAX, &out->refresh_expires_in);
    if (rc == KC_OK && kc_json_member(body, "refresh_token"))
        rc = read_token(body, "refresh_token", &out->refresh_token, err);
    return rc;
}

static kc_rc_t read_answer(const call_t *call, const kc_http_response_t *response,
                           kc_token_endpoint_answer_t *out, kc_err_t *err)
{
    const kc_json_t *body = NULL;
    kc_rc_t rc = check_status("token", response, err);

    if (rc != KC_OK)
        return rc;
    if (response->status != 200) {
        /* An unreadable body has no error to quote; then the status is the reason. */
        (void)kc_json_parse(response->body, response->body_len, call->pool, &body, NULL);
        return refuse(call, response->status, body, out, err);
    }
    rc = read_body("token", response, call->pool, &body, err);
    if (rc != KC_OK)
        return rc;
    if (kc_json_member(body, "error"))
        return refuse(call, response->status, body, out, err);
    return read_tokens(call, body, out, err);
}

/* Adds the client's authentication, by the secret and key as their files are now. */
static kc_rc_t authenticate(call_t *call, kc_err_t *err)
{
    call->conf = kc_conf_watch_hold(call->env->files, call->conf, call->pool);
    return find_method(call->conf)->apply(call, err);
}

/* Sends the form to the token endpoint, with client authentication. */
static kc_rc_t ask(call_t *call, kc_token_endpoint_answer_t *out, kc_err_t *err)
{
    kc_http_response_t response = {0};
    kc_err_t why = {0};
    kc_rc_t rc = authenticate(call, &why);

    memset(out, 0, sizeof(*out));
    if (rc == KC_OK) {
        rc = perform(call, &response, &why);
        out->fate = rc == KC_OK                          ? KC_TOKEN_ENDPOINT_ANSWERED
                    : why.reason == KC_ERR_PROVIDER_DOWN ? KC_TOKEN_ENDPOINT_UNANSWERED
                                                         : KC_TOKEN_ENDPOINT_NOT_SENT;
    }
    if (rc == KC_OK)
        rc = read_answer(call, &response, out, &why);
    if (err)
        *err = why;
    return rc;
}

kc_rc_t kc_token_endpoint_exchange(const kc_conf_t *conf, const kc_env_t *env,
                                   const kc_provider_t *provider, const char *code,
                                   const char *redirect_uri, const char *verifier, apr_pool_t *pool,
                                   kc_token_endpoint_answer_t *out, kc_err_t *err)
{
    call_t call = {conf, env,  provider, provider->token_endpoint, KC_METRICS_TOKEN, 0, 0,
                   {0},  NULL, pool};

    kc_buf_init(&call.form, FORM_MAX, pool);
    kc_url_put_parameter(&call.form, "grant_type", "authorization_code");
    kc_url_put_parameter(&call.form, "code", code);
    kc_url_put_parameter(&call.form, "redirect_uri", redirect_uri);
    kc_url_put_parameter(&call.form, "code_verifier", verifier);
    return ask(&call, out, err);
}

kc_rc_t kc_token_endpoint_refresh(const kc_conf_t *conf, const kc_env_t *env,
                                  const kc_provider_t *provider, const char *refresh_token,
                                  apr_pool_t *pool, kc_token_endpoint_answer_t *out, kc_err_t *err)
{
    call_t call = {conf, env,  provider, provider->token_endpoint, KC_METRICS_TOKEN, 1, 1,
                   {0},  NULL, pool};

    kc_buf_init(&call.form, TOKEN_FORM_MAX, pool);
    kc_url_put_parameter(&call.form, "grant_type", "refresh_token");
    kc_url_put_parameter(&call.form, "refresh_token", refresh_token);
    return ask(&call, out, err);
}

kc_rc_t kc_token_endpoint_grant(const kc_conf_t *conf, const kc_env_t *env,
                                const kc_provider_t *provider,
                                const kc_token_endpoint_grant_t *grant, apr_pool_t *pool,
                                kc_token_endpoint_answer_t *out, kc_err_t *err)
{
    call_t call = {conf, env,  provider, provider->token_endpoint, KC_METRICS_TOKEN, 0, 1,
                   {0},  NULL, pool};

    kc_buf_init(&call.form, FORM_MAX, pool);
    kc_url_put_parameter(&call.form, "grant_type", grant->user ? "password" : "client_credentials");
    if (grant->user) {
        kc_url_put_parameter(&call.form, "username", grant->user);
        kc_url_put_parameter(&call.form, "password", grant->password);
    }
    kc_url_put_parameter(&call.form, "scope", grant->scope);
    return ask(&call, out, err);
}

kc_rc_t kc_token_endpoint_revoke(const kc_conf_t *conf, const kc_env_t *env,
                                 const kc_provider_t *provider, const char *refresh_token,
                                 apr_pool_t *pool, kc_err_t *err)
{
    call_t call = {conf, env,  provider, provider->revocation_endpoint, KC_METRICS_REVOCATION, 0, 0,
                   {0},  NULL, pool};
    kc_http_response_t response = {0};
    const kc_json_t *body = NULL;
    kc_rc_t rc;

    if (!provider->revocation_endpoint)
        return KC_OK;
    kc_buf_init(&call.form, TOKEN_FORM_MAX, pool);
    kc_url_put_parameter(&call.form, "token", refresh_token);
    kc_url_put_parameter(&call.form, "token_type_hint", "refresh_token");
    rc = authenticate(&call, err);
    if (rc == KC_OK)
        rc = perform(&call, &response, err);
    if (rc == KC_OK)
        rc = check_status("revocation", &response, err);
    if (rc != KC_OK || response.status == 200)
        return rc;
    (void)kc_json_parse(response.body, response.body_len, pool, &body, NULL);
    return refuse(&call, response.status, body, NULL, err);
}

kc_rc_t kc_token_endpoint_check_userinfo(const kc_json_t *claims, const char *sub, kc_err_t *err)
{
    const char *text = kc_json_member_string(claims, "sub");

    if (!text || !sub || strcmp(text, sub) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_USERINFO, "sub is %s",
                       text ? "not the ID token's" : "absent or no string");
    return KC_OK;
}

/* application/jwt, with or without parameters (OpenID Connect Core 1.0 section 5.3.2). */
static int is_signed(const kc_http_response_t *response)
{
    static const char type[] = "application/jwt";
    const char *text = response->content_type;

    return text && strncasecmp(text, type, sizeof(type) - 1) == 0 &&
           strchr("; ", text[sizeof(type) - 1]);
}

static kc_rc_t read_userinfo(const kc_http_response_t *response, const char *sub, apr_pool_t *pool,
                             kc_token_endpoint_userinfo_t *out, kc_err_t *err)
{
    const char *text = response->body;
    size_t len = response->body_len;
    kc_rc_t rc;

    if (is_signed(response)) {
        for (; len && strchr(" \r\n\t", text[len - 1]); len--)
            ;
        out->jwt = apr_pstrndup(pool, text, len);
        return KC_OK;
    }
    rc = read_body("userinfo", response, pool, &out->claims, err);
    return rc == KC_OK ? kc_token_endpoint_check_userinfo(out->claims, sub, err) : rc;
}

kc_rc_t kc_token_endpoint_userinfo(const kc_conf_t *conf, const kc_env_t *env,
                                   const kc_provider_t *provider, const char *access_token,
                                   const char *sub, apr_pool_t *pool,
                                   kc_token_endpoint_userinfo_t *out, kc_err_t *err)
{
    kc_http_request_t request = {0};
    kc_http_response_t response = {0};
    kc_rc_t rc;

    /* a token with a space would be invalid in the Authorization header (RFC 6750 section 2.1) */
    memset(out, 0, sizeof(*out));
    if (!provider->userinfo_endpoint || !is_token(access_token) || strchr(access_token, ' '))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_USERINFO, "there is no %s",
                       provider->userinfo_endpoint ? "access token that a header can carry"
                                                   : "userinfo endpoint");
    request.url = provider->userinfo_endpoint;
    request.endpoint = KC_METRICS_USERINFO;
    request.is_urgent = 1; /* the code is used up */
    request.authorization = apr_pstrcat(pool, "Bearer ", access_token, NULL);
    rc = kc_deadline_perform(env, conf->http_timeout, &request, pool, &response, err);
    if (rc == KC_OK)
        rc = check_status("userinfo", &response, err);
    if (rc == KC_OK && response.status != 200)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_USERINFO, "the userinfo endpoint answers %d",
                       response.status);
    return rc == KC_OK ? read_userinfo(&response, sub, pool, out, err) : rc;
}

/* A sign-in: there and back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "login.h"

#include <apr_strings.h>
#include <stdio.h>
#include <string.h>

#include "cookie.h"
#include "crypto.h"
#include "grant.h"
#include "login_state.h"
#include "token.h"
#include "url.h"

enum { AUTHORIZATION_URL_MAX = 8192, CODE_MAX = 4096, URL_LINE_MAX = 4000 };

const char *kc_login_redirect_uri(const kc_rp_t *rp, const kc_login_client_t *client,
                                  apr_pool_t *pool)
{
    if (rp->conf->redirect_uri)
        return rp->conf->redirect_uri;
    return apr_pstrcat(pool, client->public_url, rp->callback_path, NULL);
}

/* A URL of this host as the browser sees it; absolute ones stay. */
static const char *absolute(const kc_login_client_t *client, const char *url, apr_pool_t *pool)
{
    return url[0] == '/' ? apr_pstrcat(pool, client->public_url, url, NULL) : url;
}

static const char *scopes(const kc_rp_t *rp, apr_pool_t *pool)
{
    const apr_array_header_t *words = rp->conf->scope;
    const char *text = "openid";
    int i;

    for (i = 0; words && i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);

        if (strcmp(word, "openid") != 0)
            text = apr_pstrcat(pool, text, " ", word, NULL);
    }
    return text;
}

static void add_cookie(kc_login_answer_t *answer, const kc_cookie_set_t *cookie, apr_pool_t *pool)
{
    APR_ARRAY_PUSH(answer->cookies, const char *) = kc_cookie_format(cookie, pool);
}

static void init_answer(kc_login_answer_t *answer, apr_pool_t *pool)
{
    memset(answer, 0, sizeof(*answer));
    answer->cookies = apr_array_make(pool, 4, sizeof(const char *));
}

/* --- the rounds cookie: how many sign-ins were finished in the last minute --- */

typedef struct rounds_t {
    int64_t since;
    unsigned int count;
} rounds_t;

static rounds_t read_rounds(const kc_rp_t *rp, const kc_login_client_t *client)
{
    const char *name = rp->names[client->is_https].rounds;
    int64_t now = rp->env->now(rp->env->context);
    rounds_t rounds = {now, 0};
    kc_bytes_t value;
    char text[32];
    long long since;
    unsigned int count;

    if (kc_cookie_find(client->cookies, name, strlen(name), &value) != KC_OK ||
        value.len >= sizeof(text))
        return rounds;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    if (sscanf(text, "%19lld.%3u", &since, &count) != 2 || since > now ||
        now - since >= KC_LOGIN_ROUNDS_SECONDS)
        return rounds;
    rounds.since = since;
    rounds.count = count;
    return rounds;
}

static void count_round(const kc_rp_t *rp, const kc_login_client_t *client, apr_pool_t *pool,
                        kc_login_answer_t *answer)
{
    rounds_t rounds = read_rounds(rp, client);
    kc_cookie_set_t cookie = {
        rp->names[client->is_https].rounds, NULL, NULL, NULL, "Lax", 60, client->is_https};

    cookie.value = apr_psprintf(pool, "%" APR_INT64_T_FMT ".%u", rounds.since, rounds.count + 1);
    add_cookie(answer, &cookie, pool);
}

/* --- there --- */

static kc_rc_t authorization_url(const kc_rp_t *rp, const kc_login_client_t *client,
                                 const kc_provider_t *provider, const kc_login_state_t *state,
                                 apr_pool_t *pool, const char **out, kc_err_t *err)
{
    unsigned char challenge[KC_CRYPTO_SHA256_SIZE];
    kc_bytes_t bytes = {challenge, sizeof(challenge)};
    kc_bytes_t url;
    kc_buf_t buf;
    kc_rc_t rc = kc_crypto_sha256(kc_buf_text(state->verifier), challenge, err);

    if (rc != KC_OK)
        return rc;
    kc_buf_init(&buf, AUTHORIZATION_URL_MAX, pool);
    kc_buf_put_text(&buf, absolute(client, provider->authorization_endpoint, pool));
    kc_url_put_parameter(&buf, "response_type", "code");
    kc_url_put_parameter(&buf, "client_id", rp->conf->client_id);
    kc_url_put_parameter(&buf, "redirect_uri", kc_login_redirect_uri(rp, client, pool));
    kc_url_put_parameter(&buf, "scope", scopes(rp, pool));
    kc_url_put_parameter(&buf, "state", state->text);
    kc_url_put_parameter(&buf, "nonce", state->nonce);
    kc_url_put_parameter(&buf, "code_challenge", kc_buf_base64url(bytes, pool));
    kc_url_put_parameter(&buf, "code_challenge_method", "S256");
    if (kc_buf_bytes(&buf, &url) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "the authorization URL is over %d bytes",
                       AUTHORIZATION_URL_MAX);
    *out = (const char *)url.data;
    return KC_OK;
}

kc_rc_t kc_login_begin(const kc_rp_t *rp, const kc_login_client_t *client, const char *return_url,
                       const kc_login_round_t *round, apr_pool_t *pool, kc_login_answer_t *answer,
                       kc_err_t *err)
{
    const kc_keyring_snapshot_t *snapshot;
    kc_login_state_t state;
    kc_rc_t rc;

    init_answer(answer, pool);
    if (read_rounds(rp, client).count >= KC_LOGIN_ROUNDS_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGIN_LOOP, "%d sign-ins were finished in a minute",
                       KC_LOGIN_ROUNDS_MAX);
    rc = kc_keyring_get(rp->keyring, pool, &snapshot, err);
    if (rc != KC_OK)
        return rc;
    return_url = kc_url_return(return_url, client->public_url, rp->conf->return_hosts, pool);
    rc = kc_login_state_make(rp, return_url, round, pool, &state, err);
    if (rc == KC_OK)
        rc = kc_login_state_keep(rp, client, &state, pool, answer->cookies, err);
    if (rc == KC_OK)
        rc =
            authorization_url(rp, client, snapshot->provider, &state, pool, &answer->location, err);
    kc_crypto_cleanse(state.verifier, sizeof(state.verifier));
    return rc;
}

/* --- back --- */

/* What a callback works with; everything in the request's pool. */
typedef struct callback_t {
    const kc_rp_t *rp;
    const kc_login_client_t *client;
    apr_pool_t *pool;
    const kc_url_query_t *query;
    const kc_keyring_snapshot_t *snapshot;
    kc_login_state_t state;
    const char *code;
} callback_t;

/* A parameter that may be absent (then *value is NULL) but not be there twice. */
static kc_rc_t optional(const callback_t *callback, const char *name, const char **value,
                        kc_err_t *err)
{
    kc_rc_t rc;

    *value = NULL;
    rc = kc_url_query_single(callback->query, name, value, err);
    return rc == KC_MISS ? KC_OK : rc;
}

/* RFC 9207: the answer's issuer, and that it is there when the provider says so. */
static kc_rc_t check_issuer(const callback_t *callback, kc_err_t *err)
{
    const kc_provider_t *provider = callback->snapshot->provider;
    const char *issuer;
    kc_rc_t rc = optional(callback, "iss", &issuer, err);

    if (rc != KC_OK)
        return rc;
    if (!issuer && provider->is_issuer_in_callback)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK_ISSUER,
                       "the answer has no iss, which the provider promises");
    if (issuer && strcmp(issuer, provider->issuer) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK_ISSUER, "the answer's iss is '%.100s'",
                       issuer);
    return KC_OK;
}

/* An error answer of the provider. A sign-in page that was left open too long is no error but a
 * reason to start over. */
static kc_rc_t check_error(const callback_t *callback, kc_err_t *err)
{
    const char *error, *description;
    kc_rc_t rc = optional(callback, "error", &error, err);

    if (rc == KC_OK)
        rc = optional(callback, "error_description", &description, err);
    if (rc != KC_OK || !error)
        return rc;
    if (callback->code)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the answer has both a code and an error");
    if (description && strcmp(error, "temporarily_unavailable") == 0 &&
        strcmp(description, "authentication_expired") == 0)
        return KC_FAIL(err, KC_MISS, KC_ERR_STATE_EXPIRED, "the provider's page had expired");
    return KC_FAIL(err, KC_REFUSED, KC_ERR_PROVIDER_ERROR, "%.60s: %.140s", error,
                   description ? description : "no description");
}

static kc_rc_t read_answer(callback_t *callback, kc_err_t *err)
{
    kc_rc_t rc = check_issuer(callback, err);

    if (rc == KC_OK)
        rc = optional(callback, "code", &callback->code, err);
    if (rc == KC_OK)
        rc = check_error(callback, err);
    if (rc != KC_OK)
        return rc;
    if (!callback->code || !callback->code[0] || strlen(callback->code) > CODE_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the answer has no usable code");
    return KC_OK;
}

static kc_cookie_set_t describe_cookie(const kc_rp_t *rp, const kc_login_client_t *client)
{
    static const char *const same_site[] = {"Lax", "Strict", "None"};
    kc_cookie_set_t cookie = {rp->names[client->is_https].session, "", NULL, NULL, NULL, 0, 0};

    cookie.domain = rp->conf->cookie_domain;
    cookie.same_site = same_site[rp->conf->cookie_same_site];
    cookie.is_secure = client->is_https;
    return cookie;
}

/* A new session under a new id always; whoever was signed in here before is signed out. */
static kc_rc_t start_session(const callback_t *callback, kc_session_t *session,
                             kc_login_answer_t *answer, kc_err_t *err)
{
    kc_cookie_set_t cookie = describe_cookie(callback->rp, callback->client);
    char *id = apr_palloc(callback->pool, KC_SESSION_ID_TEXT + 1);
    kc_rc_t rc = kc_session_end(
        callback->rp,
        kc_session_cookie(callback->rp, callback->client->is_https, callback->client->cookies),
        callback->pool, err);

    session->created = callback->rp->env->now(callback->rp->env->context);
    session->expires = session->created + callback->rp->conf->session_max;
    if (rc == KC_OK)
        rc = kc_session_create(callback->rp, session, callback->pool, id, err);
    if (rc != KC_OK)
        return rc;
    cookie.value = id;
    cookie.max_age = -1;
    add_cookie(answer, &cookie, callback->pool);
    answer->user = session->user;
    return KC_OK;
}

/* From the code to the session. */
static kc_rc_t sign_in(callback_t *callback, kc_login_answer_t *answer, kc_err_t *err)
{
    const kc_rp_t *rp = callback->rp;
    kc_grant_t grant = {.rp = rp,
                        .snapshot = callback->snapshot,
                        .pool = callback->pool,
                        .nonce = callback->state.nonce};
    kc_session_t session;
    kc_rc_t rc;

    rc = kc_token_exchange(rp->conf, rp->env, callback->snapshot->provider, callback->code,
                           kc_login_redirect_uri(rp, callback->client, callback->pool),
                           callback->state.verifier, callback->pool, &grant.tokens, err);
    if (rc == KC_OK)
        rc = kc_grant_verify(&grant, err);
    if (rc == KC_OK)
        rc = kc_grant_describe(&grant, &session, err);
    if (rc == KC_OK)
        rc = start_session(callback, &session, answer, err);
    answer->dropped = grant.dropped;
    return rc;
}

static kc_rc_t read_query(const char *query, apr_pool_t *pool, const kc_url_query_t **out,
                          const char **state, kc_err_t *err)
{
    kc_rc_t rc = kc_url_query_parse(query, pool, out, err);

    if (rc != KC_OK)
        return rc;
    rc = kc_url_query_single(*out, "state", state, err);
    if (rc != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the answer has %s state",
                       rc == KC_MISS ? "no" : "more than one");
    return KC_OK;
}

kc_rc_t kc_login_finish(const kc_rp_t *rp, const kc_login_client_t *client, const char *query,
                        apr_pool_t *pool, kc_login_answer_t *answer, kc_err_t *err)
{
    callback_t callback;
    const char *state;
    kc_rc_t rc;

    init_answer(answer, pool);
    memset(&callback, 0, sizeof(callback));
    callback.rp = rp;
    callback.client = client;
    callback.pool = pool;
    rc = read_query(query, pool, &callback.query, &state, err);
    if (rc == KC_OK)
        rc = kc_login_state_find(rp, client, state, pool, &callback.state, answer->cookies, err);
    if (rc == KC_OK)
        rc = kc_keyring_get(rp->keyring, pool, &callback.snapshot, err);
    if (rc == KC_OK)
        rc = read_answer(&callback, err);
    if (rc == KC_OK)
        rc = kc_login_state_spend(rp, &callback.state, err);
    if (rc == KC_OK)
        rc = sign_in(&callback, answer, err);
    if (rc == KC_OK) {
        count_round(rp, client, pool, answer);
        answer->location = absolute(client, callback.state.return_url, pool);
    }
    kc_crypto_cleanse(callback.state.verifier, sizeof(callback.state.verifier));
    return rc;
}

kc_rc_t kc_login_again(const kc_rp_t *rp, const char *query, apr_pool_t *pool,
                       const char **return_url, kc_login_round_t *round, kc_err_t *err)
{
    const kc_url_query_t *parsed;
    const char *state;
    kc_rc_t rc = read_query(query, pool, &parsed, &state, err);

    return rc == KC_OK ? kc_login_state_again(rp, state, pool, return_url, round, err) : rc;
}

/* --- out --- */

const char *kc_login_after_logout(const kc_rp_t *rp, const kc_login_client_t *client,
                                  apr_pool_t *pool)
{
    return absolute(client, rp->conf->after_logout_url, pool);
}

const char *kc_login_end_url(const kc_rp_t *rp, const kc_login_client_t *client,
                             const kc_session_t *session, apr_pool_t *pool)
{
    const char *after = kc_login_after_logout(rp, client, pool);
    const char *hint = kc_session_id_token(session, pool);
    const kc_keyring_snapshot_t *snapshot;
    kc_bytes_t url;
    kc_buf_t buf;

    if (kc_keyring_get(rp->keyring, pool, &snapshot, NULL) != KC_OK ||
        !snapshot->provider->end_session_endpoint)
        return after;
    kc_buf_init(&buf, AUTHORIZATION_URL_MAX, pool);
    kc_buf_put_text(&buf, snapshot->provider->end_session_endpoint);
    kc_url_put_parameter(&buf, "client_id", rp->conf->client_id);
    kc_url_put_parameter(&buf, "post_logout_redirect_uri", after);
    /* a request line has its limits; without the hint Keycloak asks the person first */
    if (hint && buf.len + strlen(hint) < URL_LINE_MAX)
        kc_url_put_parameter(&buf, "id_token_hint", hint);
    return kc_buf_bytes(&buf, &url) == KC_OK ? (const char *)url.data : after;
}

void kc_login_forget(const kc_rp_t *rp, const kc_login_client_t *client, apr_pool_t *pool,
                     apr_array_header_t *cookies)
{
    kc_cookie_set_t session = describe_cookie(rp, client);
    kc_cookie_set_t rounds = session;

    rounds.name = rp->names[client->is_https].rounds;
    rounds.domain = NULL;
    rounds.same_site = "Lax";
    APR_ARRAY_PUSH(cookies, const char *) = kc_cookie_format(&session, pool);
    APR_ARRAY_PUSH(cookies, const char *) = kc_cookie_format(&rounds, pool);
}

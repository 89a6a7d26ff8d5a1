/* A sign-in: the redirect to Keycloak, and the callback.
 * SPDX-License-Identifier: Apache-2.0 */
#include "login/login.h"

#include <apr_strings.h>
#include <string.h>

#include "base/cookie.h"
#include "base/query.h"
#include "base/url.h"
#include "browser.h"
#include "crypto/crypto.h"
#include "login/login_audit.h"
#include "login/login_authorization.h"
#include "login/login_loop.h"
#include "login/login_state.h"
#include "provider/token_endpoint.h"
#include "rp.h"
#include "session/revocation.h"
#include "session/session_cookie.h"
#include "session/session_index.h"
#include "session/token_set.h"
#include "session/userinfo.h"

enum { CODE_MAX = 4096 };

/* Makes a path on this host a URL as the browser sees it; absolute URLs stay. */
static const char *absolute(const kc_browser_t *client, const char *url, apr_pool_t *pool)
{
    return url[0] == '/' ? apr_pstrcat(pool, client->public_url, url, NULL) : url;
}

static void add_cookie(kc_browser_answer_t *answer, const kc_cookie_set_t *cookie, apr_pool_t *pool)
{
    APR_ARRAY_PUSH(answer->cookies, const char *) = kc_cookie_format(cookie, pool);
}

static void init_answer(kc_browser_answer_t *answer, apr_pool_t *pool)
{
    memset(answer, 0, sizeof(*answer));
    answer->cookies = apr_array_make(pool, 4, sizeof(const char *));
}

/* State of a callback; everything is in the request's pool. */
typedef struct callback_t {
    const kc_rp_t *rp;
    const kc_browser_t *client;
    apr_pool_t *pool;
    const kc_query_t *query;
    const kc_metadata_snapshot_t *snapshot;
    kc_login_state_t state;
    const char *code;
    const char *sub; /* once the ID token is verified; for the audit log, like the next */
    const char *act;
    int64_t begun_ms; /* before the tokens were requested: a revocation entry later than this ends
                         the session */
} callback_t;

/* --- redirect --- */

/* Why the return URL was lost, for the log. The text after its "?" may be secret and is not
 * logged. */
static const char *why_lost(const char *asked, const char *checked, const kc_login_state_t *state,
                            apr_pool_t *pool)
{
    if (strcmp(state->return_url, "/") != 0 || !asked || strcmp(asked, "/") == 0)
        return NULL;
    if (strcmp(checked, "/") != 0 || strlen(asked) > KC_URL_MAX)
        return apr_psprintf(pool,
                            "the address is %lu bytes long, which the cookie of a sign-in has no "
                            "room for",
                            (unsigned long)strlen(asked));
    return asked[0] == '/' && asked[1] == '#'
               ? NULL
               : "the address is malformed, or could be read as one of another host";
}

kc_rc_t kc_login_begin(const kc_rp_t *rp, const kc_browser_t *client,
                       const kc_login_request_t *request, apr_pool_t *pool,
                       kc_browser_answer_t *answer, kc_err_t *err)
{
    const kc_metadata_snapshot_t *snapshot;
    kc_login_request_t checked = *request;
    kc_login_state_t state;
    kc_login_authorization_t authorization = {rp, client, NULL, &checked, &state};
    kc_rc_t rc;

    init_answer(answer, pool);
    rc = kc_login_loop_check(rp, client, &checked, err);
    if (rc == KC_REFUSED)
        kc_login_audit_refusal(rp, NULL, NULL, err);
    if (rc == KC_OK)
        rc = kc_metadata_get(rp->metadata, pool, &snapshot, err);
    if (rc != KC_OK)
        return rc;
    authorization.provider = snapshot->provider;
    checked.return_url =
        kc_url_return(request->return_url, client->public_url, rp->conf->return_hosts, pool);
    rc = kc_login_state_make(rp, client, &checked, pool, &state, err);
    if (rc == KC_OK)
        answer->lost = why_lost(request->return_url, checked.return_url, &state, pool);
    if (rc == KC_OK)
        rc = kc_login_state_keep(rp, client, &state, pool, answer->cookies, err);
    if (rc == KC_OK)
        rc = kc_login_authorization_url(&authorization, pool, &answer->location, err);
    kc_crypto_cleanse(state.verifier, sizeof(state.verifier));
    kc_metrics_add(rp->env->metrics, KC_METRICS_CELL(sign_ins_begun, 0, 0, 0), rc == KC_OK);
    return rc;
}

/* --- callback --- */

/* Reads a parameter that may be absent (then *value is NULL) but not be there twice. */
static kc_rc_t optional(const callback_t *callback, const char *name, const char **value,
                        kc_err_t *err)
{
    kc_rc_t rc;

    *value = NULL;
    rc = kc_query_single(callback->query, name, value, err);
    return rc == KC_MISS ? KC_OK : rc;
}

/* The same for text that people read: providers often write more characters than NQSCHAR allows
 * (RFC 6749 appendix A.8). */
static kc_rc_t optional_text(const callback_t *callback, const char *name, const char **value,
                             kc_err_t *err)
{
    kc_rc_t rc;

    *value = NULL;
    rc = kc_query_text(callback->query, name, value, err);
    return rc == KC_MISS ? KC_OK : rc;
}

/* RFC 9207: iss must be this issuer, and must be there when the provider says so. */
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

/* OpenID Connect Core 1.0 section 3.1.2.6: errors that mean the user must be asked. */
static int is_asking(const char *error)
{
    static const char *const errors[] = {"login_required", "interaction_required",
                                         "consent_required", "account_selection_required"};
    size_t i;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (strcmp(error, errors[i]) == 0)
            return 1;
    }
    return 0;
}

/* Handles an error answer of the provider. A sign-in page that was left open too long is not an
 * error but a reason to start over. */
static kc_rc_t check_error(const callback_t *callback, kc_err_t *err)
{
    const char *error, *description;
    kc_rc_t rc = optional_text(callback, "error", &error, err);

    if (rc == KC_OK)
        rc = optional_text(callback, "error_description", &description, err);
    if (rc != KC_OK || !error)
        return rc;
    if (callback->code)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the answer has both a code and an error");
    if (callback->state.is_silent && is_asking(error))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SILENT, "the provider says %.60s", error);
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

/* Makes a new session, always under a new id. A session of another user in this browser is ended.
 * Requests of the same user in other tabs continue. */
static kc_rc_t start_session(const callback_t *callback, kc_session_t *session,
                             kc_browser_answer_t *answer, kc_err_t *err)
{
    kc_cookie_set_t cookie = kc_session_cookie_describe(callback->rp, callback->client->is_https);
    char *id = apr_palloc(callback->pool, KC_SESSION_ID_TEXT + 1);
    kc_rc_t rc = kc_session_succeed(
        callback->rp,
        kc_session_cookie_find(callback->rp, callback->client->is_https, callback->client->cookies),
        session, callback->pool, err);

    session->created = callback->begun_ms / 1000;
    session->expires = session->created + callback->rp->conf->session_max;
    if (rc == KC_OK)
        rc = kc_revocation_begin(callback->rp, session, callback->begun_ms, callback->pool, err);
    if (rc == KC_MISS) /* do not begin again at once, which could repeat for a while */
        rc = KC_DOWN;
    session->slot =
        rc == KC_OK ? kc_session_index_choose_slot(callback->rp, session->user, callback->pool) : 0;
    if (rc == KC_OK)
        rc = kc_session_create(callback->rp, session, callback->pool, id, err);
    if (rc != KC_OK)
        return rc;
    cookie.value = id;
    cookie.max_age = kc_session_cookie_max_age(callback->rp, session);
    add_cookie(answer, &cookie, callback->pool);
    kc_session_index_add(callback->rp, session, callback->client->address, callback->client->agent,
                         callback->pool);
    answer->user = session->user;
    answer->sub = session->sub;
    return KC_OK;
}

/* OpenID Connect Core 1.0 section 3.1.3.7, items 12 and 13: providers may do less than was
 * requested. */
static kc_rc_t check_strength(const callback_t *callback, const kc_json_t *claims, kc_err_t *err)
{
    const kc_rp_t *rp = callback->rp;
    const char *acr = kc_json_member_string(claims, "acr");
    int64_t now = rp->env->now(rp->env->context),
            time = kc_json_member_seconds(claims, "auth_time");

    if (kc_step_up_is_met(&callback->state.step_up, acr, time, now, rp->conf->clock_skew))
        return KC_OK;
    return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_WEAK,
                   "acr is '%.60s' and auth_time %" APR_INT64_T_FMT " s ago; asked were acr_values "
                   "'%.60s' and max_age %" APR_INT64_T_FMT,
                   acr ? acr : "", now - time,
                   kc_step_up_acr_values(&callback->state.step_up, callback->pool),
                   callback->state.step_up.max_age);
}

/* The user was not asked, so the user must stay the same (OpenID Connect Core 1.0 section 3.1.2.1,
 * prompt). */
static kc_rc_t check_user(const callback_t *callback, const kc_json_t *claims, kc_err_t *err)
{
    const kc_browser_t *client = callback->client;
    const char *sub = kc_json_member_string(claims, "sub");
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};
    kc_session_t session;
    kc_session_state_t state;

    if (!callback->state.is_silent)
        return KC_OK;
    state = kc_session_peek(callback->rp,
                            kc_session_cookie_find(callback->rp, client->is_https, client->cookies),
                            callback->pool, &session, &why);
    if (state == KC_SESSION_UNKNOWN)
        return KC_FAIL(err, KC_DOWN, why.reason, "%.200s", why.detail);
    if ((state == KC_SESSION_LIVE || state == KC_SESSION_STALE) && strcmp(session.sub, sub) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SUBJECT,
                       "the silent sign-in returned another user than the one who is signed in");
    return KC_OK;
}

/* A browser that opens many tabs at once signs in in each of them. When many wait for the provider,
 * those that come back after the first need no call of their own. Times are in seconds: a sign-in
 * begun in the second in which the other finished may have begun after it. */
static int is_followed(const callback_t *callback)
{
    const kc_rp_t *rp = callback->rp;
    const kc_browser_t *client = callback->client;
    kc_bytes_t cookie = kc_session_cookie_find(rp, client->is_https, client->cookies);
    int64_t now = rp->env->now(rp->env->context);
    kc_session_t session;

    if (!cookie.data || callback->state.is_silent || callback->state.is_step_up ||
        kc_session_peek(rp, cookie, callback->pool, &session, NULL) != KC_SESSION_LIVE)
        return 0;
    return session.created > kc_login_state_begun(&callback->state) && session.created <= now &&
           now - session.created < KC_LOGIN_FOLLOW_SECONDS &&
           kc_step_up_is_met(&callback->state.step_up, session.acr, session.auth_time, now,
                             rp->conf->clock_skew);
}

/* The provider signs in by a session that has been ended here. Keycloak keeps one alive that
 * somebody signs in with while it is being ended: until it is ended there, each sign-in would lead
 * to it. */
static void end_at_provider(const callback_t *callback, const kc_token_endpoint_answer_t *tokens)
{
    const kc_rp_t *rp = callback->rp;
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};

    if (tokens->refresh_token &&
        kc_token_endpoint_revoke(rp->conf, rp->env, callback->snapshot->provider,
                                 tokens->refresh_token, callback->pool, &why) != KC_OK)
        kc_env_log_at(rp->env, KC_LOG_WARNING, why.reason,
                      "a refresh token could not be revoked: %s", why.detail);
}

/* From the code to the session. */
static kc_rc_t sign_in(callback_t *callback, kc_browser_answer_t *answer, kc_err_t *err)
{
    const kc_rp_t *rp = callback->rp;
    kc_token_set_t token_set = {.rp = rp,
                                .snapshot = callback->snapshot,
                                .pool = callback->pool,
                                .nonce = callback->state.nonce};
    kc_session_t session;
    kc_rc_t rc;

    rc = kc_token_endpoint_exchange(rp->conf, rp->env, callback->snapshot->provider, callback->code,
                                    kc_rp_redirect_uri(rp, callback->client, callback->pool),
                                    callback->state.verifier, callback->pool, &token_set.tokens,
                                    err);
    answer->may_again = rc == KC_DOWN && token_set.tokens.fate == KC_TOKEN_ENDPOINT_NOT_SENT;
    if (rc == KC_OK)
        rc = kc_token_set_verify(&token_set, err);
    if (rc == KC_OK)
        callback->sub = kc_json_member_string(token_set.id_token.claims, "sub");
    if (rc == KC_OK)
        rc = check_strength(callback, token_set.id_token.claims, err);
    if (rc == KC_OK)
        rc = check_user(callback, token_set.id_token.claims, err);
    if (rc == KC_OK)
        rc = kc_userinfo_add(&token_set, err);
    if (rc == KC_OK)
        rc = kc_token_set_to_session(&token_set, &session, err);
    callback->act = token_set.act;
    if (rc == KC_OK)
        rc = start_session(callback, &session, answer, err);
    if (rc == KC_OK)
        kc_login_audit_success(rp, &callback->state, &session, callback->act);
    if (rc != KC_OK && err->reason == KC_ERR_SIGNED_OUT_NOW)
        end_at_provider(callback, &token_set.tokens);
    answer->dropped = token_set.dropped;
    return rc;
}

static kc_rc_t read_query(const char *query, apr_pool_t *pool, const kc_query_t **out,
                          const char **state, kc_err_t *err)
{
    kc_rc_t rc = kc_query_parse_answer(query, pool, out, err);

    if (rc != KC_OK)
        return rc;
    rc = kc_query_single(*out, "state", state, err);
    if (rc != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the answer has %s state",
                       rc == KC_MISS ? "no" : "more than one");
    return KC_OK;
}

/* A state can be used once, unless Keycloak was not asked. */
static kc_rc_t sign_in_once(callback_t *callback, kc_browser_answer_t *answer, kc_err_t *err)
{
    kc_rc_t rc = kc_login_state_spend(callback->rp, &callback->state, err);

    if (rc == KC_OK)
        rc = sign_in(callback, answer, err);
    if (rc == KC_OK) {
        kc_login_state_settle(callback->rp, &callback->state);
        kc_login_loop_count(callback->rp, callback->client, &callback->state, callback->pool,
                            answer->cookies);
    }
    if (!answer->may_again)
        return rc;
    kc_login_state_give_back(callback->rp, &callback->state);
    answer->may_again = !is_followed(callback);
    if (answer->may_again)
        apr_array_clear(answer->cookies);
    return answer->may_again ? rc : KC_OK;
}

kc_rc_t kc_login_finish(const kc_rp_t *rp, const kc_browser_t *client, const char *query,
                        apr_pool_t *pool, kc_browser_answer_t *answer, kc_err_t *err)
{
    callback_t callback;
    const char *state;
    kc_rc_t rc;

    init_answer(answer, pool);
    memset(&callback, 0, sizeof(callback));
    callback.rp = rp;
    callback.client = client;
    callback.pool = pool;
    callback.begun_ms = rp->env->now_ms(rp->env->context);
    rc = read_query(query, pool, &callback.query, &state, err);
    if (rc == KC_OK)
        rc = kc_login_state_find(rp, client, state, pool, &callback.state, answer->cookies, err);
    if (rc == KC_OK)
        rc = kc_metadata_get(rp->metadata, pool, &callback.snapshot, err);
    if (rc == KC_OK)
        rc = read_answer(&callback, err);
    if (rc == KC_OK)
        rc = sign_in_once(&callback, answer, err);
    if (rc == KC_OK)
        answer->location = absolute(client, callback.state.return_url, pool);
    else if (rc != KC_MISS && !answer->may_again)
        kc_login_audit_refusal(rp, callback.sub, callback.act, err);
    kc_crypto_cleanse(callback.state.verifier, sizeof(callback.state.verifier));
    if (rc != KC_OK || answer->user) /* else another tab has signed in meanwhile */
        kc_metrics_add(
            rp->env->metrics,
            KC_METRICS_CELL(sign_ins, kc_metrics_outcome(rc), kc_metrics_tag(rc, err), 0), 1);
    return rc;
}

/* 1 when cookies of other tabs that are signing in have replaced the cookie of this state. For
 * twice the time-out, because those wait for their turn and then for the provider. */
static int is_pushed_out(const kc_rp_t *rp, const kc_browser_t *client, int64_t begun,
                         apr_pool_t *pool)
{
    int64_t age = rp->env->now(rp->env->context) - begun;

    return age >= -rp->conf->clock_skew && age < 2 * rp->conf->http_timeout / 1000 &&
           kc_login_state_is_crowded(rp, client, pool);
}

kc_rc_t kc_login_again(const kc_rp_t *rp, const kc_browser_t *client, const char *query,
                       apr_pool_t *pool, kc_login_request_t *out, kc_err_t *err)
{
    const kc_query_t *parsed;
    kc_login_state_t found;
    const char *state;
    kc_rc_t rc;

    memset(out, 0, sizeof(*out));
    out->return_url = "/";
    rc = read_query(query, pool, &parsed, &state, err);
    if (rc != KC_OK)
        return rc;
    rc = kc_login_state_again(rp, state, pool, out, err);
    if (kc_login_state_find(rp, client, state, pool, &found,
                            apr_array_make(pool, 1, sizeof(char *)), NULL) == KC_OK) {
        out->step_up = found.step_up;
        kc_crypto_cleanse(found.verifier, sizeof(found.verifier));
    } else if (rc == KC_REFUSED && is_pushed_out(rp, client, out->begun, pool)) {
        rc = KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY,
                     "other tabs of this browser are signing in");
    } else if (rc == KC_REFUSED) {
        kc_login_audit_refusal(rp, NULL, NULL, err);
    }
    return rc;
}

int kc_login_linger(const kc_rp_t *rp, const kc_login_request_t *again)
{
    return rp->env->gate &&
           rp->env->now(rp->env->context) - again->begun < KC_LOGIN_LINGER_SECONDS &&
           kc_http_gate_linger(rp->env->gate, KC_LOGIN_LINGER_MS);
}

const char *kc_login_linger_query(const char *query, apr_pool_t *pool)
{
    const kc_query_t *parsed;
    const char *state;

    if (read_query(query, pool, &parsed, &state, NULL) != KC_OK)
        return NULL;
    return apr_pstrcat(pool, "state=", kc_url_escape(state, pool), NULL);
}

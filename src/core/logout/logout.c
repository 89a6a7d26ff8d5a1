/* A logout that begins here: the redirect to Keycloak, and the return.
 * SPDX-License-Identifier: Apache-2.0 */
#include "logout/logout.h"

#include <apr_strings.h>
#include <string.h>

#include "base/cookie.h"
#include "base/query.h"
#include "base/url.h"
#include "browser.h"
#include "logout/logout_pending.h"
#include "provider/metadata.h"
#include "provider/token_endpoint.h"
#include "provider/token_type.h"
#include "rp.h"
#include "session/revocation.h"
#include "session/session_audit.h"
#include "session/session_cookie.h"
#include "session/session_index.h"
#include "session/session_tokens.h"

enum {
    URL_MAX = 8192,
    URL_LINE_MAX = 4000, /* bytes: limit for a request line */
    STATE_SIZE = 32,     /* bytes */
    STATE_TEXT = 43,     /* base64url characters */
    STATE_SECONDS = 600,
    RETURN_MAX = 2000 /* bytes of a page in the cookie; a longer one becomes "/" */
};

static const char cookie_purpose[] = "logout";
static const char prefix[] = "logout."; /* of the state: distinguishes it from a sign-in's */

/* Makes a path on this host a URL as the browser sees it; absolute URLs stay. */
static const char *absolute(const kc_browser_t *client, const char *url, apr_pool_t *pool)
{
    return url[0] == '/' ? apr_pstrcat(pool, client->public_url, url, NULL) : url;
}

const char *kc_logout_page(const kc_rp_t *rp, const kc_browser_t *client, const char *return_url,
                           apr_pool_t *pool)
{
    if (!return_url)
        return absolute(client, rp->conf->after_logout_url, pool);
    return absolute(
        client, kc_url_return(return_url, client->public_url, rp->conf->return_hosts, pool), pool);
}

static void add_cookie(const kc_rp_t *rp, const kc_browser_t *client, const char *value,
                       long max_age, apr_pool_t *pool, kc_browser_answer_t *answer)
{
    kc_cookie_set_t cookie = {
        rp->names[client->is_https].logout, value, NULL, NULL, "Lax", max_age, client->is_https};

    APR_ARRAY_PUSH(answer->cookies, const char *) = kc_cookie_format(&cookie, pool);
}

static kc_seal_use_t seal_use(const kc_rp_t *rp, const unsigned char *state)
{
    kc_seal_use_t use = {cookie_purpose, {state, STATE_SIZE}, {rp->id, KC_RP_ID_SIZE}};

    return use;
}

/* --- redirect --- */

/* A logout through the provider. */
typedef struct logout_t {
    const kc_rp_t *rp;
    const kc_browser_t *client;
    const char *page;
    const char *id_token; /* may be NULL, like the next */
    const char *refresh_token;
    int had_session; /* here; without one Keycloak asks the user whether to end its own */
    apr_pool_t *pool;
    unsigned char state[STATE_SIZE];
    char pending[KC_STORE_KEY_LEN + 1]; /* the slot that keeps the refresh token; "": none */
} logout_t;

static kc_bytes_t state_of(const logout_t *logout)
{
    const kc_bytes_t state = {logout->state, STATE_SIZE};

    return state;
}

/* Seals the page, and behind it the slot of the refresh token, in a cookie that only the state
 * opens. */
static kc_rc_t seal_cookie(const logout_t *logout, kc_bytes_t *sealed)
{
    const kc_rp_t *rp = logout->rp;
    const kc_env_t *env = rp->env;
    const kc_seal_use_t use = seal_use(rp, logout->state);
    const char *page = strlen(logout->page) <= RETURN_MAX ? logout->page : "/";
    unsigned char iv[KC_CRYPTO_IV_SIZE];

    if (env->random(env->context, iv, sizeof(iv)) != KC_OK)
        return KC_FAULT;
    if (logout->pending[0])
        page = apr_pstrcat(logout->pool, page, "\n", logout->pending, NULL);
    return kc_seal_close(rp->keys, &use, env->now(env->context) + STATE_SECONDS, iv,
                         kc_buf_text(page), logout->pool, sealed, NULL);
}

/* NULL when it cannot be made: then the browser goes straight to the page. */
static const char *end_session_url(const logout_t *logout, const char *endpoint)
{
    const char *state =
        apr_pstrcat(logout->pool, prefix, kc_buf_base64url(state_of(logout), logout->pool), NULL);
    const char *hint = logout->id_token;
    kc_bytes_t url;
    kc_buf_t buf;

    kc_buf_init(&buf, URL_MAX, logout->pool);
    kc_buf_put_text(&buf, endpoint);
    kc_url_put_parameter(&buf, "client_id", logout->rp->conf->client_id);
    kc_url_put_parameter(&buf, "post_logout_redirect_uri",
                         kc_rp_redirect_uri(logout->rp, logout->client, logout->pool));
    kc_url_put_parameter(&buf, "state", state);
    /* request lines are limited; without the hint Keycloak asks the user first */
    if (hint && buf.len + strlen(hint) < URL_LINE_MAX)
        kc_url_put_parameter(&buf, "id_token_hint", hint);
    return kc_buf_bytes(&buf, &url) == KC_OK ? (const char *)url.data : NULL;
}

static void log_failure(const kc_rp_t *rp, const char *what, const kc_err_t *err)
{
    kc_env_log_at(rp->env, KC_LOG_WARNING, err->reason, "%s: %s", what, err->detail);
}

/* The provider's logout does not end an offline grant (OpenID Connect Core 1.0 section 11), and
 * revoking that does not end the provider's session. */
static int is_offline(const logout_t *logout)
{
    const apr_array_header_t *scope = logout->rp->conf->scope;
    int i;

    for (i = 0; scope && i < scope->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(scope, i, const char *), "offline_access") == 0)
            return 1;
    }
    return kc_token_type_is_offline(logout->refresh_token, logout->pool);
}

/* The URL that ends the provider's session; NULL: none. That needs a live session there, which
 * revoking the refresh token would end. So the token is kept until the browser is back, or too
 * late. */
static const char *lead_through(logout_t *logout, const char *endpoint, kc_browser_answer_t *answer)
{
    const kc_env_t *env = logout->rp->env;
    const char *url;
    kc_bytes_t sealed;

    logout->pending[0] = '\0';
    if (!endpoint || env->random(env->context, logout->state, STATE_SIZE) != KC_OK)
        return NULL;
    url = end_session_url(logout, endpoint);
    if (url && logout->refresh_token && !logout->client->is_program && !is_offline(logout) &&
        kc_logout_pending_keep(logout->rp, logout->refresh_token, state_of(logout), logout->pool,
                               logout->pending) != KC_OK)
        logout->pending[0] = '\0';
    if (url && seal_cookie(logout, &sealed) == KC_OK) {
        add_cookie(logout->rp, logout->client, kc_buf_base64url(sealed, logout->pool),
                   STATE_SECONDS, logout->pool, answer);
        return url;
    }
    if (logout->pending[0])
        kc_logout_pending_forget(logout->rp, logout->pending, state_of(logout), logout->pool);
    logout->pending[0] = '\0';
    return NULL;
}

/* Ends what Keycloak has: the browser's session there, and the tokens. */
static void end_at_provider(logout_t *logout, kc_browser_answer_t *answer)
{
    const kc_rp_t *rp = logout->rp;
    const kc_metadata_snapshot_t *snapshot;
    const char *url;
    kc_err_t err;

    if (kc_metadata_get(rp->metadata, logout->pool, &snapshot, &err) != KC_OK) {
        if (logout->had_session)
            log_failure(rp, "session ended here, but not at Keycloak", &err);
        return;
    }
    url = lead_through(logout, snapshot->provider->end_session_endpoint, answer);
    if (url)
        answer->location = url;
    if (logout->refresh_token && !logout->pending[0] &&
        kc_token_endpoint_revoke(rp->conf, rp->env, snapshot->provider, logout->refresh_token,
                                 logout->pool, &err) != KC_OK)
        log_failure(rp, "a refresh token could not be revoked", &err);
}

/* Nobody who was signed in needs no counting. */
static void count(const kc_rp_t *rp, const kc_session_t *session, kc_rc_t rc, const kc_err_t *err)
{
    const kc_metrics_t *metrics = rp->env->metrics;

    if (rc == KC_OK && !session)
        return;
    kc_metrics_add(metrics,
                   KC_METRICS_CELL(sign_outs, KC_METRICS_BROWSER, kc_metrics_outcome(rc),
                                   kc_metrics_tag(rc, err)),
                   1);
    kc_metrics_add(metrics, KC_METRICS_CELL(sessions_ended, KC_METRICS_SIGN_OUT, 0, 0),
                   rc == KC_OK);
}

kc_rc_t kc_logout_begin(const kc_rp_t *rp, const kc_browser_t *client, const kc_session_t *session,
                        const char *return_url, apr_pool_t *pool, kc_browser_answer_t *answer,
                        kc_err_t *err)
{
    const kc_bytes_t cookie = kc_session_cookie_find(rp, client->is_https, client->cookies);
    const kc_audit_event_t event = {.kind = KC_AUDIT_SIGN_OUT, .reason = KC_ERR_EVENT_SIGN_OUT};
    logout_t logout = {.rp = rp, .client = client, .pool = pool};
    kc_pack_t contents = {NULL, NULL, NULL, {NULL, 0}};
    kc_rc_t rc;

    memset(answer, 0, sizeof(*answer));
    answer->cookies = apr_array_make(pool, 4, sizeof(const char *));
    answer->location = logout.page = kc_logout_page(rp, client, return_url, pool);
    /* before the session is deleted, and its tokens with it */
    if (session && kc_session_tokens_get(session, pool, &contents, NULL) != KC_OK)
        memset(&contents, 0, sizeof(contents));
    /* even when it was not found: it may be on a server that does not answer */
    rc = kc_session_end(rp, cookie, pool, err);
    if (rc == KC_OK && session && *session->sid)
        rc = kc_revocation_add(rp, KC_REVOCATION_SID, session->sid,
                               err); /* sessions of the same sid from before a renewal */
    count(rp, session, rc, err);
    if (rc != KC_OK)
        return rc;
    if (session) {
        kc_session_index_remove(session, pool);
        kc_session_audit_tell(rp, session, &event);
    }
    logout.id_token = contents.id_token;
    logout.refresh_token = contents.refresh_token;
    logout.had_session = session != NULL;
    end_at_provider(&logout, answer);
    kc_session_cookie_forget(rp, client->is_https, pool, answer->cookies);
    return KC_OK;
}

/* --- return --- */

static kc_bytes_t find_cookie(const kc_rp_t *rp, const kc_browser_t *client)
{
    const char *name = rp->names[client->is_https].logout;
    kc_bytes_t value = {NULL, 0};

    if (kc_cookie_find(client->cookies, name, strlen(name), &value) != KC_OK)
        value.data = NULL;
    return value;
}

/* The page, and after a newline the slot of the refresh token (NULL: none). */
static const char *split_page(kc_bytes_t plain, apr_pool_t *pool, const char **pending)
{
    char *text = kc_buf_copy(plain.data, plain.len, pool), *at = strchr(text, '\n');

    *pending = NULL;
    if (strlen(text) != plain.len)
        return NULL;
    if (at) {
        *at = '\0';
        *pending = strlen(at + 1) == KC_STORE_KEY_LEN ? at + 1 : NULL;
    }
    return text;
}

/* Only the state that belongs to the cookie opens it; that proves the browser is back. */
static kc_rc_t open_cookie(const kc_rp_t *rp, const char *state, kc_bytes_t cookie,
                           apr_pool_t *pool, const char **page)
{
    kc_bytes_t raw, sealed, plain;
    const char *pending;
    kc_seal_use_t use;

    if (!cookie.data || strlen(state) != STATE_TEXT ||
        kc_buf_unbase64url(state, STATE_TEXT, pool, &raw) != KC_OK ||
        kc_buf_unbase64url((const char *)cookie.data, cookie.len, pool, &sealed) != KC_OK)
        return KC_REFUSED;
    use = seal_use(rp, raw.data);
    if (kc_seal_open(rp->keys, &use, rp->env->now(rp->env->context), sealed, pool, &plain, NULL,
                     NULL) != KC_OK)
        return KC_REFUSED;
    *page = split_page(plain, pool, &pending);
    if (*page && pending)
        kc_logout_pending_forget(rp, pending, raw, pool);
    return *page ? KC_OK : KC_REFUSED;
}

/* Some providers do not return the state; their answer has no parameters at all. */
static int is_bare(const kc_query_t *query)
{
    static const char *const names[] = {"code", "error", "state"};
    const char *value;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (kc_query_single(query, names[i], &value, NULL) != KC_MISS)
            return 0;
    }
    return 1;
}

kc_rc_t kc_logout_finish(const kc_rp_t *rp, const kc_browser_t *client, const char *query,
                         apr_pool_t *pool, kc_browser_answer_t *answer, kc_err_t *err)
{
    kc_bytes_t cookie = find_cookie(rp, client);
    const kc_query_t *parsed;
    const char *state, *page;

    if (kc_query_parse(query, pool, &parsed, NULL) != KC_OK)
        return KC_MISS;
    memset(answer, 0, sizeof(*answer));
    answer->cookies = apr_array_make(pool, 1, sizeof(const char *));
    if (cookie.data && is_bare(parsed))
        page = kc_logout_page(rp, client, NULL, pool);
    else if (kc_query_single(parsed, "state", &state, NULL) != KC_OK ||
             strncmp(state, prefix, strlen(prefix)) != 0)
        return KC_MISS;
    else if (open_cookie(rp, state + strlen(prefix), cookie, pool, &page) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGOUT_STATE,
                       "the state belongs to no sign-out of this browser");
    add_cookie(rp, client, "", 0, pool, answer);
    answer->location = absolute(client, page, pool);
    return KC_OK;
}

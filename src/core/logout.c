/* A sign-out that begins here: there and back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "logout.h"

#include <apr_strings.h>
#include <string.h>

#include "cookie.h"
#include "keyring.h"
#include "roster.h"
#include "session_contents.h"
#include "session_cookie.h"
#include "token.h"
#include "url.h"

enum {
    URL_MAX = 8192,
    URL_LINE_MAX = 4000, /* bytes: of what a request line may hold */
    STATE_SIZE = 32,     /* bytes */
    STATE_TEXT = 43,     /* base64url characters */
    STATE_SECONDS = 600,
    RETURN_MAX = 2000 /* bytes of a page that travels in the cookie; longer ones: "/" */
};

static const char cookie_purpose[] = "logout";
static const char prefix[] = "logout."; /* of the state: tells it from a sign-in's */

/* A URL of this host as the browser sees it; absolute ones stay. */
static const char *absolute(const kc_login_client_t *client, const char *url, apr_pool_t *pool)
{
    return url[0] == '/' ? apr_pstrcat(pool, client->public_url, url, NULL) : url;
}

static const char *page_after(const kc_rp_t *rp, const kc_login_client_t *client,
                              const char *return_url, apr_pool_t *pool)
{
    if (!return_url)
        return absolute(client, rp->conf->after_logout_url, pool);
    return absolute(
        client, kc_url_return(return_url, client->public_url, rp->conf->return_hosts, pool), pool);
}

static void add_cookie(const kc_rp_t *rp, const kc_login_client_t *client, const char *value,
                       long max_age, apr_pool_t *pool, kc_login_answer_t *answer)
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

/* --- there --- */

/* Makes the state, and keeps the page in a cookie that only the state opens. */
static kc_rc_t make_state(const kc_rp_t *rp, const kc_login_client_t *client, const char *page,
                          apr_pool_t *pool, const char **state, kc_login_answer_t *answer)
{
    const kc_env_t *env = rp->env;
    unsigned char raw[STATE_SIZE], iv[KC_CRYPTO_IV_SIZE];
    const kc_bytes_t bytes = {raw, sizeof(raw)};
    const kc_seal_use_t use = seal_use(rp, raw);
    kc_bytes_t sealed;
    kc_rc_t rc;

    if (env->random(env->context, raw, sizeof(raw)) != KC_OK ||
        env->random(env->context, iv, sizeof(iv)) != KC_OK)
        return KC_FAULT;
    rc = kc_seal_close(rp->keys, &use, env->now(env->context) + STATE_SECONDS, iv,
                       kc_buf_text(strlen(page) <= RETURN_MAX ? page : "/"), pool, &sealed, NULL);
    if (rc != KC_OK)
        return rc;
    *state = apr_pstrcat(pool, prefix, kc_buf_base64url(bytes, pool), NULL);
    add_cookie(rp, client, kc_buf_base64url(sealed, pool), STATE_SECONDS, pool, answer);
    return KC_OK;
}

/* NULL when it cannot be made: then the browser goes straight to the page. */
static const char *end_session_url(const kc_rp_t *rp, const kc_login_client_t *client,
                                   const char *endpoint, const char *hint, const char *state,
                                   apr_pool_t *pool)
{
    kc_bytes_t url;
    kc_buf_t buf;

    kc_buf_init(&buf, URL_MAX, pool);
    kc_buf_put_text(&buf, endpoint);
    kc_url_put_parameter(&buf, "client_id", rp->conf->client_id);
    kc_url_put_parameter(&buf, "post_logout_redirect_uri", kc_login_redirect_uri(rp, client, pool));
    kc_url_put_parameter(&buf, "state", state);
    /* a request line has its limits; without the hint Keycloak asks the person first */
    if (hint && buf.len + strlen(hint) < URL_LINE_MAX)
        kc_url_put_parameter(&buf, "id_token_hint", hint);
    return kc_buf_bytes(&buf, &url) == KC_OK ? (const char *)url.data : NULL;
}

static void log_failure(const kc_rp_t *rp, const char *what, const kc_err_t *err, apr_pool_t *pool)
{
    rp->env->log(rp->env->context, KC_LOG_WARNING,
                 apr_psprintf(pool, "%s: %s: %s", kc_err_row(err->reason)->tag, what, err->detail));
}

/* Keycloak's side of it: tokens, and the browser's session there. */
static void end_at_provider(const kc_rp_t *rp, const kc_login_client_t *client,
                            const kc_pack_t *contents, const char *page, apr_pool_t *pool,
                            kc_login_answer_t *answer)
{
    const kc_keyring_snapshot_t *snapshot;
    const char *state, *url = NULL;
    kc_err_t err;

    if (kc_keyring_get(rp->keyring, pool, &snapshot, &err) != KC_OK) {
        log_failure(rp, "signed out here alone", &err, pool);
        return;
    }
    if (contents->refresh_token && kc_token_revoke(rp->conf, rp->env, snapshot->provider,
                                                   contents->refresh_token, pool, &err) != KC_OK)
        log_failure(rp, "a refresh token could not be revoked", &err, pool);
    if (snapshot->provider->end_session_endpoint &&
        make_state(rp, client, page, pool, &state, answer) == KC_OK)
        url = end_session_url(rp, client, snapshot->provider->end_session_endpoint,
                              contents->id_token, state, pool);
    if (url)
        answer->location = url;
}

kc_rc_t kc_logout_begin(const kc_rp_t *rp, const kc_login_client_t *client,
                        const kc_session_t *session, const char *return_url, apr_pool_t *pool,
                        kc_login_answer_t *answer, kc_err_t *err)
{
    const kc_bytes_t cookie = kc_session_cookie_find(rp, client->is_https, client->cookies);
    const char *page = page_after(rp, client, return_url, pool);
    kc_pack_t contents = {NULL, NULL, NULL, {NULL, 0}};
    kc_rc_t rc;

    memset(answer, 0, sizeof(*answer));
    answer->cookies = apr_array_make(pool, 4, sizeof(const char *));
    answer->location = page;
    /* before the session goes, and with it the tokens */
    if (session && kc_session_contents_get(session, pool, &contents, NULL) != KC_OK)
        memset(&contents, 0, sizeof(contents));
    /* also one that was not found: it may be where nobody could look */
    rc = kc_session_end(rp, cookie, pool, err);
    if (rc != KC_OK)
        return rc;
    if (session) {
        kc_roster_leave(session, pool);
        end_at_provider(rp, client, &contents, page, pool, answer);
    }
    kc_session_cookie_forget(rp, client->is_https, pool, answer->cookies);
    return KC_OK;
}

/* --- back --- */

static kc_bytes_t find_cookie(const kc_rp_t *rp, const kc_login_client_t *client)
{
    const char *name = rp->names[client->is_https].logout;
    kc_bytes_t value = {NULL, 0};

    if (kc_cookie_find(client->cookies, name, strlen(name), &value) != KC_OK)
        value.data = NULL;
    return value;
}

/* Only the state that belongs to the cookie opens it. */
static kc_rc_t open_cookie(const kc_rp_t *rp, const char *state, kc_bytes_t cookie,
                           apr_pool_t *pool, const char **page)
{
    kc_bytes_t raw, sealed, plain;
    kc_seal_use_t use;

    if (!cookie.data || strlen(state) != STATE_TEXT ||
        kc_buf_unbase64url(state, STATE_TEXT, pool, &raw) != KC_OK ||
        kc_buf_unbase64url((const char *)cookie.data, cookie.len, pool, &sealed) != KC_OK)
        return KC_REFUSED;
    use = seal_use(rp, raw.data);
    if (kc_seal_open(rp->keys, &use, rp->env->now(rp->env->context), sealed, pool, &plain, NULL,
                     NULL) != KC_OK)
        return KC_REFUSED;
    *page = kc_buf_dup_text(plain, pool);
    return *page ? KC_OK : KC_REFUSED;
}

/* An answer of a provider that gives the state not back tells nothing at all. */
static int is_bare(const kc_url_query_t *query)
{
    static const char *const names[] = {"code", "error", "state"};
    const char *value;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (kc_url_query_single(query, names[i], &value, NULL) != KC_MISS)
            return 0;
    }
    return 1;
}

kc_rc_t kc_logout_finish(const kc_rp_t *rp, const kc_login_client_t *client, const char *query,
                         apr_pool_t *pool, kc_login_answer_t *answer, kc_err_t *err)
{
    kc_bytes_t cookie = find_cookie(rp, client);
    const kc_url_query_t *parsed;
    const char *state, *page;

    if (kc_url_query_parse(query, pool, &parsed, NULL) != KC_OK)
        return KC_MISS;
    memset(answer, 0, sizeof(*answer));
    answer->cookies = apr_array_make(pool, 1, sizeof(const char *));
    if (cookie.data && is_bare(parsed))
        page = page_after(rp, client, NULL, pool);
    else if (kc_url_query_single(parsed, "state", &state, NULL) != KC_OK ||
             strncmp(state, prefix, strlen(prefix)) != 0)
        return KC_MISS;
    else if (open_cookie(rp, state + strlen(prefix), cookie, pool, &page) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGOUT_STATE,
                       "the state is of no sign-out that this browser began");
    add_cookie(rp, client, "", 0, pool, answer);
    answer->location = absolute(client, page, pool);
    return KC_OK;
}

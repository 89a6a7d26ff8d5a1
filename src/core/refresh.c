/* Refresh: the lease, who waits, and what comes of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "refresh.h"

#include <string.h>

#include "grant.h"
#include "keyring.h"

enum {
    PAUSE_SECONDS = 15, /* after a failure of Keycloak's */
    POLL_MS = 25
};

static const kc_bytes_t sign = {(const unsigned char *)"1", 1};

typedef struct {
    const kc_rp_t *rp;
    const kc_session_t *session;
    apr_pool_t *pool;
    int64_t now;
    char lease[KC_STORE_KEY_LEN + 1];
} refresh_t;

/* A token request, and one to userinfo. */
static int64_t work_ms(const kc_conf_t *conf)
{
    return 2 * conf->http_timeout + 1000;
}

/* ---------------------------------------------------------------- whose turn it is */

/* The lease's name is the session's with its halves exchanged: the same on all nodes, whichever key
 * each takes for the newest. */
static void begin(refresh_t *refresh, const kc_session_t *session, apr_pool_t *pool)
{
    const size_t half = KC_STORE_KEY_LEN / 2;

    refresh->rp = session->rp;
    refresh->session = session;
    refresh->pool = pool;
    refresh->now = session->rp->env->now(session->rp->env->context);
    memcpy(refresh->lease, session->key + half, half);
    memcpy(refresh->lease + half, session->key, half);
    refresh->lease[KC_STORE_KEY_LEN] = '\0';
}

/* Asked by every request of each session that is due while Keycloak does not answer. */
static int is_paused(const kc_rp_t *rp, apr_pool_t *pool)
{
    const char *key = rp->pause;
    kc_store_item_t item;

    return kc_store_get(rp->env->host, &key, 1, &item, pool, NULL) == KC_OK && item.value.data;
}

static void pause_all(const refresh_t *refresh)
{
    (void)kc_store_put(refresh->rp->env->host, refresh->rp->pause, sign,
                       refresh->now + PAUSE_SECONDS, NULL);
}

/* First of this host, so that only one of its requests asks the others'. The lease outlasts the
 * work, and ends by itself when its holder dies. */
static kc_rc_t take_lease(const refresh_t *refresh, kc_err_t *err)
{
    const kc_env_t *env = refresh->rp->env;
    int64_t end = refresh->now + work_ms(refresh->rp->conf) / 1000 + 2;
    kc_rc_t rc = kc_store_add(env->host, refresh->lease, sign, end, err);

    if (rc == KC_OK && env->sessions != env->host)
        rc = kc_store_add(env->sessions, refresh->lease, sign, end, err);
    return rc;
}

static void give_lease(const refresh_t *refresh)
{
    const kc_env_t *env = refresh->rp->env;

    if (env->sessions != env->host)
        (void)kc_store_drop(env->sessions, refresh->lease, NULL);
    (void)kc_store_drop(env->host, refresh->lease, NULL);
}

/* ---------------------------------------------------------------- the work */

static const char *first_nonce(const kc_pack_t *contents, apr_pool_t *pool)
{
    kc_jose_token_t token;

    if (!contents->id_token ||
        kc_jose_parse(contents->id_token, strlen(contents->id_token), pool, &token, NULL) != KC_OK)
        return NULL;
    return kc_json_member_string(token.claims, "nonce");
}

/* OpenID Connect Core 1.0 section 12.2; iss and aud have been checked with the token. */
static kc_rc_t check_person(const kc_session_t *old, const kc_grant_t *grant, kc_err_t *err)
{
    const char *sub = kc_json_member_string(grant->id_token.claims, "sub");
    const kc_json_t *auth_time = kc_json_member(grant->id_token.claims, "auth_time");
    int64_t time = 0;

    if (!sub || strcmp(sub, old->sub) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SUBJECT, "the renewed token has another sub");
    if (auth_time && old->auth_time &&
        (!kc_json_integer(auth_time, &time) || time != old->auth_time))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM,
                       "the renewed token has another auth_time");
    return KC_OK;
}

static kc_rc_t ask(const refresh_t *refresh, const kc_pack_t *contents, kc_grant_t *grant,
                   kc_err_t *err)
{
    const kc_rp_t *rp = refresh->rp;
    kc_rc_t rc = kc_keyring_get(rp->keyring, refresh->pool, &grant->snapshot, err);

    if (rc == KC_OK)
        rc = kc_token_refresh(rp->conf, rp->env, grant->snapshot->provider, contents->refresh_token,
                              refresh->pool, &grant->tokens, err);
    /* only this says that the session is over; a client that is refused is an administrator's */
    if (rc == KC_REFUSED && (!err || err->reason != KC_ERR_REFRESH_REFUSED))
        rc = KC_DOWN;
    if (rc == KC_OK && !grant->tokens.refresh_token)
        grant->tokens.refresh_token = contents->refresh_token;
    return rc;
}

/* What was signed in stays so: when, until when, and as which of Keycloak's sessions. */
static void carry_over(const kc_session_t *old, kc_session_t *fresh)
{
    fresh->created = old->created;
    fresh->expires = old->expires;
    fresh->auth_time = old->auth_time;
    if (*old->sid)
        fresh->sid = old->sid;
}

static kc_rc_t describe(kc_grant_t *grant, const kc_pack_t *contents, const kc_session_t *old,
                        kc_session_t *fresh, kc_err_t *err)
{
    kc_rc_t rc;

    if (!grant->tokens.id_token) {
        *fresh = *old;
        return kc_grant_extend(grant, contents, fresh, err);
    }
    grant->nonce = first_nonce(contents, grant->pool);
    rc = kc_grant_verify(grant, err);
    if (rc == KC_OK)
        rc = check_person(old, grant, err);
    if (rc != KC_OK)
        return rc;
    rc = kc_grant_describe(grant, fresh, err);
    if (rc == KC_DOWN) { /* userinfo: the tokens must not be lost for that */
        *fresh = *old;
        rc = kc_grant_keep(grant, fresh, err);
    }
    return rc;
}

/* KC_MISS: it has ended meanwhile; KC_REFUSED: it has to end; KC_DOWN: not now. */
static kc_rc_t renew(const refresh_t *refresh, kc_session_t *fresh, kc_err_t *err)
{
    kc_grant_t grant = {.rp = refresh->rp, .pool = refresh->pool, .is_renewed = 1};
    kc_session_t stored;
    kc_pack_t contents;
    kc_rc_t rc = kc_session_reload(refresh->session, refresh->pool, &stored, err);

    if (rc != KC_OK)
        return rc;
    if (stored.refresh_at > refresh->now) { /* who had the lease before has done it */
        *fresh = stored;
        return KC_OK;
    }
    rc = kc_session_contents(&stored, refresh->pool, &contents, err);
    if (rc == KC_OK && !contents.refresh_token)
        rc = KC_FAIL(err, KC_DOWN, KC_ERR_SESSION_FORMAT, "the session has no refresh token");
    if (rc == KC_OK)
        rc = ask(refresh, &contents, &grant, err);
    if (rc != KC_OK)
        return rc;
    rc = describe(&grant, &contents, &stored, fresh, err);
    if (rc != KC_OK)
        return rc;
    carry_over(&stored, fresh);
    return kc_session_replace(&stored, fresh, refresh->pool, err);
}

static kc_session_state_t end_session(const refresh_t *refresh)
{
    const kc_bytes_t id = {refresh->session->id, KC_SESSION_ID_SIZE};
    const char *cookie = kc_buf_base64url(id, refresh->pool);

    (void)kc_session_end(refresh->rp, kc_buf_text(cookie), refresh->pool, NULL);
    return KC_SESSION_ENDED;
}

static kc_session_state_t lead(const refresh_t *refresh, kc_session_state_t state,
                               kc_session_t *session, kc_err_t *err)
{
    kc_session_t fresh;

    switch (renew(refresh, &fresh, err)) {
    case KC_OK:
        memset(err, 0, sizeof(*err)); /* what was made up for is no failure */
        *session = fresh;
        state = KC_SESSION_LIVE;
        break;
    case KC_REFUSED:
        state = end_session(refresh);
        break;
    case KC_MISS:
        state = KC_SESSION_ENDED;
        break;
    default: /* the lease stays: nobody tries again before it ends */
        pause_all(refresh);
        return state;
    }
    give_lease(refresh);
    return state;
}

/* ---------------------------------------------------------------- waiting */

static kc_session_state_t look(const refresh_t *refresh, kc_session_t *session, kc_err_t *err)
{
    kc_session_t stored;
    kc_rc_t rc = kc_session_reload(refresh->session, refresh->pool, &stored, err);

    if (rc == KC_OK && stored.refresh_at <= refresh->now)
        return KC_SESSION_STALE;
    if (rc == KC_OK)
        *session = stored;
    return rc == KC_OK ? KC_SESSION_LIVE : rc == KC_MISS ? KC_SESSION_ENDED : KC_SESSION_UNKNOWN;
}

static int nap(const refresh_t *refresh, kc_err_t *err)
{
    kc_http_gate_t *gate = refresh->rp->env->gate;

    if (gate && !kc_http_gate_enter(gate)) {
        (void)KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY, "too many wait for sessions' renewal");
        return 0;
    }
    apr_sleep(apr_time_from_msec(POLL_MS));
    if (gate)
        kc_http_gate_leave(gate);
    return 1;
}

/* Tokens are over: without new ones nobody goes on. */
static kc_session_state_t get_or_wait(refresh_t *refresh, kc_session_t *session, kc_err_t *err)
{
    kc_session_state_t state = KC_SESSION_STALE;
    int64_t left = work_ms(refresh->rp->conf) / POLL_MS;

    while (state == KC_SESSION_STALE && left-- > 0 && !is_paused(refresh->rp, refresh->pool)) {
        kc_rc_t rc = take_lease(refresh, err);

        if (rc == KC_OK)
            return lead(refresh, state, session, err);
        if (rc != KC_EXISTS || !nap(refresh, err))
            return KC_SESSION_UNKNOWN;
        state = look(refresh, session, err);
    }
    return state;
}

/* ---------------------------------------------------------------- */

static int is_due(kc_session_state_t state, const kc_session_t *session)
{
    const kc_rp_t *rp;

    if (state != KC_SESSION_LIVE && state != KC_SESSION_STALE)
        return 0;
    rp = session->rp;
    return session->refresh_at && rp && rp->conf->refresh &&
           rp->env->now(rp->env->context) >= session->refresh_at;
}

kc_session_state_t kc_refresh_session(kc_session_state_t state, kc_session_t *session,
                                      apr_pool_t *pool, kc_err_t *err)
{
    refresh_t refresh;
    kc_session_t found;

    if (!is_due(state, session))
        return state;
    memset(err, 0, sizeof(*err));
    if (is_paused(session->rp, pool))
        return state;
    found = *session;
    begin(&refresh, &found, pool);
    if (state == KC_SESSION_STALE)
        return get_or_wait(&refresh, session, err);
    if (take_lease(&refresh, NULL) != KC_OK)
        return state;
    return lead(&refresh, state, session, err);
}

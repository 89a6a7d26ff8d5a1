/* Refresh: the lease, the requests that wait, and the result.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/refresh.h"

#include <apr_strings.h>
#include <string.h>

#include "crypto/jws.h"
#include "provider/deadline.h"
#include "provider/metadata.h"
#include "rp.h"
#include "session/pause.h"
#include "session/session_audit.h"
#include "session/session_tokens.h"
#include "session/token_set.h"
#include "session/unknown.h"
#include "session/userinfo.h"
#include "store/lease.h"

enum {
    POLL_MS = 25,
    TRIES = 4, /* to store new tokens, which nothing else has */
    TRY_MS = 150
};

typedef struct {
    const kc_rp_t *rp;
    const kc_session_t *session; /* as it was found */
    apr_pool_t *pool;
    char key[KC_STORE_KEY_LEN + 1]; /* of the lease, in both stores */
    kc_lease_t own_host;            /* among the requests of this host */
    kc_lease_t all_hosts;           /* the same lease when there is only one store */
    kc_token_endpoint_fate_t fate;  /* of the token request */
    kc_pause_state_t pause;         /* of all sessions of this host */
} refresh_t;

static int64_t now(const kc_rp_t *rp)
{
    return rp->env->now(rp->env->context);
}

/* Longer than a leader may wait for the provider, and then for the store. */
static int64_t lease_seconds(const kc_conf_t *conf)
{
    return conf->http_timeout / 1000 + 4;
}

/* ---------------------------------------------------------------- lease */

/* The lease's key is the session's key with its halves swapped. So it is the same on all nodes,
 * whichever seal key is the newest on each. */
static kc_rc_t begin(refresh_t *refresh, const kc_session_t *session, apr_pool_t *pool,
                     kc_err_t *err)
{
    const size_t half = KC_STORE_KEY_LEN / 2;
    const kc_env_t *env = session->rp->env;
    unsigned char random[KC_LEASE_RANDOM_SIZE];

    refresh->rp = session->rp;
    refresh->session = session;
    refresh->pool = pool;
    refresh->fate = KC_TOKEN_ENDPOINT_NOT_SENT;
    memcpy(refresh->key, session->key + half, half);
    memcpy(refresh->key + half, session->key, half);
    refresh->key[KC_STORE_KEY_LEN] = '\0';
    if (env->random(env->context, random, sizeof(random)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a lease");
    kc_lease_init(&refresh->own_host, env->host, refresh->key, random);
    kc_lease_init(&refresh->all_hosts, env->sessions, refresh->key, random);
    return KC_OK;
}

static int has_one_store(const refresh_t *refresh)
{
    return refresh->rp->env->sessions == refresh->rp->env->host;
}

/* A lease whose holder has failed is replaced by its pause: a value that is no lease. */
static void pause_session(const refresh_t *refresh)
{
    static const kc_bytes_t sign = {(const unsigned char *)"-", 1};
    const kc_env_t *env = refresh->rp->env;
    int64_t begun = now(refresh->rp), seconds = kc_pause_count(env, refresh->key, refresh->pool);

    if (!has_one_store(refresh))
        kc_lease_replace(&refresh->all_hosts, sign, begun + seconds, refresh->pool);
    kc_lease_pause_on_host(&refresh->own_host, begun, env->elapsed_ms(env->context), seconds,
                           refresh->pool);
}

/* 1 when no request renews the session now, and none may for a while. */
static int is_paused(const refresh_t *refresh, apr_pool_t *pool)
{
    const kc_env_t *env = refresh->rp->env;

    return kc_pause_is_on(env, refresh->rp->pause, pool) ||
           kc_lease_is_paused(&refresh->own_host, env->elapsed_ms(env->context), pool) ||
           (!has_one_store(refresh) && kc_lease_is_paused(&refresh->all_hosts, 0, pool));
}

static void give_lease(const refresh_t *refresh)
{
    if (!has_one_store(refresh))
        kc_lease_give(&refresh->all_hosts, refresh->pool);
    kc_lease_give(&refresh->own_host, refresh->pool);
}

/* Takes this host's lease first, so that only one of its requests asks for that of all hosts, whose
 * clocks may differ. */
static kc_rc_t take_lease(refresh_t *refresh, apr_pool_t *scratch, kc_err_t *err)
{
    const kc_env_t *env = refresh->rp->env;
    int64_t begun = now(refresh->rp), seconds = lease_seconds(refresh->rp->conf);
    kc_rc_t rc = kc_lease_take_on_host(&refresh->own_host, begun, env->elapsed_ms(env->context),
                                       seconds, scratch, err);

    if (rc != KC_OK || has_one_store(refresh))
        return rc;
    rc = kc_lease_take(&refresh->all_hosts, begun + seconds, err);
    if (rc != KC_OK && rc != KC_EXISTS)
        kc_lease_give(&refresh->own_host, scratch);
    return rc;
}

/* ---------------------------------------------------------------- renewal */

static const char *first_nonce(const kc_pack_t *contents, apr_pool_t *pool)
{
    kc_jws_t token;

    if (!contents->id_token ||
        kc_jws_parse(contents->id_token, strlen(contents->id_token), pool, &token, NULL) != KC_OK ||
        kc_jws_read_claims(&token, pool, NULL) != KC_OK)
        return NULL;
    return kc_json_member_string(token.claims, "nonce");
}

/* OpenID Connect Core 1.0 section 12.2; iss and aud have been checked with the token. Keycloak
 * sends a later auth_time when the user has signed in again for another client. */
static kc_rc_t check_user(const kc_session_t *old, const kc_token_set_t *token_set, kc_err_t *err)
{
    const char *sub = kc_json_member_string(token_set->id_token.claims, "sub");
    const kc_json_t *auth_time = kc_json_member(token_set->id_token.claims, "auth_time");
    int64_t time = 0;

    if (!sub || strcmp(sub, old->sub) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SUBJECT, "the renewed token has another sub");
    if (auth_time && old->auth_time &&
        (!kc_json_seconds(auth_time, &time) || time < old->auth_time))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM,
                       "the renewed token has an earlier auth_time");
    return KC_OK;
}

static kc_rc_t ask(refresh_t *refresh, const kc_pack_t *contents, kc_token_set_t *token_set,
                   kc_err_t *err)
{
    const kc_rp_t *rp = refresh->rp;
    kc_rc_t rc = kc_metadata_get(rp->metadata, refresh->pool, &token_set->snapshot, err);

    if (rc != KC_OK)
        return rc;
    rc = kc_token_endpoint_refresh(rp->conf, rp->env, token_set->snapshot->provider,
                                   contents->refresh_token, refresh->pool, &token_set->tokens, err);
    refresh->fate = token_set->tokens.fate;
    /* only KC_ERR_REFRESH_REFUSED means that the session is over; a refused client is for the
     * administrator to fix */
    if (rc == KC_REFUSED && err->reason != KC_ERR_REFRESH_REFUSED)
        rc = KC_DOWN;
    if (rc == KC_OK && !token_set->tokens.refresh_token)
        token_set->tokens.refresh_token = contents->refresh_token;
    return rc;
}

/* 1 for a failure of this host or of another endpoint of the provider, which may be temporary: a
 * key that is not available yet, a wrong clock, userinfo. */
static int may_pass(kc_rc_t rc, const kc_err_t *err)
{
    return rc == KC_DOWN || rc == KC_FAULT ||
           (rc == KC_REFUSED &&
            (err->reason == KC_ERR_TOKEN_KEY || err->reason == KC_ERR_TOKEN_TIME ||
             err->reason == KC_ERR_USERINFO));
}

/* acr tells how the user signed in at auth_time. Providers may leave it out of a renewed token,
 * which does not make the sign-in weaker. So the old acr is kept, unless the token is from another
 * sign-in, whose acr is not known. An acr in the token, even a weaker or malformed one, always
 * counts. */
static int is_acr_kept(const kc_session_t *old, const kc_session_t *fresh, const kc_json_t *claims)
{
    return !kc_json_member(claims, "acr") &&
           (!fresh->auth_time || fresh->auth_time == old->auth_time) &&
           (!*fresh->sid || strcmp(fresh->sid, old->sid) == 0);
}

/* Keeps the facts of the sign-in: its time, its end, and its session at Keycloak. */
static void carry_over(const kc_session_t *old, const kc_json_t *claims, kc_session_t *fresh)
{
    if (is_acr_kept(old, fresh, claims))
        fresh->acr = old->acr;
    fresh->created = old->created;
    fresh->expires = old->expires;
    fresh->auth_time = old->auth_time;
    if (*old->sid)
        fresh->sid = old->sid;
}

static kc_rc_t describe(kc_token_set_t *token_set, const kc_pack_t *contents,
                        const kc_session_t *old, kc_session_t *fresh, kc_err_t *err)
{
    kc_rc_t rc;

    if (!token_set->tokens.id_token) {
        *fresh = *old;
        rc = kc_token_set_check_subject(token_set, old->sub, err);
        return rc == KC_OK ? kc_token_set_keep_id_token(token_set, contents, fresh, err) : rc;
    }
    token_set->nonce = first_nonce(contents, token_set->pool);
    rc = kc_token_set_verify(token_set, err);
    if (rc == KC_OK)
        rc = check_user(old, token_set, err);
    if (rc == KC_OK)
        rc = kc_userinfo_add(token_set, err);
    if (rc == KC_OK)
        rc = kc_token_set_to_session(token_set, fresh, err);
    if (rc == KC_OK)
        carry_over(old, token_set->id_token.claims, fresh);
    return rc;
}

/* Tries several times, because there is no other copy of the new tokens. */
static kc_rc_t keep(const refresh_t *refresh, const kc_session_t *stored, kc_session_t *fresh,
                    kc_err_t *err)
{
    kc_rc_t rc = kc_session_replace(stored, fresh, refresh->pool, err);
    int left = TRIES - 1;

    while (rc == KC_DOWN && left-- > 0) {
        apr_sleep(apr_time_from_msec(TRY_MS));
        rc = kc_session_replace(stored, fresh, refresh->pool, err);
    }
    return rc;
}

/* The refresh token was used up. If another leader did that, whose lease had expired, its new
 * tokens are in the store. */
static kc_rc_t look_for_others(const refresh_t *refresh, const kc_session_t *stored,
                               kc_session_t *fresh)
{
    kc_rc_t rc = kc_session_reload(refresh->session, refresh->pool, fresh, NULL);

    return rc == KC_OK && fresh->refresh_at == stored->refresh_at ? KC_REFUSED : rc;
}

/* KC_MISS: the session has ended meanwhile. KC_REFUSED: it must end. KC_DOWN: not now, with err. */
static kc_rc_t renew(refresh_t *refresh, kc_session_t *fresh, kc_err_t *err)
{
    kc_token_set_t token_set = {.rp = refresh->rp, .pool = refresh->pool, .is_renewed = 1};
    kc_session_t stored;
    kc_pack_t contents;
    kc_rc_t rc = kc_session_reload(refresh->session, refresh->pool, &stored, err), kept;

    if (rc != KC_OK)
        return rc;
    if (stored.refresh_at > now(refresh->rp)) { /* the holder of the lease before has renewed it */
        *fresh = stored;
        return KC_OK;
    }
    rc = kc_session_tokens_get(&stored, refresh->pool, &contents, err);
    token_set.has_known_more =
        rc == KC_OK && (contents.claims.len || !(stored.unknown & KC_UNKNOWN_GROUPS));
    if (rc == KC_OK && !contents.refresh_token)
        rc = KC_FAIL(err, KC_DOWN, KC_ERR_SESSION_FORMAT, "the session has no refresh token");
    if (rc == KC_OK)
        rc = ask(refresh, &contents, &token_set, err);
    if (rc == KC_REFUSED)
        return look_for_others(refresh, &stored, fresh);
    if (rc != KC_OK)
        return rc;
    rc = describe(&token_set, &contents, &stored, fresh, err);
    if (rc == KC_OK)
        return keep(refresh, &stored, fresh, err);
    if (!may_pass(rc, err))
        return KC_REFUSED;
    *fresh = stored;
    kept = kc_token_set_keep_tokens(&token_set, &contents, fresh, NULL);
    if (kept == KC_OK)
        kept = keep(refresh, &stored, fresh, NULL);
    return kept == KC_MISS ? KC_MISS : KC_DOWN;
}

/* err tells why it must end: the provider has refused, or named another user. */
static kc_session_state_t end_session(const refresh_t *refresh, const kc_err_t *err)
{
    const kc_audit_event_t event = {.kind = KC_AUDIT_SESSION_ENDED,
                                    .reason = err->reason,
                                    .cause =
                                        err->reason == KC_ERR_REFRESH_REFUSED ? "refresh-refused"
                                        : err->reason == KC_ERR_TOKEN_SUBJECT ? "another-user"
                                                                              : "tokens-refused"};
    const kc_bytes_t id = {refresh->session->id, KC_SESSION_ID_SIZE};
    const char *cookie = kc_buf_base64url(id, refresh->pool);

    (void)kc_session_end(refresh->rp, kc_buf_text(cookie), refresh->pool, NULL);
    kc_session_audit_tell(refresh->rp, refresh->session, &event);
    return KC_SESSION_ENDED;
}

/* After a failure. A request that was not sent may be tried again at once. Otherwise this session
 * is paused. When the provider did not answer, all sessions of this host are paused. */
static void give_up(const refresh_t *refresh)
{
    if (refresh->fate == KC_TOKEN_ENDPOINT_UNANSWERED)
        kc_pause_begin(refresh->rp->env, refresh->rp->pause, refresh->pool);
    if (refresh->fate == KC_TOKEN_ENDPOINT_NOT_SENT)
        give_lease(refresh);
    else
        pause_session(refresh);
}

/* A session that another request has renewed, or that has ended, was not renewed here. */
static void count(const refresh_t *refresh, kc_rc_t rc, const kc_err_t *err)
{
    const kc_metrics_t *metrics = refresh->rp->env->metrics;

    if (rc == KC_MISS || (rc == KC_OK && refresh->fate == KC_TOKEN_ENDPOINT_NOT_SENT))
        return;
    kc_metrics_add(
        metrics, KC_METRICS_CELL(refreshes, kc_metrics_outcome(rc), kc_metrics_tag(rc, err), 0), 1);
    if (rc == KC_REFUSED)
        kc_metrics_add(metrics, KC_METRICS_CELL(sessions_ended, KC_METRICS_NO_REFRESH, 0, 0), 1);
}

static kc_session_state_t lead(refresh_t *refresh, kc_session_state_t state, kc_session_t *session,
                               kc_err_t *err)
{
    kc_session_t fresh = *session;
    kc_rc_t rc = renew(refresh, &fresh, err);

    count(refresh, rc, err);
    if (refresh->pause == KC_PAUSE_TURN && refresh->fate == KC_TOKEN_ENDPOINT_ANSWERED)
        kc_pause_end(refresh->rp->env, refresh->rp->pause);
    switch (rc) {
    case KC_OK:
        memset(err, 0, sizeof(*err)); /* a failure that was recovered from is none */
        *session = fresh;
        state = KC_SESSION_LIVE;
        break;
    case KC_REFUSED:
        state = end_session(refresh, err);
        break;
    case KC_MISS:
        state = KC_SESSION_ENDED;
        break;
    default:
        give_up(refresh);
        return state;
    }
    give_lease(refresh);
    return state;
}

/* ---------------------------------------------------------------- waiting */

/* Reads the session once more. scratch: for this one read. */
static kc_session_state_t look(const refresh_t *refresh, apr_pool_t *scratch, kc_session_t *session,
                               kc_err_t *err)
{
    kc_session_t stored;
    kc_rc_t rc = kc_session_reload(refresh->session, scratch, &stored, err);

    if (rc == KC_OK && stored.refresh_at <= now(refresh->rp))
        return KC_SESSION_STALE;
    if (rc == KC_OK) /* read it again into the right pool */
        rc = kc_session_reload(refresh->session, refresh->pool, session, err);
    return rc == KC_OK ? KC_SESSION_LIVE : rc == KC_MISS ? KC_SESSION_ENDED : KC_SESSION_UNKNOWN;
}

static int64_t time_left(const refresh_t *refresh)
{
    return kc_deadline_left(refresh->rp->env, refresh->pool, refresh->rp->conf->http_timeout);
}

/* The tokens have expired, so requests cannot continue without new ones. */
static kc_session_state_t get_or_wait(refresh_t *refresh, apr_pool_t *scratch,
                                      kc_session_t *session, kc_err_t *err)
{
    kc_session_state_t state = KC_SESSION_STALE;
    int64_t rounds = refresh->rp->conf->http_timeout / POLL_MS;

    while (state == KC_SESSION_STALE && rounds-- > 0 && time_left(refresh)) {
        kc_rc_t rc = take_lease(refresh, scratch, err);

        if (rc == KC_OK)
            return lead(refresh, state, session, err);
        if (rc != KC_EXISTS)
            return KC_SESSION_UNKNOWN;
        if (is_paused(refresh, scratch)) {
            kc_lease_give(&refresh->own_host, refresh->pool); /* no request renews it on this host
                                                                 either */
            return state;
        }
        apr_sleep(apr_time_from_msec(POLL_MS));
        state = look(refresh, scratch, session, err);
        apr_pool_clear(scratch);
    }
    if (state == KC_SESSION_STALE) {
        (void)KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY,
                      "another request did not renew it in time");
        state = KC_SESSION_UNKNOWN;
    }
    return state;
}

static kc_session_state_t enter_and_wait(refresh_t *refresh, kc_session_t *session, kc_err_t *err)
{
    kc_http_gate_t *gate = refresh->rp->env->waiters;
    kc_session_state_t state = KC_SESSION_UNKNOWN;
    apr_pool_t *scratch;

    if (gate && !kc_http_gate_enter(gate)) {
        (void)KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY,
                      "too many requests wait for renewals of sessions");
        return KC_SESSION_UNKNOWN;
    }
    if (apr_pool_create(&scratch, refresh->pool) == APR_SUCCESS) {
        state = get_or_wait(refresh, scratch, session, err);
        apr_pool_destroy(scratch);
    }
    if (gate)
        kc_http_gate_leave(gate);
    return state;
}

/* ---------------------------------------------------------------- entry */

static int is_due(kc_session_state_t state, const kc_session_t *session)
{
    if (state != KC_SESSION_LIVE && state != KC_SESSION_STALE)
        return 0;
    return session->refresh_at && session->rp && session->rp->conf->refresh &&
           now(session->rp) >= session->refresh_at;
}

kc_session_state_t kc_refresh_session(kc_session_state_t state, kc_session_t *session,
                                      apr_pool_t *pool, kc_err_t *err)
{
    kc_session_t found;
    refresh_t refresh;

    if (!is_due(state, session))
        return state;
    found = *session;
    memset(err, 0, sizeof(*err));
    refresh.pause =
        kc_pause_look(found.rp->env, found.rp->pause, lease_seconds(found.rp->conf), pool);
    if (refresh.pause == KC_PAUSE_ON)
        return state;
    if (begin(&refresh, &found, pool, err) == KC_OK) {
        if (state == KC_SESSION_STALE)
            state = enter_and_wait(&refresh, session, err);
        else if (take_lease(&refresh, pool, NULL) == KC_OK)
            state = lead(&refresh, state, session, err);
    }
    if (refresh.pause == KC_PAUSE_TURN)
        kc_pause_give_turn(found.rp->env, found.rp->pause);
    return state;
}

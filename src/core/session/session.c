/* Sessions in the first tier and in the store: created, found, replaced, ended.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <apr_strings.h>
#include <string.h>

#include "rp.h"
#include "session/revocation.h"
#include "session/session_audit.h"
#include "session/session_idle.h"
#include "session/session_index.h"
#include "session/session_lookup.h"
#include "session/session_pack.h"
#include "session/session_view.h"

/* The last byte of a session's id is the id of the key that sealed it. It distinguishes a session
 * that was stored with a foreign key from one that has ended. The other 248 bits are random. */
static void note_key(const kc_seal_keys_t *keys, unsigned char *id)
{
    id[KC_SESSION_ID_SIZE - 1] = kc_crypto_key_id(keys->key[0]);
}

static kc_rc_t idle(kc_err_t *err)
{
    return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_IDLE, "not used for KeycloakSessionIdle");
}

kc_rc_t kc_session_reload(const kc_session_t *session, apr_pool_t *pool, kc_session_t *out,
                          kc_err_t *err)
{
    kc_session_found_t found;
    kc_session_lookup_t lookup;
    kc_rc_t rc;

    kc_session_lookup_resume(&lookup, session, pool);
    rc = kc_session_lookup_fetch(&lookup, session, &found, err);
    if (rc == KC_OK)
        rc = kc_session_lookup_open(&lookup, &found.session, out, err);
    if (rc != KC_OK)
        return rc == KC_REFUSED ? KC_MISS : rc;
    kc_session_lookup_locate(&lookup, lookup.key, out);
    out->idle_end = kc_session_idle_end(out, kc_session_idle_read(out, found.used, pool));
    return lookup.now < out->idle_end ? KC_OK : idle(err);
}

/* ---------------------------------------------------------------- creating */

/* Seals the session and stores it at lookup->key. */
static kc_rc_t put_session(const kc_session_lookup_t *lookup, const kc_session_t *session,
                           kc_err_t *err)
{
    const kc_rp_t *rp = lookup->rp;
    const kc_env_t *env = rp->env;
    kc_seal_use_t use = kc_session_lookup_seal_use(rp, lookup->id);
    unsigned char iv[KC_CRYPTO_IV_SIZE];
    kc_bytes_t compact, sealed;
    kc_rc_t rc = kc_session_codec_encode(session, lookup->pool, &compact, err);

    if (rc == KC_OK && env->random(env->context, iv, sizeof(iv)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a session");
    if (rc == KC_OK)
        rc = kc_seal_close(rp->keys, &use, session->expires, iv, compact, lookup->pool, &sealed,
                           err);
    if (rc == KC_OK)
        rc = kc_store_put(env->sessions, lookup->key, sealed, kc_session_idle_keep(session, rp),
                          err);
    return rc;
}

kc_rc_t kc_session_create(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool, char *id_text,
                          kc_err_t *err)
{
    unsigned char raw[KC_SESSION_ID_SIZE];
    const kc_env_t *env = rp->env;
    const kc_bytes_t id = {raw, sizeof(raw)};
    kc_session_lookup_t lookup;
    kc_rc_t rc;

    if (env->random(env->context, raw, sizeof(raw)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a session");
    note_key(rp->keys, raw);
    kc_session_lookup_init(&lookup, rp, id, pool);
    rc = kc_session_lookup_derive_keys(&lookup, rp->keys->key[0], err);
    memcpy(session->key, lookup.key, sizeof(session->key));
    if (rc == KC_OK && !session->sub_key)
        rc = kc_revocation_prepare(rp, session, pool, err);
    if (rc == KC_OK)
        rc = put_session(&lookup, session, err);
    if (rc == KC_OK)
        kc_buf_base64url_to(raw, sizeof(raw), id_text);
    kc_metrics_add(env->metrics, KC_METRICS_CELL(sessions_created, 0, 0, 0), rc == KC_OK);
    kc_crypto_cleanse(raw, sizeof(raw));
    return rc;
}

kc_rc_t kc_session_replace(const kc_session_t *stored, kc_session_t *fresh, apr_pool_t *pool,
                           kc_err_t *err)
{
    kc_view_cache_t *cache = stored->rp->env->cache;
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    kc_session_found_t found;
    kc_session_lookup_t lookup;
    kc_rc_t rc;

    kc_session_lookup_resume(&lookup, stored, pool);
    kc_session_lookup_locate(&lookup, lookup.key, fresh);
    fresh->slot = stored->slot;
    fresh->idle_end = stored->idle_end; /* new tokens do not count as use */
    rc = kc_revocation_keep(stored, fresh, pool, err);
    if (rc == KC_OK)
        rc = put_session(&lookup, fresh, err);
    /* a revocation entry that was added meanwhile may be evicted before the session is */
    if (rc == KC_OK && kc_session_lookup_fetch(&lookup, fresh, &found, err) == KC_REFUSED) {
        (void)kc_store_drop(stored->rp->env->sessions, lookup.key, NULL);
        rc = KC_MISS;
    }
    if (cache) {
        (void)kc_view_cache_find(cache, stored->rp->scope, stored->id, lookup.now, pool, &ticket,
                                 &view);
        kc_view_cache_drop(cache, &ticket);
    }
    return rc;
}

/* ---------------------------------------------------------------- idle time */

/* Records a use, at most once in each tenth of the idle window. Returns the time of the last use:
 * used, which is known, or now. A failure does not end the session now, so it is not an error. */
static int64_t touch(kc_session_lookup_t *lookup, int64_t used, const kc_session_t *session)
{
    int64_t before = kc_session_idle_end(session, used);
    int64_t end = kc_session_idle_end(session, lookup->now);

    if (!lookup->is_use || end - before < lookup->rp->conf->session_idle / 10 || end <= before)
        return used;
    if (lookup->has_view && !kc_view_cache_touch(&lookup->ticket, &lookup->view, lookup->now))
        return lookup->now; /* another request just has */
    kc_session_idle_use(session);
    kc_session_index_touch(session, lookup->now, end, lookup->pool);
    return lookup->now;
}

/* ---------------------------------------------------------------- finding */

/* Tokens that can still be refreshed may be used for KeycloakStaleGrace after their end. */
static int64_t token_end(const kc_session_lookup_t *lookup, const kc_session_t *session)
{
    const kc_conf_t *conf = lookup->rp->conf;

    return session->token_expires + conf->clock_skew +
           (session->refresh_at && conf->refresh ? conf->stale_grace : 0);
}

static kc_session_state_t state_of(const kc_session_lookup_t *lookup, const kc_session_t *session,
                                   kc_err_t *err)
{
    /* also a session that is older than KeycloakSessionMax, which may have been lowered since:
     * revocation entries last no longer than that */
    if (lookup->now >= kc_session_view_earlier(session->expires,
                                               session->created + lookup->rp->conf->session_max)) {
        (void)KC_FAIL(err, KC_MISS, KC_ERR_SESSION_MAX, "the session is past its end");
        return KC_SESSION_ENDED;
    }
    if (lookup->now >= token_end(lookup, session)) {
        (void)KC_FAIL(err, KC_MISS, KC_ERR_SESSION_ENDED, "the ID token has expired");
        return KC_SESSION_STALE;
    }
    return KC_SESSION_LIVE;
}

/* 1 when the view says that the session is not idle. A view from the future (the clock was set
 * back) says nothing. */
static int is_in_use(const kc_session_lookup_t *lookup)
{
    int64_t used = lookup->view.moment;

    return lookup->has_view && lookup->now >= used &&
           lookup->now < used + lookup->rp->conf->session_idle;
}

static int is_fresh(const kc_session_lookup_t *lookup)
{
    return is_in_use(lookup) && kc_session_view_is_fresh(lookup->rp->conf, &lookup->ticket,
                                                         &lookup->view, lookup->now_ms);
}

static int is_within_grace(const kc_session_lookup_t *lookup)
{
    return is_in_use(lookup) &&
           kc_session_view_is_within_grace(lookup->rp->conf, &lookup->view, lookup->now_ms);
}

static kc_session_state_t from_view(kc_session_lookup_t *lookup, kc_session_t *session,
                                    kc_err_t *err)
{
    kc_session_state_t state;

    *session = lookup->seen;
    kc_session_lookup_locate(lookup, lookup->view.key, session);
    state = state_of(lookup, session, err);
    if (state != KC_SESSION_ENDED)
        session->idle_end =
            kc_session_idle_end(session, touch(lookup, lookup->view.moment, session));
    return state;
}

/* Puts a view of the session, without its tokens, into the first tier. */
static void put_view(const kc_session_lookup_t *lookup, const kc_session_t *session,
                     const kc_store_item_t *item, int64_t used)
{
    kc_view_cache_t *cache = lookup->rp->env->cache;
    kc_view_cache_view_t view = {{NULL, 0}, lookup->now_ms, used, "", ""};
    kc_session_t bare = *session;

    if (!cache)
        return;
    kc_session_pack_view(lookup->rp, session, lookup->pool, &bare);
    memcpy(view.key, lookup->key, KC_VIEW_CACHE_KEY_SIZE);
    kc_view_cache_stamp(cache, item->value, view.stamp);
    if (kc_session_codec_encode(&bare, lookup->pool, &view.bytes, NULL) == KC_OK)
        kc_metrics_add(lookup->rp->env->metrics, KC_METRICS_CELL(first_tier_evictions, 0, 0, 0),
                       kc_view_cache_put(cache, &lookup->ticket, &view, lookup->now));
}

/* 1 when the store still has the value that the view was made of. */
static int is_unchanged(const kc_session_lookup_t *lookup, const kc_store_item_t *item)
{
    unsigned char stamp[KC_VIEW_CACHE_STAMP_SIZE];

    if (!lookup->has_view)
        return 0;
    kc_view_cache_stamp(lookup->rp->env->cache, item->value, stamp);
    return memcmp(lookup->view.stamp, stamp, sizeof(stamp)) == 0;
}

/* Drops a view that the store contradicts. */
static void drop_view(const kc_session_lookup_t *lookup)
{
    if (lookup->has_view)
        kc_view_cache_drop(lookup->rp->env->cache, &lookup->ticket);
}

/* Counts a session that has ended: once, however many requests come with it. */
static void count_end(const kc_session_lookup_t *lookup, kc_metrics_cause_t cause)
{
    const kc_metrics_t *metrics = lookup->rp->env->metrics;

    if (metrics && kc_rp_is_news(lookup->rp, "ended session", kc_buf_text(lookup->key)))
        kc_metrics_add(metrics, KC_METRICS_CELL(sessions_ended, cause, 0, 0), 1);
}

/* Ends a session that a revocation entry of its user or sid has ended. That entry may be evicted
 * before the session is. So the session is deleted now and gets an entry of its own. */
static void end_revoked(const kc_session_lookup_t *lookup)
{
    drop_view(lookup);
    if (lookup->is_revoked)
        return;
    count_end(lookup, KC_METRICS_REVOKED);
    (void)kc_revocation_end_session(lookup->rp, lookup->key,
                                    lookup->has_view ? lookup->seen.expires : 0, NULL);
}

/* The last use: the store's value, or a later one that this host knows and could not store. */
static int64_t last_use(const kc_session_lookup_t *lookup, const kc_session_t *session,
                        kc_bytes_t record)
{
    int64_t used = kc_session_idle_read(session, record, lookup->pool);

    return lookup->has_view && lookup->view.moment <= lookup->now && lookup->view.moment > used
               ? lookup->view.moment
               : used;
}

static kc_session_state_t from_store(kc_session_lookup_t *lookup, const kc_session_found_t *found,
                                     kc_session_t *session, kc_err_t *err)
{
    kc_session_state_t state;
    int64_t used;
    kc_rc_t rc;

    if (is_unchanged(lookup, &found->session) && is_in_use(lookup)) {
        kc_view_cache_vouch(&lookup->ticket, &lookup->view, lookup->now_ms);
        return from_view(lookup, session, err);
    }
    rc = kc_session_lookup_open(lookup, &found->session, session, err);
    if (rc == KC_MISS) {
        count_end(lookup, KC_METRICS_MAX_AGE);
        (void)KC_FAIL(err, rc, KC_ERR_SESSION_MAX, "the session is past its end");
        return KC_SESSION_ENDED;
    }
    if (rc != KC_OK)
        return rc == KC_REFUSED ? KC_SESSION_NONE : KC_SESSION_UNKNOWN;
    if (!lookup->has_view &&
        (rc = kc_revocation_check(lookup->rp, session, lookup->pool, err)) != KC_OK) {
        if (rc != KC_REFUSED)
            return KC_SESSION_UNKNOWN;
        end_revoked(lookup);
        return KC_SESSION_ENDED;
    }
    kc_session_lookup_locate(lookup, lookup->key, session);
    state = state_of(lookup, session, err);
    if (state == KC_SESSION_ENDED) {
        count_end(lookup, KC_METRICS_MAX_AGE);
        return state;
    }
    used = last_use(lookup, session, found->used);
    if (lookup->now >= kc_session_idle_end(session, used)) {
        count_end(lookup, KC_METRICS_IDLE);
        drop_view(lookup);
        (void)idle(err);
        return KC_SESSION_NONE;
    }
    used = touch(lookup, used, session);
    session->idle_end = kc_session_idle_end(session, used);
    put_view(lookup, session, &found->session, used);
    return state;
}

static void count_view(const kc_session_lookup_t *lookup, kc_metrics_result_t result)
{
    kc_metrics_add(lookup->rp->env->metrics, KC_METRICS_CELL(first_tier, result, 0, 0), 1);
}

static kc_session_state_t find(kc_session_lookup_t *lookup, kc_session_t *session, kc_err_t *err)
{
    kc_session_found_t found;

    if (is_fresh(lookup)) {
        count_view(lookup, KC_METRICS_HIT);
        return from_view(lookup, session, err);
    }
    count_view(lookup, lookup->has_view ? KC_METRICS_STALE : KC_METRICS_MISS);
    switch (kc_session_lookup_fetch_any(lookup, &found, err)) {
    case KC_OK:
        return from_store(lookup, &found, session, err);
    case KC_MISS:
        drop_view(lookup);
        return KC_SESSION_NONE;
    case KC_REFUSED:
        end_revoked(lookup);
        return KC_SESSION_ENDED;
    case KC_DOWN:
        return is_within_grace(lookup) ? from_view(lookup, session, err) : KC_SESSION_UNKNOWN;
    default:
        return KC_SESSION_UNKNOWN;
    }
}

kc_session_state_t kc_session_find(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err)
{
    kc_session_lookup_t lookup;

    if (!cookie.data || kc_session_lookup_begin(&lookup, rp, cookie, pool, err) != KC_OK)
        return KC_SESSION_NONE;
    return find(&lookup, session, err);
}

kc_session_state_t kc_session_peek(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err)
{
    kc_session_lookup_t lookup;

    if (!cookie.data || kc_session_lookup_begin(&lookup, rp, cookie, pool, err) != KC_OK)
        return KC_SESSION_NONE;
    lookup.is_use = 0;
    return find(&lookup, session, err);
}

/* ---------------------------------------------------------------- ending */

/* The session that is to be replaced in the browser. session->sub is NULL when there is none. */
static void read_old(const kc_session_lookup_t *lookup, const kc_session_found_t *found,
                     kc_session_t *session)
{
    if (!lookup->successor ||
        kc_session_lookup_open(lookup, &found->session, session, NULL) != KC_OK)
        session->sub = NULL;
    else
        kc_session_lookup_locate(lookup, lookup->key, session);
}

/* 1 when it is of the same user and of the same session at the provider as the new one. */
static int is_kept(const kc_session_t *old, const kc_session_t *fresh)
{
    return old->sub && *fresh->sid && strcmp(old->sub, fresh->sub) == 0 &&
           strcmp(old->sid, fresh->sid) == 0;
}

static void tell_replaced(const kc_rp_t *rp, const kc_session_t *old, const kc_session_t *fresh)
{
    const kc_audit_event_t event = {
        .kind = KC_AUDIT_SESSION_ENDED, .reason = KC_ERR_EVENT_SIGN_IN, .cause = "another-user"};

    if (old->sub && strcmp(old->sub, fresh->sub) != 0)
        kc_session_audit_tell(rp, old, &event);
}

/* Ends the session at lookup->key. KC_MISS: the servers that answered have none. A session that is
 * in a view, or that a server which did not answer may have, always gets a revocation entry; the
 * result is then that of storing it. */
static kc_rc_t end_at_key(kc_session_lookup_t *lookup, const kc_session_t *known, kc_err_t *err)
{
    kc_session_found_t found;
    kc_session_t old = {.sub = NULL};
    kc_rc_t rc = kc_session_lookup_fetch(lookup, known, &found, err), revoked;

    if (rc == KC_OK)
        read_old(lookup, &found, &old);
    if (rc == KC_OK && is_kept(&old, lookup->successor))
        return KC_OK;
    if (!known && ((rc == KC_MISS && !found.session.is_partial) ||
                   (rc != KC_OK && rc != KC_MISS && rc != KC_REFUSED)))
        return rc;
    if (!known && rc == KC_MISS)
        revoked = kc_revocation_end_unseen(lookup->rp, lookup->key, err);
    else
        revoked =
            kc_revocation_end_session(lookup->rp, lookup->key, known ? known->expires : 0, err);
    if (revoked == KC_OK)
        tell_replaced(lookup->rp, &old, lookup->successor);
    if (lookup->successor && rc == KC_OK && revoked == KC_OK)
        kc_metrics_add(lookup->rp->env->metrics,
                       KC_METRICS_CELL(sessions_ended, KC_METRICS_REPLACED, 0, 0), 1);
    return revoked != KC_OK || rc != KC_MISS ? revoked : rc;
}

static kc_rc_t end_in_store(kc_session_lookup_t *lookup, kc_err_t *err)
{
    kc_rc_t rc = KC_MISS;
    size_t i;

    if (lookup->has_view) {
        kc_session_lookup_take_key(lookup);
        rc = end_at_key(lookup, &lookup->seen, err);
    }
    for (i = 0; rc == KC_MISS && !lookup->has_view && i < lookup->rp->keys->count; i++) {
        rc = kc_session_lookup_derive_keys(lookup, lookup->rp->keys->key[i], err);
        if (rc == KC_OK)
            rc = end_at_key(lookup, NULL, err);
    }
    return rc == KC_MISS ? KC_OK : rc;
}

kc_rc_t kc_session_succeed(const kc_rp_t *rp, kc_bytes_t cookie, const kc_session_t *fresh,
                           apr_pool_t *pool, kc_err_t *err)
{
    kc_session_lookup_t lookup;
    kc_rc_t rc;

    if (!cookie.data || kc_session_lookup_begin(&lookup, rp, cookie, pool, err) != KC_OK)
        return KC_OK;
    lookup.successor = fresh;
    rc = end_in_store(&lookup, err);
    /* after the store, so that no request makes a new view of the old session; also when the store
     * is down */
    if (rp->env->cache)
        kc_view_cache_drop(rp->env->cache, &lookup.ticket);
    return rc;
}

kc_rc_t kc_session_end(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool, kc_err_t *err)
{
    return kc_session_succeed(rp, cookie, NULL, pool, err);
}

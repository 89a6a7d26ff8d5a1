/* Sessions: their life in the first tier and in the store.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <apr_strings.h>
#include <string.h>

#include "rp.h"
#include "session/revocation.h"
#include "session/session_idle.h"
#include "session/session_index.h"
#include "session/session_lookup.h"
#include "session/session_pack.h"
#include "session/session_view.h"

/* A session's last byte is the id of the key that it was sealed with: by that, one that is stored
 * under no key of ours is told from one that has ended. Of the others 248 bits nobody can guess. */
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
    kc_session_lookup_t visit;
    kc_rc_t rc;

    kc_session_lookup_resume(&visit, session, pool);
    rc = kc_session_lookup_fetch(&visit, session, &found, err);
    if (rc == KC_OK)
        rc = kc_session_lookup_open(&visit, &found.session, out, err);
    if (rc != KC_OK)
        return rc == KC_REFUSED ? KC_MISS : rc;
    kc_session_lookup_locate(&visit, visit.key, out);
    out->idle_end = kc_session_idle_end(out, kc_session_idle_read(out, found.used, pool));
    return visit.now < out->idle_end ? KC_OK : idle(err);
}

/* ---------------------------------------------------------------- beginning */

/* Seals the session and puts it under the name that the visit has. */
static kc_rc_t put_session(const kc_session_lookup_t *visit, const kc_session_t *session,
                           kc_err_t *err)
{
    const kc_rp_t *rp = visit->rp;
    const kc_env_t *env = rp->env;
    kc_seal_use_t use = kc_session_lookup_seal_use(rp, visit->id);
    unsigned char iv[KC_CRYPTO_IV_SIZE];
    kc_bytes_t compact, sealed;
    kc_rc_t rc = kc_session_codec_encode(session, visit->pool, &compact, err);

    if (rc == KC_OK && env->random(env->context, iv, sizeof(iv)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a session");
    if (rc == KC_OK)
        rc =
            kc_seal_close(rp->keys, &use, session->expires, iv, compact, visit->pool, &sealed, err);
    if (rc == KC_OK)
        rc =
            kc_store_put(env->sessions, visit->key, sealed, kc_session_idle_keep(session, rp), err);
    return rc;
}

kc_rc_t kc_session_create(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool, char *id_text,
                          kc_err_t *err)
{
    unsigned char raw[KC_SESSION_ID_SIZE];
    const kc_env_t *env = rp->env;
    const kc_bytes_t id = {raw, sizeof(raw)};
    kc_session_lookup_t visit;
    kc_rc_t rc;

    if (env->random(env->context, raw, sizeof(raw)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a session");
    note_key(rp->keys, raw);
    kc_session_lookup_init(&visit, rp, id, pool);
    rc = kc_session_lookup_derive_keys(&visit, rp->keys->key[0], err);
    memcpy(session->key, visit.key, sizeof(session->key));
    if (rc == KC_OK && !session->sub_mark)
        rc = kc_revocation_prepare(rp, session, pool, err);
    if (rc == KC_OK)
        rc = put_session(&visit, session, err);
    if (rc == KC_OK)
        kc_buf_base64url_to(raw, sizeof(raw), id_text);
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
    kc_session_lookup_t visit;
    kc_rc_t rc;

    kc_session_lookup_resume(&visit, stored, pool);
    kc_session_lookup_locate(&visit, visit.key, fresh);
    fresh->slot = stored->slot;
    fresh->idle_end = stored->idle_end; /* new tokens are no use of a session */
    rc = kc_revocation_keep(stored, fresh, pool, err);
    if (rc == KC_OK)
        rc = put_session(&visit, fresh, err);
    /* a mark that was left meanwhile would end it as well, but may be evicted before it */
    if (rc == KC_OK && kc_session_lookup_fetch(&visit, fresh, &found, err) == KC_REFUSED) {
        (void)kc_store_drop(stored->rp->env->sessions, visit.key, NULL);
        rc = KC_MISS;
    }
    if (cache) {
        (void)kc_view_cache_find(cache, stored->rp->scope, stored->id, visit.now, pool, &ticket,
                                 &view);
        kc_view_cache_drop(cache, &ticket);
    }
    return rc;
}

/* ---------------------------------------------------------------- idle time */

/* Notes a use, at most each tenth of the window, and gives the last one: used, which is known, or
 * now. Whoever finds a view decides by that. Failing costs a session nothing now, so it is not an
 * error. */
static int64_t touch(kc_session_lookup_t *visit, int64_t used, const kc_session_t *session)
{
    int64_t before = kc_session_idle_end(session, used);
    int64_t end = kc_session_idle_end(session, visit->now);

    if (!visit->is_use || end - before < visit->rp->conf->session_idle / 10 || end <= before)
        return used;
    if (visit->has_view && !kc_view_cache_touch(&visit->ticket, &visit->view, visit->now))
        return visit->now; /* somebody else just has */
    kc_session_idle_use(session);
    kc_session_index_touch(session, visit->now, end, visit->pool);
    return visit->now;
}

/* ---------------------------------------------------------------- finding */

/* While tokens can be renewed, that they have not been yet is no reason to stop. */
static int64_t token_end(const kc_session_lookup_t *visit, const kc_session_t *session)
{
    const kc_conf_t *conf = visit->rp->conf;

    return session->token_expires + conf->clock_skew +
           (session->refresh_at && conf->refresh ? conf->stale_grace : 0);
}

static kc_session_state_t judge(const kc_session_lookup_t *visit, const kc_session_t *session,
                                kc_err_t *err)
{
    /* also one of before KeycloakSessionMax was lowered: its marks last no longer than that */
    if (visit->now >= kc_session_view_earlier(session->expires,
                                              session->created + visit->rp->conf->session_max)) {
        (void)KC_FAIL(err, KC_MISS, KC_ERR_SESSION_MAX, "the session is past its end");
        return KC_SESSION_ENDED;
    }
    if (visit->now >= token_end(visit, session)) {
        (void)KC_FAIL(err, KC_MISS, KC_ERR_SESSION_ENDED, "the ID token's time is over");
        return KC_SESSION_STALE;
    }
    return KC_SESSION_LIVE;
}

/* By what the view knows the session is not over. One from the future, after the clock was set
 * back, knows nothing. */
static int is_in_use(const kc_session_lookup_t *visit)
{
    int64_t used = visit->view.moment;

    return visit->has_view && visit->now >= used &&
           visit->now < used + visit->rp->conf->session_idle;
}

static int is_fresh(const kc_session_lookup_t *visit)
{
    return is_in_use(visit) &&
           kc_session_view_is_fresh(visit->rp->conf, &visit->ticket, &visit->view, visit->now_ms);
}

static int is_within_grace(const kc_session_lookup_t *visit)
{
    return is_in_use(visit) &&
           kc_session_view_is_within_grace(visit->rp->conf, &visit->view, visit->now_ms);
}

static kc_session_state_t from_view(kc_session_lookup_t *visit, kc_session_t *session,
                                    kc_err_t *err)
{
    kc_session_state_t state;

    *session = visit->seen;
    kc_session_lookup_locate(visit, visit->view.key, session);
    state = judge(visit, session, err);
    if (state != KC_SESSION_ENDED)
        session->idle_end = kc_session_idle_end(session, touch(visit, visit->view.moment, session));
    return state;
}

/* The view of a session: all but the tokens. */
static void put_view(const kc_session_lookup_t *visit, const kc_session_t *session,
                     const kc_store_item_t *item, int64_t used)
{
    kc_view_cache_t *cache = visit->rp->env->cache;
    kc_view_cache_view_t view = {{NULL, 0}, visit->now_ms, used, "", ""};
    kc_session_t bare = *session;

    if (!cache)
        return;
    kc_session_pack_view(visit->rp, session, visit->pool, &bare);
    memcpy(view.key, visit->key, KC_VIEW_CACHE_KEY_SIZE);
    kc_view_cache_stamp(cache, item->value, view.stamp);
    if (kc_session_codec_encode(&bare, visit->pool, &view.bytes, NULL) == KC_OK)
        kc_view_cache_put(cache, &visit->ticket, &view, visit->now);
}

/* It is the value that the view was made of. */
static int is_unchanged(const kc_session_lookup_t *visit, const kc_store_item_t *item)
{
    unsigned char stamp[KC_VIEW_CACHE_STAMP_SIZE];

    if (!visit->has_view)
        return 0;
    kc_view_cache_stamp(visit->rp->env->cache, item->value, stamp);
    return memcmp(visit->view.stamp, stamp, sizeof(stamp)) == 0;
}

/* The store knows better than a view that is still there. */
static void drop_view(const kc_session_lookup_t *visit)
{
    if (visit->has_view)
        kc_view_cache_drop(visit->rp->env->cache, &visit->ticket);
}

/* A mark has ended it: of the user or the sid, which may be pushed out before the session is. So
 * the session goes now, and a mark of its own stays. */
static void bury(const kc_session_lookup_t *visit)
{
    drop_view(visit);
    if (!visit->has_own_mark)
        (void)kc_revocation_end_session(visit->rp, visit->key,
                                        visit->has_view ? visit->seen.expires : 0, NULL);
}

/* The last use: what the store says, unless this host knows of a later one, which it could not
 * tell the store. */
static int64_t last_use(const kc_session_lookup_t *visit, const kc_session_t *session,
                        kc_bytes_t record)
{
    int64_t used = kc_session_idle_read(session, record, visit->pool);

    return visit->has_view && visit->view.moment <= visit->now && visit->view.moment > used
               ? visit->view.moment
               : used;
}

static kc_session_state_t from_store(kc_session_lookup_t *visit, const kc_session_found_t *found,
                                     kc_session_t *session, kc_err_t *err)
{
    kc_session_state_t state;
    int64_t used;
    kc_rc_t rc;

    if (is_unchanged(visit, &found->session) && is_in_use(visit)) {
        kc_view_cache_vouch(&visit->ticket, &visit->view, visit->now_ms);
        return from_view(visit, session, err);
    }
    rc = kc_session_lookup_open(visit, &found->session, session, err);
    if (rc == KC_MISS) {
        (void)KC_FAIL(err, rc, KC_ERR_SESSION_MAX, "the session is past its end");
        return KC_SESSION_ENDED;
    }
    if (rc != KC_OK)
        return rc == KC_REFUSED ? KC_SESSION_NONE : KC_SESSION_UNKNOWN;
    if (!visit->has_view &&
        (rc = kc_revocation_check(visit->rp, session, visit->pool, err)) != KC_OK) {
        if (rc != KC_REFUSED)
            return KC_SESSION_UNKNOWN;
        bury(visit);
        return KC_SESSION_ENDED;
    }
    kc_session_lookup_locate(visit, visit->key, session);
    state = judge(visit, session, err);
    if (state == KC_SESSION_ENDED)
        return state;
    used = last_use(visit, session, found->used);
    if (visit->now >= kc_session_idle_end(session, used)) {
        drop_view(visit);
        (void)idle(err);
        return KC_SESSION_NONE;
    }
    used = touch(visit, used, session);
    session->idle_end = kc_session_idle_end(session, used);
    put_view(visit, session, &found->session, used);
    return state;
}

static kc_session_state_t find(kc_session_lookup_t *visit, kc_session_t *session, kc_err_t *err)
{
    kc_session_found_t found;

    if (is_fresh(visit))
        return from_view(visit, session, err);
    switch (kc_session_lookup_fetch_any(visit, &found, err)) {
    case KC_OK:
        return from_store(visit, &found, session, err);
    case KC_MISS:
        drop_view(visit);
        return KC_SESSION_NONE;
    case KC_REFUSED:
        bury(visit);
        return KC_SESSION_ENDED;
    case KC_DOWN:
        return is_within_grace(visit) ? from_view(visit, session, err) : KC_SESSION_UNKNOWN;
    default:
        return KC_SESSION_UNKNOWN;
    }
}

kc_session_state_t kc_session_find(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err)
{
    kc_session_lookup_t visit;

    if (!cookie.data || kc_session_lookup_begin(&visit, rp, cookie, pool, err) != KC_OK)
        return KC_SESSION_NONE;
    return find(&visit, session, err);
}

kc_session_state_t kc_session_peek(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err)
{
    kc_session_lookup_t visit;

    if (!cookie.data || kc_session_lookup_begin(&visit, rp, cookie, pool, err) != KC_OK)
        return KC_SESSION_NONE;
    visit.is_use = 0;
    return find(&visit, session, err);
}

/* ---------------------------------------------------------------- ending */

/* What was found is of the same person, and of the same session at the provider. */
static int is_kept(const kc_session_lookup_t *visit, const kc_session_found_t *found)
{
    const kc_session_t *fresh = visit->successor;
    kc_session_t session;

    return fresh && *fresh->sid &&
           kc_session_lookup_open(visit, &found->session, &session, NULL) == KC_OK &&
           strcmp(session.sub, fresh->sub) == 0 && strcmp(session.sid, fresh->sid) == 0;
}

/* Ends what the store has under the name that the visit has. KC_MISS: nothing, as far as those know
 * who answer. What is known from a view, or may be where nobody could look, is given its mark
 * whatever the answer: whether that is taken decides. */
static kc_rc_t end_by_name(kc_session_lookup_t *visit, const kc_session_t *known, kc_err_t *err)
{
    kc_session_found_t found;
    kc_rc_t rc = kc_session_lookup_fetch(visit, known, &found, err), buried;

    if (rc == KC_OK && is_kept(visit, &found))
        return KC_OK;
    if (!known && ((rc == KC_MISS && !found.session.is_partial) ||
                   (rc != KC_OK && rc != KC_MISS && rc != KC_REFUSED)))
        return rc;
    if (!known && rc == KC_MISS)
        buried = kc_revocation_end_unseen(visit->rp, visit->key, err);
    else
        buried = kc_revocation_end_session(visit->rp, visit->key, known ? known->expires : 0, err);
    return buried != KC_OK || rc != KC_MISS ? buried : rc;
}

static kc_rc_t end_in_store(kc_session_lookup_t *visit, kc_err_t *err)
{
    kc_rc_t rc = KC_MISS;
    size_t i;

    if (visit->has_view) {
        kc_session_lookup_take_key(visit);
        rc = end_by_name(visit, &visit->seen, err);
    }
    for (i = 0; rc == KC_MISS && !visit->has_view && i < visit->rp->keys->count; i++) {
        rc = kc_session_lookup_derive_keys(visit, visit->rp->keys->key[i], err);
        if (rc == KC_OK)
            rc = end_by_name(visit, NULL, err);
    }
    return rc == KC_MISS ? KC_OK : rc;
}

kc_rc_t kc_session_succeed(const kc_rp_t *rp, kc_bytes_t cookie, const kc_session_t *fresh,
                           apr_pool_t *pool, kc_err_t *err)
{
    kc_session_lookup_t visit;
    kc_rc_t rc;

    if (!cookie.data || kc_session_lookup_begin(&visit, rp, cookie, pool, err) != KC_OK)
        return KC_OK;
    visit.successor = fresh;
    rc = end_in_store(&visit, err);
    /* after the store, so that nobody makes a view of what it has just said; also when the store
     * is down */
    if (rp->env->cache)
        kc_view_cache_drop(rp->env->cache, &visit.ticket);
    return rc;
}

kc_rc_t kc_session_end(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool, kc_err_t *err)
{
    return kc_session_succeed(rp, cookie, NULL, pool, err);
}

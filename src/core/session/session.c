/* Sessions: their life in the first tier and in the store.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <apr_strings.h>
#include <string.h>

#include "rp.h"
#include "session/revocation.h"
#include "session/session_idle.h"
#include "session/session_index.h"
#include "session/session_pack.h"
#include "session/session_view.h"

static const char key_purpose[] = "sid"; /* short: the derivation takes one block of SHA-256 */
static const char seal_purpose[] = "session";

/* A session's id, which both names and opens it, and what a request has learnt under it. */
typedef struct visit_t {
    const kc_rp_t *rp;
    apr_pool_t *pool;
    kc_bytes_t id;
    int64_t now;
    int64_t now_ms;
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    kc_session_t seen; /* the view, read */
    int has_view;
    int is_use;                     /* the request counts as use of the session */
    int has_own_mark;               /* it has been ended by itself */
    const kc_session_t *successor;  /* ends no session of its sub and sid; NULL: ends any */
    char key[KC_STORE_KEY_LEN + 1]; /* in the store; "" until it is known */
    char mark[KC_STORE_KEY_LEN + 1];
    char used[KC_STORE_KEY_LEN + 1]; /* where its last use is noted */
} visit_t;

/* What the store has of a session. */
typedef struct found_t {
    kc_store_item_t session;
    kc_bytes_t used; /* the record of its last use (session_idle.h) */
} found_t;

/* ---------------------------------------------------------------- names and seals */

static void name_others(visit_t *visit)
{
    kc_revocation_own_key(visit->key, visit->mark);
    kc_session_idle_name(visit->key, visit->used);
}

static kc_rc_t name_in_store(visit_t *visit, const kc_crypto_key_t *key, kc_err_t *err)
{
    kc_rc_t rc = kc_rp_store_key(visit->rp, key, key_purpose, visit->id, visit->key, err);

    name_others(visit);
    return rc;
}

/* A view knows the name; deriving it again would cost more than all else that is done here. */
static void name_of_view(visit_t *visit)
{
    memcpy(visit->key, visit->view.key, KC_STORE_KEY_LEN);
    visit->key[KC_STORE_KEY_LEN] = '\0';
    name_others(visit);
}

static kc_seal_use_t seal_use(const kc_rp_t *rp, kc_bytes_t id)
{
    kc_seal_use_t use = {seal_purpose, id, {rp->id, KC_RP_ID_SIZE}};

    return use;
}

/* ---------------------------------------------------------------- a visit */

static void visit_init(visit_t *visit, const kc_rp_t *rp, kc_bytes_t id, apr_pool_t *pool)
{
    visit->rp = rp;
    visit->pool = pool;
    visit->id = id;
    visit->has_view = 0;
    visit->is_use = 1;
    visit->has_own_mark = 0;
    visit->successor = NULL;
    visit->key[0] = '\0';
    visit->now_ms = rp->env->now_ms(rp->env->context);
    visit->now = visit->now_ms / 1000;
}

/* Reads the id and looks into the first tier. KC_MISS: the cookie is malformed. */
static kc_rc_t visit_begin(visit_t *visit, const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                           kc_err_t *err)
{
    kc_view_cache_t *cache = rp->env->cache;
    kc_bytes_t id;

    if (cookie.len != KC_SESSION_ID_TEXT ||
        kc_buf_unbase64url((const char *)cookie.data, cookie.len, pool, &id) != KC_OK)
        return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_INVALID, "the session cookie is malformed");
    visit_init(visit, rp, id, pool);
    if (cache && kc_view_cache_find(cache, rp->scope, id.data, visit->now, pool, &visit->ticket,
                                    &visit->view))
        visit->has_view = kc_session_codec_decode(visit->view.bytes, &visit->seen, NULL) == KC_OK &&
                          visit->seen.user_mark; /* none of before an update */
    return KC_OK;
}

enum { OWN_KEYS = 3 /* the session's, its own mark's, its last use's */ };

/* Looks the session up under the name that the visit has, with its last use and its marks: the own
 * one, and, when the session is known from before, those of its user and sid. KC_MISS: there is
 * none; KC_REFUSED: ended by a mark. */
static kc_rc_t ask_by_name(visit_t *visit, const kc_session_t *known, found_t *found, kc_err_t *err)
{
    const char *keys[OWN_KEYS + KC_REVOCATION_KINDS] = {visit->key, visit->mark, visit->used};
    kc_store_item_t items[OWN_KEYS + KC_REVOCATION_KINDS];
    kc_revocation_keys_t marks = {.count = 0};
    kc_rc_t rc;
    size_t i;

    if (known)
        kc_revocation_keys(known, &marks);
    for (i = 0; i < marks.count; i++)
        keys[OWN_KEYS + i] = marks.text[i];
    rc = kc_store_get(visit->rp->env->sessions, keys, OWN_KEYS + marks.count, items, visit->pool,
                      err);
    if (rc != KC_OK)
        return rc;
    found->session = items[0];
    found->used = items[2].value;
    visit->has_own_mark = items[1].value.data != NULL;
    if (visit->has_own_mark || (known && kc_revocation_is_revoked(known, &marks, items + OWN_KEYS)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SIGNED_OUT, "the session was signed out");
    if (!items[0].value.data)
        return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_IDLE, KC_SESSION_ABSENT);
    return KC_OK;
}

/* A session's last byte is the id of the key that it was sealed with: by that, one that is stored
 * under no key of ours is told from one that has ended. Of the others 248 bits nobody can guess. */
static void note_key(const kc_seal_keys_t *keys, unsigned char *id)
{
    id[KC_SESSION_ID_SIZE - 1] = kc_crypto_key_id(keys->key[0]);
}

static kc_rc_t explain_miss(const visit_t *visit, kc_err_t *err)
{
    const kc_rp_t *rp = visit->rp;

    if (visit->has_view || kc_seal_has_key(rp->keys, visit->id.data[KC_SESSION_ID_SIZE - 1]))
        return KC_MISS;
    kc_rp_warn_of_key(rp, "a session", visit->pool);
    return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_IDLE, "the session was " KC_RP_FOREIGN_KEY);
}

/* The same where its view says, for a session never moves; else under each key in turn, newest
 * first. */
static kc_rc_t ask_store(visit_t *visit, found_t *found, kc_err_t *err)
{
    const kc_seal_keys_t *keys = visit->rp->keys;
    kc_rc_t rc = KC_MISS;
    size_t i;

    if (visit->has_view) {
        name_of_view(visit);
        return ask_by_name(visit, &visit->seen, found, err);
    }
    for (i = 0; rc == KC_MISS && i < keys->count; i++) {
        rc = name_in_store(visit, keys->key[i], err);
        if (rc == KC_OK)
            rc = ask_by_name(visit, NULL, found, err);
    }
    return rc == KC_MISS ? explain_miss(visit, err) : rc;
}

static kc_rc_t idle(kc_err_t *err)
{
    return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_IDLE, "not used for KeycloakSessionIdle");
}

/* KC_REFUSED: it cannot be read; KC_MISS: it is past its end. */
static kc_rc_t open_item(const visit_t *visit, const kc_store_item_t *item, kc_session_t *session,
                         kc_err_t *err)
{
    const kc_rp_t *rp = visit->rp;
    kc_seal_use_t use = seal_use(rp, visit->id);
    kc_bytes_t compact;
    kc_rc_t rc =
        kc_seal_open(rp->keys, &use, visit->now, item->value, visit->pool, &compact, NULL, err);

    if (rc == KC_OK)
        rc = kc_session_codec_decode(compact, session, err);
    return rc == KC_OK && !session->user_mark ? kc_revocation_adopt(rp, session, visit->pool, err)
                                              : rc;
}

/* What the form does not hold. */
static void set_place(const visit_t *visit, const char *key, kc_session_t *session)
{
    session->rp = visit->rp;
    session->id = visit->id.data;
    memcpy(session->key, key, KC_STORE_KEY_LEN);
    session->key[KC_STORE_KEY_LEN] = '\0';
}

/* The visit that found a session, once more. */
static void visit_again(visit_t *visit, const kc_session_t *session, apr_pool_t *pool)
{
    const kc_bytes_t id = {session->id, KC_SESSION_ID_SIZE};

    visit_init(visit, session->rp, id, pool);
    memcpy(visit->key, session->key, sizeof(visit->key));
    name_others(visit);
}

kc_rc_t kc_session_reload(const kc_session_t *session, apr_pool_t *pool, kc_session_t *out,
                          kc_err_t *err)
{
    found_t found;
    visit_t visit;
    kc_rc_t rc;

    visit_again(&visit, session, pool);
    rc = ask_by_name(&visit, session, &found, err);
    if (rc == KC_OK)
        rc = open_item(&visit, &found.session, out, err);
    if (rc != KC_OK)
        return rc == KC_REFUSED ? KC_MISS : rc;
    set_place(&visit, visit.key, out);
    out->idle_end = kc_session_idle_end(out, kc_session_idle_read(out, found.used, pool));
    return visit.now < out->idle_end ? KC_OK : idle(err);
}

/* ---------------------------------------------------------------- beginning */

/* Seals the session and puts it under the name that the visit has. */
static kc_rc_t put_session(const visit_t *visit, const kc_session_t *session, kc_err_t *err)
{
    const kc_rp_t *rp = visit->rp;
    const kc_env_t *env = rp->env;
    kc_seal_use_t use = seal_use(rp, visit->id);
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
    visit_t visit;
    kc_rc_t rc;

    if (env->random(env->context, raw, sizeof(raw)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a session");
    note_key(rp->keys, raw);
    visit_init(&visit, rp, id, pool);
    rc = name_in_store(&visit, rp->keys->key[0], err);
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
    found_t found;
    visit_t visit;
    kc_rc_t rc;

    visit_again(&visit, stored, pool);
    set_place(&visit, visit.key, fresh);
    fresh->slot = stored->slot;
    fresh->idle_end = stored->idle_end; /* new tokens are no use of a session */
    rc = kc_revocation_keep(stored, fresh, pool, err);
    if (rc == KC_OK)
        rc = put_session(&visit, fresh, err);
    /* a mark that was left meanwhile would end it as well, but may be evicted before it */
    if (rc == KC_OK && ask_by_name(&visit, fresh, &found, err) == KC_REFUSED) {
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
static int64_t touch(visit_t *visit, int64_t used, const kc_session_t *session)
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
static int64_t token_end(const visit_t *visit, const kc_session_t *session)
{
    const kc_conf_t *conf = visit->rp->conf;

    return session->token_expires + conf->clock_skew +
           (session->refresh_at && conf->refresh ? conf->stale_grace : 0);
}

static kc_session_state_t judge(const visit_t *visit, const kc_session_t *session, kc_err_t *err)
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
static int is_in_use(const visit_t *visit)
{
    int64_t used = visit->view.moment;

    return visit->has_view && visit->now >= used &&
           visit->now < used + visit->rp->conf->session_idle;
}

static int is_fresh(const visit_t *visit)
{
    return is_in_use(visit) &&
           kc_session_view_is_fresh(visit->rp->conf, &visit->ticket, &visit->view, visit->now_ms);
}

static int is_within_grace(const visit_t *visit)
{
    return is_in_use(visit) &&
           kc_session_view_is_within_grace(visit->rp->conf, &visit->view, visit->now_ms);
}

static kc_session_state_t from_view(visit_t *visit, kc_session_t *session, kc_err_t *err)
{
    kc_session_state_t state;

    *session = visit->seen;
    set_place(visit, visit->view.key, session);
    state = judge(visit, session, err);
    if (state != KC_SESSION_ENDED)
        session->idle_end = kc_session_idle_end(session, touch(visit, visit->view.moment, session));
    return state;
}

/* The view of a session: all but the tokens. */
static void put_view(const visit_t *visit, const kc_session_t *session, const kc_store_item_t *item,
                     int64_t used)
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
static int is_unchanged(const visit_t *visit, const kc_store_item_t *item)
{
    unsigned char stamp[KC_VIEW_CACHE_STAMP_SIZE];

    if (!visit->has_view)
        return 0;
    kc_view_cache_stamp(visit->rp->env->cache, item->value, stamp);
    return memcmp(visit->view.stamp, stamp, sizeof(stamp)) == 0;
}

/* The store knows better than a view that is still there. */
static void drop_view(const visit_t *visit)
{
    if (visit->has_view)
        kc_view_cache_drop(visit->rp->env->cache, &visit->ticket);
}

/* A mark has ended it: of the user or the sid, which may be pushed out before the session is. So
 * the session goes now, and a mark of its own stays. */
static void bury(const visit_t *visit)
{
    drop_view(visit);
    if (!visit->has_own_mark)
        (void)kc_revocation_end_session(visit->rp, visit->key,
                                        visit->has_view ? visit->seen.expires : 0, NULL);
}

/* The last use: what the store says, unless this host knows of a later one, which it could not
 * tell the store. */
static int64_t last_use(const visit_t *visit, const kc_session_t *session, kc_bytes_t record)
{
    int64_t used = kc_session_idle_read(session, record, visit->pool);

    return visit->has_view && visit->view.moment <= visit->now && visit->view.moment > used
               ? visit->view.moment
               : used;
}

static kc_session_state_t from_store(visit_t *visit, const found_t *found, kc_session_t *session,
                                     kc_err_t *err)
{
    kc_session_state_t state;
    int64_t used;
    kc_rc_t rc;

    if (is_unchanged(visit, &found->session) && is_in_use(visit)) {
        kc_view_cache_vouch(&visit->ticket, &visit->view, visit->now_ms);
        return from_view(visit, session, err);
    }
    rc = open_item(visit, &found->session, session, err);
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
    set_place(visit, visit->key, session);
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

static kc_session_state_t find(visit_t *visit, kc_session_t *session, kc_err_t *err)
{
    found_t found;

    if (is_fresh(visit))
        return from_view(visit, session, err);
    switch (ask_store(visit, &found, err)) {
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
    visit_t visit;

    if (!cookie.data || visit_begin(&visit, rp, cookie, pool, err) != KC_OK)
        return KC_SESSION_NONE;
    return find(&visit, session, err);
}

kc_session_state_t kc_session_peek(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err)
{
    visit_t visit;

    if (!cookie.data || visit_begin(&visit, rp, cookie, pool, err) != KC_OK)
        return KC_SESSION_NONE;
    visit.is_use = 0;
    return find(&visit, session, err);
}

/* ---------------------------------------------------------------- ending */

/* What was found is of the same person, and of the same session at the provider. */
static int is_kept(const visit_t *visit, const found_t *found)
{
    const kc_session_t *fresh = visit->successor;
    kc_session_t session;

    return fresh && *fresh->sid && open_item(visit, &found->session, &session, NULL) == KC_OK &&
           strcmp(session.sub, fresh->sub) == 0 && strcmp(session.sid, fresh->sid) == 0;
}

/* Ends what the store has under the name that the visit has. KC_MISS: nothing, as far as those know
 * who answer. What is known from a view, or may be where nobody could look, is given its mark
 * whatever the answer: whether that is taken decides. */
static kc_rc_t end_by_name(visit_t *visit, const kc_session_t *known, kc_err_t *err)
{
    found_t found;
    kc_rc_t rc = ask_by_name(visit, known, &found, err), buried;

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

static kc_rc_t end_in_store(visit_t *visit, kc_err_t *err)
{
    kc_rc_t rc = KC_MISS;
    size_t i;

    if (visit->has_view) {
        name_of_view(visit);
        rc = end_by_name(visit, &visit->seen, err);
    }
    for (i = 0; rc == KC_MISS && !visit->has_view && i < visit->rp->keys->count; i++) {
        rc = name_in_store(visit, visit->rp->keys->key[i], err);
        if (rc == KC_OK)
            rc = end_by_name(visit, NULL, err);
    }
    return rc == KC_MISS ? KC_OK : rc;
}

kc_rc_t kc_session_succeed(const kc_rp_t *rp, kc_bytes_t cookie, const kc_session_t *fresh,
                           apr_pool_t *pool, kc_err_t *err)
{
    visit_t visit;
    kc_rc_t rc;

    if (!cookie.data || visit_begin(&visit, rp, cookie, pool, err) != KC_OK)
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

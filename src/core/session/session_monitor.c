/* The session monitor: what the store says of the sessions of long-running streams.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_monitor.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "rp.h"
#include "session/refresh.h"
#include "session/revocation.h"
#include "session/session_idle.h"
#include "session/session_lookup.h"

/* Own keys: the session, its own revocation entry, its last use. Then the entries of its sub, user
 * and sid. */
enum { OWN_KEYS = 3, KEYS_EACH = OWN_KEYS + KC_REVOCATION_KINDS };
enum { BATCH_MAX = KC_STORE_GET_MAX / KEYS_EACH };

struct kc_session_monitor_t {
    apr_pool_t *pool;
    apr_hash_t *by_key; /* by key in the store */
    kc_session_monitor_entry_t *first;
    kc_session_monitor_entry_t **end;
};

/* Sessions of one store, read in one request. */
typedef struct {
    kc_session_monitor_entry_t *entries[BATCH_MAX];
    size_t count;
} batch_t;

/* The store keys of one session, besides its own. */
typedef struct {
    char own_entry[KC_STORE_KEY_LEN + 1];
    char used[KC_STORE_KEY_LEN + 1];
    kc_revocation_keys_t revocations;
} names_t;

/* ---------------------------------------------------------------- the set */

kc_session_monitor_t *kc_session_monitor_create(apr_pool_t *pool)
{
    kc_session_monitor_t *monitor = apr_pcalloc(pool, sizeof(*monitor));

    monitor->pool = pool;
    monitor->by_key = apr_hash_make(pool);
    monitor->end = &monitor->first;
    return monitor;
}

/* Copies all members except the texts and lists that are not needed here, which may be long. */
static void copy(const kc_session_t *from, apr_pool_t *pool, kc_session_t *out)
{
    memset(out, 0, sizeof(*out));
    out->created = from->created;
    out->expires = from->expires;
    out->token_expires = from->token_expires;
    out->rp = from->rp;
    out->id = apr_pmemdup(pool, from->id, KC_SESSION_ID_SIZE);
    memcpy(out->key, from->key, sizeof(out->key));
    out->is_bearer = from->is_bearer;
    out->slot = from->slot;
    out->sub_seen = from->sub_seen;
    out->sub_key = apr_pmemdup(pool, from->sub_key, KC_SESSION_NAME_SIZE);
    out->sid_key = apr_pmemdup(pool, from->sid_key, KC_SESSION_NAME_SIZE);
    out->user_seen = from->user_seen;
    out->user_key = apr_pmemdup(pool, from->user_key, KC_SESSION_NAME_SIZE);
    out->sid = apr_pstrdup(pool, from->sid);
    out->user = apr_pstrdup(pool, from->user);
    out->sub = out->email = out->acr = out->groups = "";
}

kc_session_monitor_entry_t *kc_session_monitor_add(kc_session_monitor_t *monitor,
                                                   const kc_session_t *session, int64_t refresh_at)
{
    kc_session_monitor_entry_t *entry =
        apr_hash_get(monitor->by_key, session->key, KC_STORE_KEY_LEN);

    if (!entry) {
        entry = apr_pcalloc(monitor->pool, sizeof(*entry));
        copy(session, monitor->pool, &entry->session);
        entry->state = KC_SESSION_UNKNOWN;
        apr_hash_set(monitor->by_key, entry->session.key, KC_STORE_KEY_LEN, entry);
        *monitor->end = entry;
        monitor->end = &entry->next;
    }
    if (refresh_at > entry->session.refresh_at)
        entry->session.refresh_at = refresh_at;
    return entry;
}

kc_session_monitor_entry_t *kc_session_monitor_first(const kc_session_monitor_t *monitor)
{
    return monitor->first;
}

/* ---------------------------------------------------------------- checking */

static int64_t now(const kc_rp_t *rp)
{
    return rp->env->now(rp->env->context);
}

static void end(kc_session_monitor_entry_t *entry, kc_reason_t reason, const char *detail)
{
    entry->state = KC_SESSION_ENDED;
    (void)KC_FAIL(&entry->err, KC_MISS, reason, "%s", detail);
}

/* Checks only the times. While tokens can be renewed, their end is not the session's end. */
static int is_over(kc_session_monitor_entry_t *entry)
{
    const kc_session_t *session = &entry->session;
    const kc_conf_t *conf = session->rp->conf;
    int64_t time = now(session->rp);

    if (time >= session->expires || time >= session->created + conf->session_max)
        end(entry, KC_ERR_SESSION_MAX, "the session is past its end");
    else if (!(session->refresh_at && conf->refresh) &&
             time >= session->token_expires + conf->clock_skew)
        end(entry, KC_ERR_SESSION_ENDED, "the ID token has expired");
    return entry->state == KC_SESSION_ENDED;
}

static int is_idle(const kc_session_t *session, kc_bytes_t record, apr_pool_t *pool)
{
    int64_t used = kc_session_idle_read(session, record, pool);

    return now(session->rp) >= kc_session_idle_end(session, used);
}

static void check(kc_session_monitor_entry_t *entry, const names_t *names,
                  const kc_store_item_t *items, apr_pool_t *pool)
{
    const kc_session_t *session = &entry->session;

    if (items[1].value.data ||
        kc_revocation_is_revoked(session, &names->revocations, items + OWN_KEYS))
        end(entry, KC_ERR_SIGNED_OUT, "the session was signed out");
    else if (!items[0].value.data && !session->is_bearer)
        end(entry, KC_ERR_SESSION_IDLE, KC_SESSION_ABSENT);
    else if (!session->is_bearer && is_idle(session, items[2].value, pool))
        end(entry, KC_ERR_SESSION_IDLE, "not used for KeycloakSessionIdle");
    else
        entry->state = KC_SESSION_LIVE;
}

static kc_rc_t ask(const batch_t *batch, apr_pool_t *pool)
{
    kc_store_t *store = batch->entries[0]->session.rp->env->sessions;
    const char *keys[KC_STORE_GET_MAX];
    kc_store_item_t items[KC_STORE_GET_MAX];
    names_t names[BATCH_MAX];
    size_t count = 0, i, k;
    kc_rc_t rc;

    for (i = 0; i < batch->count; i++) {
        const kc_session_t *session = &batch->entries[i]->session;

        kc_revocation_own_key(session->key, names[i].own_entry);
        kc_session_idle_name(session->key, names[i].used);
        kc_revocation_keys(session, &names[i].revocations);
        keys[count++] = session->key;
        keys[count++] = names[i].own_entry;
        keys[count++] = names[i].used;
        for (k = 0; k < names[i].revocations.count; k++)
            keys[count++] = names[i].revocations.text[k];
    }
    rc = kc_store_get(store, keys, count, items, pool, NULL);
    for (i = count = 0; rc == KC_OK && i < batch->count; i++) {
        check(batch->entries[i], &names[i], items + count, pool);
        count += OWN_KEYS + names[i].revocations.count;
    }
    return rc;
}

/* One server that is down must not hide the answers of the others. When reading them together
 * fails, each session is read by itself. */
static void ask_all(batch_t *batch, apr_pool_t *pool)
{
    size_t i;

    if (batch->count && ask(batch, pool) != KC_OK && batch->count > 1) {
        for (i = 0; i < batch->count; i++) {
            const batch_t one = {{batch->entries[i]}, 1};

            (void)ask(&one, pool);
        }
    }
    batch->count = 0;
    apr_pool_clear(pool);
}

static int is_of_same_store(const batch_t *batch, const kc_session_monitor_entry_t *entry)
{
    return batch->entries[0]->session.rp->env->sessions == entry->session.rp->env->sessions;
}

void kc_session_monitor_look(kc_session_monitor_t *monitor)
{
    batch_t batch = {.count = 0};
    kc_session_monitor_entry_t *entry;
    apr_pool_t *scratch;

    if (apr_pool_create(&scratch, monitor->pool) != APR_SUCCESS)
        return;
    for (entry = monitor->first; entry; entry = entry->next) {
        entry->state = KC_SESSION_UNKNOWN;
        entry->err.reason = KC_ERR_NONE;
        if (is_over(entry))
            continue;
        if (batch.count == BATCH_MAX || (batch.count && !is_of_same_store(&batch, entry)))
            ask_all(&batch, scratch);
        batch.entries[batch.count++] = entry;
    }
    ask_all(&batch, scratch);
    apr_pool_destroy(scratch);
}

/* ---------------------------------------------------------------- renewing */

static void renew(kc_session_monitor_entry_t *entry, apr_pool_t *pool)
{
    kc_session_t *session = &entry->session, stored;
    const kc_rp_t *rp = session->rp;
    kc_rc_t rc;

    if (entry->state != KC_SESSION_LIVE || !session->refresh_at || !rp->conf->refresh ||
        now(rp) < session->refresh_at)
        return;
    rc = kc_session_reload(session, pool, &stored, &entry->err);
    if (rc != KC_OK) {
        entry->state = rc == KC_MISS ? KC_SESSION_ENDED : KC_SESSION_UNKNOWN;
        return;
    }
    /* never as STALE, which would wait while another request renews the session */
    entry->state = kc_refresh_session(KC_SESSION_LIVE, &stored, pool, &entry->err);
    session->refresh_at = stored.refresh_at;
    session->token_expires = stored.token_expires;
}

/* In a pool of its own, so that each renewal has the whole time of a request (deadline.h). */
void kc_session_monitor_renew(kc_session_monitor_entry_t *entry, apr_pool_t *pool)
{
    apr_pool_t *scratch;

    if (apr_pool_create(&scratch, pool) != APR_SUCCESS)
        return;
    renew(entry, scratch);
    apr_pool_destroy(scratch);
}

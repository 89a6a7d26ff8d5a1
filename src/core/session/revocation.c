/* Revocation entries: added by a logout, read with a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/revocation.h"

#include <string.h>

#include "rp.h"

static const char *const purposes[KC_REVOCATION_KINDS] = {"mark of sub", "mark of user",
                                                          "mark of sid"};

static kc_rc_t name_by(const kc_rp_t *rp, const kc_crypto_key_t *key, kc_revocation_kind_t kind,
                       const char *text, unsigned char *out, kc_err_t *err)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE], context[KC_RP_ID_SIZE + sizeof(digest)];
    const kc_bytes_t bytes = {context, sizeof(context)};
    kc_rc_t rc = kc_crypto_sha256(kc_buf_text(text), digest, err);

    if (rc != KC_OK)
        return rc;
    memcpy(context, kind == KC_REVOCATION_USER ? rp->naming : rp->realm, KC_RP_ID_SIZE);
    memcpy(context + KC_RP_ID_SIZE, digest, sizeof(digest));
    return kc_crypto_derive(key, purposes[kind], bytes, out, err);
}

kc_rc_t kc_revocation_name(const kc_rp_t *rp, kc_revocation_kind_t kind, const char *text,
                           unsigned char *out, kc_err_t *err)
{
    return name_by(rp, rp->keys->key[0], kind, text, out, err);
}

/* The time in a revocation entry of sub or user. An unreadable entry gets a time that no readable
 * one has. */
static int64_t moment_of(kc_bytes_t entry)
{
    kc_reader_t reader;
    int64_t moment;

    kc_buf_reader_init(&reader, entry);
    moment = (int64_t)kc_buf_read_u64(&reader);
    return reader.is_short || moment <= 0 ? INT64_MAX : moment;
}

/* An entry further in the future than clocks may differ was written before a clock was set back. It
 * must not keep its user out until that time. */
static int is_later(const kc_rp_t *rp, int64_t moment, int64_t begun_ms)
{
    int64_t now = rp->env->now_ms(rp->env->context);

    return moment >= begun_ms && moment <= now + rp->conf->clock_skew * 1000;
}

kc_rc_t kc_revocation_adopt(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool,
                            kc_err_t *err)
{
    unsigned char *name = apr_palloc(pool, KC_SESSION_NAME_SIZE);

    session->user_key = name;
    session->user_seen = 0;
    return kc_revocation_name(rp, KC_REVOCATION_USER, session->user, name, err);
}

kc_rc_t kc_revocation_prepare(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool,
                              kc_err_t *err)
{
    unsigned char *sub = apr_pcalloc(pool, KC_SESSION_NAME_SIZE);
    unsigned char *sid = apr_pcalloc(pool, KC_SESSION_NAME_SIZE);
    kc_rc_t rc = kc_revocation_name(rp, KC_REVOCATION_SUB, session->sub, sub, err);

    if (rc == KC_OK && *session->sid)
        rc = kc_revocation_name(rp, KC_REVOCATION_SID, session->sid, sid, err);
    if (rc == KC_OK)
        rc = kc_revocation_adopt(rp, session, pool, err);
    session->sub_key = sub;
    session->sid_key = sid;
    session->sub_seen = 0;
    return rc;
}

static kc_rc_t ask(const kc_rp_t *rp, const kc_session_t *session,
                   kc_revocation_keys_t *revocations, kc_store_item_t *items, apr_pool_t *pool,
                   kc_err_t *err)
{
    const char *keys[KC_REVOCATION_KINDS];
    size_t i;

    kc_revocation_keys(session, revocations);
    for (i = 0; i < revocations->count; i++)
        keys[i] = revocations->text[i];
    return kc_store_get(rp->env->sessions, keys, revocations->count, items, pool, err);
}

kc_rc_t kc_revocation_begin(const kc_rp_t *rp, kc_session_t *session, int64_t begun_ms,
                            apr_pool_t *pool, kc_err_t *err)
{
    kc_store_item_t items[KC_REVOCATION_KINDS] = {{{NULL, 0}, 0, 0}};
    const kc_store_item_t *sub = &items[KC_REVOCATION_SUB], *user = &items[KC_REVOCATION_USER];
    kc_revocation_keys_t revocations;
    kc_rc_t rc = kc_revocation_prepare(rp, session, pool, err);

    if (rc == KC_OK)
        rc = ask(rp, session, &revocations, items, pool, err);
    if (rc != KC_OK)
        return rc;
    if (sub->value.data)
        session->sub_seen = moment_of(sub->value);
    if (user->value.data)
        session->user_seen = moment_of(user->value);
    if (items[KC_REVOCATION_SID].value.data || is_later(rp, session->sub_seen, begun_ms) ||
        is_later(rp, session->user_seen, begun_ms))
        return KC_FAIL(err, KC_MISS, KC_ERR_SIGNED_OUT_NOW, "signed out while signing in");
    return KC_OK;
}

kc_rc_t kc_revocation_check(const kc_rp_t *rp, const kc_session_t *session, apr_pool_t *pool,
                            kc_err_t *err)
{
    kc_store_item_t items[KC_REVOCATION_KINDS];
    kc_revocation_keys_t revocations;
    kc_rc_t rc = ask(rp, session, &revocations, items, pool, err);

    if (rc == KC_OK && kc_revocation_is_revoked(session, &revocations, items))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SIGNED_OUT, "the session was signed out");
    return rc;
}

static kc_rc_t keep_user_key(const kc_session_t *stored, kc_session_t *fresh, apr_pool_t *pool,
                             kc_err_t *err)
{
    kc_rc_t rc;

    if (strcmp(stored->user, fresh->user) == 0) {
        fresh->user_key = stored->user_key;
        fresh->user_seen = stored->user_seen;
        return KC_OK;
    }
    /* the entry of the old name will not be read any more */
    rc = kc_revocation_check(stored->rp, stored, pool, err);
    if (rc != KC_OK)
        return rc == KC_REFUSED ? KC_MISS : rc;
    return kc_revocation_adopt(stored->rp, fresh, pool, err);
}

/* A provider may send the sid only later. */
kc_rc_t kc_revocation_keep(const kc_session_t *stored, kc_session_t *fresh, apr_pool_t *pool,
                           kc_err_t *err)
{
    unsigned char *name;
    kc_rc_t rc = keep_user_key(stored, fresh, pool, err);

    fresh->sub_key = stored->sub_key;
    fresh->sid_key = stored->sid_key;
    fresh->sub_seen = stored->sub_seen;
    if (rc != KC_OK || *stored->sid || !*fresh->sid)
        return rc;
    name = apr_palloc(pool, KC_SESSION_NAME_SIZE);
    fresh->sid_key = name;
    return kc_revocation_name(stored->rp, KC_REVOCATION_SID, fresh->sid, name, err);
}

/* KC_STORE_CRITICAL: no other value may push it out while it is needed. */
static kc_rc_t put_entry(const kc_rp_t *rp, const char *key, kc_bytes_t value, int64_t end,
                         kc_err_t *err)
{
    const kc_store_write_t write = {key, value, end, KC_STORE_CRITICAL, 0};

    return kc_store_write(rp->env->sessions, &write, err);
}

/* The longest lifetime of a session that this host may have to refuse. */
static int64_t longest(const kc_rp_t *rp)
{
    return rp->longest > rp->conf->session_max ? rp->longest : rp->conf->session_max;
}

kc_rc_t kc_revocation_add(const kc_rp_t *rp, kc_revocation_kind_t kind, const char *text,
                          kc_err_t *err)
{
    int64_t now = rp->env->now_ms(rp->env->context);
    unsigned char name[KC_SESSION_NAME_SIZE], moment[KC_BUF_U64_SIZE];
    const kc_bytes_t value = {moment, sizeof(moment)};
    char key[KC_STORE_KEY_LEN + 1];
    kc_rc_t rc = KC_OK;
    size_t i;

    kc_buf_write_u64((uint64_t)now, moment);
    for (i = 0; rc == KC_OK && i < rp->keys->count; i++) {
        rc = name_by(rp, rp->keys->key[i], kind, text, name, err);
        kc_buf_hex_to(name, sizeof(name), key);
        if (rc == KC_OK)
            rc = put_entry(rp, key, value, now / 1000 + longest(rp), err);
    }
    return rc;
}

/* Reversing saves each request a key derivation. It hides nothing: a client that can write to the
 * store sees which entry is whose, but it could delete all entries anyway. */
void kc_revocation_own_key(const char *key, char *entry)
{
    size_t i;

    for (i = 0; i < KC_STORE_KEY_LEN; i++)
        entry[i] = key[KC_STORE_KEY_LEN - 1 - i];
    entry[i] = '\0';
}

static kc_rc_t end_by_key(const kc_rp_t *rp, const char *key, size_t size, int64_t expires,
                          kc_err_t *err)
{
    static const unsigned char sign[KC_REVOCATION_UNSEEN_SIZE] = "1";
    const kc_bytes_t value = {sign, size};
    int64_t end = expires > 0 ? expires : rp->env->now(rp->env->context) + longest(rp);
    char entry[KC_STORE_KEY_LEN + 1];
    kc_rc_t rc, dropped;

    kc_revocation_own_key(key, entry);
    /* the entry first: from then on an old copy is refused, whatever happens next */
    rc = put_entry(rp, entry, value, end, err);
    dropped = kc_store_drop(rp->env->sessions, key, rc == KC_OK ? err : NULL);
    return rc != KC_OK ? rc : dropped;
}

kc_rc_t kc_revocation_end_session(const kc_rp_t *rp, const char *key, int64_t expires,
                                  kc_err_t *err)
{
    return end_by_key(rp, key, 1, expires, err);
}

kc_rc_t kc_revocation_end_unseen(const kc_rp_t *rp, const char *key, kc_err_t *err)
{
    return end_by_key(rp, key, KC_REVOCATION_UNSEEN_SIZE, 0, err);
}

void kc_revocation_keys(const kc_session_t *session, kc_revocation_keys_t *keys)
{
    kc_buf_hex_to(session->sub_key, KC_SESSION_NAME_SIZE, keys->text[KC_REVOCATION_SUB]);
    kc_buf_hex_to(session->user_key, KC_SESSION_NAME_SIZE, keys->text[KC_REVOCATION_USER]);
    keys->count = KC_REVOCATION_SID;
    if (!*session->sid)
        return;
    kc_buf_hex_to(session->sid_key, KC_SESSION_NAME_SIZE, keys->text[KC_REVOCATION_SID]);
    keys->count = KC_REVOCATION_KINDS;
}

static int is_other(kc_bytes_t entry, int64_t seen)
{
    return entry.data && moment_of(entry) != seen;
}

int kc_revocation_is_revoked(const kc_session_t *session, const kc_revocation_keys_t *keys,
                             const kc_store_item_t *items)
{
    if (keys->count > KC_REVOCATION_SID && items[KC_REVOCATION_SID].value.data)
        return 1;
    return is_other(items[KC_REVOCATION_SUB].value, session->sub_seen) ||
           is_other(items[KC_REVOCATION_USER].value, session->user_seen);
}

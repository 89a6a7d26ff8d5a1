/* The session index: a user's slots in the store.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_index.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "rp.h"
#include "session/revocation.h"

enum { FORM_VERSION = 2, FORM_VERSION_BEFORE = 1, FORM_MAX = 2048 /* bytes */ };

static const char purpose[] = "roster";

/* An entry with the data that tells whether its session is live. */
typedef struct record_t {
    kc_session_index_entry_t entry;
    kc_session_t session; /* its key, created, sid and revocation keys */
} record_t;

/* ---------------------------------------------------------------- slots */

static kc_rc_t name_slot(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *user,
                         unsigned int slot, char *out)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE + 1];
    const kc_bytes_t name = {digest, sizeof(digest)};
    kc_rc_t rc = kc_crypto_sha256(kc_buf_text(user), digest, NULL);

    digest[KC_CRYPTO_SHA256_SIZE] = (unsigned char)slot;
    return rc == KC_OK ? kc_rp_store_key(rp, key, purpose, name, out, NULL) : rc;
}

static kc_seal_use_t seal_use(const kc_rp_t *rp, const char *user)
{
    kc_seal_use_t use = {purpose, kc_buf_text(user), {rp->id, KC_RP_ID_SIZE}};

    return use;
}

/* Reads all slots by one seal key in one round trip. items has room for KC_SESSION_INDEX_SLOTS,
 * slot 1 first. */
static kc_rc_t ask_slots(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *user,
                         apr_pool_t *pool, kc_store_item_t *items, kc_err_t *err)
{
    char names[KC_SESSION_INDEX_SLOTS][KC_STORE_KEY_LEN + 1];
    const char *keys[KC_SESSION_INDEX_SLOTS];
    unsigned int i;

    for (i = 0; i < KC_SESSION_INDEX_SLOTS; i++) {
        if (name_slot(rp, key, user, i + 1, names[i]) != KC_OK)
            return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no name for a slot");
        keys[i] = names[i];
    }
    return kc_store_get(rp->env->sessions, keys, KC_SESSION_INDEX_SLOTS, items, pool, err);
}

/* ---------------------------------------------------------------- encoding */

static void put_text(kc_buf_t *buf, const char *text)
{
    kc_bytes_t block = kc_buf_text(text);

    if (block.len > KC_SESSION_INDEX_TEXT_MAX)
        block.len = KC_SESSION_INDEX_TEXT_MAX;
    kc_buf_put_block(buf, block);
}

/* Big endian: version (1), whether there is a sid (1), created, used, sub_seen (8 each), the
 * session's key as text, sub_key, sid_key, user_seen (8; not in version 1). Then the blocks sub,
 * address, agent. */
static kc_rc_t write_entry(const record_t *record, apr_pool_t *pool, kc_bytes_t *out)
{
    const kc_session_index_entry_t *entry = &record->entry;
    kc_buf_t buf;

    kc_buf_init(&buf, FORM_MAX, pool);
    kc_buf_put_u8(&buf, FORM_VERSION);
    kc_buf_put_u8(&buf, *record->session.sid != '\0');
    kc_buf_put_u64(&buf, (uint64_t)entry->created);
    kc_buf_put_u64(&buf, (uint64_t)entry->used);
    kc_buf_put_u64(&buf, (uint64_t)record->session.sub_seen);
    kc_buf_put(&buf, entry->key, KC_STORE_KEY_LEN);
    kc_buf_put(&buf, record->session.sub_key, KC_SESSION_NAME_SIZE);
    kc_buf_put(&buf, record->session.sid_key, KC_SESSION_NAME_SIZE);
    kc_buf_put_u64(&buf, (uint64_t)record->session.user_seen);
    kc_buf_put_block(&buf, kc_buf_text(entry->sub));
    put_text(&buf, entry->address);
    put_text(&buf, entry->agent);
    return kc_buf_bytes(&buf, out);
}

static const char *read_text(kc_reader_t *reader, apr_pool_t *pool)
{
    const char *text = kc_buf_dup_text(kc_buf_read_block(reader), pool);

    return text ? text : "";
}

static kc_rc_t read_entry(kc_bytes_t bytes, apr_pool_t *pool, record_t *out)
{
    kc_session_index_entry_t *entry = &out->entry;
    kc_reader_t reader;
    kc_bytes_t key;
    int version, has_sid;

    kc_buf_reader_init(&reader, bytes);
    memset(out, 0, sizeof(*out));
    version = kc_buf_read_u8(&reader);
    if (version != FORM_VERSION && version != FORM_VERSION_BEFORE)
        return KC_REFUSED;
    has_sid = kc_buf_read_u8(&reader);
    entry->created = (int64_t)kc_buf_read_u64(&reader);
    entry->used = (int64_t)kc_buf_read_u64(&reader);
    out->session.sub_seen = (int64_t)kc_buf_read_u64(&reader);
    key = kc_buf_read(&reader, KC_STORE_KEY_LEN);
    out->session.sub_key = kc_buf_read(&reader, KC_SESSION_NAME_SIZE).data;
    out->session.sid_key = kc_buf_read(&reader, KC_SESSION_NAME_SIZE).data;
    if (version == FORM_VERSION)
        out->session.user_seen = (int64_t)kc_buf_read_u64(&reader);
    entry->sub = read_text(&reader, pool);
    entry->address = read_text(&reader, pool);
    entry->agent = read_text(&reader, pool);
    if (reader.is_short)
        return KC_REFUSED;
    memcpy(entry->key, key.data, KC_STORE_KEY_LEN);
    out->session.created = entry->created;
    out->session.sid = has_sid ? "there" : "";
    return KC_OK;
}

static kc_rc_t open_entry(const kc_rp_t *rp, const char *user, kc_bytes_t sealed, apr_pool_t *pool,
                          record_t *out)
{
    kc_seal_use_t use = seal_use(rp, user);
    kc_bytes_t plain;

    if (kc_seal_open(rp->keys, &use, rp->env->now(rp->env->context), sealed, pool, &plain, NULL,
                     NULL) != KC_OK)
        return KC_MISS;
    return read_entry(plain, pool, out);
}

/* Writes the entry into the session's slot. */
static kc_rc_t put_entry(const kc_rp_t *rp, const kc_session_t *session, const record_t *record,
                         int64_t end, apr_pool_t *pool)
{
    kc_seal_use_t use = seal_use(rp, session->user);
    unsigned char iv[KC_CRYPTO_IV_SIZE];
    char name[KC_STORE_KEY_LEN + 1];
    kc_bytes_t plain, sealed;

    if (write_entry(record, pool, &plain) != KC_OK ||
        rp->env->random(rp->env->context, iv, sizeof(iv)) != KC_OK ||
        kc_seal_close(rp->keys, &use, end, iv, plain, pool, &sealed, NULL) != KC_OK ||
        name_slot(rp, rp->keys->key[0], session->user, session->slot, name) != KC_OK)
        return KC_FAULT;
    return kc_store_put(rp->env->sessions, name, sealed, end, NULL);
}

/* ---------------------------------------------------------------- one session's entry */

unsigned int kc_session_index_choose_slot(const kc_rp_t *rp, const char *user, apr_pool_t *pool)
{
    kc_store_item_t items[KC_SESSION_INDEX_SLOTS];
    unsigned int i, best = KC_SESSION_NO_SLOT;
    int64_t oldest = INT64_MAX;
    record_t record;

    if (ask_slots(rp, rp->keys->key[0], user, pool, items, NULL) != KC_OK)
        return KC_SESSION_NO_SLOT;
    for (i = 0; i < KC_SESSION_INDEX_SLOTS; i++) {
        if (!items[i].value.data || open_entry(rp, user, items[i].value, pool, &record) != KC_OK)
            return i + 1;
        if (record.entry.used < oldest) {
            oldest = record.entry.used;
            best = i + 1;
        }
    }
    return best;
}

static void describe(const kc_session_t *session, record_t *out)
{
    out->session = *session;
    memcpy(out->entry.key, session->key, sizeof(out->entry.key));
    out->entry.created = session->created;
    out->entry.sub = session->sub;
    out->entry.address = "";
    out->entry.agent = "";
}

void kc_session_index_add(const kc_rp_t *rp, const kc_session_t *session, const char *address,
                          const char *agent, apr_pool_t *pool)
{
    int64_t now = rp->env->now(rp->env->context);
    int64_t end = now + rp->conf->session_idle;
    record_t record;

    if (session->slot == KC_SESSION_NO_SLOT)
        return;
    describe(session, &record);
    record.entry.used = now;
    record.entry.address = address ? address : "";
    record.entry.agent = agent ? agent : "";
    (void)put_entry(rp, session, &record, end < session->expires ? end : session->expires, pool);
}

/* The session's own entry. KC_MISS when there is none; KC_EXISTS when another session has taken the
 * slot. name has room for KC_STORE_KEY_LEN + 1 bytes. */
static kc_rc_t find_own(const kc_session_t *session, apr_pool_t *pool, char *name, record_t *out)
{
    const kc_rp_t *rp = session->rp;
    const char *key = name;
    kc_store_item_t item;
    kc_rc_t rc;

    if (session->slot == KC_SESSION_NO_SLOT)
        return KC_REFUSED;
    rc = name_slot(rp, rp->keys->key[0], session->user, session->slot, name);
    if (rc == KC_OK)
        rc = kc_store_get(rp->env->sessions, &key, 1, &item, pool, NULL);
    if (rc != KC_OK)
        return rc;
    if (!item.value.data || open_entry(rp, session->user, item.value, pool, out) != KC_OK)
        return KC_MISS;
    return strcmp(out->entry.key, session->key) == 0 ? KC_OK : KC_EXISTS;
}

void kc_session_index_touch(const kc_session_t *session, int64_t now, int64_t end, apr_pool_t *pool)
{
    char name[KC_STORE_KEY_LEN + 1];
    record_t record;
    kc_rc_t rc = find_own(session, pool, name, &record);

    if (rc == KC_MISS)
        describe(session, &record);
    else if (rc != KC_OK)
        return;
    record.entry.used = now;
    (void)put_entry(session->rp, session, &record, end, pool);
}

int64_t kc_session_index_touched(const kc_session_t *session, apr_pool_t *pool)
{
    char name[KC_STORE_KEY_LEN + 1];
    record_t record;

    return find_own(session, pool, name, &record) == KC_OK ? record.entry.used : 0;
}

void kc_session_index_remove(const kc_session_t *session, apr_pool_t *pool)
{
    char name[KC_STORE_KEY_LEN + 1];
    record_t record;

    if (find_own(session, pool, name, &record) == KC_OK)
        (void)kc_store_drop(session->rp->env->sessions, name, NULL);
}

/* ---------------------------------------------------------------- all sessions of a user */

/* *out is 1 when the session is there, or may be on a server that does not answer, and no entry of
 * its user or sid has revoked it. The session's own revocation entry is not read: that session is
 * deleted. */
static kc_rc_t is_live(const kc_rp_t *rp, const record_t *record, apr_pool_t *pool, int *out,
                       kc_err_t *err)
{
    kc_store_item_t items[1 + KC_REVOCATION_KINDS];
    const char *keys[1 + KC_REVOCATION_KINDS] = {record->entry.key};
    kc_revocation_keys_t revocations;
    kc_rc_t rc;
    size_t i;

    kc_revocation_keys(&record->session, &revocations);
    for (i = 0; i < revocations.count; i++)
        keys[1 + i] = revocations.text[i];
    rc = kc_store_get(rp->env->sessions, keys, 1 + revocations.count, items, pool, err);
    *out = rc == KC_OK && (items[0].value.data || items[0].is_partial) &&
           !kc_revocation_is_revoked(&record->session, &revocations, items + 1);
    return rc;
}

static int by_use(const void *a, const void *b)
{
    int64_t first = ((const kc_session_index_entry_t *)a)->used;
    int64_t second = ((const kc_session_index_entry_t *)b)->used;

    return (first < second) - (first > second);
}

/* A session may have been noted under an older seal key and under the newest; it is listed once. */
static int is_listed(const apr_array_header_t *list, const char *key)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(list, i, kc_session_index_entry_t).key, key) == 0)
            return 1;
    }
    return 0;
}

/* *is_partial is set when servers that do not answer may have more entries. */
static kc_rc_t list_by(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *user,
                       apr_pool_t *pool, apr_array_header_t *list, int *is_partial, kc_err_t *err)
{
    kc_store_item_t items[KC_SESSION_INDEX_SLOTS];
    unsigned char user_key[KC_SESSION_NAME_SIZE];
    kc_rc_t rc = ask_slots(rp, key, user, pool, items, err);
    record_t record;
    unsigned int i;
    int is_there;

    if (rc == KC_OK)
        rc = kc_revocation_name(rp, KC_REVOCATION_USER, user, user_key, err);
    for (i = 0; rc == KC_OK && i < KC_SESSION_INDEX_SLOTS; i++) {
        *is_partial |= items[i].is_partial;
        if (!items[i].value.data || open_entry(rp, user, items[i].value, pool, &record) != KC_OK ||
            is_listed(list, record.entry.key))
            continue;
        record.session.user_key = user_key;
        rc = is_live(rp, &record, pool, &is_there, err);
        if (rc == KC_OK && is_there)
            APR_ARRAY_PUSH(list, kc_session_index_entry_t) = record.entry;
    }
    return rc;
}

kc_rc_t kc_session_index_list(const kc_rp_t *rp, const char *user, apr_pool_t *pool,
                              const apr_array_header_t **entries, int *is_partial, kc_err_t *err)
{
    apr_array_header_t *list =
        apr_array_make(pool, KC_SESSION_INDEX_SLOTS, sizeof(kc_session_index_entry_t));
    int is_doubtful = 0;
    kc_rc_t rc = KC_OK;
    size_t i;

    for (i = 0; rc == KC_OK && i < rp->keys->count; i++)
        rc = list_by(rp, rp->keys->key[i], user, pool, list, &is_doubtful, err);
    if (rc == KC_OK && !list->nelts && is_doubtful)
        rc = KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN,
                     "no session is known to the servers that answer, but not all do");
    qsort(list->elts, (size_t)list->nelts, sizeof(kc_session_index_entry_t), by_use);
    *entries = list;
    if (is_partial)
        *is_partial = is_doubtful;
    return rc;
}

/* Sessions: the compact form, and their life in the store.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <apr_strings.h>
#include <string.h>

#include "cookie.h"

/* Compact form, big endian: format (1), created, expires, token_expires, auth_time (8 each), the
 * texts sub, sid, user, email, groups (u32 length that counts a closing NUL, bytes, NUL), the lists
 * headers, group_list, realm_roles, client_roles (u32 length, texts each with its NUL),
 * the blocks id_token header, payload, signature and claims (u32 length, bytes). The NULs let a
 * request use the texts where they lie. */

static const char key_purpose[] = "sid"; /* short: the derivation takes one block of SHA-256 */
static const char seal_purpose[] = "session";

static void put_block(kc_buf_t *buf, kc_bytes_t bytes)
{
    kc_buf_put_u32(buf, (uint32_t)bytes.len);
    kc_buf_put(buf, bytes.data, bytes.len);
}

static void put_text(kc_buf_t *buf, const char *text)
{
    kc_bytes_t bytes = {(const unsigned char *)text, strlen(text) + 1};

    put_block(buf, bytes);
}

static void put_list(kc_buf_t *buf, const kc_session_list_t *list)
{
    kc_bytes_t bytes = {(const unsigned char *)list->text, list->size};

    put_block(buf, bytes);
}

kc_rc_t kc_session_encode(const kc_session_t *session, apr_pool_t *pool, kc_bytes_t *out,
                          kc_err_t *err)
{
    kc_buf_t buf;
    int i;

    kc_buf_init(&buf, KC_SEAL_MAX - KC_SEAL_OVERHEAD, pool);
    kc_buf_put_u8(&buf, KC_SESSION_FORMAT);
    kc_buf_put_u64(&buf, (uint64_t)session->created);
    kc_buf_put_u64(&buf, (uint64_t)session->expires);
    kc_buf_put_u64(&buf, (uint64_t)session->token_expires);
    kc_buf_put_u64(&buf, (uint64_t)session->auth_time);
    put_text(&buf, session->sub);
    put_text(&buf, session->sid);
    put_text(&buf, session->user);
    put_text(&buf, session->email);
    put_text(&buf, session->groups);
    put_list(&buf, &session->headers);
    put_list(&buf, &session->group_list);
    put_list(&buf, &session->realm_roles);
    put_list(&buf, &session->client_roles);
    for (i = 0; i < 3; i++)
        put_block(&buf, session->id_token[i]);
    put_block(&buf, session->claims);
    if (kc_buf_bytes(&buf, out) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_STORE_VALUE, "the session is over %d bytes",
                       KC_SEAL_MAX - KC_SEAL_OVERHEAD);
    return KC_OK;
}

static kc_bytes_t read_block(kc_reader_t *reader)
{
    return kc_buf_read(reader, kc_buf_read_u32(reader));
}

/* A text must close with its only NUL; anything else makes the reader short. */
static const char *read_text(kc_reader_t *reader)
{
    kc_bytes_t bytes = read_block(reader);

    if (bytes.len == 0 || memchr(bytes.data, 0, bytes.len) != bytes.data + bytes.len - 1) {
        reader->is_short = 1;
        return "";
    }
    return (const char *)bytes.data;
}

/* A list must close with a NUL, so that walking it never leaves it. */
static kc_session_list_t read_list(kc_reader_t *reader)
{
    kc_bytes_t bytes = read_block(reader);
    kc_session_list_t list = {(const char *)bytes.data, bytes.len};

    if (bytes.len && bytes.data[bytes.len - 1]) {
        reader->is_short = 1;
        list.size = 0;
    }
    return list;
}

kc_rc_t kc_session_decode(kc_bytes_t compact, kc_session_t *out, kc_err_t *err)
{
    kc_reader_t reader;
    uint8_t format;
    int i;

    kc_buf_reader_init(&reader, compact);
    format = kc_buf_read_u8(&reader);
    if (format != KC_SESSION_FORMAT)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SESSION_FORMAT, "session of format %d", format);
    out->created = (int64_t)kc_buf_read_u64(&reader);
    out->expires = (int64_t)kc_buf_read_u64(&reader);
    out->token_expires = (int64_t)kc_buf_read_u64(&reader);
    out->auth_time = (int64_t)kc_buf_read_u64(&reader);
    out->sub = read_text(&reader);
    out->sid = read_text(&reader);
    out->user = read_text(&reader);
    out->email = read_text(&reader);
    out->groups = read_text(&reader);
    out->headers = read_list(&reader);
    out->group_list = read_list(&reader);
    out->realm_roles = read_list(&reader);
    out->client_roles = read_list(&reader);
    for (i = 0; i < 3; i++)
        out->id_token[i] = read_block(&reader);
    out->claims = read_block(&reader);
    if (reader.is_short || reader.rest.len)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SESSION_FORMAT, "session of a wrong length");
    return KC_OK;
}

const char *kc_session_list_next(const kc_session_list_t *list, const char *at)
{
    const char *next = at ? at + strlen(at) + 1 : list->text;

    return list->size && next < list->text + list->size ? next : NULL;
}

kc_session_list_t kc_session_list_make(const apr_array_header_t *texts, apr_pool_t *pool)
{
    kc_session_list_t list = {"", 0};
    char *text;
    int i;

    for (i = 0; texts && i < texts->nelts; i++)
        list.size += strlen(APR_ARRAY_IDX(texts, i, const char *)) + 1;
    if (!list.size)
        return list;
    list.text = text = apr_palloc(pool, list.size);
    for (i = 0; i < texts->nelts; i++) {
        size_t len = strlen(APR_ARRAY_IDX(texts, i, const char *)) + 1;

        memcpy(text, APR_ARRAY_IDX(texts, i, const char *), len);
        text += len;
    }
    return list;
}

const char *kc_session_id_token(const kc_session_t *session, apr_pool_t *pool)
{
    return apr_pstrcat(pool, kc_buf_base64url(session->id_token[0], pool), ".",
                       kc_buf_base64url(session->id_token[1], pool), ".",
                       kc_buf_base64url(session->id_token[2], pool), NULL);
}

const kc_json_t *kc_session_claims(const kc_session_t *session, apr_pool_t *pool)
{
    kc_bytes_t text = session->claims.len ? session->claims : session->id_token[1];
    const kc_json_t *claims;

    if (kc_json_parse((const char *)text.data, text.len, pool, &claims, NULL) != KC_OK)
        return NULL;
    return claims;
}

kc_bytes_t kc_session_cookie(const kc_rp_t *rp, int is_https, const char *header)
{
    const kc_rp_names_t *names = &rp->names[is_https];
    kc_bytes_t value = {NULL, 0};

    if (kc_cookie_find(header, names->session, names->session_len, &value) != KC_OK)
        value.data = NULL;
    return value;
}

/* A session's id, which both names and opens it. */
typedef struct session_id_t {
    kc_bytes_t bytes;
    char key[KC_STORE_KEY_LEN + 1];
    char mark[KC_STORE_KEY_LEN + 1];
} session_id_t;

/* A mark's name is its session's read backwards. That spares each request a derivation; and whoever
 * can write to the store, and so sees which mark is whose, could as well delete all marks. */
static kc_rc_t name_in_store(const kc_rp_t *rp, const kc_crypto_key_t *key, session_id_t *id,
                             kc_err_t *err)
{
    kc_rc_t rc = kc_rp_store_key(rp, key, key_purpose, id->bytes, id->key, err);
    size_t i;

    for (i = 0; i < KC_STORE_KEY_LEN; i++)
        id->mark[i] = id->key[KC_STORE_KEY_LEN - 1 - i];
    id->mark[i] = '\0';
    return rc;
}

static kc_seal_use_t seal_use(const kc_rp_t *rp, kc_bytes_t id)
{
    kc_seal_use_t use = {seal_purpose, id, {rp->id, KC_RP_ID_SIZE}};

    return use;
}

static int64_t min_time(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

kc_rc_t kc_session_create(const kc_rp_t *rp, const kc_session_t *session, apr_pool_t *pool,
                          char *id_text, kc_err_t *err)
{
    unsigned char raw[KC_SESSION_ID_SIZE], iv[KC_CRYPTO_IV_SIZE];
    const kc_env_t *env = rp->env;
    session_id_t id = {{raw, sizeof(raw)}, "", ""};
    kc_seal_use_t use = seal_use(rp, id.bytes);
    kc_bytes_t compact, sealed;
    kc_rc_t rc;

    if (env->random(env->context, raw, sizeof(raw)) != KC_OK ||
        env->random(env->context, iv, sizeof(iv)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a session");
    rc = kc_session_encode(session, pool, &compact, err);
    if (rc == KC_OK)
        rc = name_in_store(rp, rp->keys->key[0], &id, err);
    if (rc == KC_OK)
        rc = kc_seal_close(rp->keys, &use, session->expires, iv, compact, pool, &sealed, err);
    if (rc == KC_OK) {
        int64_t idle_end = env->now(env->context) + rp->conf->session_idle;

        rc = kc_store_put(env->sessions, id.key, sealed, min_time(idle_end, session->expires), err);
    }
    if (rc == KC_OK)
        kc_buf_base64url_to(raw, sizeof(raw), id_text);
    kc_crypto_cleanse(raw, sizeof(raw));
    return rc;
}

/* Looks a cookie's session up under each key in turn, newest first, with its mark. KC_MISS: there
 * is none, or the cookie is malformed; KC_REFUSED: ended by a mark. */
static kc_rc_t look_up(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool, session_id_t *id,
                       kc_store_item_t *found, kc_err_t *err)
{
    const char *keys[2] = {id->key, id->mark};
    kc_store_item_t items[2];
    size_t i;

    if (cookie.len != KC_SESSION_ID_TEXT ||
        kc_buf_unbase64url((const char *)cookie.data, cookie.len, pool, &id->bytes) != KC_OK)
        return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_INVALID, "the session cookie is malformed");
    for (i = 0; i < rp->keys->count; i++) {
        kc_rc_t rc = name_in_store(rp, rp->keys->key[i], id, err);

        if (rc == KC_OK)
            rc = kc_store_get(rp->env->sessions, keys, 2, items, pool, err);
        if (rc != KC_OK)
            return rc;
        if (items[1].value.data)
            return KC_FAIL(err, KC_REFUSED, KC_ERR_SESSION_ENDED, "the session was signed out");
        if (items[0].value.data) {
            *found = items[0];
            return KC_OK;
        }
    }
    return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_ENDED, "no session of that id is stored");
}

/* Moves the idle end, at most each tenth of the window. A store that cannot tell an item's expiry
 * (memcached) is helped by a marker in this host's shared memory. Failing costs a session nothing
 * now, so it is not an error. */
static void touch(const kc_rp_t *rp, const session_id_t *id, int64_t known_end, int64_t expires,
                  int64_t now)
{
    static const kc_bytes_t mark = {(const unsigned char *)"1", 1};
    int64_t tenth = rp->conf->session_idle / 10;
    int64_t end = min_time(now + rp->conf->session_idle, expires);

    if (known_end) {
        if (end - known_end < tenth || end <= known_end)
            return;
    } else if (kc_store_add(rp->env->host, id->key, mark, now + (tenth > 0 ? tenth : 1), NULL) !=
               KC_OK) {
        return;
    }
    (void)kc_store_touch(rp->env->sessions, id->key, end, NULL);
}

static kc_session_state_t open_session(const kc_rp_t *rp, const session_id_t *id,
                                       const kc_store_item_t *item, apr_pool_t *pool,
                                       kc_session_t *session, kc_err_t *err)
{
    int64_t now = rp->env->now(rp->env->context);
    kc_seal_use_t use = seal_use(rp, id->bytes);
    kc_bytes_t compact;
    kc_rc_t rc = kc_seal_open(rp->keys, &use, now, item->value, pool, &compact, NULL, err);

    if (rc == KC_OK)
        rc = kc_session_decode(compact, session, err);
    if (rc == KC_REFUSED)
        return KC_SESSION_NONE;
    if (rc == KC_FAULT)
        return KC_SESSION_UNKNOWN;
    if (rc != KC_OK || now >= session->expires) {
        (void)KC_FAIL(err, rc, KC_ERR_SESSION_ENDED, "the session is past its end");
        return KC_SESSION_ENDED;
    }
    touch(rp, id, item->expires_at, session->expires, now);
    if (now >= session->token_expires + rp->conf->clock_skew) {
        (void)KC_FAIL(err, KC_OK, KC_ERR_SESSION_ENDED, "the ID token's time is over");
        return KC_SESSION_STALE;
    }
    return KC_SESSION_LIVE;
}

kc_session_state_t kc_session_find(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err)
{
    kc_store_item_t item;
    session_id_t id;

    if (!cookie.data)
        return KC_SESSION_NONE;
    switch (look_up(rp, cookie, pool, &id, &item, err)) {
    case KC_OK:
        return open_session(rp, &id, &item, pool, session, err);
    case KC_MISS:
        return KC_SESSION_NONE;
    case KC_REFUSED:
        return KC_SESSION_ENDED;
    default:
        return KC_SESSION_UNKNOWN;
    }
}

kc_rc_t kc_session_end(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool, kc_err_t *err)
{
    static const kc_bytes_t mark = {(const unsigned char *)"1", 1};
    const kc_env_t *env = rp->env;
    kc_store_item_t item;
    session_id_t id;
    kc_rc_t rc, dropped;

    if (!cookie.data)
        return KC_OK;
    rc = look_up(rp, cookie, pool, &id, &item, err);
    if (rc == KC_MISS || rc == KC_REFUSED)
        return KC_OK;
    if (rc != KC_OK)
        return rc;
    /* the mark first: whatever happens next, an old copy is refused */
    rc = kc_store_put(env->sessions, id.mark, mark, env->now(env->context) + rp->conf->session_max,
                      err);
    dropped = kc_store_drop(env->sessions, id.key, rc == KC_OK ? err : NULL);
    return rc != KC_OK ? rc : dropped;
}

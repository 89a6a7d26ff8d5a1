/* Refresh tokens of pending logouts: their slots, and the thread that checks them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "logout/logout_pending.h"

#include <apr_strings.h>
#include <string.h>

#include "provider/metadata.h"
#include "provider/token_endpoint.h"
#include "rp.h"

static const char purpose[] = "logout pending";
static const kc_bytes_t sign = {(const unsigned char *)"1", 1};

enum {
    TAG_SIZE = 16, /* bytes of a state's digest, which identify the owner of a slot */
    SLOT_AT = 8,   /* position of a slot's number in its key */
    SLOT_DIGITS = 4,
    BATCHES = KC_LOGOUT_PENDING_SLOTS / KC_STORE_GET_MAX,
    FORM_MAX = 32 * 1024, /* bytes */
    CLAIM_SECONDS = 20,   /* no other node tries a token within this time */
    PAUSE_SECONDS = 15,   /* after the provider did not answer */
    TURN_SECONDS = 1,
    HINT_MORE = 5, /* seconds that a host continues to check after the last token was due */
    LOOK_MS = 2000 /* after this time the rest waits for the next check */
};

typedef struct {
    char text[KC_STORE_KEY_LEN + 1];
} name_t;

/* The content of a slot. */
typedef struct {
    int64_t due; /* seconds since 1970 */
    kc_bytes_t tag;
    const char *refresh_token;
} record_t;

static int64_t now(const kc_rp_t *rp)
{
    return rp->env->now(rp->env->context);
}

static int is_stopped(const uint32_t *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------------- keys */

static kc_rc_t name_of(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *what, name_t *out)
{
    return kc_rp_store_key(rp, key, purpose, kc_buf_text(what), out->text, NULL);
}

/* The keys of all slots have the same first and last digits, so that one server has them all and
 * reading them is one round trip. */
static void name_slots(const name_t *base, size_t batch, name_t *names, const char **keys)
{
    size_t i;

    for (i = 0; i < KC_STORE_GET_MAX; i++) {
        const size_t slot = batch * KC_STORE_GET_MAX + i;
        const unsigned char number[] = {(unsigned char)(slot >> 8), (unsigned char)slot};
        char digits[SLOT_DIGITS + 1];

        names[i] = *base;
        kc_buf_hex_to(number, sizeof(number), digits);
        memcpy(names[i].text + SLOT_AT, digits, SLOT_DIGITS);
        keys[i] = names[i].text;
    }
}

/* The key of the claim on a slot; the slot's key with its digits rotated. */
static name_t claim_of(const char *key)
{
    const size_t half = KC_STORE_KEY_LEN / 2;
    name_t out;

    memcpy(out.text, key + half, half);
    memcpy(out.text + half, key, half);
    out.text[KC_STORE_KEY_LEN] = '\0';
    return out;
}

/* ---------------------------------------------------------------- encoding */

static kc_seal_use_t seal_use(const kc_rp_t *rp)
{
    kc_seal_use_t use = {purpose, {NULL, 0}, {rp->id, KC_RP_ID_SIZE}};

    return use;
}

static kc_rc_t make_tag(kc_bytes_t state, unsigned char *out)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];
    kc_rc_t rc = kc_crypto_sha256(state, digest, NULL);

    memcpy(out, digest, TAG_SIZE);
    return rc;
}

/* Big endian: due (8), tag, and the refresh token as a block. */
static kc_rc_t write_record(const kc_rp_t *rp, const record_t *record, apr_pool_t *pool,
                            kc_bytes_t *out)
{
    unsigned char iv[KC_CRYPTO_IV_SIZE];
    kc_seal_use_t use = seal_use(rp);
    kc_bytes_t plain;
    kc_buf_t buf;
    kc_rc_t rc;

    kc_buf_init(&buf, FORM_MAX, pool);
    kc_buf_put_u64(&buf, (uint64_t)record->due);
    kc_buf_put(&buf, record->tag.data, record->tag.len);
    kc_buf_put_block(&buf, kc_buf_text(record->refresh_token));
    rc = kc_buf_bytes(&buf, &plain);
    if (rc == KC_OK && rp->env->random(rp->env->context, iv, sizeof(iv)) != KC_OK)
        rc = KC_FAULT;
    if (rc == KC_OK)
        rc = kc_seal_close(rp->keys, &use, record->due + KC_LOGOUT_PENDING_KEEP, iv, plain, pool,
                           out, NULL);
    kc_crypto_cleanse(buf.data, buf.len);
    return rc;
}

static kc_rc_t read_record(const kc_rp_t *rp, kc_bytes_t sealed, apr_pool_t *pool, record_t *out)
{
    kc_seal_use_t use = seal_use(rp);
    kc_reader_t reader;
    kc_bytes_t plain, token;
    kc_rc_t rc = kc_seal_open(rp->keys, &use, now(rp), sealed, pool, &plain, NULL, NULL);

    if (rc != KC_OK)
        return rc;
    kc_buf_reader_init(&reader, plain);
    out->due = (int64_t)kc_buf_read_u64(&reader);
    out->tag = kc_buf_read(&reader, TAG_SIZE);
    token = kc_buf_read_block(&reader);
    out->refresh_token = (const char *)token.data; /* the last part: a NUL follows */
    return reader.is_short || reader.rest.len || memchr(token.data, '\0', token.len) ? KC_REFUSED
                                                                                     : KC_OK;
}

/* ---------------------------------------------------------------- keeping and forgetting */

/* Puts the value into a free slot of a batch, searching from a random one on. KC_EXISTS when there
 * is none. */
static kc_rc_t put_into(const kc_rp_t *rp, const name_t *base, size_t batch, size_t first,
                        kc_bytes_t value, int64_t end, apr_pool_t *pool, char *key)
{
    kc_store_item_t items[KC_STORE_GET_MAX];
    const char *keys[KC_STORE_GET_MAX];
    name_t names[KC_STORE_GET_MAX];
    kc_rc_t rc;
    size_t i;

    name_slots(base, batch, names, keys);
    rc = kc_store_get(rp->env->sessions, keys, KC_STORE_GET_MAX, items, pool, NULL);
    if (rc != KC_OK)
        return rc;
    rc = KC_EXISTS;
    for (i = 0; rc == KC_EXISTS && i < KC_STORE_GET_MAX; i++) {
        const size_t slot = (first + i) % KC_STORE_GET_MAX;

        if (items[slot].value.data)
            continue;
        rc = kc_store_add(rp->env->sessions, keys[slot], value, end, NULL);
        if (rc == KC_OK)
            memcpy(key, keys[slot], KC_STORE_KEY_LEN + 1);
    }
    return rc;
}

/* Makes this host check the slots from the next second on. */
static void wake(const kc_rp_t *rp)
{
    name_t hint, turn;

    if (name_of(rp, rp->keys->key[0], "hint", &hint) != KC_OK ||
        name_of(rp, rp->keys->key[0], "turn", &turn) != KC_OK)
        return;
    (void)kc_store_put(rp->env->host, hint.text, sign,
                       now(rp) + KC_LOGOUT_PENDING_SECONDS + HINT_MORE, NULL);
    (void)kc_store_drop(rp->env->host, turn.text, NULL);
}

kc_rc_t kc_logout_pending_keep(const kc_rp_t *rp, const char *refresh_token, kc_bytes_t state,
                               apr_pool_t *pool, char *key)
{
    unsigned char tag[TAG_SIZE], random[2];
    const record_t record = {now(rp) + KC_LOGOUT_PENDING_SECONDS, {tag, TAG_SIZE}, refresh_token};
    size_t batch, tried;
    kc_bytes_t sealed;
    name_t base;
    kc_rc_t rc;

    if (!rp->is_attended || make_tag(state, tag) != KC_OK ||
        rp->env->random(rp->env->context, random, sizeof(random)) != KC_OK)
        return KC_REFUSED;
    rc = write_record(rp, &record, pool, &sealed);
    if (rc == KC_OK)
        rc = name_of(rp, rp->keys->key[0], "slot", &base);
    if (rc != KC_OK)
        return rc;
    batch = random[0] % BATCHES;
    rc = KC_EXISTS;
    for (tried = 0; rc == KC_EXISTS && tried < BATCHES; tried++)
        rc = put_into(rp, &base, (batch + tried) % BATCHES, random[1] % KC_STORE_GET_MAX, sealed,
                      record.due + KC_LOGOUT_PENDING_KEEP, pool, key);
    if (rc == KC_OK)
        wake(rp);
    return rc == KC_EXISTS ? KC_REFUSED : rc;
}

void kc_logout_pending_forget(const kc_rp_t *rp, const char *key, kc_bytes_t state,
                              apr_pool_t *pool)
{
    unsigned char tag[TAG_SIZE];
    kc_store_item_t item;
    record_t record;

    if (make_tag(state, tag) == KC_OK &&
        kc_store_get(rp->env->sessions, &key, 1, &item, pool, NULL) == KC_OK && item.value.data &&
        read_record(rp, item.value, pool, &record) == KC_OK &&
        memcmp(record.tag.data, tag, TAG_SIZE) == 0)
        (void)kc_store_drop(rp->env->sessions, key, NULL);
}

/* ---------------------------------------------------------------- checking */

/* What one check of the slots uses, and how long it may take. */
typedef struct {
    const kc_rp_t *rp;
    kc_env_t env; /* with the background thread's own http */
    const uint32_t *stop;
    int64_t began_ms;
    int is_provider_down; /* the provider does not answer */
} look_t;

static void log_failure(const kc_rp_t *rp, const kc_err_t *err)
{
    kc_env_log_at(rp->env, KC_LOG_WARNING, err->reason, "a refresh token could not be revoked: %s",
                  err->detail);
}

/* In a pool of its own, so that each request has the whole time (deadline.h). */
static kc_rc_t ask_provider(const look_t *look, const record_t *record, apr_pool_t *parent)
{
    const kc_rp_t *rp = look->rp;
    const kc_metadata_snapshot_t *snapshot;
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    apr_pool_t *pool;
    kc_rc_t rc;

    if (apr_pool_create(&pool, parent) != APR_SUCCESS)
        return KC_DOWN;
    rc = kc_metadata_get(rp->metadata, pool, &snapshot, &err);
    if (rc == KC_OK)
        rc = kc_token_endpoint_revoke(rp->conf, &look->env, snapshot->provider,
                                      record->refresh_token, pool, &err);
    if (rc != KC_OK)
        log_failure(rp, &err);
    apr_pool_destroy(pool);
    return rc;
}

static void settle(look_t *look, const char *key, const record_t *record, apr_pool_t *pool)
{
    const kc_rp_t *rp = look->rp;
    const name_t claim = claim_of(key);
    kc_rc_t rc;

    if (kc_store_add(rp->env->sessions, claim.text, sign, now(rp) + CLAIM_SECONDS, NULL) != KC_OK)
        return; /* another node is trying, or has just failed */
    rc = ask_provider(look, record, pool);
    look->is_provider_down |= rc == KC_DOWN;
    if (rc == KC_DOWN)
        return;
    /* what the provider refuses now it will refuse again */
    (void)kc_store_drop(rp->env->sessions, key, NULL);
    (void)kc_store_drop(rp->env->sessions, claim.text, NULL);
}

static int is_over(const look_t *look)
{
    const kc_env_t *env = look->rp->env;

    return look->is_provider_down || is_stopped(look->stop) ||
           env->elapsed_ms(env->context) - look->began_ms >= LOOK_MS;
}

/* 1 when one of the slots is in use. */
static int look_at(look_t *look, const name_t *base, size_t batch, apr_pool_t *pool)
{
    const kc_rp_t *rp = look->rp;
    kc_store_item_t items[KC_STORE_GET_MAX];
    const char *keys[KC_STORE_GET_MAX];
    name_t names[KC_STORE_GET_MAX];
    record_t record;
    int is_pending = 0;
    size_t i;

    name_slots(base, batch, names, keys);
    if (kc_store_get(rp->env->sessions, keys, KC_STORE_GET_MAX, items, pool, NULL) != KC_OK)
        return 0;
    for (i = 0; i < KC_STORE_GET_MAX && !is_over(look); i++) {
        if (!items[i].value.data || read_record(rp, items[i].value, pool, &record) != KC_OK)
            continue;
        is_pending = 1;
        if (record.due <= now(rp))
            settle(look, keys[i], &record, pool);
    }
    return is_pending;
}

/* Takes the turn of one child of a host; it expires by itself. */
static int take_turn(const kc_rp_t *rp, const name_t *turn, apr_pool_t *pool)
{
    kc_store_item_t item;
    const char *key;
    name_t hint;

    if (name_of(rp, rp->keys->key[0], "hint", &hint) != KC_OK)
        return 0;
    key = hint.text;
    if (kc_store_get(rp->env->host, &key, 1, &item, pool, NULL) != KC_OK)
        return 0;
    return kc_store_add(rp->env->host, turn->text, sign,
                        now(rp) + (item.value.data ? TURN_SECONDS : KC_LOGOUT_PENDING_IDLE),
                        NULL) == KC_OK;
}

static void look_at_all(look_t *look, apr_pool_t *pool, const name_t *turn)
{
    const kc_rp_t *rp = look->rp;
    int is_pending = 0;
    size_t i, batch;
    name_t base;

    for (i = 0; i < rp->keys->count; i++) {
        if (name_of(rp, rp->keys->key[i], "slot", &base) != KC_OK)
            continue;
        for (batch = 0; batch < BATCHES && !is_over(look); batch++)
            is_pending |= look_at(look, &base, batch, pool);
    }
    if (is_pending)
        wake(rp);
    if (look->is_provider_down)
        (void)kc_store_put(rp->env->host, turn->text, sign, now(rp) + PAUSE_SECONDS, NULL);
}

void kc_logout_pending_look(const kc_rp_t *rp, kc_http_t *http, const uint32_t *stop)
{
    look_t look = {.rp = rp, .env = *rp->env, .stop = stop};
    apr_pool_t *pool;
    name_t turn;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return;
    look.env.http = http;
    look.env.gate = NULL;
    look.began_ms = rp->env->elapsed_ms(rp->env->context);
    if (name_of(rp, rp->keys->key[0], "turn", &turn) == KC_OK && take_turn(rp, &turn, pool))
        look_at_all(&look, pool, &turn);
    apr_pool_destroy(pool);
}

/* The relying party: its fingerprints and store keys.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rp.h"

#include <apr_strings.h>
#include <string.h>

#include "base/url.h"
#include "browser.h"
#include "conf/conf_meaning.h"
#include "conf/transform.h"

enum {
    NEWS_SECONDS = 3600,
    KEY_TOLD_SECONDS = 60,
    FINGERPRINT_MAX = 256 * 1024 /* bytes of settings */
};

static void put_field(kc_buf_t *buf, const char *text)
{
    kc_buf_put_block(buf, kc_buf_text(text));
}

/* KC_RP_ID_SIZE bytes: a hash of buf. */
static kc_rc_t fingerprint(kc_buf_t *buf, unsigned char *out, kc_err_t *err)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];
    kc_bytes_t text;
    kc_rc_t rc;

    if (kc_buf_bytes(buf, &text) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "the settings are too long");
    rc = kc_crypto_sha256(text, digest, err);
    if (rc == KC_OK)
        memcpy(out, digest, KC_RP_ID_SIZE);
    return rc;
}

/* Everything that a session's meaning depends on. With another realm, client or way of forming user
 * names, existing sessions must not open. */
static kc_rc_t make_id(const kc_conf_t *conf, apr_pool_t *pool, unsigned char *id, kc_err_t *err)
{
    kc_buf_t buf;

    kc_buf_init(&buf, FINGERPRINT_MAX, pool);
    kc_conf_meaning_put(conf, KC_CONF_MEANING_LATER, pool, &buf);
    return fingerprint(&buf, id, err);
}

/* Issuer and client: a logout applies to all with the same. */
static kc_rc_t make_realm(const kc_conf_t *conf, apr_pool_t *pool, unsigned char *realm,
                          kc_err_t *err)
{
    kc_buf_t buf;

    kc_buf_init(&buf, FINGERPRINT_MAX, pool);
    kc_conf_meaning_put(conf, KC_CONF_MEANING_REALM, pool, &buf);
    return fingerprint(&buf, realm, err);
}

/* A user's name means the same user for all with the same value. */
static kc_rc_t make_naming(const kc_conf_t *conf, apr_pool_t *pool, unsigned char *naming,
                           kc_err_t *err)
{
    kc_buf_t buf;

    kc_buf_init(&buf, FINGERPRINT_MAX, pool);
    kc_conf_meaning_put(conf, KC_CONF_MEANING_NAMING, pool, &buf);
    return fingerprint(&buf, naming, err);
}

/* A view belongs to a session under some keys. With other keys all views are made anew, so that
 * removing a key ends the sessions that it sealed. */
static kc_rc_t make_scope(kc_rp_t *rp, kc_err_t *err)
{
    unsigned char bytes[KC_CRYPTO_KEY_SIZE] = {0};
    kc_bytes_t context = {rp->id, KC_RP_ID_SIZE};
    kc_rc_t rc = KC_OK;
    size_t i;

    for (i = 0; rc == KC_OK && i < rp->keys->count; i++) {
        rc = kc_crypto_derive(rp->keys->key[i], "scope", context, bytes, err);
        context.data = bytes;
        context.len = sizeof(bytes);
    }
    if (rc == KC_OK)
        memcpy(rp->scope, bytes, sizeof(rp->scope));
    return rc;
}

/* Which bearer tokens are accepted is part of the meaning of their views. */
static kc_rc_t make_bearer_scope(kc_rp_t *rp, apr_pool_t *pool, kc_err_t *err)
{
    const apr_array_header_t *lists[] = {rp->conf->audience, rp->conf->algorithms};
    kc_buf_t buf;
    size_t i;
    int k;

    kc_buf_init(&buf, FINGERPRINT_MAX, pool);
    put_field(&buf, "bearer");
    kc_buf_put(&buf, rp->scope, sizeof(rp->scope));
    kc_buf_put_u8(&buf, (uint8_t)rp->conf->bearer);
    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        kc_buf_put_u32(&buf, lists[i] ? (uint32_t)lists[i]->nelts : 0);
        for (k = 0; lists[i] && k < lists[i]->nelts; k++)
            put_field(&buf, APR_ARRAY_IDX(lists[i], k, const char *));
    }
    return fingerprint(&buf, rp->bearer_scope, err);
}

static kc_rc_t make_callback_path(const kc_conf_t *conf, apr_pool_t *pool, const char **out,
                                  kc_err_t *err)
{
    kc_url_t url;
    kc_rc_t rc;

    if (!conf->redirect_uri) {
        *out = apr_pstrcat(pool, conf->prefix, "oidc/callback", NULL);
        return KC_OK;
    }
    rc = kc_url_parse(conf->redirect_uri, pool, &url, err);
    if (rc == KC_OK)
        *out = url.path;
    return rc;
}

kc_rc_t kc_rp_create(const kc_conf_t *conf, const kc_seal_keys_t *keys, apr_pool_t *pool,
                     kc_rp_t **out, kc_err_t *err)
{
    kc_rp_t *rp = apr_pcalloc(pool, sizeof(*rp));
    kc_rc_t rc;

    rp->conf = conf;
    rp->keys = keys;
    rp->longest = conf->session_max;
    kc_cookie_names_make(conf, 0, pool, &rp->names[0]);
    kc_cookie_names_make(conf, 1, pool, &rp->names[1]);
    rc = make_callback_path(conf, pool, &rp->callback_path, err);
    if (rc == KC_OK)
        rc = make_id(conf, pool, rp->id, err);
    if (rc == KC_OK)
        rc = make_realm(conf, pool, rp->realm, err);
    if (rc == KC_OK)
        rc = make_naming(conf, pool, rp->naming, err);
    if (rc == KC_OK)
        rc = make_scope(rp, err);
    if (rc == KC_OK)
        rc = make_bearer_scope(rp, pool, err);
    if (rc == KC_OK)
        rc = kc_rp_store_key(rp, rp->keys->key[0], "refresh pause", kc_buf_text("all"), rp->pause,
                             err);
    *out = rp;
    return rc;
}

void kc_rp_meet(kc_rp_t *one, kc_rp_t *other)
{
    int64_t longest = one->longest > other->longest ? one->longest : other->longest;

    if (memcmp(one->realm, other->realm, KC_RP_ID_SIZE) == 0)
        one->longest = other->longest = longest;
}

kc_rc_t kc_rp_keys_make(const apr_array_header_t *secrets, apr_pool_t *pool, kc_seal_keys_t **out,
                        kc_err_t *err)
{
    kc_seal_keys_t *keys = apr_pcalloc(pool, sizeof(*keys));
    int i;

    if (secrets->nelts < 1 || secrets->nelts > KC_SEAL_KEYS_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "takes 1 to %d keys, not %d",
                       KC_SEAL_KEYS_MAX, secrets->nelts);
    for (i = 0; i < secrets->nelts; i++) {
        kc_crypto_key_t *key;
        kc_rc_t rc = kc_crypto_key_make(kc_buf_text(APR_ARRAY_IDX(secrets, i, kc_conf_file_t).text),
                                        pool, &key, err);

        if (rc != KC_OK)
            return rc;
        keys->key[keys->count++] = key;
    }
    *out = keys;
    return KC_OK;
}

static kc_rc_t derive(const unsigned char *id, const kc_crypto_key_t *key, const char *purpose,
                      kc_bytes_t name, char *out, kc_err_t *err)
{
    unsigned char context[KC_RP_ID_SIZE + KC_RP_STORE_NAME_MAX];
    unsigned char digest[KC_CRYPTO_KEY_SIZE];
    kc_bytes_t bytes = {context, KC_RP_ID_SIZE + name.len};
    kc_rc_t rc;

    if (name.len > KC_RP_STORE_NAME_MAX)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "a name for the store is too long");
    memcpy(context, id, KC_RP_ID_SIZE);
    memcpy(context + KC_RP_ID_SIZE, name.data, name.len);
    rc = kc_crypto_derive(key, purpose, bytes, digest, err);
    if (rc == KC_OK)
        kc_buf_hex_to(digest, sizeof(digest), out);
    kc_crypto_cleanse(context, sizeof(context));
    return rc;
}

kc_rc_t kc_rp_store_key(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *purpose,
                        kc_bytes_t name, char *out, kc_err_t *err)
{
    return derive(rp->id, key, purpose, name, out, err);
}

kc_rc_t kc_rp_realm_key(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *purpose,
                        kc_bytes_t name, char *out, kc_err_t *err)
{
    return derive(rp->realm, key, purpose, name, out, err);
}

int kc_rp_is_news(const kc_rp_t *rp, const char *purpose, kc_bytes_t name)
{
    int64_t now = rp->env->now(rp->env->context);
    char key[KC_STORE_KEY_LEN + 1];

    return kc_rp_store_key(rp, rp->keys->key[0], purpose, name, key, NULL) != KC_OK ||
           kc_store_add(rp->env->host, key, kc_buf_text("told"), now + NEWS_SECONDS, NULL) !=
               KC_EXISTS;
}

/* Not in a store: values that any client can invent must leave nothing behind. */
static int is_key_news(int64_t now)
{
    static int64_t told;
    int64_t last = __atomic_load_n(&told, __ATOMIC_ACQUIRE);

    return (!last || now < last || now - last >= KEY_TOLD_SECONDS) &&
           __atomic_compare_exchange_n(&told, &last, now, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void kc_rp_warn_of_key(const kc_rp_t *rp, const char *what)
{
    if (is_key_news(rp->env->now(rp->env->context)))
        kc_env_log(rp->env, KC_ERR_KEY_FOREIGN,
                   "%s: %s that a client sent was %s, or is not genuine",
                   kc_err_row(KC_ERR_KEY_FOREIGN)->slug, what, KC_RP_FOREIGN_KEY);
}

const char *kc_rp_redirect_uri(const kc_rp_t *rp, const kc_browser_t *client, apr_pool_t *pool)
{
    if (rp->conf->redirect_uri)
        return rp->conf->redirect_uri;
    return apr_pstrcat(pool, client->public_url, rp->callback_path, NULL);
}

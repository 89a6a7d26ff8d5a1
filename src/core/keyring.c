/* The keyring: who fetches, who waits, what is kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <string.h>

#include "crypto.h"

enum {
    RETRY_SECONDS = 1,
    RETRY_STALE_SECONDS = 15,
    UNKNOWN_KID_SECONDS = 60,
    NAME_SIZE = 2 * KC_CRYPTO_SHA256_SIZE + 1
};

/* A snapshot with its own pool; the keyring is one holder, each request that uses it another. */
typedef struct holder_t {
    kc_keyring_snapshot_t snapshot;
    apr_pool_t *pool;
    apr_uint32_t references;
} holder_t;

struct kc_keyring_t {
    const kc_conf_t *conf;
    const kc_env_t *env;
    apr_thread_mutex_t *mutex; /* guards what follows; never held across I/O */
    apr_thread_cond_t *fetched;
    holder_t *current;
    int is_fetching;
    int64_t failed_at;
    kc_err_t failure;
    char shared_name[NAME_SIZE]; /* keys in the host's store */
    char limit_name[NAME_SIZE];
};

/* The two documents of a snapshot, as they came. */
typedef struct documents_t {
    kc_bytes_t metadata;
    kc_bytes_t keys;
    int64_t fetched;
} documents_t;

static apr_status_t release(void *data)
{
    holder_t *holder = data;

    if (apr_atomic_dec32(&holder->references) == 0)
        apr_pool_destroy(holder->pool);
    return APR_SUCCESS;
}

static apr_status_t release_current(void *data)
{
    kc_keyring_t *keyring = data;

    if (keyring->current)
        (void)release(keyring->current);
    keyring->current = NULL;
    return APR_SUCCESS;
}

static void hold(holder_t *holder, apr_pool_t *pool, const kc_keyring_snapshot_t **out)
{
    apr_atomic_inc32(&holder->references);
    apr_pool_cleanup_register(pool, holder, release, apr_pool_cleanup_null);
    *out = &holder->snapshot;
}

static kc_rc_t name_shared(const kc_conf_t *conf, const char *what, apr_pool_t *pool, char *out,
                           kc_err_t *err)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];
    const char *backchannel = conf->backchannel_url ? conf->backchannel_url : "";
    const char *text = apr_pstrcat(pool, what, " ", conf->issuer, " ", backchannel, NULL);
    kc_rc_t rc = kc_crypto_sha256(kc_buf_text(text), digest, err);

    if (rc == KC_OK)
        kc_buf_hex_to(digest, sizeof(digest), out);
    return rc;
}

kc_rc_t kc_keyring_create(const kc_conf_t *conf, const kc_env_t *env, apr_pool_t *pool,
                          kc_keyring_t **out, kc_err_t *err)
{
    kc_keyring_t *keyring = apr_pcalloc(pool, sizeof(*keyring));
    kc_rc_t rc = name_shared(conf, "snapshot", pool, keyring->shared_name, err);

    if (rc == KC_OK)
        rc = name_shared(conf, "unknown-kid", pool, keyring->limit_name, err);
    if (rc != KC_OK)
        return rc;
    if (apr_thread_mutex_create(&keyring->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_thread_cond_create(&keyring->fetched, pool) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no mutex for the keyring");
    keyring->conf = conf;
    keyring->env = env;
    keyring->failed_at = -RETRY_SECONDS;
    apr_pool_cleanup_register(pool, keyring, release_current, apr_pool_cleanup_null);
    *out = keyring;
    return KC_OK;
}

static int64_t now(const kc_keyring_t *keyring)
{
    return keyring->env->now(keyring->env->context);
}

/* How old a snapshot may be when nothing younger is to be had. */
static int64_t age_max(const kc_conf_t *conf)
{
    return conf->metadata_stale < conf->metadata_ttl ? conf->metadata_ttl : conf->metadata_stale;
}

/* --- making a snapshot --- */

static kc_rc_t make_holder(const kc_keyring_t *keyring, const documents_t *documents,
                           holder_t **out, kc_err_t *err)
{
    apr_pool_t *pool;
    holder_t *holder;
    kc_provider_t *provider;
    kc_jwks_t *keys;
    kc_rc_t rc;

    /* an allocator of its own: it is let go by whichever thread comes last */
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no memory for the provider's metadata");
    holder = apr_pcalloc(pool, sizeof(*holder));
    rc = kc_provider_parse(keyring->conf, (const char *)documents->metadata.data,
                           documents->metadata.len, pool, &provider, err);
    if (rc == KC_OK)
        rc = kc_crypto_sha256(documents->keys, holder->snapshot.digest, err);
    if (rc == KC_OK)
        rc = kc_jwks_parse((const char *)documents->keys.data, documents->keys.len, pool, &keys,
                           err);
    if (rc != KC_OK) {
        apr_pool_destroy(pool);
        return rc;
    }
    holder->snapshot.provider = provider;
    holder->snapshot.keys = keys;
    holder->snapshot.fetched = documents->fetched;
    holder->pool = pool;
    holder->references = 1;
    *out = holder;
    return KC_OK;
}

static kc_rc_t fetch_document(const kc_keyring_t *keyring, const char *url, apr_pool_t *pool,
                              kc_bytes_t *out, kc_err_t *err)
{
    kc_http_request_t request = {url, NULL, NULL};
    kc_http_response_t response;
    kc_http_t *http = keyring->env->http;
    kc_rc_t rc = http->perform(http, &request, pool, &response, err);

    if (rc != KC_OK)
        return rc;
    if (response.status != 200)
        return KC_FAIL(err, KC_DOWN,
                       response.status == 404 ? KC_ERR_DISCOVERY : KC_ERR_PROVIDER_DOWN,
                       "%.160s answered with status %d%s", url, response.status,
                       response.status == 404 ? ": check KeycloakIssuer" : "");
    out->data = (const unsigned char *)response.body;
    out->len = response.body_len;
    return KC_OK;
}

static kc_rc_t fetch_documents(const kc_keyring_t *keyring, apr_pool_t *pool, documents_t *out,
                               kc_err_t *err)
{
    kc_provider_t *provider;
    const char *url;
    kc_rc_t rc = kc_provider_discovery_url(keyring->conf, pool, &url, err);

    if (rc == KC_OK)
        rc = fetch_document(keyring, url, pool, &out->metadata, err);
    if (rc == KC_OK)
        rc = kc_provider_parse(keyring->conf, (const char *)out->metadata.data, out->metadata.len,
                               pool, &provider, err);
    if (rc == KC_OK)
        rc = fetch_document(keyring, provider->jwks_uri, pool, &out->keys, err);
    out->fetched = now(keyring);
    return rc;
}

/* --- sharing with the other children of this host --- */

static void share(const kc_keyring_t *keyring, const documents_t *documents, apr_pool_t *pool)
{
    kc_bytes_t value;
    kc_buf_t buf;

    kc_buf_init(&buf, KC_STORE_VALUE_MAX, pool);
    kc_buf_put_u64(&buf, (uint64_t)documents->fetched);
    kc_buf_put_u32(&buf, (uint32_t)documents->metadata.len);
    kc_buf_put(&buf, documents->metadata.data, documents->metadata.len);
    kc_buf_put(&buf, documents->keys.data, documents->keys.len);
    if (kc_buf_bytes(&buf, &value) == KC_OK) /* too large to share: each child fetches its own */
        (void)kc_store_put(keyring->env->host, keyring->shared_name, value,
                           documents->fetched + age_max(keyring->conf), NULL);
}

/* Times are in seconds, and keys may be replaced in the second in which they were fetched. */
static int is_newer(const documents_t *documents, const kc_keyring_snapshot_t *known)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];

    if (!known || documents->fetched != known->fetched)
        return !known || documents->fetched > known->fetched;
    return kc_crypto_sha256(documents->keys, digest, NULL) == KC_OK &&
           memcmp(digest, known->digest, sizeof(digest)) != 0;
}

/* What another child fetched less than `limit` seconds ago, if it is newer than what is known
 * (NULL: nothing). */
static int find_shared(const kc_keyring_t *keyring, const kc_keyring_snapshot_t *known,
                       int64_t limit, apr_pool_t *pool, documents_t *out)
{
    const char *name = keyring->shared_name;
    kc_store_item_t item;
    kc_reader_t reader;

    if (kc_store_get(keyring->env->host, &name, 1, &item, pool, NULL) != KC_OK || !item.value.data)
        return 0;
    kc_buf_reader_init(&reader, item.value);
    out->fetched = (int64_t)kc_buf_read_u64(&reader);
    out->metadata = kc_buf_read(&reader, kc_buf_read_u32(&reader));
    out->keys = reader.rest;
    return !reader.is_short && is_newer(out, known) && now(keyring) - out->fetched < limit;
}

/* --- one fetch at a time --- */

static kc_rc_t fetch(const kc_keyring_t *keyring, apr_pool_t *pool, holder_t **out, kc_err_t *err)
{
    documents_t documents;
    kc_rc_t rc = fetch_documents(keyring, pool, &documents, err);

    if (rc == KC_OK)
        rc = make_holder(keyring, &documents, out, err);
    if (rc == KC_OK)
        share(keyring, &documents, pool);
    return rc;
}

/* Takes over what another child has fetched. What cannot be used is as good as absent. */
static int adopt(const kc_keyring_t *keyring, const kc_keyring_snapshot_t *known, int64_t limit,
                 apr_pool_t *pool, holder_t **out)
{
    documents_t documents;

    return find_shared(keyring, known, limit, pool, &documents) &&
           make_holder(keyring, &documents, out, NULL) == KC_OK;
}

/* *out may be set also on failure, to old ones for a child that has none. */
static kc_rc_t renew(const kc_keyring_t *keyring, const kc_keyring_snapshot_t *known,
                     holder_t **out, kc_err_t *err)
{
    const kc_conf_t *conf = keyring->conf;
    apr_pool_t *pool;
    kc_rc_t rc = KC_OK;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no memory for the provider's metadata");
    if (!adopt(keyring, known, conf->metadata_ttl, pool, out))
        rc = fetch(keyring, pool, out, err);
    if (rc != KC_OK && !known)
        (void)adopt(keyring, known, age_max(conf), pool, out);
    apr_pool_destroy(pool);
    return rc;
}

/* Called with the mutex held and nobody fetching; lets go of it for the fetch. */
static void renew_unlocked(kc_keyring_t *keyring)
{
    holder_t *fresh = NULL, *old = keyring->current;
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_rc_t rc;

    keyring->is_fetching = 1;
    apr_thread_mutex_unlock(keyring->mutex);
    rc = renew(keyring, old ? &old->snapshot : NULL, &fresh, &err);
    apr_thread_mutex_lock(keyring->mutex);
    keyring->is_fetching = 0;
    if (fresh)
        keyring->current = fresh;
    if (rc == KC_OK) {
        keyring->failed_at = -RETRY_SECONDS;
    } else {
        keyring->failed_at = now(keyring);
        keyring->failure = err;
    }
    apr_thread_cond_broadcast(keyring->fetched);
    if (fresh && old)
        (void)release(old);
}

static int64_t age(const kc_keyring_t *keyring)
{
    return now(keyring) - keyring->current->snapshot.fetched;
}

static int is_usable(const kc_keyring_t *keyring)
{
    return keyring->current && age(keyring) < age_max(keyring->conf);
}

/* With something to fall back on there is no hurry, and each try costs one person a wait. A clock
 * that was set back does not make a failure last. */
static int has_failed_lately(const kc_keyring_t *keyring)
{
    int64_t passed = now(keyring) - keyring->failed_at;

    return passed >= 0 && passed < (is_usable(keyring) ? RETRY_STALE_SECONDS : RETRY_SECONDS);
}

/* Waits until the thread that fetches is done; 0 when it takes longer than its calls may, or when
 * too many wait already: a provider that hangs must leave threads for everybody else. */
static int wait_for_fetch(kc_keyring_t *keyring)
{
    apr_interval_time_t deadline = apr_time_from_msec(2 * keyring->conf->http_timeout + 1000);
    kc_http_gate_t *gate = keyring->env->gate;
    apr_status_t status;

    if (gate && !kc_http_gate_enter(gate))
        return 0;
    status = apr_thread_cond_timedwait(keyring->fetched, keyring->mutex, deadline);
    if (gate)
        kc_http_gate_leave(gate);
    return status == APR_SUCCESS;
}

/* With the mutex held: brings about a current snapshot that is young, or as good as can be had. */
static void freshen(kc_keyring_t *keyring)
{
    int is_waiting = 1;

    while (is_waiting) {
        if (keyring->current && age(keyring) < keyring->conf->metadata_ttl)
            return;
        if (has_failed_lately(keyring))
            return;
        if (!keyring->is_fetching)
            renew_unlocked(keyring);
        else if (is_usable(keyring))
            return; /* another thread is at it; the old one will do meanwhile */
        else
            is_waiting = wait_for_fetch(keyring);
    }
}

static kc_rc_t fail(const kc_keyring_t *keyring, kc_err_t *err)
{
    if (keyring->is_fetching || keyring->failure.reason == KC_ERR_NONE)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY, "still waiting for %s",
                       keyring->conf->issuer);
    if (err)
        *err = keyring->failure;
    return KC_DOWN;
}

kc_rc_t kc_keyring_get(kc_keyring_t *keyring, apr_pool_t *pool, const kc_keyring_snapshot_t **out,
                       kc_err_t *err)
{
    kc_rc_t rc = KC_OK;

    apr_thread_mutex_lock(keyring->mutex);
    freshen(keyring);
    if (is_usable(keyring))
        hold(keyring->current, pool, out);
    else
        rc = fail(keyring, err);
    apr_thread_mutex_unlock(keyring->mutex);
    return rc;
}

/* One fetch for an unknown kid. What another child has fetched since costs no call, so it is looked
 * for first and does not count against the limit. */
static void renew_for_kid(kc_keyring_t *keyring, const kc_keyring_snapshot_t *known,
                          apr_pool_t *pool)
{
    static const kc_bytes_t mark = {(const unsigned char *)"1", 1};
    documents_t shared;
    int is_allowed = find_shared(keyring, known, keyring->conf->metadata_ttl, pool, &shared) ||
                     kc_store_add(keyring->env->host, keyring->limit_name, mark,
                                  now(keyring) + UNKNOWN_KID_SECONDS, NULL) == KC_OK;

    apr_thread_mutex_lock(keyring->mutex);
    if (is_allowed && !keyring->is_fetching && &keyring->current->snapshot == known)
        renew_unlocked(keyring);
    else if (keyring->is_fetching)
        (void)wait_for_fetch(keyring);
    apr_thread_mutex_unlock(keyring->mutex);
}

kc_rc_t kc_keyring_select(kc_keyring_t *keyring, const char *alg, const char *kid, apr_pool_t *pool,
                          const kc_keyring_snapshot_t **snapshot, const kc_jose_key_t **out,
                          kc_err_t *err)
{
    kc_rc_t rc = kc_jwks_select((*snapshot)->keys, alg, kid, out, err);

    if (rc != KC_MISS)
        return rc;
    renew_for_kid(keyring, *snapshot, pool);
    rc = kc_keyring_get(keyring, pool, snapshot, err);
    if (rc == KC_OK)
        rc = kc_jwks_select((*snapshot)->keys, alg, kid, out, err);
    return rc == KC_MISS ? KC_REFUSED : rc;
}

/* What the children of a host share of a provider, in the host's store.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/metadata_shared.h"

#include <apr_strings.h>
#include <string.h>

#include "crypto/crypto.h"

enum {
    NAME_TEXT_MAX = 4 * KC_CONF_FILE_MAX, /* bytes: three files and the rest */
    UNKNOWN_KID_SECONDS = 60,
    ROTATING_SECONDS = 5,    /* between such fetches while keys change so often */
    LEASE_SPARE_SECONDS = 2, /* a lease lasts this much longer than an exchange may */
    CLOCK_SLACK_SECONDS = 5  /* between two children that read the clock; more: it was set back */
};

/* For which servers of this host a value is the same. */
typedef enum {
    OF_PROVIDER, /* documents: for those with the same address and trusted certificates */
    OF_REQUEST,  /* failures to get them: also with the same deadline and client certificate */
    OF_SERVER    /* failures to use them, leases, limits: also with the same rules for checking
                    them */
} whose_t;

/* Of any length: a file of certificates may have more than a block can. */
static void put_text(kc_buf_t *buf, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    kc_buf_put_u8(buf, text != NULL);
    kc_buf_put_u64(buf, len);
    kc_buf_put(buf, text ? text : "", len);
}

static void put_request_settings(kc_buf_t *buf, const kc_conf_t *conf)
{
    int has_certificate = conf->client_auth == KC_AUTH_TLS;

    kc_buf_put_u64(buf, (uint64_t)conf->http_timeout);
    put_text(buf, has_certificate ? conf->client_cert.text : NULL);
    put_text(buf, has_certificate ? conf->client_key.text : NULL);
}

/* All settings that provider.c uses. */
static void put_check_settings(kc_buf_t *buf, const kc_conf_t *conf)
{
    int i;

    put_request_settings(buf, conf);
    kc_buf_put_u8(buf, (uint8_t)conf->client_auth);
    kc_buf_put_u8(buf, (uint8_t)conf->allow_http);
    put_text(buf, conf->auth_url);
    for (i = 0; conf->endpoint_origins && i < conf->endpoint_origins->nelts; i++)
        put_text(buf, APR_ARRAY_IDX(conf->endpoint_origins, i, const char *));
}

static kc_rc_t name_make(const kc_conf_t *conf, const char *what, whose_t whose, apr_pool_t *pool,
                         char *out, kc_err_t *err)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];
    kc_bytes_t text;
    kc_buf_t buf;
    kc_rc_t rc;

    kc_buf_init(&buf, NAME_TEXT_MAX, pool);
    put_text(&buf, what);
    put_text(&buf, conf->issuer);
    put_text(&buf, conf->backchannel_url);
    put_text(&buf, conf->ca_file.text); /* a server that trusts other certificates must not be
                                           believed */
    if (whose == OF_REQUEST)
        put_request_settings(&buf, conf);
    if (whose == OF_SERVER)
        put_check_settings(&buf, conf);
    if (kc_buf_bytes(&buf, &text) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "the settings are too long");
    rc = kc_crypto_sha256(text, digest, err);
    if (rc == KC_OK)
        kc_buf_hex_to(digest, sizeof(digest), out);
    return rc;
}

kc_rc_t kc_metadata_shared_init(const kc_conf_t *conf, const kc_env_t *env, apr_pool_t *pool,
                                kc_metadata_shared_t *shared, kc_err_t *err)
{
    const struct {
        const char *what;
        whose_t whose;
        char *name;
    } names[] = {
        {"snapshot", OF_PROVIDER, shared->documents},
        {apr_psprintf(pool, "failure %d", env->generation), OF_REQUEST, shared->failure},
        {apr_psprintf(pool, "verdict %d", env->generation), OF_SERVER, shared->verdict},
        {apr_psprintf(pool, "lease %d", env->generation), OF_SERVER, shared->lease},
        {"unknown-kid", OF_SERVER, shared->limit},
        {"unknown-kid of strangers", OF_SERVER, shared->foreign_limit},
    };
    kc_rc_t rc = KC_OK;
    size_t i;

    for (i = 0; rc == KC_OK && i < sizeof(names) / sizeof(names[0]); i++)
        rc = name_make(conf, names[i].what, names[i].whose, pool, names[i].name, err);
    shared->conf = conf;
    shared->env = env;
    return rc;
}

static int64_t now(const kc_env_t *env)
{
    return env->now(env->context);
}

int kc_metadata_shared_is_within(const kc_env_t *env, int64_t since, int64_t seconds)
{
    int64_t passed = now(env) - since;

    return passed >= -CLOCK_SLACK_SECONDS && passed < seconds;
}

static int64_t now_ms(const kc_env_t *env)
{
    return env->now_ms(env->context);
}

int kc_metadata_shared_is_within_ms(const kc_env_t *env, int64_t since_ms, int64_t milliseconds)
{
    int64_t passed = now_ms(env) - since_ms;

    return passed >= -(int64_t)CLOCK_SLACK_SECONDS * 1000 && passed < milliseconds;
}

/* --- documents --- */

void kc_metadata_shared_put(const kc_metadata_shared_t *shared,
                            const kc_metadata_documents_t *documents, int64_t expires_at,
                            apr_pool_t *pool)
{
    kc_bytes_t value;
    kc_buf_t buf;

    kc_buf_init(&buf, KC_STORE_VALUE_MAX, pool);
    kc_buf_put_u64(&buf, (uint64_t)documents->fetched);
    kc_buf_put_u32(&buf, (uint32_t)documents->metadata.len);
    kc_buf_put(&buf, documents->metadata.data, documents->metadata.len);
    kc_buf_put(&buf, documents->keys.data, documents->keys.len);
    if (kc_buf_bytes(&buf, &value) == KC_OK)
        (void)kc_store_put(shared->env->host, shared->documents, value, expires_at, NULL);
}

static int find(const kc_metadata_shared_t *shared, const char *name, apr_pool_t *pool,
                kc_reader_t *reader)
{
    kc_store_item_t item;

    if (kc_store_get(shared->env->host, &name, 1, &item, pool, NULL) != KC_OK || !item.value.data)
        return 0;
    kc_buf_reader_init(reader, item.value);
    return 1;
}

int kc_metadata_shared_get(const kc_metadata_shared_t *shared, apr_pool_t *pool,
                           kc_metadata_documents_t *out)
{
    kc_reader_t reader;

    if (!find(shared, shared->documents, pool, &reader))
        return 0;
    out->fetched = (int64_t)kc_buf_read_u64(&reader);
    out->metadata = kc_buf_read(&reader, kc_buf_read_u32(&reader));
    out->keys = reader.rest;
    return !reader.is_short;
}

/* --- the last failure --- */

void kc_metadata_shared_put_failure(const kc_metadata_shared_t *shared, int is_verdict,
                                    const kc_err_t *failure, apr_pool_t *pool)
{
    int64_t expires_at = now(shared->env) + KC_METADATA_SHARED_FAILURE_SECONDS;
    kc_bytes_t value;
    kc_buf_t buf;

    kc_buf_init(&buf, KC_STORE_VALUE_MAX, pool);
    kc_buf_put_u64(&buf, (uint64_t)now_ms(shared->env));
    kc_buf_put_u32(&buf, (uint32_t)failure->reason);
    kc_buf_put(&buf, failure->detail, strlen(failure->detail));
    if (kc_buf_bytes(&buf, &value) == KC_OK)
        (void)kc_store_put(shared->env->host, is_verdict ? shared->verdict : shared->failure, value,
                           expires_at, NULL);
}

void kc_metadata_shared_drop_failure(const kc_metadata_shared_t *shared)
{
    (void)kc_store_drop(shared->env->host, shared->failure, NULL);
    (void)kc_store_drop(shared->env->host, shared->verdict, NULL);
}

static int get_failure(const kc_metadata_shared_t *shared, const char *name, int64_t milliseconds,
                       apr_pool_t *pool, int64_t *failed_at, kc_err_t *failure)
{
    kc_reader_t reader;
    uint32_t reason;

    if (!find(shared, name, pool, &reader))
        return 0;
    *failed_at = (int64_t)kc_buf_read_u64(&reader);
    reason = kc_buf_read_u32(&reader);
    if (reader.is_short || !reason || reason >= KC_ERR_COUNT ||
        !kc_metadata_shared_is_within_ms(shared->env, *failed_at, milliseconds))
        return 0;
    (void)KC_FAIL(failure, KC_DOWN, (kc_reason_t)reason, "%.*s", (int)reader.rest.len,
                  (const char *)reader.rest.data);
    return 1;
}

int kc_metadata_shared_get_failure(const kc_metadata_shared_t *shared, int64_t milliseconds,
                                   apr_pool_t *pool, int64_t *failed_at, kc_err_t *failure)
{
    return get_failure(shared, shared->verdict, milliseconds, pool, failed_at, failure) ||
           get_failure(shared, shared->failure, milliseconds, pool, failed_at, failure);
}

/* --- lease and limit --- */

static kc_rc_t take(const kc_metadata_shared_t *shared, const char *name, int64_t seconds,
                    kc_lease_t *lease, apr_pool_t *pool)
{
    const kc_env_t *env = shared->env;
    unsigned char random[KC_LEASE_RANDOM_SIZE] = {0};

    (void)env->random(env->context, random, sizeof(random)); /* the time by itself is almost
                                                                unique */
    kc_lease_init(lease, env->host, name, random);
    return kc_lease_take_on_host(lease, now(env), env->elapsed_ms(env->context), seconds, pool,
                                 NULL);
}

static int64_t lease_seconds(const kc_metadata_shared_t *shared)
{
    return (shared->conf->http_timeout + 999) / 1000 + LEASE_SPARE_SECONDS;
}

int kc_metadata_shared_take_lease(const kc_metadata_shared_t *shared, kc_lease_t *lease,
                                  apr_pool_t *pool)
{
    return take(shared, shared->lease, lease_seconds(shared), lease, pool) != KC_EXISTS;
}

void kc_metadata_shared_prolong_lease(const kc_metadata_shared_t *shared, kc_lease_t *lease,
                                      apr_pool_t *pool)
{
    const kc_env_t *env = shared->env;

    kc_lease_prolong_on_host(lease, now(env), env->elapsed_ms(env->context), lease_seconds(shared),
                             pool);
}

int kc_metadata_shared_take_minute(const kc_metadata_shared_t *shared, int is_foreign,
                                   apr_pool_t *pool)
{
    const char *limit = is_foreign ? shared->foreign_limit : shared->limit;
    kc_lease_t minute; /* is not given back */

    return take(shared, limit, UNKNOWN_KID_SECONDS, &minute, pool) == KC_OK;
}

void kc_metadata_shared_cut_minute(const kc_metadata_shared_t *shared, int is_foreign)
{
    (void)kc_store_touch(shared->env->host, is_foreign ? shared->foreign_limit : shared->limit,
                         now(shared->env) + ROTATING_SECONDS, NULL);
}

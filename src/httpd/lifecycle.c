/* Start: settings are checked and frozen, shared memory is made, children get their own parts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle.h"

#include <ap_mpm.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answers.h"
#include "audit.h"
#include "backchannel.h"
#include "body.h"
#include "config.h"
#include "effects.h"
#include "handlers/health.h"
#include "log.h"
#include "log_format.h"
#include "metrics_memory.h"
#include "phase.h"
#include "process.h"
#include "require.h"
#include "shared_memory.h"
#include "streams.h"
#include "traces.h"
#include "watchdog.h"

#include "core/base/url.h"
#include "core/conf/conf_check.h"
#include "core/conf/conf_watch.h"
#include "core/crypto/seal.h"
#include "core/http/http_curl.h"
#include "core/net/wait_limit.h"
#include "core/provider/metadata.h"
#include "core/rp.h"
#include "core/store/store.h"
#include "core/store/store_coalescing.h"
#include "core/store/store_replicas.h"

enum {
    SHARE_MS = 10, /* how long a request waits to share another request's store look-up */
    NAMES_MS = 300 /* how long a child waits at start for the addresses of its servers */
};

/* --- checking --- */

static int fail(server_rec *server, const kc_err_t *err)
{
    AKC_LOG_SERVER_AT(APLOG_EMERG, server, err->reason, "%s", err->detail);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int fail_directive(const akc_server_t *config, kc_conf_index_t index, const kc_err_t *err)
{
    const kc_conf_position_t *position = &config->conf->position[index];
    const char *name = kc_conf_table_row(index)->name;

    if (!position->file) /* not written at all: point to where the module is turned on */
        position = &config->conf->position[KC_CONF_ROW_issuer];
    AKC_LOG_SERVER_AT(APLOG_EMERG, config->server, err->reason, "%s (line %d of %s): %s", name,
                      position->line, position->file, err->detail);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* Makes the parts that a start will make, so that a failure is reported with its line. */
static kc_rc_t check_parts(const akc_server_t *config, kc_conf_index_t *index, apr_pool_t *pool,
                           kc_err_t *err)
{
    const apr_array_header_t *secrets = config->conf->crypto_key;
    apr_array_header_t *sample = apr_array_make(pool, 1, sizeof(kc_conf_file_t));
    kc_seal_keys_t *keys;
    kc_rp_t *rp;
    kc_rc_t rc;

    if (!config->conf->issuer)
        return KC_OK;
    APR_ARRAY_PUSH(sample, kc_conf_file_t) = (kc_conf_file_t){.text = "of no use"};
    *index = KC_CONF_ROW_crypto_key;
    rc = kc_rp_keys_make(secrets ? secrets : sample, pool, &keys, err);
    if (rc == KC_OK) {
        *index = config->conf->headers ? KC_CONF_ROW_headers : KC_CONF_ROW_issuer;
        rc = kc_rp_create(config->conf, keys, pool, &rp, err);
    }
    return rc;
}

static int check_audit_logs(server_rec *main, apr_pool_t *pool)
{
    kc_conf_index_t index = KC_CONF_ROW_audit_log;
    server_rec *server;
    kc_err_t err;

    if (akc_audit_check(main, pool, &server, &err) != KC_OK)
        return fail_directive(akc_config_server(server), index, &err);
    return OK;
}

int akc_lifecycle_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    server_rec *server;

    (void)plog;
    akc_log_call_settings(akc_config_server(main)->conf->setting_names, pconf);
    for (server = main; server; server = server->next) {
        const akc_server_t *config = akc_config_server(server);
        kc_conf_index_t index = KC_CONF_ROW_issuer;
        kc_err_t err;

        if (kc_conf_check_all(config->conf, &index, ptemp, &err) != KC_OK ||
            check_parts(config, &index, ptemp, &err) != KC_OK)
            return fail_directive(config, index, &err);
    }
    return check_audit_logs(main, ptemp);
}

/* --- starting --- */

static kc_rc_t make_keys(server_rec *main, const kc_conf_t *conf, apr_pool_t *pool,
                         kc_seal_keys_t **out, kc_err_t *err)
{
    apr_array_header_t *secrets;
    kc_bytes_t bytes;

    if (conf->crypto_key)
        return kc_rp_keys_make(conf->crypto_key, pool, out, err);
    if (akc_shared_memory_secret(main, &bytes, err) != KC_OK)
        return KC_FAULT;
    secrets = apr_array_make(pool, 1, sizeof(kc_conf_file_t));
    APR_ARRAY_PUSH(secrets, kc_conf_file_t) =
        (kc_conf_file_t){.text = kc_buf_base64url(bytes, pool)};
    return kc_rp_keys_make(secrets, pool, out, err);
}

/* ADDRESS or ADDRESS/BITS, already checked by kc_conf_check_all */
static void prepare_trusted(akc_server_t *config, apr_pool_t *pool)
{
    const apr_array_header_t *words = config->conf->trusted_proxies;
    int i;

    config->trusted = apr_array_make(pool, 2, sizeof(apr_ipsubnet_t *));
    for (i = 0; words && i < words->nelts; i++) {
        char *address = apr_pstrdup(pool, APR_ARRAY_IDX(words, i, const char *));
        char *bits = strchr(address, '/');
        apr_ipsubnet_t *subnet;

        if (bits)
            *bits++ = '\0';
        if (apr_ipsubnet_create(&subnet, address, bits, pool) == APR_SUCCESS)
            APR_ARRAY_PUSH(config->trusted, apr_ipsubnet_t *) = subnet;
    }
}

static kc_rc_t prepare_public_url(akc_server_t *config, apr_pool_t *pool, kc_err_t *err)
{
    const kc_conf_t *conf = config->conf;
    const char *text = conf->public_url ? conf->public_url : conf->redirect_uri;
    kc_url_t url;
    kc_rc_t rc;

    if (!text)
        return KC_OK;
    rc = kc_url_parse(text, pool, &url, err);
    if (rc == KC_OK)
        config->public_url = kc_url_origin(&url, pool);
    return rc;
}

/* There is no TLS to memcached: values on the network are sealed, but can be changed. */
static void warn_of_network(const akc_server_t *config, const server_rec *main, apr_pool_t *pool)
{
    const apr_array_header_t *servers = config->conf->memcached;
    int i;

    if (!akc_config_is_own(config, main, KC_CONF_ROW_memcached))
        return;
    for (i = 0; servers && i < servers->nelts; i++) {
        const char *text = APR_ARRAY_IDX(servers, i, const char *);
        kc_url_t url;

        if (kc_url_parse(apr_pstrcat(pool, "http://", text, NULL), pool, &url, NULL) != KC_OK ||
            kc_url_is_loopback(&url))
            continue;
        AKC_LOG_SERVER(config->server, KC_ERR_EVENT_MEMCACHED_NETWORK,
                       "KeycloakMemcached %s: the connection has no TLS; sessions are sealed, but "
                       "let only the nodes of this site reach that address",
                       text);
        return;
    }
}

/* What a virtual host has inherited is told for the main server alone. */
static void warn(const akc_server_t *config, const server_rec *main)
{
    const kc_conf_t *conf = config->conf;
    int has_issuer = akc_config_is_own(config, main, KC_CONF_ROW_issuer);

    if (conf->allow_http && strncmp(conf->issuer, "http:", 5) == 0 &&
        (has_issuer || akc_config_is_own(config, main, KC_CONF_ROW_allow_http)))
        AKC_LOG_SERVER(config->server, KC_ERR_EVENT_HTTP_ALLOWED,
                       "KeycloakAllowHTTP: KeycloakIssuer is http, so that passwords and tokens "
                       "cross the network unencrypted");
    if (!conf->crypto_key && has_issuer)
        AKC_LOG_SERVER(
            config->server, KC_ERR_EVENT_KEY_UNSET,
            "KeycloakCryptoKey is not set for %s: its sessions are lost at a full restart%s",
            config->server->server_hostname,
            conf->memcached ? ", and no other node can read them in memcached" : "");
}

/* In memory of its own, which ends with this generation: the next one may name other servers. */
static kc_rc_t make_breakers(akc_server_t *config, apr_pool_t *pool, kc_err_t *err)
{
    const apr_array_header_t *servers = config->conf->memcached;
    const apr_size_t count = servers ? (apr_size_t)servers->nelts : 0;
    const apr_size_t size = count * (sizeof(*config->breakers) + sizeof(*config->clocks));
    apr_shm_t *mapping;

    if (!servers)
        return KC_OK;
    if (apr_shm_create(&mapping, size, NULL, pool) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "no shared memory for the store's breakers");
    config->breakers = apr_shm_baseaddr_get(mapping);
    memset(config->breakers, 0, size);
    config->clocks = (kc_store_clock_shared_t *)(void *)(config->breakers + count);
    return KC_OK;
}

static kc_rc_t start_server(akc_server_t *config, server_rec *main,
                            const akc_shared_memory_t *shared, apr_pool_t *pool, kc_err_t *err)
{
    kc_conf_index_t index;
    kc_seal_keys_t *keys;
    kc_rc_t rc;

    prepare_trusted(config, pool);
    rc = kc_conf_load(config->conf, &index, pool, err);
    if (rc == KC_OK)
        rc = prepare_public_url(config, pool, err);
    if (rc == KC_OK)
        rc = make_keys(main, config->conf, pool, &keys, err);
    if (rc == KC_OK)
        rc = make_breakers(config, pool, err);
    if (rc == KC_OK)
        rc = kc_rp_create(config->conf, keys, pool, &config->rp, err);
    if (rc == KC_OK)
        config->rp->keeps_claims = akc_require_asks_claims();
    if (rc == KC_OK)
        akc_require_tell(config, pool);
    if (rc == KC_OK)
        config->rp->asks_negated = akc_require_asks_negated();
    config->has_caller = config->conf->trace_context || akc_log_format_is_used();
    config->env.host = shared->store;
    config->env.sessions = shared->store;
    config->env.cache = shared->cache;
    warn(config, main);
    warn_of_network(config, main, pool);
    return rc;
}

/* Each server with each later one: the last one learns the longest time, and tells those before
 * it. */
static void introduce(server_rec *main)
{
    server_rec *one, *other;

    for (one = main; one; one = one->next) {
        for (other = one->next; other && akc_config_server(one)->rp; other = other->next) {
            if (akc_config_server(other)->rp)
                kc_rp_meet(akc_config_server(one)->rp, akc_config_server(other)->rp);
        }
    }
}

/* The servers that have a KeycloakIssuer, and the shared memory of them all. */
static int start_servers(server_rec *main, akc_shared_memory_t *shared, apr_pool_t *pool)
{
    server_rec *server;
    kc_err_t err;

    for (server = main; server; server = server->next) {
        akc_server_t *config = akc_config_server(server);

        /* a virtual host without settings of its own has the main server's record */
        if (!config->conf->issuer || config->server != server)
            continue;
        if (!shared->store && (kc_http_curl_start(pool, &err) != KC_OK ||
                               akc_shared_memory_open(main, akc_config_server(main)->conf, pool,
                                                      shared, &err) != KC_OK))
            return fail(main, &err);
        if (start_server(config, main, shared, pool, &err) != KC_OK)
            return fail(server, &err);
    }
    introduce(main);
    return OK;
}

static int open_audit_logs(server_rec *main, apr_pool_t *pool)
{
    kc_conf_index_t index = KC_CONF_ROW_audit_log;
    server_rec *server;
    kc_err_t err;

    if (akc_audit_start(main, pool, &server, &err) != KC_OK)
        return fail_directive(akc_config_server(server), index, &err);
    return OK;
}

int akc_lifecycle_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    akc_shared_memory_t shared = {NULL, NULL};
    kc_err_t err;

    (void)plog;
    (void)ptemp;
    akc_answers_start();
    akc_traces_start();
    if (akc_phase_is_trial())
        return OK;
    if (start_servers(main, &shared, pconf) != OK || open_audit_logs(main, pconf) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    if (shared.store && (akc_health_start(pconf, &err) != KC_OK ||
                         akc_metrics_memory_start(main, pconf, &err) != KC_OK))
        return fail(main, &err);
    if (shared.store)
        akc_watchdog_start(pconf, main);
    akc_process_prepare(pconf, main);
    return OK;
}

/* --- a child --- */

/* A memcached server is marked down or is back; the child that finds out logs it for all. */
static void report_store(void *context, const char *server, int is_up, const char *why)
{
    kc_reason_t reason = is_up ? KC_ERR_EVENT_MEMCACHED_BACK : KC_ERR_EVENT_MEMCACHED_DOWN;

    AKC_LOG_SERVER((server_rec *)context, reason, "memcached %s %s: %s", server,
                   is_up ? "back" : "marked down", why);
}

/* A server that has not worked since the start is blamed on its directive; a clock is not. */
static void warn_of_store(void *context, const kc_err_t *err)
{
    server_rec *server = context;
    const kc_conf_position_t *position =
        &akc_config_server(server)->conf->position[KC_CONF_ROW_memcached];

    if (err->reason == KC_ERR_STORE_DOWN)
        AKC_LOG_SERVER_AT(APLOG_WARNING, server, err->reason, "%s (line %d of %s): %s",
                          kc_conf_table_row(KC_CONF_ROW_memcached)->name, position->line,
                          position->file, err->detail);
    else
        AKC_LOG_SERVER_AT(APLOG_WARNING, server, err->reason, "%s", err->detail);
}

static kc_rc_t open_store(akc_server_t *config, apr_pool_t *pool, kc_err_t *err)
{
    const kc_conf_t *conf = config->conf;
    kc_store_memcached_options_t options = {
        .timeout_ms = conf->store_timeout,
        .user = conf->memcached_user,
        .password = conf->memcached_password.text,
        .breakers = config->breakers,
        .resolver = config->resolver,
        .now = akc_effects_now,
        .metrics = config->env.metrics,
        .report = report_store,
        .context = config->server,
    };

    kc_store_t *store;
    kc_rc_t rc;

    if (!conf->memcached)
        return KC_OK; /* shared memory */
    options.servers = (const char *const *)(void *)conf->memcached->elts;
    options.count = (size_t)conf->memcached->nelts;
    options.copies = (size_t)conf->store_replicas + 1; /* a choice counts from zero */
    rc = kc_store_clock_create(&options, config->clocks, warn_of_store, pool, &config->clock, err);
    if (rc == KC_OK)
        rc = kc_store_replicas_create(&options, pool, &store, err);
    return rc == KC_OK
               ? kc_store_coalescing_create(store, SHARE_MS, pool, &config->env.sessions, err)
               : rc;
}

static kc_rc_t start_child(akc_server_t *config, kc_http_gate_t *gate, apr_pool_t *pool,
                           kc_err_t *err)
{
    const kc_conf_t *conf = config->conf;
    const kc_http_curl_options_t limits = {.gate = gate, .stop = akc_streams_given_up()};
    kc_env_t *env = &config->env;
    kc_rc_t rc;

    akc_effects_fill(env, config->server);
    env->audit = config->audit ? akc_audit_write : NULL;
    env->gate = gate;
    (void)ap_mpm_query(AP_MPMQ_GENERATION, &env->generation);
    rc = kc_conf_watch_create(conf, pool, &env->files, err);
    if (rc == KC_OK)
        rc = akc_backchannel_create(config, &limits, pool, &env->http, err);
    if (rc == KC_OK)
        rc = open_store(config, pool, err);
    if (rc == KC_OK)
        rc = kc_metadata_create(conf, env, pool, &config->rp->metadata, err);
    config->rp->env = env;
    return rc;
}

/* The first look-up of Keycloak's host begins before the first request does. The other hosts are
 * memcached servers, and endpoints elsewhere. */
static void resolve_keycloak(akc_server_t *config, apr_pool_t *pool)
{
    const kc_conf_t *conf = config->conf;
    const char *text = conf->backchannel_url ? conf->backchannel_url : conf->issuer;
    kc_url_t url;

    if (kc_url_parse(text, pool, &url, NULL) == KC_OK && url.host[0] != '[')
        (void)kc_resolver_name(config->resolver, url.host);
}

/* A child that cannot check requests must not serve any. */
static void give_up_child(server_rec *server, const kc_err_t *err)
{
    (void)fail(server, err);
    exit(APEXIT_CHILDSICK);
}

/* When there is no background thread, this child checks the stores now, and checks those that are
 * late once more. */
static void look_at_stores(server_rec *main)
{
    const int64_t now_ms = kc_wait_limit_now();
    server_rec *server;

    for (server = main; server; server = server->next) {
        const akc_server_t *config = akc_config_server(server);

        if (!config->rp || config->server != server || !config->clock || config->rp->is_attended)
            continue;
        kc_store_clock_look(config->clock, now_ms, NULL);
        kc_store_clock_look(config->clock, now_ms + KC_STORE_CLOCK_AGAIN_MS, NULL);
    }
}

void akc_lifecycle_child(apr_pool_t *pchild, server_rec *main)
{
    kc_http_gate_t *gate = akc_backchannel_gate(3, pchild); /* for Keycloak */
    kc_http_gate_t *waiters =
        akc_backchannel_gate(0, pchild); /* for requests that wait for another request's renewal */
    kc_resolver_t *resolver;
    int closes_streams = 0;
    server_rec *server;
    kc_err_t err;

    akc_body_child();
    akc_metrics_memory_child(gate, waiters, pchild);
    if (kc_resolver_create(NULL, pchild, &resolver, &err) != KC_OK)
        give_up_child(main, &err);
    for (server = main; server; server = server->next) {
        akc_server_t *config = akc_config_server(server);

        if (!config->rp || config->server != server)
            continue;
        config->env.waiters = waiters;
        config->resolver = resolver;
        resolve_keycloak(config, pchild);
        if (start_child(config, gate, pchild, &err) != KC_OK ||
            akc_watchdog_child(config, pchild, &err) != KC_OK ||
            akc_health_child(config, pchild, &err) != KC_OK)
            give_up_child(server, &err);
        closes_streams |= config->conf->close_streams;
    }
    if (closes_streams && akc_streams_child(pchild, &err) != KC_OK)
        give_up_child(main, &err);
    kc_resolver_wait(resolver, NAMES_MS);
    look_at_stores(main);
}

/* --- a check without a start --- */

int akc_lifecycle_rehearse(apr_pool_t *pool, server_rec *main)
{
    akc_shared_memory_t shared = {NULL, NULL};
    kc_http_gate_t *gate = akc_backchannel_gate(3, pool);
    kc_resolver_t *resolver;
    server_rec *server;
    kc_err_t err;

    if (start_servers(main, &shared, pool) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    if (kc_resolver_create(NULL, pool, &resolver, &err) != KC_OK)
        return fail(main, &err);
    for (server = main; server; server = server->next) {
        akc_server_t *config = akc_config_server(server);

        if (!config->rp || config->server != server)
            continue;
        config->resolver = resolver;
        if (start_child(config, gate, pool, &err) != KC_OK)
            return fail(server, &err);
    }
    return OK;
}

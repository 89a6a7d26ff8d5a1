/* Back channels to Keycloak by the settings of a server, and how many threads may use them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backchannel.h"

#include <ap_mpm.h>

#include "core/conf/conf_watch.h"
#include "core/http/http_curl.h"
#include "core/http/http_meter.h"

kc_http_gate_t *akc_backchannel_gate(uint32_t queue_eighths, apr_pool_t *pool)
{
    kc_http_gate_t *gate = apr_palloc(pool, sizeof(*gate));
    int threads = 1;

    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS || threads < 8)
        kc_http_gate_init(gate, 1, 0);
    else
        kc_http_gate_init(gate, (uint32_t)threads / 4, (uint32_t)threads * queue_eighths / 8);
    return gate;
}

/* The number first: what is held is at least as new. */
static void hold_pems(void *context, apr_pool_t *pool, kc_http_curl_pems_t *out)
{
    const akc_server_t *config = context;
    const kc_conf_t *conf;

    out->serial = kc_conf_watch_changes(config->env.files);
    conf = kc_conf_watch_hold(config->env.files, config->conf, pool);
    out->ca = conf->ca_file.text;
    if (conf->client_auth == KC_AUTH_TLS) {
        out->cert = conf->client_cert.text;
        out->key = conf->client_key.text;
    }
}

kc_rc_t akc_backchannel_create(const akc_server_t *config, const kc_http_curl_options_t *limits,
                               apr_pool_t *pool, kc_http_t **out, kc_err_t *err)
{
    const kc_conf_t *conf = config->conf;
    kc_http_curl_options_t options = *limits;

    options.resolver = config->resolver;
    options.hold_pems = hold_pems;
    options.pems_context = (void *)(uintptr_t)config;
    if (!options.timeout_ms)
        options.timeout_ms = conf->http_timeout;
    if (kc_http_curl_create(&options, pool, out, err) != KC_OK)
        return KC_FAULT;
    *out = kc_http_meter_wrap(*out, config->env.metrics, pool);
    return KC_OK;
}

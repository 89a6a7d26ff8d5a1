/* Back channels to Keycloak by the settings of a server, and how many threads may use them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backchannel.h"

#include <ap_mpm.h>

#include "core/http/http_curl.h"

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

kc_rc_t akc_backchannel_create(const akc_server_t *config, const kc_http_curl_options_t *limits,
                               apr_pool_t *pool, kc_http_t **out, kc_err_t *err)
{
    const kc_conf_t *conf = config->conf;
    kc_http_curl_options_t options = *limits;

    options.resolver = config->resolver;
    options.ca_pem = conf->ca_file.text;
    if (!options.timeout_ms)
        options.timeout_ms = conf->http_timeout;
    if (conf->client_auth == KC_AUTH_TLS) {
        options.client_cert_pem = conf->client_cert.text;
        options.client_key_pem = conf->client_key.text;
    }
    return kc_http_curl_create(&options, pool, out, err);
}

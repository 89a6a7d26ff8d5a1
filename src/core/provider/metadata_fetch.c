/* One fetch of a provider's documents.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/metadata_fetch.h"

#include "base/caller.h"
#include "provider/deadline.h"
#include "provider/provider.h"

/* How documents are fetched. */
typedef struct {
    const kc_metadata_shared_t *shared;
    kc_http_t *http;
    apr_pool_t *request; /* whose time it uses; NULL: no request */
} fetch_t;

static kc_rc_t fetch_document(const fetch_t *fetch, const char *url, kc_metrics_endpoint_t endpoint,
                              apr_pool_t *pool, kc_bytes_t *out, kc_err_t *err)
{
    kc_http_request_t request = {.url = url, .endpoint = endpoint};
    kc_http_response_t response;
    int64_t begun;
    kc_rc_t rc;

    if (fetch->request) {
        request.timeout_ms =
            kc_deadline_left(fetch->shared->env, fetch->request, fetch->shared->conf->http_timeout);
        if (!request.timeout_ms)
            return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY,
                           "the time that a request may wait for the provider is over");
    }
    begun = kc_caller_begin();
    rc = fetch->http->perform(fetch->http, &request, pool, &response, err);
    kc_caller_end(KC_CALLER_PROVIDER, begun);
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

kc_rc_t kc_metadata_fetch_documents(const kc_metadata_shared_t *shared, kc_lease_t *lease,
                                    kc_http_t *http, apr_pool_t *request, apr_pool_t *pool,
                                    kc_metadata_documents_t *out, kc_err_t *err)
{
    const fetch_t fetch = {shared, http, request};
    kc_provider_t *provider;
    const char *url;
    kc_rc_t rc = kc_provider_discovery_url(shared->conf, pool, &url, err);

    if (rc == KC_OK)
        rc = fetch_document(&fetch, url, KC_METRICS_DISCOVERY, pool, &out->metadata, err);
    if (rc == KC_OK)
        rc = kc_provider_parse(shared->conf, (const char *)out->metadata.data, out->metadata.len,
                               pool, &provider, err);
    if (rc == KC_OK) {
        kc_metadata_shared_prolong_lease(shared, lease, pool);
        rc = fetch_document(&fetch, provider->jwks_uri, KC_METRICS_KEYS, pool, &out->keys, err);
    }
    out->fetched = shared->env->now(shared->env->context);
    return rc;
}

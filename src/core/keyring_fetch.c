/* One fetch of a provider's documents.
 * SPDX-License-Identifier: Apache-2.0 */
#include "keyring_fetch.h"

#include "provider.h"

static kc_rc_t fetch_document(kc_http_t *http, const char *url, apr_pool_t *pool, kc_bytes_t *out,
                              kc_err_t *err)
{
    kc_http_request_t request = {url, NULL, NULL};
    kc_http_response_t response;
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

kc_rc_t kc_keyring_fetch_documents(const kc_keyring_shared_t *shared, kc_http_t *http,
                                   apr_pool_t *pool, kc_keyring_documents_t *out, kc_err_t *err)
{
    kc_provider_t *provider;
    const char *url;
    kc_rc_t rc = kc_provider_discovery_url(shared->conf, pool, &url, err);

    if (rc == KC_OK)
        rc = fetch_document(http, url, pool, &out->metadata, err);
    if (rc == KC_OK)
        rc = kc_provider_parse(shared->conf, (const char *)out->metadata.data, out->metadata.len,
                               pool, &provider, err);
    if (rc == KC_OK) {
        kc_keyring_shared_prolong_lease(shared);
        rc = fetch_document(http, provider->jwks_uri, pool, &out->keys, err);
    }
    out->fetched = shared->env->now(shared->env->context);
    return rc;
}

/* Fuzz target: discovery documents, checked by several configurations.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "provider/provider.h"
#include "reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TAKEN };

reach_t reach[] = {{"document taken", 0}, {NULL, 0}};

/* Everything that a document which is accepted may name. */
static const char *const allowed[] = {"https://id.example.com", "http://keycloak.auth:8080",
                                      "https://login.example.org", "https://keys.example.org:444"};

static void demand(int condition)
{
    if (!condition)
        abort();
}

static void check_url(const char *text, int is_for_browsers, apr_pool_t *pool)
{
    kc_url_t url;
    const char *origin;
    size_t i;

    if (!text)
        return;
    demand(kc_url_parse(text, pool, &url, NULL) == KC_OK);
    origin = kc_url_origin(&url, pool);
    demand(!is_for_browsers || strcmp(origin, allowed[1]) != 0);
    for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (!strcmp(origin, allowed[i]))
            return;
    }
    abort();
}

static void check_provider(const kc_conf_t *conf, const kc_provider_t *provider, apr_pool_t *pool)
{
    reach_note(TAKEN);
    demand(!strcmp(provider->issuer, conf->issuer));
    demand(provider->authorization_endpoint && provider->token_endpoint && provider->jwks_uri);
    demand(provider->token_audience != NULL);
    if (provider->authorization_endpoint[0] != '/')
        check_url(provider->authorization_endpoint, 1, pool);
    check_url(provider->end_session_endpoint, 1, pool);
    check_url(provider->token_endpoint, 0, pool);
    check_url(provider->jwks_uri, 0, pool);
    check_url(provider->userinfo_endpoint, 0, pool);
    check_url(provider->revocation_endpoint, 0, pool);
}

static kc_conf_t *make_conf(int variant, apr_pool_t *pool)
{
    kc_conf_t *conf = kc_conf_create(pool);
    apr_array_header_t *origins = apr_array_make(pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(origins, const char *) = allowed[3];
    conf->issuer = "https://id.example.com/realms/r";
    conf->client_id = "site";
    if (variant & 1)
        conf->backchannel_url = allowed[1];
    if (variant & 2)
        conf->auth_url = variant & 1 ? "/auth" : "https://login.example.org/auth";
    if (variant & 2)
        conf->client_auth = KC_AUTH_TLS;
    if (variant & 4)
        conf->endpoint_origins = origins;
    return conf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int is_started;
    int variant;

    if (!is_started) {
        demand(apr_initialize() == APR_SUCCESS);
        is_started = 1;
    }
    for (variant = 0; variant < 8; variant++) {
        apr_pool_t *pool;
        kc_provider_t *provider = NULL;
        kc_err_t err = {0};
        kc_conf_t *conf;

        demand(apr_pool_create(&pool, NULL) == APR_SUCCESS);
        conf = make_conf(variant, pool);
        if (kc_provider_parse(conf, (const char *)data, size, pool, &provider, &err) == KC_OK)
            check_provider(conf, provider, pool);
        else
            demand(err.reason != KC_ERR_NONE && err.detail[0]);
        apr_pool_destroy(pool);
    }
    return 0;
}

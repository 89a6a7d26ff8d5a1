/* A relying party in a fake environment, for unit tests and fuzz targets.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fake_site.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/seal.h"
#include "provider/metadata.h"
#include "rp.h"

typedef struct cookie_t {
    const char *name; /* NULL: none */
    const char *value;
} cookie_t;

static void need(kc_rc_t rc)
{
    if (rc != KC_OK)
        abort();
}

kc_seal_keys_t *kc_fake_site_keys(kc_fake_site_t *site, const char *newest, const char *older)
{
    apr_array_header_t *secrets = apr_array_make(site->pool, 2, sizeof(kc_conf_file_t));
    kc_seal_keys_t *keys = NULL;

    APR_ARRAY_PUSH(secrets, kc_conf_file_t) = (kc_conf_file_t){.text = newest};
    if (older)
        APR_ARRAY_PUSH(secrets, kc_conf_file_t) = (kc_conf_file_t){.text = older};
    need(kc_rp_keys_make(secrets, site->pool, &keys, NULL));
    return keys;
}

void kc_fake_site_renew(kc_fake_site_t *site)
{
    need(kc_rp_create(site->conf, site->keys, site->pool, &site->rp, NULL));
    site->rp->env = &site->fake->env;
    need(kc_metadata_create(site->conf, &site->fake->env, site->pool, &site->rp->metadata, NULL));
}

kc_fake_site_t *kc_fake_site_make(apr_pool_t *pool)
{
    kc_fake_site_t *site = apr_pcalloc(pool, sizeof(*site));

    site->pool = pool;
    site->fake = kc_fake_make(pool);
    site->conf = kc_conf_create(pool);
    site->conf->issuer = KC_FAKE_ISSUER;
    site->conf->client_id = "kubeflow-oidc-authservice";
    site->conf->client_secret.text = "not-a-secret";
    site->keys = kc_fake_site_keys(site, "0123456789abcdef0123456789abcdef", NULL);
    site->client.public_url = KC_FAKE_PUBLIC;
    site->client.is_https = 1;
    site->jar = apr_array_make(pool, 8, sizeof(cookie_t));
    kc_fake_site_renew(site);
    return site;
}

/* ---------------------------------------------------------------- the provider */

const char *kc_fake_site_metadata(kc_fake_site_t *site, const char *more)
{
    return apr_pstrcat(site->pool,
                       "{\"issuer\":\"" KC_FAKE_ISSUER "\","
                       "\"authorization_endpoint\":\"" KC_FAKE_ENDPOINT "auth\","
                       "\"token_endpoint\":\"" KC_FAKE_TOKEN "\","
                       "\"jwks_uri\":\"" KC_FAKE_JWKS "\","
                       "\"userinfo_endpoint\":\"" KC_FAKE_USERINFO "\","
                       "\"end_session_endpoint\":\"" KC_FAKE_LOGOUT "\","
                       "\"response_types_supported\":[\"code\"],"
                       "\"code_challenge_methods_supported\":[\"plain\",\"S256\"],"
                       "\"authorization_response_iss_parameter_supported\":true",
                       more, "}", NULL);
}

void kc_fake_site_provide(kc_fake_site_t *site, const char *metadata, const char *jwks)
{
    kc_fake_answer(site->fake, KC_FAKE_DISCOVERY, 200, "application/json", metadata);
    kc_fake_answer(site->fake, KC_FAKE_JWKS, 200, "application/json", jwks);
}

/* ---------------------------------------------------------------- the browser */

static cookie_t *cookie_at(const kc_fake_site_t *site, int index)
{
    return &((cookie_t *)(void *)site->jar->elts)[index];
}

static void write_header(kc_fake_site_t *site)
{
    const char *text = NULL;
    int i;

    for (i = 0; i < site->jar->nelts; i++) {
        const cookie_t *cookie = cookie_at(site, i);

        if (cookie->name)
            text = apr_pstrcat(site->pool, text ? text : "", text ? "; " : "", cookie->name, "=",
                               cookie->value, NULL);
    }
    site->client.cookies = text;
}

void kc_fake_site_plant(kc_fake_site_t *site, const char *name, const char *value)
{
    cookie_t *place = NULL;
    int i;

    for (i = 0; i < site->jar->nelts; i++) {
        cookie_t *cookie = cookie_at(site, i);

        if (cookie->name && strcmp(cookie->name, name) == 0)
            place = cookie;
    }
    if (!place)
        place = apr_array_push(site->jar);
    place->name = value ? name : NULL;
    place->value = value;
    write_header(site);
}

void kc_fake_site_take(kc_fake_site_t *site, const apr_array_header_t *cookies)
{
    int i;

    for (i = 0; i < cookies->nelts; i++) {
        const char *text = APR_ARRAY_IDX(cookies, i, const char *);
        const char *equal = strchr(text, '='), *end = strchr(text, ';');
        const char *name, *value;

        if (!equal || !end || end < equal)
            abort();
        name = kc_buf_copy(text, (size_t)(equal - text), site->pool);
        value = kc_buf_copy(equal + 1, (size_t)(end - equal - 1), site->pool);
        kc_fake_site_plant(site, name, strstr(end, "Max-Age=0") ? NULL : value);
    }
}

const char *kc_fake_site_cookie(const kc_fake_site_t *site, const char *name)
{
    int i;

    for (i = 0; i < site->jar->nelts; i++) {
        if (cookie_at(site, i)->name && strcmp(cookie_at(site, i)->name, name) == 0)
            return cookie_at(site, i)->value;
    }
    return NULL;
}

int kc_fake_site_count(const kc_fake_site_t *site, const char *prefix, size_t *bytes)
{
    int i, count = 0;

    *bytes = 0;
    for (i = 0; i < site->jar->nelts; i++) {
        const cookie_t *cookie = cookie_at(site, i);

        if (!cookie->name || strncmp(cookie->name, prefix, strlen(prefix)) != 0)
            continue;
        count++;
        *bytes += strlen(cookie->name) + 1 + strlen(cookie->value);
    }
    return count;
}

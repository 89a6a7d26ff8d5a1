/* A relying party in a fake environment, for unit tests and fuzz targets: settings, keys, a
 * provider's documents, and a browser that keeps cookies.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_FAKE_SITE_H
#define KC_FAKE_SITE_H

#include "browser.h"
#include "fake.h"
#include "rp.h"

#define KC_FAKE_ISSUER "https://keycloak.example.com/realms/kubeflow"
#define KC_FAKE_PUBLIC "https://kubeflow.example.com"
#define KC_FAKE_DISCOVERY KC_FAKE_ISSUER "/.well-known/openid-configuration"
#define KC_FAKE_ENDPOINT KC_FAKE_ISSUER "/protocol/openid-connect/"
#define KC_FAKE_JWKS KC_FAKE_ENDPOINT "certs"
#define KC_FAKE_TOKEN KC_FAKE_ENDPOINT "token"
#define KC_FAKE_USERINFO KC_FAKE_ENDPOINT "userinfo"
#define KC_FAKE_LOGOUT KC_FAKE_ENDPOINT "logout"

/* Everything in the pool given to make. Not thread safe. */
typedef struct kc_fake_site_t {
    apr_pool_t *pool;
    kc_fake_t *fake;
    kc_conf_t *conf;         /* change it, then kc_fake_site_renew */
    kc_seal_keys_t *keys;    /* one key */
    kc_rp_t *rp;             /* with env and metadata */
    kc_browser_t client;     /* the browser: over https, its cookies are kept up to date */
    apr_array_header_t *jar; /* private */
} kc_fake_site_t;

/* Settings as of README's minimal configuration, an empty world, an https browser without cookies.
 */
kc_fake_site_t *kc_fake_site_make(apr_pool_t *pool);
/* Makes relying party and metadata anew, from the settings and keys as they are now. */
void kc_fake_site_renew(kc_fake_site_t *site);
/* Sealing keys of these secrets, newest first; older may be NULL. */
kc_seal_keys_t *kc_fake_site_keys(kc_fake_site_t *site, const char *newest, const char *older);

/* A discovery document of the fake provider; more is "" or further members such as ",\"a\":1". */
const char *kc_fake_site_metadata(kc_fake_site_t *site, const char *more);
/* The provider answers with this discovery document and key set from now on. */
void kc_fake_site_provide(kc_fake_site_t *site, const char *metadata, const char *jwks);

/* Does with an answer's cookies (const char *, values of Set-Cookie) what a browser does. */
void kc_fake_site_take(kc_fake_site_t *site, const apr_array_header_t *cookies);
/* The value of a cookie that the browser has, or NULL. */
const char *kc_fake_site_cookie(const kc_fake_site_t *site, const char *name);
/* Puts a cookie into the browser; NULL value: removes it. */
void kc_fake_site_plant(kc_fake_site_t *site, const char *name, const char *value);
/* How many cookies with this prefix there are, and how long they are as name=value together. */
int kc_fake_site_count(const kc_fake_site_t *site, const char *prefix, size_t *bytes);

#endif

/* The relying party: one server's settings with the keys, effects and provider that belong to them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_RP_H
#define KC_RP_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/err.h"
#include "browser.h"
#include "conf/conf.h"
#include "conf/cookie_names.h"
#include "crypto/seal.h"
#include "env.h"
#include "provider/metadata.h"

/* For details of failures, behind "was". */
#define KC_RP_FOREIGN_KEY \
    "sealed with a key that this server does not have (KeycloakCryptoKey: the same on all nodes)"

enum {
    KC_RP_ID_SIZE = 16,       /* bytes */
    KC_RP_STORE_NAME_MAX = 64 /* the same */
};

/* Frozen after start; shared by all threads. env and metadata are the child's. */
typedef struct kc_rp_t {
    const kc_conf_t *conf;
    const kc_seal_keys_t *keys;
    unsigned char id[KC_RP_ID_SIZE];     /* fingerprint of what a session's meaning depends on */
    unsigned char realm[KC_RP_ID_SIZE];  /* of issuer and client alone: whom a logout is for */
    unsigned char naming[KC_RP_ID_SIZE]; /* of these and how people get their names: who is meant by
                                            one */
    unsigned char scope[KC_VIEW_CACHE_SCOPE_SIZE]; /* the same with the keys, in the first tier */
    unsigned char bearer_scope[KC_VIEW_CACHE_SCOPE_SIZE]; /* of bearer tokens there */
    char pause[KC_STORE_KEY_LEN + 1]; /* in the host's store: no session is renewed for now */
    int64_t longest;                  /* seconds: the longest KeycloakSessionMax, see kc_rp_meet */
    int keeps_claims;                 /* some Require keycloak-claim may ask for them */
    apr_array_header_t *asked_claims; /* const char *: paths of its lines Require
                                               keycloak-claim; NULL: none */
    int asks_groups;                  /* some Require keycloak-group does */
    unsigned int asks_roles;          /* bits of unknown.h: which some Require asks for */
    int asks_negated;                 /* some Require excludes by roles, groups or claims */
    int is_attended;                  /* a thread in the background does kc_logout_pending_look */
    kc_cookie_names_t names[2];       /* [0] http, [1] https */
    const char *callback_path;        /* path of the redirect URI */
    kc_env_t *env;
    kc_metadata_t *metadata;
} kc_rp_t;

/* Makes the parts that are known at start; env and metadata stay NULL until the child sets them. */
kc_rc_t kc_rp_create(const kc_conf_t *conf, const kc_seal_keys_t *keys, apr_pool_t *pool,
                     kc_rp_t **out, kc_err_t *err);
/* Tells each of two relying parties of a process of the other's KeycloakSessionMax, when both have
 * the same issuer and client: what ends a session at one of them has to last as long as it could
 * live at the other. Before they are shared. */
void kc_rp_meet(kc_rp_t *one, kc_rp_t *other);
/* Makes the sealing keys of the configured secrets (array of const char *), or of a generated one.
 */
kc_rc_t kc_rp_keys_make(const apr_array_header_t *secrets, apr_pool_t *pool, kc_seal_keys_t **out,
                        kc_err_t *err);
/* Where a value lives in the store: hex of a key derived from the purpose, this relying party and
 * name (up to KC_RP_STORE_NAME_MAX bytes). out has room for KC_STORE_KEY_LEN + 1 bytes. */
kc_rc_t kc_rp_store_key(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *purpose,
                        kc_bytes_t name, char *out, kc_err_t *err);
/* The same for what concerns every relying party of this issuer and client. */
kc_rc_t kc_rp_realm_key(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *purpose,
                        kc_bytes_t name, char *out, kc_err_t *err);

/* 1 for the first who asks of this purpose and name (up to KC_RP_STORE_NAME_MAX bytes) within an
 * hour, of all children of the host; without its store for everybody. For log lines. Thread safe.
 */
int kc_rp_is_news(const kc_rp_t *rp, const char *purpose, kc_bytes_t name);

/* Tells the log (KC_ERR_KEY_FOREIGN) of what was sealed with a key that is not here: once a minute
 * and process, for anybody can make it up. what: "a session". */
void kc_rp_warn_of_key(const kc_rp_t *rp, const char *what, apr_pool_t *pool);

/* Where Keycloak sends the browser back to: KeycloakRedirectURI, or made of the public URL. */
const char *kc_rp_redirect_uri(const kc_rp_t *rp, const kc_browser_t *client, apr_pool_t *pool);

#endif

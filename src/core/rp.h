/* The relying party: one server's settings with its keys, effects and provider.
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

/* For details of failures, after the word "was". */
#define KC_RP_FOREIGN_KEY \
    "sealed with a key that this server does not have (KeycloakCryptoKey: the same on all nodes)"

enum {
    KC_RP_ID_SIZE = 16,       /* bytes */
    KC_RP_STORE_NAME_MAX = 64 /* bytes */
};

/* Immutable after start; shared by all threads. env and metadata belong to the child. */
typedef struct kc_rp_t {
    const kc_conf_t *conf;
    const kc_seal_keys_t *keys;
    unsigned char id[KC_RP_ID_SIZE];     /* fingerprint of the settings that a session's meaning
                                            depends on */
    unsigned char realm[KC_RP_ID_SIZE];  /* of issuer and client only: a logout applies to all with
                                            the same */
    unsigned char naming[KC_RP_ID_SIZE]; /* of these and how user names are formed: a name means the
                                            same user for all with the same */
    unsigned char scope[KC_VIEW_CACHE_SCOPE_SIZE]; /* like id, with the keys; for the first tier */
    unsigned char bearer_scope[KC_VIEW_CACHE_SCOPE_SIZE]; /* the same for bearer tokens */
    char pause[KC_STORE_KEY_LEN + 1]; /* key in the host's store: no session is renewed for now */
    int64_t longest;                  /* seconds: the longest KeycloakSessionMax, see kc_rp_meet */
    int keeps_claims;                 /* some Require keycloak-claim may need the claims */
    apr_array_header_t *asked_claims; /* const char *: claim paths of its Require keycloak-claim
                                         lines; NULL: none */
    int asks_groups;                  /* some Require keycloak-group is used */
    unsigned int asks_roles;          /* bits of unknown.h: roles that some Require asks for */
    int asks_negated;                 /* some Require excludes by roles, groups or claims */
    int is_attended;                  /* a background thread calls kc_logout_pending_look */
    kc_cookie_names_t names[2];       /* [0] http, [1] https */
    const char *callback_path;        /* path of the redirect URI */
    kc_env_t *env;
    kc_metadata_t *metadata;
} kc_rp_t;

/* Makes the parts that are known at start. env and metadata are NULL until the child sets them. */
kc_rc_t kc_rp_create(const kc_conf_t *conf, const kc_seal_keys_t *keys, apr_pool_t *pool,
                     kc_rp_t **out, kc_err_t *err);
/* Tells two relying parties of a process each other's KeycloakSessionMax, when both have the same
 * issuer and client. An entry that ends a session at one of them must last as long as the session
 * could live at the other. Before they are shared. */
void kc_rp_meet(kc_rp_t *one, kc_rp_t *other);
/* Makes the sealing keys of the configured secrets (array of kc_conf_file_t, whose texts count), or
 * of a generated one. */
kc_rc_t kc_rp_keys_make(const apr_array_header_t *secrets, apr_pool_t *pool, kc_seal_keys_t **out,
                        kc_err_t *err);
/* The store key of a value: hex of a key derived from the purpose, this relying party and name (up
 * to KC_RP_STORE_NAME_MAX bytes). out has room for KC_STORE_KEY_LEN + 1 bytes. */
kc_rc_t kc_rp_store_key(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *purpose,
                        kc_bytes_t name, char *out, kc_err_t *err);
/* The same for values that concern every relying party of this issuer and client. */
kc_rc_t kc_rp_realm_key(const kc_rp_t *rp, const kc_crypto_key_t *key, const char *purpose,
                        kc_bytes_t name, char *out, kc_err_t *err);

/* 1 for the first caller with this purpose and name (up to KC_RP_STORE_NAME_MAX bytes) within an
 * hour, among all children of the host. Without the host's store: 1 for every caller. For log
 * lines. Thread safe. */
int kc_rp_is_news(const kc_rp_t *rp, const char *purpose, kc_bytes_t name);

/* Logs (KC_ERR_KEY_FOREIGN) that a value was sealed with a key that is not configured here: once a
 * minute and process, because any client can cause it. what: "a session". */
void kc_rp_warn_of_key(const kc_rp_t *rp, const char *what);

/* The URL to which Keycloak redirects the browser: KeycloakRedirectURI, or one made of the public
 * URL. */
const char *kc_rp_redirect_uri(const kc_rp_t *rp, const kc_browser_t *client, apr_pool_t *pool);

#endif

/* The module's own addresses: which there are, and how a path is matched with them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_ADDRESSES_H
#define AKC_ADDRESSES_H

#include "module.h"

/* The addresses below KeycloakPrefix. The callback may be elsewhere (KeycloakRedirectURI). */
typedef enum {
    AKC_ADDRESS_CALLBACK,
    AKC_ADDRESS_LOGIN,
    AKC_ADDRESS_LOGOUT,
    AKC_ADDRESS_SESSIONS,
    AKC_ADDRESS_WHOAMI,
    AKC_ADDRESS_BACKCHANNEL,
    AKC_ADDRESS_FRONTCHANNEL,
    AKC_ADDRESS_VERIFY,
    AKC_ADDRESSES /* their count; also the value for no address */
} akc_address_t;

/* The address that a path names. Thread safe, like all functions here. */
akc_address_t akc_addresses_find(const akc_server_t *server, const char *path);
/* The names of all addresses below KeycloakPrefix, separated by commas. */
const char *akc_addresses_names(apr_pool_t *pool);
/* 1 when a POST to it has a body. */
int akc_addresses_takes_body(akc_address_t address);
int akc_addresses_is_ours(const akc_server_t *server, const request_rec *r);
/* 1 where only the session cookie counts: at addresses that change or begin sessions. */
int akc_addresses_is_by_cookie(const akc_server_t *server, const char *path);
int akc_addresses_is_callback(const akc_server_t *server, const char *path);
/* The handler that SetHandler names for the location, if it is one of this module; else NULL. */
const char *akc_addresses_configured(request_rec *r);
/* 1 where SetHandler keycloak-judge is configured, even at the module's own addresses there. */
int akc_addresses_is_judge(request_rec *r);
/* Makes handler answer r, so that no file and no backend does. */
void akc_addresses_take(request_rec *r, const char *handler);
/* 1 when akc_addresses_take was called for r, because of the server's own settings only. */
int akc_addresses_is_taken(const request_rec *r);

#endif

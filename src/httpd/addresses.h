/* The module's own addresses: which there are, and what a path of theirs is.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_ADDRESSES_H
#define AKC_ADDRESSES_H

#include "module.h"

/* What answers behind KeycloakPrefix; the callback may lie elsewhere (KeycloakRedirectURI). */
typedef enum {
    AKC_ADDRESS_CALLBACK,
    AKC_ADDRESS_LOGIN,
    AKC_ADDRESS_LOGOUT,
    AKC_ADDRESS_SESSIONS,
    AKC_ADDRESS_WHOAMI,
    AKC_ADDRESS_BACKCHANNEL,
    AKC_ADDRESS_FRONTCHANNEL,
    AKC_ADDRESS_VERIFY,
    AKC_ADDRESSES /* their count, and none of them */
} akc_address_t;

/* The address that a path names. Thread safe, as all here. */
akc_address_t akc_addresses_find(const akc_server_t *server, const char *path);
/* Of all behind KeycloakPrefix, separated by commas. */
const char *akc_addresses_names(apr_pool_t *pool);
/* 1 when a POST to it has a body. */
int akc_addresses_takes_body(akc_address_t address);
int akc_addresses_is_ours(const akc_server_t *server, const request_rec *r);
/* 1 where a session's cookie alone counts: what changes or begins sessions. */
int akc_addresses_is_by_cookie(const akc_server_t *server, const char *path);
int akc_addresses_is_callback(const akc_server_t *server, const char *path);
/* What SetHandler says for the place, as far as it is one of ours; NULL: nothing. */
const char *akc_addresses_configured(request_rec *r);
/* 1 where SetHandler keycloak-judge is configured, also at our own addresses there. */
int akc_addresses_is_judge(request_rec *r);
/* No file and no backend stands behind r: handler answers it. */
void akc_addresses_take(request_rec *r, const char *handler);
/* 1 when akc_addresses_take was called for it, by the server's own settings alone. */
int akc_addresses_is_taken(const request_rec *r);

#endif

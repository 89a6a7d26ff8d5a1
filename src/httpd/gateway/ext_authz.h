/* SetHandler keycloak-judge: external authorization for Envoy (ext_authz).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_EXT_AUTHZ_H
#define AKC_EXT_AUTHZ_H

#include "module.h"

/* At start: makes in pool what depends only on the configuration. foreign must exist. */
void akc_ext_authz_prepare(akc_server_t *server, apr_pool_t *pool);
int akc_ext_authz_handle(request_rec *r);
/* Before names are translated: with KeycloakJudgePaths any, external authorization treats a path
 * that can be read in several ways as "/". So it is no public path, no address of this module, and
 * in no location of its own. Only a KeycloakUnauth 401 there counts, because it lets nobody in. */
void akc_ext_authz_enter(akc_request_t *request, request_rec *r);
/* 1 when akc_ext_authz_enter has made the path "/", but the handler that is to answer (NULL: none
 * of this module) is not external authorization. Whatever it answers must not become a permission.
 */
int akc_ext_authz_is_lost(const akc_request_t *request, const request_rec *r, const char *handler);
/* 1 for "OPTIONS *" where external authorization would answer for "/". httpd itself would answer
 * 200, because "*" is in no location. */
int akc_ext_authz_is_asked_for_star(request_rec *r);
/* 1 when an address of this module has been answered. A request that needs its body, which a
 * gateway does not send, must be forwarded to where it is handled. */
int akc_ext_authz_passes(akc_request_t *request, request_rec *r);

#endif

/* SetHandler keycloak-judge: external authorization for Envoy (ext_authz).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_EXT_AUTHZ_H
#define AKC_EXT_AUTHZ_H

#include "module.h"

/* At start: makes what depends on the configuration alone, from pool. foreign is there. */
void akc_ext_authz_prepare(akc_server_t *server, apr_pool_t *pool);
int akc_ext_authz_handle(request_rec *r);
/* 1 for "OPTIONS *" where a judge would answer for "/": httpd itself would say 200 to it, which
 * lies in no place. */
int akc_ext_authz_is_asked_for_star(request_rec *r);
/* 1 when an address of ours has been answered: what needs a body, which a gateway does not send
 * along, has to go on to where it is handled. */
int akc_ext_authz_passes(akc_request_t *request, request_rec *r);

#endif

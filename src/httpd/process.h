/* Tasks for all servers of the process, including those without KeycloakIssuer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_PROCESS_H
#define AKC_PROCESS_H

#include "module.h"

/* 1 when a server has a KeycloakIssuer. */
int akc_process_has_issuer(server_rec *main);
/* At start: the line of a server-scope directive that applies to this server, its own or the main
 * server's; NULL: there is none. */
const ap_directive_t *akc_process_directive(const server_rec *server, const char *name);
int akc_process_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_process_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
/* At start, after the servers with KeycloakIssuer have their rp: tells each server which headers
 * and cookies belong to this module. */
void akc_process_prepare(apr_pool_t *pconf, server_rec *main);

#endif

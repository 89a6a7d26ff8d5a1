/* Start of the server and of its children.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_LIFECYCLE_H
#define AKC_LIFECYCLE_H

#include "module.h"

int akc_lifecycle_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_lifecycle_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
void akc_lifecycle_child(apr_pool_t *pchild, server_rec *main);
/* In httpd -t: makes of each server with KeycloakIssuer what a start and a child would make (rp,
 * with env and metadata), without background threads of this module's, and without a connection.
 * OK, or an error that was logged. In pool. */
int akc_lifecycle_rehearse(apr_pool_t *pool, server_rec *main);

#endif

/* Start of the server and of its children.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_LIFECYCLE_H
#define AKC_LIFECYCLE_H

#include "module.h"

int akc_lifecycle_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_lifecycle_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
void akc_lifecycle_child(apr_pool_t *pchild, server_rec *main);

#endif

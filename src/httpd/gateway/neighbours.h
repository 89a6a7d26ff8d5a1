/* At start: what else answers in the server of an external authorization handler.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_NEIGHBOURS_H
#define AKC_NEIGHBOURS_H

#include "module.h"

int akc_neighbours_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_neighbours_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);

#endif

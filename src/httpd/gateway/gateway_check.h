/* At start: what else answers in the server of an external authorization handler.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_GATEWAY_CHECK_H
#define AKC_GATEWAY_CHECK_H

#include "module.h"

int akc_gateway_check_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                            server_rec *main);
int akc_gateway_check_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                            server_rec *main);

#endif

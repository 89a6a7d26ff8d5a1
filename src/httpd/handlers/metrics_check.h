/* At start: who can read the metrics.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_METRICS_CHECK_H
#define AKC_METRICS_CHECK_H

#include "module.h"

/* Warn of SetHandler keycloak-metrics beside other pages without a Require that keeps anybody
 * out. */
int akc_metrics_check_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                            server_rec *main);
int akc_metrics_check_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                            server_rec *main);

#endif

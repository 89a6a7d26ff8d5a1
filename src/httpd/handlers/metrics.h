/* SetHandler keycloak-metrics, for Prometheus.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_METRICS_H
#define AKC_METRICS_H

#include <apr_pools.h>

/* Has httpd call the handler and the checks at start, and mod_status the module's section. */
void akc_metrics_register(apr_pool_t *pool);

#endif

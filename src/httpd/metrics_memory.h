/* The memory of the metrics, kept over restarts, and what each child shows in it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_METRICS_MEMORY_H
#define AKC_METRICS_MEMORY_H

#include "module.h"

#include "core/metrics/metrics.h"

/* At start, once all servers with KeycloakIssuer have been started: gives them the memory, which
 * the process keeps over restarts. KC_FAULT: there is no shared memory. */
kc_rc_t akc_metrics_memory_start(server_rec *main, apr_pool_t *pconf, kc_err_t *err);
/* In a child, before its threads: its values, such as how many threads wait at these gates, are
 * shown to all children until pchild ends. */
void akc_metrics_memory_child(kc_http_gate_t *gate, kc_http_gate_t *waiters, apr_pool_t *pchild);
/* NULL: no server has a KeycloakIssuer. */
const kc_metrics_t *akc_metrics_memory_get(void);
/* The sum of a value over all living children. */
int64_t akc_metrics_memory_sum(kc_metrics_value_t value);

#endif

/* Metrics that are read when they are asked for.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_GAUGES_H
#define AKC_GAUGES_H

#include "module.h"

#include "core/metrics/metrics.h"

/* Called for each value of a gauge. labels: a text for each label of its row. */
typedef void (*akc_gauges_visit_t)(void *context, const char *const *labels, int64_t value);

/* In a child: calls visit for each value of a row that is a gauge. Several threads may. What a
 * child knows for itself (age of the metadata) is that of this child. A virtual host has no label:
 * all servers of the process count as one. */
void akc_gauges_each(kc_metrics_index_t row, akc_gauges_visit_t visit, void *context);

#endif

/* What the metrics tell of exchanges with Keycloak.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_METER_H
#define KC_HTTP_METER_H

#include "http/http.h"
#include "metrics/metrics.h"

/* A client that calls inner, which must outlive pool. It counts each result and, if the request was
 * sent, its time. It adds the time to what the thread has waited. The wait for a slot is part of
 * it. metrics may be NULL. */
kc_http_t *kc_http_meter_wrap(kc_http_t *inner, const kc_metrics_t *metrics, apr_pool_t *pool);

#endif

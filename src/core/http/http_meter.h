/* What the metrics tell of exchanges with Keycloak.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_METER_H
#define KC_HTTP_METER_H

#include "http/http.h"
#include "metrics/metrics.h"
#include "metrics/stopwatch.h"

/* The exchange that was sent at begun (kc_stopwatch_now) has ended: notes how long it took. metrics
 * may be NULL. Thread safe. */
void kc_http_meter_took(const kc_metrics_t *metrics, const kc_http_request_t *request,
                        int64_t begun);
/* A client that calls inner, which must outlive pool. It counts each result, and adds the time of
 * the call, with the wait for a slot, to what the thread has waited. metrics may be NULL. */
kc_http_t *kc_http_meter_wrap(kc_http_t *inner, const kc_metrics_t *metrics, apr_pool_t *pool);

#endif

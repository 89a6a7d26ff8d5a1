/* What the metrics tell of exchanges with Keycloak.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/http_meter.h"

#include "metrics/stopwatch.h"

typedef struct {
    kc_http_t http; /* first */
    kc_http_t *inner;
    const kc_metrics_t *metrics;
} metered_t;

static kc_metrics_answer_t answer_of(kc_rc_t rc, int status, const kc_err_t *err)
{
    if (rc != KC_OK)
        return err->reason == KC_ERR_PROVIDER_BUSY ? KC_METRICS_BUSY : KC_METRICS_FAILED;
    if (status >= 500)
        return KC_METRICS_5XX;
    if (status >= 400)
        return KC_METRICS_4XX;
    return status >= 300 ? KC_METRICS_3XX : KC_METRICS_2XX;
}

static kc_rc_t perform(kc_http_t *http, const kc_http_request_t *request, apr_pool_t *pool,
                       kc_http_response_t *response, kc_err_t *err)
{
    const metered_t *metered = (const metered_t *)(void *)http;
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};
    int64_t begun = kc_stopwatch_now();
    kc_rc_t rc = metered->inner->perform(metered->inner, request, pool, response, &why);

    int64_t spent = kc_stopwatch_stop(KC_STOPWATCH_PROVIDER, begun);
    kc_metrics_answer_t answer = answer_of(rc, response->status, &why);

    kc_metrics_add(metered->metrics,
                   KC_METRICS_CELL(provider_results, request->endpoint, answer, 0), 1);
    if (answer != KC_METRICS_BUSY)
        kc_metrics_observe(metered->metrics,
                           KC_METRICS_CELL(provider_calls, request->endpoint, 0, 0), spent);
    if (rc != KC_OK && err)
        *err = why;
    return rc;
}

kc_http_t *kc_http_meter_wrap(kc_http_t *inner, const kc_metrics_t *metrics, apr_pool_t *pool)
{
    metered_t *metered = apr_pcalloc(pool, sizeof(*metered));

    metered->http.perform = perform;
    metered->inner = inner;
    metered->metrics = metrics;
    return &metered->http;
}

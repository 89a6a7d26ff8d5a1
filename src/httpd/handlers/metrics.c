/* The metrics: the handler that Prometheus asks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/metrics.h"

#include <apr_atomic.h>
#include <string.h>

#include "addresses.h"
#include "gateway/gateway_port.h"
#include "gauges.h"
#include "handlers/metrics_check.h"
#include "handlers/status.h"
#include "log.h"
#include "metrics_memory.h"
#include "respond.h"

#include "core/metrics/metrics_text.h"

static apr_uint32_t has_refused; /* 1: the log knows */

static void put(void *context, const char *const *labels, int64_t value)
{
    kc_metrics_text_gauge(context, labels, value);
}

static void put_gauge(void *context, kc_metrics_index_t row, kc_metrics_text_t *text)
{
    (void)context;
    akc_gauges_each(row, put, text);
}

/* The counts are of one moment, or nearly: other threads count meanwhile. */
static int answer(request_rec *r)
{
    const kc_metrics_text_format_t format =
        kc_metrics_text_choose(apr_table_get(r->headers_in, "Accept"));
    kc_bytes_t text;
    kc_buf_t buf;

    kc_buf_init(&buf, KC_METRICS_TEXT_MAX, r->pool);
    kc_metrics_text_write(akc_metrics_memory_get(), format, put_gauge, NULL, &buf);
    if (kc_buf_bytes(&buf, &text) != KC_OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    apr_table_mergen(r->headers_out, "Vary", "Accept");
    return akc_respond_plain(r, kc_metrics_text_type(format), (const char *)text.data);
}

static int refuse_location(request_rec *r)
{
    if (!apr_atomic_xchg32(&has_refused, 1))
        AKC_LOG_REQUEST(
            r, KC_ERR_CONFIG,
            "SetHandler " AKC_ENDPOINTS_METRICS
            " is not served where the port or the virtual host has a " AKC_ENDPOINTS_JUDGE
            ", where a gateway would read its 200 as \"allowed\": give each a port and "
            "a virtual host of its own");
    return HTTP_NOT_FOUND;
}

static int handle(request_rec *r)
{
    if (strcmp(r->handler, AKC_ENDPOINTS_METRICS) != 0)
        return DECLINED;
    /* neither by a .htaccess nor through an ErrorDocument */
    if (!akc_addresses_is_taken(r) || !ap_is_initial_req(r))
        return HTTP_NOT_FOUND;
    if (akc_gateway_port_is_met(r))
        return refuse_location(r);
    if (r->method_number != M_GET) {
        ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    return answer(r);
}

void akc_metrics_register(apr_pool_t *pool)
{
    ap_hook_check_config(akc_metrics_check_check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(akc_metrics_check_start, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
    akc_status_register(pool);
}

/* The calls of a check.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_call.h"

kc_rc_t kc_check_call_get(const kc_check_t *check, const char *url, kc_http_response_t *response,
                          kc_err_t *err)
{
    const kc_http_request_t request = {.url = url, .wants_head = 1};
    kc_http_t *http = check->rp->env->http;

    return http->perform(http, &request, check->pool, response, err);
}

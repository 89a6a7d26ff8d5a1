/* The calls of a check.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_CALL_H
#define KC_CHECK_CALL_H

#include "check/check_task.h"
#include "http/http.h"

/* GETs url as httpd's own calls to Keycloak do, with date and location in the response, without
 * following redirects. Fails as kc_http_t does. The response is in check->pool. */
kc_rc_t kc_check_call_get(const kc_check_t *check, const char *url, kc_http_response_t *response,
                          kc_err_t *err);

#endif

/* Back channels to Keycloak by the settings of a server, and how many threads may use them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_BACKCHANNEL_H
#define AKC_BACKCHANNEL_H

#include "module.h"

#include "core/http/http_curl.h"

/* A gate with slots for a quarter of a child's threads. Of the other threads, queue_eighths eighths
 * may wait while it is moving; the rest serves other requests. In pool. */
kc_http_gate_t *akc_backchannel_gate(uint32_t queue_eighths, apr_pool_t *pool);
/* A back channel by the server's settings, like kc_http_curl_create. Uses gate, stop and timeout_ms
 * of limits (0: KeycloakHTTPTimeout). */
kc_rc_t akc_backchannel_create(const akc_server_t *config, const kc_http_curl_options_t *limits,
                               apr_pool_t *pool, kc_http_t **out, kc_err_t *err);

#endif

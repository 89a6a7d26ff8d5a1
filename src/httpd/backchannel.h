/* Ways to Keycloak by the settings of a server, and how many threads may be on them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_BACKCHANNEL_H
#define AKC_BACKCHANNEL_H

#include "module.h"

#include "core/http/http_curl.h"

/* A quarter of a child's threads may be in it at once, and so many eighths wait for that while it
 * moves; the rest goes on serving. In pool. */
kc_http_gate_t *akc_backchannel_gate(uint32_t queue_eighths, apr_pool_t *pool);
/* A back channel by the server's settings; as kc_http_curl_create. Of the limits gate, stop and
 * timeout_ms count (0: KeycloakHTTPTimeout). */
kc_rc_t akc_backchannel_create(const akc_server_t *config, const kc_http_curl_options_t *limits,
                               apr_pool_t *pool, kc_http_t **out, kc_err_t *err);

#endif

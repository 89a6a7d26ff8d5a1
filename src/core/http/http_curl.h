/* The back channel through libcurl.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_CURL_H
#define KC_HTTP_CURL_H

#include "http/http.h"
#include "net/resolver.h"

typedef struct kc_http_curl_options_t {
    const char *ca_pem;          /* certificates instead of the system's; NULL: the system's */
    const char *client_cert_pem; /* or NULL */
    const char *client_key_pem;  /* or NULL */
    int64_t timeout_ms;          /* for the whole exchange; connecting gets at most the same */
    kc_http_gate_t *gate;        /* each exchange waits for a slot, or is KC_ERR_PROVIDER_BUSY */
    const uint32_t *stop;        /* not 0: exchanges end within a second, with KC_ERR_PROVIDER_BUSY;
                                    NULL: never */
    kc_resolver_t *resolver;     /* of host names; NULL: libcurl's own, which may hang */
} kc_http_curl_options_t;

/* Call once in the parent, before threads exist (curl_global_init; a cleanup of pool undoes it). */
kc_rc_t kc_http_curl_start(apr_pool_t *pool, kc_err_t *err);
/* Call after fork, in each child. The texts, the gate and the resolver must outlive pool. Idle
 * handles are kept for keep-alive, and closed with pool. */
kc_rc_t kc_http_curl_create(const kc_http_curl_options_t *options, apr_pool_t *pool,
                            kc_http_t **out, kc_err_t *err);

#endif

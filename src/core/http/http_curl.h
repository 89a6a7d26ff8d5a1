/* The back channel through libcurl.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_CURL_H
#define KC_HTTP_CURL_H

#include "http/http.h"
#include "net/resolver.h"

typedef struct kc_http_curl_pems_t {
    const char *ca;   /* certificates instead of the system's; NULL: the system's */
    const char *cert; /* of this client, or NULL */
    const char *key;  /* of this client, or NULL */
    uint32_t serial;  /* another one whenever a text is another */
} kc_http_curl_pems_t;

typedef struct kc_http_curl_options_t {
    /* Fills out for one exchange, with texts that last until pool is cleared. Thread safe. NULL:
     * the system's certificates, and none of this client. */
    void (*hold_pems)(void *context, apr_pool_t *pool, kc_http_curl_pems_t *out);
    void *pems_context;
    int64_t timeout_ms;      /* for the whole exchange; connecting gets at most the same */
    kc_http_gate_t *gate;    /* each exchange waits for a slot, or is KC_ERR_PROVIDER_BUSY */
    const uint32_t *stop;    /* not 0: exchanges end within a second, with KC_ERR_PROVIDER_BUSY;
                                NULL: never */
    kc_resolver_t *resolver; /* of host names; NULL: libcurl's own, which may hang */
} kc_http_curl_options_t;

/* Call once in the parent, before threads exist (curl_global_init; a cleanup of pool undoes it). */
kc_rc_t kc_http_curl_start(apr_pool_t *pool, kc_err_t *err);
/* Call after fork, in each child. The gate, the resolver and pems_context must
 * outlive pool. Idle
 * handles are kept for keep-alive, and closed with pool. */
kc_rc_t kc_http_curl_create(const kc_http_curl_options_t *options, apr_pool_t *pool,
                            kc_http_t **out, kc_err_t *err);

#endif

/* The addresses of a URL's host for one exchange of http_curl.c, which looks up none itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_ADDRESS_H
#define KC_HTTP_ADDRESS_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/resolver.h"

typedef struct kc_http_address_t {
    kc_resolver_name_t *name; /* NULL: nothing was looked up here */
    const char *line;         /* all addresses, as CURLOPT_RESOLVE wants them */
} kc_http_address_t;

/* Finds the addresses of url's host. Waits for a first look-up, at most *timeout_ms, and subtracts
 * that from it (1 is left at least); ends early when *stop, which may be NULL, is not 0. `label`
 * names the host in details. KC_DOWN, KC_ERR_PROVIDER_DOWN: no address is known. out is to be
 * zeroed before; what is allocated is in pool. */
kc_rc_t kc_http_address_find(kc_resolver_t *resolver, const char *url, const char *label,
                             const uint32_t *stop, int64_t *timeout_ms, kc_http_address_t *out,
                             apr_pool_t *pool, kc_err_t *err);

#endif

/* The addresses of a URL's host for one exchange of http_curl.c, which looks up none itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HTTP_ADDRESS_H
#define KC_HTTP_ADDRESS_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/resolver.h"

enum { KC_HTTP_ADDRESS_HOST_MAX = 160 /* bytes of a host in a detail */ };

typedef struct kc_http_address_t {
    kc_resolver_name_t *name; /* NULL: nothing was looked up here */
    const char *line;         /* all addresses, as CURLOPT_RESOLVE wants them */
    const char *first;        /* of the addresses, as text */
    size_t count;
} kc_http_address_t;

/* 1 for a URL of http or https. */
int kc_http_address_is_http(const char *url);
/* The host and port of a URL, for details: no user, path or query. */
void kc_http_address_host(const char *url, char out[KC_HTTP_ADDRESS_HOST_MAX]);

/* Finds the addresses of url's host. Waits for a first look-up, at most *timeout_ms, and subtracts
 * that from it (1 is left at least); ends early when *stop, which may be NULL, is not 0. `label`
 * names the host in details. KC_DOWN, KC_ERR_PROVIDER_DOWN: no address is known. out is to be
 * zeroed before; what is allocated is in pool. */
kc_rc_t kc_http_address_find(kc_resolver_t *resolver, const char *url, const char *label,
                             const uint32_t *stop, int64_t *timeout_ms, kc_http_address_t *out,
                             apr_pool_t *pool, kc_err_t *err);

/* How long the connection may take to come about, in milliseconds, of timeout_ms in all. One of
 * several addresses may be a pod's that is gone, which says nothing: then the next one is tried
 * long before the exchange has to end. */
int64_t kc_http_address_connect_limit(const kc_http_address_t *address, int64_t timeout_ms);

/* The address that a socket is connected to, as text in pool; NULL: it is not connected, or not by
 * IP. */
const char *kc_http_address_peer(int socket, apr_pool_t *pool);

/* After an exchange that succeeded or not. used: the address, as text without brackets, of the
 * connection that was made for it; NULL: none was. Has the host looked up soon when nothing
 * answered, or when the first address did not, though another one did. That one comes first then.
 */
void kc_http_address_check(const kc_http_address_t *address, int succeeded, const char *used);

#endif

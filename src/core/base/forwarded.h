/* What proxies in front of httpd say about the address that the browser uses.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_FORWARDED_H
#define KC_FORWARDED_H

#include <apr_pools.h>

/* The headers as httpd has them, several lines joined by commas; NULL: absent. */
typedef struct kc_forwarded_headers_t {
    const char *by_for;   /* X-Forwarded-For */
    const char *proto;    /* X-Forwarded-Proto */
    const char *scheme;   /* X-Forwarded-Scheme */
    const char *x_scheme; /* X-Scheme */
    const char *ssl;      /* X-Forwarded-Ssl */
    const char *host;     /* X-Forwarded-Host */
    const char *port;     /* X-Forwarded-Port */
    const char *standard; /* Forwarded (RFC 7239) */
} kc_forwarded_headers_t;

/* The values that are trusted. */
typedef struct kc_forwarded_t {
    const char *scheme; /* "https" or "http"; NULL: not sent */
    const char *host;   /* maybe with ":port"; not checked; NULL: not sent */
    const char *port;   /* not checked; NULL: not sent */
    int is_told;        /* there is anything that could be a scheme, or a host */
} kc_forwarded_t;

/* 1 when the proxy at this address (without port and brackets) is trusted. */
typedef int (*kc_forwarded_trust_t)(void *context, const char *address);

/* Reads the headers of a peer that is itself trusted, like mod_remoteip. Each proxy appends its
 * value to those it received, so the last one is the peer's. The last address of X-Forwarded-For is
 * the peer's client. If that is trusted as well, the value before is its own, and so on. In a list
 * with fewer values than trusted proxies the first value counts: a proxy has replaced the earlier
 * ones.
 *
 * The scheme is that of X-Forwarded-Proto, else X-Forwarded-Scheme, X-Scheme, X-Forwarded-Ssl (on,
 * off); wss is https, ws http. Forwarded is read only when all of these, and X-Forwarded-Host and
 * -Port, are absent. The reason: a proxy that does not know Forwarded passes on what a client has
 * invented. Its elements are trusted in the same way, by their "for". Only in Forwarded do quotes
 * count, and only where each is closed, so that a quote opened by a client hides nothing that
 * proxies append.
 *
 * Thread safe, never fails; strings are in pool. */
void kc_forwarded_read(const kc_forwarded_headers_t *headers, kc_forwarded_trust_t trust,
                       void *context, apr_pool_t *pool, kc_forwarded_t *out);

/* The address of the client, without port and brackets, as the chain of trusted proxies tells it:
 * the last one that is not a trusted proxy's, or the first of all. From X-Forwarded-For, else from
 * Forwarded under the condition above. It is not checked to be an address. NULL: they tell none.
 * Thread safe, in pool. */
const char *kc_forwarded_address(const kc_forwarded_headers_t *headers, kc_forwarded_trust_t trust,
                                 void *context, apr_pool_t *pool);

#endif

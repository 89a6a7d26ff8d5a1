/* What proxies in front of httpd say of the address that the browser uses.
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

/* What is believed. */
typedef struct kc_forwarded_t {
    const char *scheme; /* "https" or "http"; NULL: not told */
    const char *host;   /* maybe with ":port"; not checked; NULL: not told */
    const char *port;   /* not checked; NULL: not told */
    int is_told;        /* anything that could be a scheme, or a host */
} kc_forwarded_t;

/* 1 when the proxy at this address (without port and brackets) is believed. */
typedef int (*kc_forwarded_trust_t)(void *context, const char *address);

/* Reads the headers of a peer that is itself believed. As mod_remoteip does: each proxy puts its
 * value behind those it was sent, so the last one is the peer's. The last address of
 * X-Forwarded-For is who has asked the peer; where that is believed as well, the value before is
 * its, and so on. Of a list with fewer values than proxies the first one counts: somebody has
 * replaced what was there. The scheme is that of X-Forwarded-Proto, else X-Forwarded-Scheme,
 * X-Scheme, X-Forwarded-Ssl (on, off); wss is https, ws http. Forwarded is read only when all of
 * these are absent, with X-Forwarded-Host and -Port: a proxy that does not know it hands on what a
 * client has made up. Its elements are believed in the same way, by their "for". Quotes count in it
 * alone, and only where each is closed: one that a client has opened takes nothing from what
 * proxies put behind it. Thread safe, never fails; strings are in pool. */
void kc_forwarded_read(const kc_forwarded_headers_t *headers, kc_forwarded_trust_t trust,
                       void *context, apr_pool_t *pool, kc_forwarded_t *out);

#endif

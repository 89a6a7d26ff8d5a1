/* Host names, resolved in the background: no request waits for a name server.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_RESOLVER_H
#define KC_RESOLVER_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

enum {
    KC_RESOLVER_HOST_MAX = 255,    /* bytes of a name */
    KC_RESOLVER_ADDRESSES_MAX = 8, /* of one name */
    KC_RESOLVER_NAMES_MAX = 256,   /* in one resolver */
    KC_RESOLVER_PERIOD_MS = 10000,
    KC_RESOLVER_RETRY_MS = 1000
};

/* An address with its port. */
typedef struct kc_resolver_address_t {
    struct sockaddr_storage socket;
    socklen_t len;
} kc_resolver_address_t;

/* A function that looks up a name and fills in up to max addresses, with any port. Returns how many
 * there are; 0: there is no such host; below 0: unknown. It may take any time, and continue after
 * the resolver has ended; then context must still exist. */
typedef int kc_resolver_lookup_t(void *context, const char *host, kc_resolver_address_t *out,
                                 size_t max);

typedef struct kc_resolver_options_t {
    kc_resolver_lookup_t *lookup; /* NULL: the system's (getaddrinfo) */
    void *context;
    int64_t period_ms; /* between two look-ups of a name; 0: KC_RESOLVER_PERIOD_MS */
    int64_t retry_ms;  /* after a failed look-up, or when an address was doubted; 0: _RETRY_MS */
} kc_resolver_options_t;

/* The names of one process, made after fork. Thread safe. */
typedef struct kc_resolver_t kc_resolver_t;
typedef struct kc_resolver_name_t kc_resolver_name_t;

/* options may be NULL. The resolver ends with pool at once, even when a look-up hangs. A look-up
 * that does not return hangs in a thread of its own, which touches nothing of the pool when it
 * ends. */
kc_rc_t kc_resolver_create(const kc_resolver_options_t *options, apr_pool_t *pool,
                           kc_resolver_t **out, kc_err_t *err);

/* The entry of a host, which is looked up regularly from now on; the same for an equal name.
 * Numeric addresses and localhost (RFC 6761 section 6.3: the loopback) are never looked up. NULL:
 * too many names, no memory, or no thread. It lives as long as the resolver. */
kc_resolver_name_t *kc_resolver_name(kc_resolver_t *resolver, const char *host);

/* The last known addresses, with this port, up to KC_RESOLVER_ADDRESSES_MAX. They stay when the
 * host is no longer found, or no name server answers. Before any is known, waits up to wait_ms for
 * the first look-up. KC_DOWN with `reason` and the host in the detail: none is known. */
kc_rc_t kc_resolver_get(kc_resolver_name_t *name, uint16_t port, int64_t wait_ms,
                        kc_resolver_address_t *out, size_t *count, kc_reason_t reason,
                        kc_err_t *err);
/* 1 when a look-up has ended, with any result. */
int kc_resolver_is_known(kc_resolver_name_t *name);
/* A number that changes whenever the addresses change. Cheap. */
uint32_t kc_resolver_version(const kc_resolver_name_t *name);
/* The same for all names of a resolver. */
uint32_t kc_resolver_changes(kc_resolver_t *resolver);
/* Call it when these addresses could not be reached: the host is looked up soon, before the period
 * ends. */
void kc_resolver_doubt(kc_resolver_name_t *name);
/* Call it when this address, as text without brackets, was reached after others before it were not:
 * it comes first from now on, until the addresses change. The host is looked up soon. */
void kc_resolver_prefer(kc_resolver_name_t *name, const char *address);
/* Waits until each name was looked up once, at most that many milliseconds. */
void kc_resolver_wait(kc_resolver_t *resolver, int64_t milliseconds);

/* An address as text, without its port; IPv6 in brackets. */
const char *kc_resolver_text(const kc_resolver_address_t *address, apr_pool_t *pool);

#endif

/* Names of hosts, resolved in the background: who asks for an address never waits for a name
 * server. SPDX-License-Identifier: Apache-2.0 */
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

/* What looks up a name: fills up to max addresses, with any port. How many there are; 0: there is
 * no such host; below 0: nobody knows. It may take as long as it likes, and go on when the resolver
 * is gone: then context must live on. */
typedef int kc_resolver_lookup_t(void *context, const char *host, kc_resolver_address_t *out,
                                 size_t max);

typedef struct kc_resolver_options_t {
    kc_resolver_lookup_t *lookup; /* NULL: the system's (getaddrinfo) */
    void *context;
    int64_t period_ms; /* between two look-ups of a name; 0: KC_RESOLVER_PERIOD_MS */
    int64_t retry_ms;  /* after one that failed, or when an address was doubted; 0: _RETRY_MS */
} kc_resolver_options_t;

/* The names of one process, made after fork. Thread safe. */
typedef struct kc_resolver_t kc_resolver_t;
typedef struct kc_resolver_name_t kc_resolver_name_t;

/* options may be NULL. With pool it ends at once, whatever hangs: a look-up that does not return
 * hangs alone, in a thread of its own, and leaves without touching anything of the pool. */
kc_rc_t kc_resolver_create(const kc_resolver_options_t *options, apr_pool_t *pool,
                           kc_resolver_t **out, kc_err_t *err);

/* The entry of a host, from now on looked up again and again; the same for an equal one. Addresses
 * written as such and localhost (RFC 6761 section 6.3: the loopback) are never looked up. NULL:
 * there are too many, or no memory, or no thread. It lives as long as the resolver. */
kc_resolver_name_t *kc_resolver_name(kc_resolver_t *resolver, const char *host);

/* The addresses that are known last, with this port, up to KC_RESOLVER_ADDRESSES_MAX; they stay
 * when the host is not found any more, or nobody answers. Before any was known, the first look-up
 * is waited for up to wait_ms. KC_DOWN with `reason` and the host in the detail: none is known. */
kc_rc_t kc_resolver_get(kc_resolver_name_t *name, uint16_t port, int64_t wait_ms,
                        kc_resolver_address_t *out, size_t *count, kc_reason_t reason,
                        kc_err_t *err);
/* 1 when a look-up has ended, whatever it found. */
int kc_resolver_is_known(kc_resolver_name_t *name);
/* A number that is another one whenever the addresses are. Cheap. */
uint32_t kc_resolver_version(const kc_resolver_name_t *name);
/* The same for all names of a resolver. */
uint32_t kc_resolver_changes(kc_resolver_t *resolver);
/* Nobody was reached there: the host is looked up soon, and not only after the period. */
void kc_resolver_doubt(kc_resolver_name_t *name);
/* Waits until each name was looked up once, but no longer than so many milliseconds. */
void kc_resolver_wait(kc_resolver_t *resolver, int64_t milliseconds);

/* An address as text, without its port; IPv6 in brackets. */
const char *kc_resolver_text(const kc_resolver_address_t *address, apr_pool_t *pool);

#endif

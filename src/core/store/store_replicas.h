/* Copies of each value on several memcached servers, and which of them is asked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_REPLICAS_H
#define KC_STORE_REPLICAS_H

#include "net/breaker.h"
#include "net/resolver.h"
#include "store/store.h"

/* memcached servers, over libmemcached. */
typedef struct kc_store_memcached_options_t {
    const char *const *servers; /* host:port, or host (port 11211), or [v6]:port */
    size_t count;
    size_t copies;      /* of each value; as many as there are servers when that is less */
    int64_t timeout_ms; /* a server is late after it, and given up after three times as long */
    const char *user;   /* for SASL (PLAIN); NULL: none */
    const char *password;
    /* One for each server, zeros at first, in memory that outlives the store: processes that share
     * them learn from each other which server fails. NULL: the store has its own. */
    kc_breaker_t *breakers;
    kc_resolver_t *resolver;       /* of the servers' names; NULL: the store has its own */
    int64_t (*now)(void *context); /* the clock, in seconds */
    /* Called when a server is passed by from now on, and when it is asked again; may be NULL. */
    void (*report)(void *context, const char *server, int is_up, const char *why);
    void *context;
} kc_store_memcached_options_t;

/* Made after fork. Each key has an order of all servers (rendezvous hashing: a server that comes or
 * goes moves no other's keys), of which the first `copies` are its homes. Keys with the same first
 * and last eight characters have the same order, and so have a key and the same key read backwards.
 *
 * Values are written to the first servers of the order that work, as many as there are copies, and
 * read from them all at once; the copy written last counts, and a server that lacks it is given it.
 * A server that fails is passed by for up to half a second (breaker.h). A key is absent when a home
 * of it says so and nobody has it, and is_partial when another home has not answered; when no home
 * answers, that is KC_DOWN. A put that reaches one server is KC_OK; an add that finds the key
 * anywhere is KC_EXISTS.
 *
 * A KC_STORE_MARK goes to the homes, also to those that are passed by at the moment, and to every
 * other server that works: 1 home of 1 or 2, or 2 of 3, have to take it. A strict majority of two
 * would make each of them alone a reason for failure, though each read asks both.
 *
 * KC_FAULT for malformed servers or options. */
kc_rc_t kc_store_replicas_create(const kc_store_memcached_options_t *options, apr_pool_t *pool,
                                 kc_store_t **out, kc_err_t *err);

#endif

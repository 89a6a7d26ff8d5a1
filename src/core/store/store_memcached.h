/* One memcached server: its protocol. How several servers make a store is in store_replicas.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_MEMCACHED_H
#define KC_STORE_MEMCACHED_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "metrics/metrics.h"
#include "net/breaker.h"
#include "net/wait_limit.h"
#include "net/resolver.h"
#include "store/store.h"

/* memcached servers, through libmemcached. */
typedef struct kc_store_memcached_options_t {
    const char *const *servers; /* host:port, or host (port 11211), or [v6]:port */
    size_t count;
    size_t copies;      /* of each value; limited to the number of servers */
    int64_t timeout_ms; /* a server is late after this time, and given up after three times as
                           long */
    const char *user;   /* for SASL (PLAIN); NULL: none */
    const char *password;
    /* One for each server, zeros at first, in memory that outlives the store. Processes that share
     * them learn from each other which server fails. NULL: the store has its own. */
    kc_breaker_t *breakers;
    kc_resolver_t *resolver;       /* of the servers' names; NULL: the store has its own */
    int64_t (*now)(void *context); /* the clock, in seconds */
    const kc_metrics_t *metrics;   /* count the calls; NULL: nobody does */
    /* Called when a server is marked down, and when it is back; may be NULL. */
    void (*report)(void *context, const char *server, int is_up, const char *why);
    void *context;
} kc_store_memcached_options_t;

/* A server with its idle connections, through libmemcached. Made after fork; sockets open on first
 * use. Safe to use from several threads. Every function below that uses the network is KC_DOWN with
 * KC_ERR_STORE_DOWN when the server cannot be reached, does not answer in time, or answers
 * nonsense. *fault (or get->fault) then tells which. */
typedef struct kc_store_memcached_t kc_store_memcached_t;

/* text: host:port (or host, port 11211, or [v6]:port), kept. Used of the options: now, and user and
 * password for SASL; NULL: none. The resolver has the host's addresses and must outlive pool. While
 * they are not known the server cannot be reached; connections to old ones are closed. KC_FAULT for
 * a malformed server. */
kc_rc_t kc_store_memcached_open(const char *text, const kc_store_memcached_options_t *options,
                                kc_resolver_t *resolver, apr_pool_t *pool,
                                kc_store_memcached_t **out, kc_err_t *err);
const char *kc_store_memcached_text(const kc_store_memcached_t *server);

/* The value under a key. */
typedef struct kc_store_memcached_item_t {
    kc_bytes_t value; /* in the pool; data is NULL: not there */
    uint32_t flags;   /* as they were written */
} kc_store_memcached_item_t;

/* A get in two halves, so that several servers can work at the same time. */
typedef struct kc_store_memcached_get_t {
    kc_store_memcached_t *server;
    const char *keys[KC_STORE_GET_MAX];
    size_t count;
    kc_breaker_fault_t fault; /* after KC_DOWN */
    void *handle;             /* private */
    int is_reused;
    uint32_t version;
    int64_t since; /* when it was sent, by the clock of the operation */
} kc_store_memcached_get_t;

/* Sends the request. After KC_OK receive must be called. */
kc_rc_t kc_store_memcached_send(kc_store_memcached_get_t *get, const kc_wait_limit_time_t *time,
                                kc_err_t *err);
/* Receives the answer, one item for each key. When the time is over, what has already arrived is
 * still used. */
kc_rc_t kc_store_memcached_receive(kc_store_memcached_get_t *get, const kc_wait_limit_time_t *time,
                                   kc_store_memcached_item_t *items, apr_pool_t *pool,
                                   kc_err_t *err);

typedef enum {
    KC_STORE_MEMCACHED_PUT,
    KC_STORE_MEMCACHED_ADD,
    KC_STORE_MEMCACHED_TOUCH,
    KC_STORE_MEMCACHED_DROP
} kc_store_memcached_verb_t;

typedef struct kc_store_memcached_command_t {
    kc_store_memcached_verb_t verb;
    const char *key;
    kc_bytes_t value;
    uint32_t flags;
    int64_t expires_at;
} kc_store_memcached_command_t;

/* Results are those of the store's operations, see store.h. */
kc_rc_t kc_store_memcached_do(kc_store_memcached_t *server,
                              const kc_store_memcached_command_t *command,
                              const kc_wait_limit_time_t *time, kc_breaker_fault_t *fault,
                              kc_err_t *err);

enum { KC_STORE_MEMCACHED_STATISTIC_MAX = 255 /* bytes of a name or a value; the rest is cut */ };

typedef struct kc_store_memcached_statistics_t {
    const char *group; /* "settings", or NULL for the general ones */
    /* Called for each, also before a failure. The texts are valid during the call. */
    void (*each)(void *context, const char *name, const char *value);
    void *context;
    size_t count; /* of calls; 0 at first */
} kc_store_memcached_statistics_t;

/* What the server says of itself. */
kc_rc_t kc_store_memcached_statistics(kc_store_memcached_t *server,
                                      kc_store_memcached_statistics_t *statistics,
                                      const kc_wait_limit_time_t *time, kc_breaker_fault_t *fault,
                                      kc_err_t *err);

/* 1 when a look-up of its host name has ended, with any result. */
int kc_store_memcached_is_named(const kc_store_memcached_t *server);

/* 1 when libmemcached has SASL. */
int kc_store_memcached_can_sign_in(void);

#endif

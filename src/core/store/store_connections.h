/* Idle connections to one server.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_CONNECTIONS_H
#define KC_STORE_CONNECTIONS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { KC_STORE_CONNECTIONS_MAX = 128 /* about one for each thread of a child */ };

/* The connections go to the addresses that the server's name had at one version
 * (kc_resolver_version). Those of another version may end at a wrong server. Its members are
 * private. Safe to use from several threads; the lock is never held across I/O. */
typedef struct kc_store_connections_t {
    pthread_mutex_t lock; /* guards what follows */
    void *idle[KC_STORE_CONNECTIONS_MAX];
    size_t count;
    uint32_t version;
    void (*close)(void *connection);
} kc_store_connections_t;

/* Empty, and of version 0. close: closes a connection. KC_FAULT when no lock can be made. */
kc_rc_t kc_store_connections_init(kc_store_connections_t *connections,
                                  void (*close)(void *connection));
/* The connection that was returned last, or NULL. */
void *kc_store_connections_take(kc_store_connections_t *connections);
/* Keeps a connection of this version. Closes it when there are enough, or when the set has another
 * version. */
void kc_store_connections_give(kc_store_connections_t *connections, void *connection,
                               uint32_t version);
/* Closes all, and accepts only connections of this version from now on, unless it is an older one.
 * From this call on no thread gets an old connection. */
void kc_store_connections_close(kc_store_connections_t *connections, uint32_t version);
/* 1 when the connections are of this version. */
int kc_store_connections_is_current(const kc_store_connections_t *connections, uint32_t version);
/* Closes all, for ever. */
void kc_store_connections_end(kc_store_connections_t *connections);

#endif

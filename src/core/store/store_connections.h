/* Connections to one server that nobody uses at the moment.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_CONNECTIONS_H
#define KC_STORE_CONNECTIONS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { KC_STORE_CONNECTIONS_MAX = 128 /* about one for each thread of a child */ };

/* They go to the addresses that the server's name had at some version (kc_resolver_version); those
 * of another one may end at somebody else's. Its members are private. Safe to use from several
 * threads; the lock is never held across I/O. */
typedef struct kc_store_connections_t {
    pthread_mutex_t lock; /* guards what follows */
    void *idle[KC_STORE_CONNECTIONS_MAX];
    size_t count;
    uint32_t version;
    void (*close)(void *connection);
} kc_store_connections_t;

/* Empty, and of version 0. close: how one is closed. KC_FAULT when no lock can be made. */
kc_rc_t kc_store_connections_init(kc_store_connections_t *connections,
                                  void (*close)(void *connection));
/* The one that was given last, or NULL. */
void *kc_store_connections_take(kc_store_connections_t *connections);
/* Keeps one of this version, or closes it when there are enough or theirs is another. */
void kc_store_connections_give(kc_store_connections_t *connections, void *connection,
                               uint32_t version);
/* Closes them all at once, and takes those of this version from now on, unless it is an older one:
 * who comes meanwhile finds none of them. */
void kc_store_connections_close(kc_store_connections_t *connections, uint32_t version);
/* 1 when they are of this version. */
int kc_store_connections_is_current(const kc_store_connections_t *connections, uint32_t version);
/* Closes them all, for ever. */
void kc_store_connections_end(kc_store_connections_t *connections);

#endif

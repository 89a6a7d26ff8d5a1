/* Idle connections to one server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_connections.h"

#include <string.h>

kc_rc_t kc_store_connections_init(kc_store_connections_t *connections,
                                  void (*close)(void *connection))
{
    connections->count = 0;
    connections->version = 0;
    connections->close = close;
    return pthread_mutex_init(&connections->lock, NULL) ? KC_FAULT : KC_OK;
}

void *kc_store_connections_take(kc_store_connections_t *connections)
{
    void *connection = NULL;

    (void)pthread_mutex_lock(&connections->lock);
    if (connections->count)
        connection = connections->idle[--connections->count];
    (void)pthread_mutex_unlock(&connections->lock);
    return connection;
}

int kc_store_connections_is_current(const kc_store_connections_t *connections, uint32_t version)
{
    return __atomic_load_n(&connections->version, __ATOMIC_ACQUIRE) == version;
}

void kc_store_connections_give(kc_store_connections_t *connections, void *connection,
                               uint32_t version)
{
    (void)pthread_mutex_lock(&connections->lock);
    if (connections->count < KC_STORE_CONNECTIONS_MAX &&
        kc_store_connections_is_current(connections, version)) {
        connections->idle[connections->count++] = connection;
        connection = NULL;
    }
    (void)pthread_mutex_unlock(&connections->lock);
    if (connection)
        connections->close(connection);
}

void kc_store_connections_close(kc_store_connections_t *connections, uint32_t version)
{
    void *idle[KC_STORE_CONNECTIONS_MAX];
    size_t count;

    (void)pthread_mutex_lock(&connections->lock);
    if (version > connections->version)
        __atomic_store_n(&connections->version, version, __ATOMIC_RELEASE);
    count = connections->count;
    memcpy(idle, connections->idle, count * sizeof(*idle));
    connections->count = 0;
    (void)pthread_mutex_unlock(&connections->lock);
    while (count)
        connections->close(idle[--count]);
}

void kc_store_connections_end(kc_store_connections_t *connections)
{
    kc_store_connections_close(connections, 0);
    (void)pthread_mutex_destroy(&connections->lock);
}

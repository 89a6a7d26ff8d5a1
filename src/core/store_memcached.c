/* The store in memcached, over libmemcached.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <apr_strings.h>
#include <ctype.h>
#include <libmemcached/memcached.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * libmemcached (1.1.4) tells outages from misses only if it is held right. Asked for several keys
 * it passes over servers that it cannot reach and says success; told to fetch from several servers,
 * a time-out of all is a plain "not found", as is an answer that it could not read. So it does the
 * hashing and the talking, and the rest is here: a handle has one server, is leased by one thread
 * at a time, is new when it is asked (no error of its past is mixed in), and is destroyed after any
 * error, so that a late answer meets nobody. A miss is believed only if the connection has been in
 * order to the end.
 *
 * MEMCACHED_BEHAVIOR_VERIFY_KEY exists for the text protocol alone; store.c checks the keys.
 */

enum {
    DEFAULT_PORT = 11211,
    IDLE_MAX = 128, /* handles for each server: about one for each thread of a child */
    SERVERS_MAX = 64,
    HOST_MAX = 255,
    DISCONNECTED = 255 /* the major version of a server that is not connected */
};

typedef struct {
    char host[HOST_MAX + 1];
    in_port_t port;
    const char *text; /* as it was configured, for details */
    pthread_mutex_t lock;
    memcached_st *idle[IDLE_MAX];
    size_t idle_count;
} server_t;

typedef struct {
    kc_store_t store;   /* first */
    memcached_st *ring; /* places keys on servers, never connects */
    server_t *servers;
    size_t server_count;
    int64_t timeout_ms;
} cache_t;

/* One server's handle while a thread has it. */
typedef struct {
    server_t *server;
    memcached_st *handle;
    int is_reused;
} lease_t;

/* The part of a get that one server answers. */
typedef struct {
    lease_t lease;
    const char *keys[KC_STORE_GET_MAX];
    size_t lens[KC_STORE_GET_MAX];
    kc_store_item_t *items[KC_STORE_GET_MAX];
    size_t count;
} batch_t;

/* ---------------------------------------------------------------- handles */

static int behaviors_set(memcached_st *handle, int64_t timeout_ms)
{
    const uint64_t ms = (uint64_t)timeout_ms;
    const struct {
        memcached_behavior_t name;
        uint64_t value;
    } rows[] = {{MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1},     {MEMCACHED_BEHAVIOR_NO_BLOCK, 1},
                {MEMCACHED_BEHAVIOR_TCP_NODELAY, 1},         {MEMCACHED_BEHAVIOR_TCP_KEEPALIVE, 1},
                {MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, ms},    {MEMCACHED_BEHAVIOR_POLL_TIMEOUT, ms},
                {MEMCACHED_BEHAVIOR_SND_TIMEOUT, ms * 1000}, /* microseconds */
                {MEMCACHED_BEHAVIOR_RCV_TIMEOUT, ms * 1000}};
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (memcached_failed(memcached_behavior_set(handle, rows[i].name, rows[i].value)))
            return 0;
    }
    return 1;
}

static memcached_st *handle_make(const cache_t *cache, const server_t *server)
{
    memcached_st *handle = memcached_create(NULL);

    if (!handle)
        return NULL;
    if (!behaviors_set(handle, cache->timeout_ms) ||
        memcached_failed(memcached_server_add(handle, server->host, server->port))) {
        memcached_free(handle);
        return NULL;
    }
    return handle;
}

static memcached_st *idle_pop(server_t *server)
{
    memcached_st *handle = NULL;

    (void)pthread_mutex_lock(&server->lock);
    if (server->idle_count)
        handle = server->idle[--server->idle_count];
    (void)pthread_mutex_unlock(&server->lock);
    return handle;
}

static void idle_close(server_t *server)
{
    memcached_st *handle;

    while ((handle = idle_pop(server)))
        memcached_free(handle);
}

static void lease_destroy(lease_t *lease)
{
    if (lease->handle)
        memcached_free(lease->handle);
    lease->handle = NULL;
}

/* What libmemcached's word for a failure means. */
static const char *reason_of(const memcached_st *handle, memcached_return_t cause)
{
    if (cause == MEMCACHED_SOME_ERRORS || cause == MEMCACHED_CONNECTION_FAILURE)
        return "it cannot be reached";
    if (cause == MEMCACHED_HOST_LOOKUP_FAILURE)
        return "there is no host of this name";
    if (cause == MEMCACHED_TIMEOUT)
        return "no answer in time (KeycloakStoreTimeout)";
    if (memcached_failed(cause) && cause != MEMCACHED_NOTFOUND)
        return memcached_strerror(handle, cause);
    return "the answer makes no sense";
}

/* A new handle connects and asks for the server's version, which is_in_order looks at later. */
static kc_rc_t lease_take(const cache_t *cache, server_t *server, lease_t *lease, kc_err_t *err)
{
    memcached_return_t status;

    lease->server = server;
    lease->handle = idle_pop(server);
    lease->is_reused = lease->handle != NULL;
    if (!lease->handle)
        lease->handle = handle_make(cache, server);
    if (!lease->handle)
        return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "memcached %s: no handle can be made",
                       server->text);
    status = lease->is_reused ? MEMCACHED_SUCCESS : memcached_version(lease->handle);
    if (status == MEMCACHED_SUCCESS)
        return KC_OK;
    if (memcached_last_error(lease->handle) != MEMCACHED_SUCCESS)
        status = memcached_last_error(lease->handle);
    (void)KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "memcached %s: %s", server->text,
                  reason_of(lease->handle, status));
    lease_destroy(lease);
    return KC_DOWN;
}

static void lease_give(lease_t *lease)
{
    server_t *server = lease->server;
    memcached_st *handle = lease->handle;

    lease->handle = NULL;
    (void)pthread_mutex_lock(&server->lock);
    if (server->idle_count < IDLE_MAX) {
        server->idle[server->idle_count++] = handle;
        handle = NULL;
    }
    (void)pthread_mutex_unlock(&server->lock);
    if (handle)
        memcached_free(handle);
}

/* The handle goes, and when it was an old one the other idle ones with it: if the server has been
 * started anew they are dead as well. *is_stale: the connection had ended before we used it, so
 * that a new one may do. */
static kc_rc_t lease_fail(lease_t *lease, memcached_return_t status, int *is_stale, kc_err_t *err)
{
    memcached_return_t cause = memcached_last_error(lease->handle);

    if (cause == MEMCACHED_SUCCESS)
        cause = status;
    *is_stale = lease->is_reused && cause != MEMCACHED_TIMEOUT;
    (void)KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "memcached %s: %s", lease->server->text,
                  reason_of(lease->handle, cause));
    lease_destroy(lease);
    if (*is_stale)
        idle_close(lease->server);
    return KC_DOWN;
}

/* libmemcached forgets some errors on the way up; a connection that it has closed remembers. */
static int is_in_order(const memcached_st *handle)
{
    const memcached_instance_st *instance = memcached_server_instance_by_position(handle, 0);

    return instance && memcached_last_error(handle) == MEMCACHED_SUCCESS &&
           memcached_server_major_version(instance) != DISCONNECTED;
}

static server_t *server_of(const cache_t *cache, const char *key)
{
    return &cache->servers[memcached_generate_hash(cache->ring, key, KC_STORE_KEY_LEN)];
}

/* ---------------------------------------------------------------- get */

static batch_t *batch_for(batch_t *batches, size_t *count, server_t *server)
{
    size_t i;

    for (i = 0; i < *count; i++) {
        if (batches[i].lease.server == server)
            return &batches[i];
    }
    memset(&batches[*count], 0, sizeof(batches[0]));
    batches[*count].lease.server = server;
    return &batches[(*count)++];
}

static size_t batches_make(const cache_t *cache, const char *const *keys, size_t count,
                           kc_store_item_t *items, batch_t *batches)
{
    size_t batch_count = 0;
    size_t i;

    memset(items, 0, count * sizeof(*items));
    for (i = 0; i < count; i++) {
        batch_t *batch = batch_for(batches, &batch_count, server_of(cache, keys[i]));

        batch->keys[batch->count] = keys[i];
        batch->lens[batch->count] = KC_STORE_KEY_LEN;
        batch->items[batch->count++] = &items[i];
    }
    return batch_count;
}

static kc_rc_t batch_send(const cache_t *cache, batch_t *batch, int *is_stale, kc_err_t *err)
{
    memcached_return_t status;

    if (lease_take(cache, batch->lease.server, &batch->lease, err) != KC_OK)
        return KC_DOWN;
    status = memcached_mget(batch->lease.handle, batch->keys, batch->lens, batch->count);
    if (status != MEMCACHED_SUCCESS)
        return lease_fail(&batch->lease, status, is_stale, err);
    return KC_OK;
}

/* 1 when the answer is to one of the batch's keys. */
static int batch_keep(batch_t *batch, const memcached_result_st *result, apr_pool_t *pool)
{
    size_t len = memcached_result_length(result);
    int is_ours = 0;
    size_t i;

    if (memcached_result_key_length(result) != KC_STORE_KEY_LEN)
        return 0;
    for (i = 0; i < batch->count; i++) {
        kc_bytes_t *value = &batch->items[i]->value;

        if (memcmp(memcached_result_key_value(result), batch->keys[i], KC_STORE_KEY_LEN) != 0)
            continue;
        is_ours = 1;
        if (len > KC_STORE_VALUE_MAX) /* nothing that we wrote: as good as absent */
            continue;
        value->data = len ? apr_pmemdup(pool, memcached_result_value(result), len)
                          : (const unsigned char *)"";
        value->len = len;
    }
    return is_ours;
}

static kc_rc_t batch_fetch(batch_t *batch, apr_pool_t *pool, int *is_stale, kc_err_t *err)
{
    memcached_st *handle = batch->lease.handle;
    memcached_return_t status = MEMCACHED_SUCCESS;
    memcached_result_st result;
    int is_sane = 1;

    (void)memcached_result_create(handle, &result);
    while (is_sane && memcached_fetch_result(handle, &result, &status))
        is_sane = batch_keep(batch, &result, pool);
    memcached_result_free(&result);
    if (is_sane && (status == MEMCACHED_END || status == MEMCACHED_NOTFOUND) &&
        is_in_order(handle)) {
        lease_give(&batch->lease);
        return KC_OK;
    }
    return lease_fail(&batch->lease, status, is_stale, err);
}

/* All requests go out before the first answer is read: one round trip, however many servers. */
static kc_rc_t batches_run(const cache_t *cache, batch_t *batches, size_t count, apr_pool_t *pool,
                           int *is_stale, kc_err_t *err)
{
    kc_rc_t rc = KC_OK;
    size_t i;

    for (i = 0; rc == KC_OK && i < count; i++)
        rc = batch_send(cache, &batches[i], is_stale, err);
    for (i = 0; rc == KC_OK && i < count; i++)
        rc = batch_fetch(&batches[i], pool, is_stale, err);
    /* What is still leased has answers under way. */
    for (i = 0; i < count; i++)
        lease_destroy(&batches[i].lease);
    return rc;
}

static kc_rc_t cache_get(kc_store_t *store, const char *const *keys, size_t count,
                         kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err)
{
    const cache_t *cache = (const cache_t *)(void *)store;
    batch_t batches[KC_STORE_GET_MAX];
    int is_stale = 0;
    size_t batch_count = batches_make(cache, keys, count, items, batches);
    kc_rc_t rc = batches_run(cache, batches, batch_count, pool, &is_stale, err);

    if (rc == KC_DOWN && is_stale) {
        batch_count = batches_make(cache, keys, count, items, batches);
        rc = batches_run(cache, batches, batch_count, pool, &is_stale, err);
    }
    if (rc != KC_OK)
        memset(items, 0, count * sizeof(*items));
    return rc;
}

/* ---------------------------------------------------------------- writes */

typedef enum { PUT, ADD, TOUCH, DROP } verb_t;

typedef struct {
    verb_t verb;
    const char *key;
    kc_bytes_t value;
    int64_t expires_at;
} command_t;

/* Up to 30 days memcached takes a number for a span, and anything larger for a time since 1970:
 * ours is always the latter, and a time that is over already ends the value at once. */
static time_t expiry_of(int64_t expires_at)
{
    const int64_t longest_span = 60 * 60 * 24 * 30;

    if (expires_at <= longest_span)
        return (time_t)longest_span + 1;
    return (time_t)(expires_at < INT64_C(0xffffffff) ? expires_at : INT64_C(0xffffffff));
}

static memcached_return_t command_send(memcached_st *handle, const command_t *command)
{
    const char *data = command->value.len ? (const char *)command->value.data : "";
    time_t expiry = expiry_of(command->expires_at);

    switch (command->verb) {
    case PUT:
        return memcached_set(handle, command->key, KC_STORE_KEY_LEN, data, command->value.len,
                             expiry, 0);
    case ADD:
        return memcached_add(handle, command->key, KC_STORE_KEY_LEN, data, command->value.len,
                             expiry, 0);
    case TOUCH:
        return memcached_touch(handle, command->key, KC_STORE_KEY_LEN, expiry);
    case DROP:
        break;
    }
    return memcached_delete(handle, command->key, KC_STORE_KEY_LEN, 0);
}

/* What an answer means for this command; KC_FAULT: nothing that we know. */
static kc_rc_t command_result(const command_t *command, memcached_return_t status)
{
    if (status == MEMCACHED_SUCCESS)
        return KC_OK;
    if (command->verb == ADD && (status == MEMCACHED_DATA_EXISTS || status == MEMCACHED_NOTSTORED))
        return KC_EXISTS;
    if (command->verb == TOUCH && status == MEMCACHED_NOTFOUND)
        return KC_MISS;
    if (command->verb == DROP && status == MEMCACHED_NOTFOUND)
        return KC_OK;
    return KC_FAULT;
}

static kc_rc_t command_try(const cache_t *cache, const command_t *command, int *is_stale,
                           kc_err_t *err)
{
    memcached_return_t status;
    lease_t lease;
    kc_rc_t rc;

    if (lease_take(cache, server_of(cache, command->key), &lease, err) != KC_OK)
        return KC_DOWN;
    status = command_send(lease.handle, command);
    rc = command_result(command, status);
    if (rc != KC_FAULT && is_in_order(lease.handle)) {
        lease_give(&lease);
        return rc;
    }
    if (status == MEMCACHED_E2BIG) {
        lease_destroy(&lease);
        return KC_FAIL(err, KC_REFUSED, KC_ERR_STORE_VALUE, "memcached %s: a value of %zu bytes",
                       lease.server->text, command->value.len);
    }
    return lease_fail(&lease, status, is_stale, err);
}

/* Once more when the connection had ended before. An add may have been done all the same; then its
 * KC_EXISTS is as good as the truth to callers, for whom somebody else may always have been first.
 */
static kc_rc_t command_run(kc_store_t *store, const command_t *command, kc_err_t *err)
{
    const cache_t *cache = (const cache_t *)(void *)store;
    int is_stale = 0;
    kc_rc_t rc = command_try(cache, command, &is_stale, err);

    if (rc == KC_DOWN && is_stale)
        rc = command_try(cache, command, &is_stale, err);
    return rc;
}

static kc_rc_t cache_put(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                         kc_err_t *err)
{
    const command_t command = {PUT, key, value, expires_at};

    return command_run(store, &command, err);
}

static kc_rc_t cache_add(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                         kc_err_t *err)
{
    const command_t command = {ADD, key, value, expires_at};

    return command_run(store, &command, err);
}

static kc_rc_t cache_touch(kc_store_t *store, const char *key, int64_t expires_at, kc_err_t *err)
{
    const command_t command = {TOUCH, key, {NULL, 0}, expires_at};

    return command_run(store, &command, err);
}

static kc_rc_t cache_drop(kc_store_t *store, const char *key, kc_err_t *err)
{
    const command_t command = {DROP, key, {NULL, 0}, 0};

    return command_run(store, &command, err);
}

static const kc_store_vtable_t vtable = {"memcached", cache_get,   cache_put,
                                         cache_add,   cache_touch, cache_drop};

/* ---------------------------------------------------------------- servers */

static kc_rc_t malformed(kc_err_t *err, const char *text, const char *what)
{
    return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "memcached server \"%s\": %s", text, what);
}

static int is_host(const char *host, int is_v6)
{
    const char *c;

    for (c = host; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr(is_v6 ? ":.%" : ".-_", *c))
            return 0;
    }
    return host[0] != '\0';
}

/* The text after the host: nothing, or a colon and a port. */
static kc_rc_t port_parse(const char *text, const char *rest, in_port_t *port, kc_err_t *err)
{
    unsigned long number;

    *port = DEFAULT_PORT;
    if (!*rest)
        return KC_OK;
    if (rest[0] != ':' || strlen(rest) > 6 || rest[1 + strspn(rest + 1, "0123456789")])
        return malformed(err, text, "after the host comes a colon and a port, or nothing");
    number = strtoul(rest + 1, NULL, 10);
    if (number < 1 || number > 65535)
        return malformed(err, text, "a port is 1 to 65535");
    *port = (in_port_t)number;
    return KC_OK;
}

static kc_rc_t server_parse(const char *text, char host[HOST_MAX + 1], in_port_t *port,
                            kc_err_t *err)
{
    int is_v6 = text[0] == '[';
    const char *start = text + is_v6;
    size_t len = strcspn(start, is_v6 ? "]" : ":");

    if (is_v6 && start[len] != ']')
        return malformed(err, text, "the bracket is not closed");
    if (len > HOST_MAX)
        return malformed(err, text, "the host is too long");
    memcpy(host, start, len);
    host[len] = '\0';
    if (!is_host(host, is_v6))
        return malformed(err, text, "the form is host, host:port or [IPv6]:port");
    return port_parse(text, start + len + is_v6, port, err);
}

kc_rc_t kc_store_memcached_check(const char *server, kc_err_t *err)
{
    char host[HOST_MAX + 1];
    in_port_t port;

    return server_parse(server, host, &port, err);
}

/* ---------------------------------------------------------------- making */

static apr_status_t cache_close(void *data)
{
    cache_t *cache = data;
    size_t i;

    for (i = 0; i < cache->server_count; i++) {
        idle_close(&cache->servers[i]);
        (void)pthread_mutex_destroy(&cache->servers[i].lock);
    }
    if (cache->ring)
        memcached_free(cache->ring);
    return APR_SUCCESS;
}

/* Weighted ketama with MD5, as other clients have it, by name and port: the order of the servers in
 * the configuration does not matter. */
static kc_rc_t ring_make(cache_t *cache, kc_err_t *err)
{
    size_t i;

    cache->ring = memcached_create(NULL);
    if (!cache->ring || memcached_failed(memcached_behavior_set(
                            cache->ring, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1)))
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "memcached: no handle can be made");
    for (i = 0; i < cache->server_count; i++) {
        const server_t *server = &cache->servers[i];

        if (memcached_failed(memcached_server_add(cache->ring, server->host, server->port)))
            return malformed(err, server->text, "libmemcached does not take it");
    }
    return KC_OK;
}

static kc_rc_t server_make(cache_t *cache, const char *text, apr_pool_t *pool, kc_err_t *err)
{
    server_t *server = &cache->servers[cache->server_count];
    kc_rc_t rc = server_parse(text, server->host, &server->port, err);

    if (rc != KC_OK)
        return rc;
    if (pthread_mutex_init(&server->lock, NULL))
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "memcached: no lock can be made");
    server->text = apr_pstrdup(pool, text);
    cache->server_count++;
    return KC_OK;
}

kc_rc_t kc_store_memcached_create(const char *const *servers, size_t count, int64_t timeout_ms,
                                  apr_pool_t *pool, kc_store_t **out, kc_err_t *err)
{
    cache_t *cache;
    kc_rc_t rc = KC_OK;
    size_t i;

    if (count < 1 || count > SERVERS_MAX || timeout_ms < 1 || timeout_ms > 60000)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG,
                       "memcached: 1 to 64 servers and a timeout of 1 ms to 60 s");
    cache = apr_pcalloc(pool, sizeof(*cache));
    cache->store.vtable = &vtable;
    cache->timeout_ms = timeout_ms;
    cache->servers = apr_pcalloc(pool, count * sizeof(*cache->servers));
    apr_pool_cleanup_register(pool, cache, cache_close, apr_pool_cleanup_null);
    for (i = 0; rc == KC_OK && i < count; i++)
        rc = server_make(cache, servers[i], pool, err);
    if (rc == KC_OK)
        rc = ring_make(cache, err);
    if (rc != KC_OK)
        return rc;
    *out = &cache->store;
    return KC_OK;
}

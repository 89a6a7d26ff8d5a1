/* One memcached server, over libmemcached.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store_memcached.h"

#include <apr_strings.h>
#include <ctype.h>
#include <libmemcached/memcached.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * libmemcached (1.1.4) tells outages from misses only if it is held right. Asked for several keys
 * it passes over servers that it cannot reach and says success; told to fetch from several servers,
 * a time-out of all is a plain "not found", as is an answer that it could not read; its replicas
 * are not read when a server has lost them. So it does the talking, and the rest is here and in
 * store_replicas.c: a handle has one server, is leased by one thread at a time, is new when it is
 * asked (no error of its past is mixed in), and is destroyed after any error, so that a late answer
 * meets nobody. A miss is believed only if the connection has been in order to the end.
 *
 * MEMCACHED_BEHAVIOR_VERIFY_KEY exists for the text protocol alone; store.c checks the keys.
 */

enum {
    DEFAULT_PORT = 11211,
    IDLE_MAX = 128, /* handles for each server: about one for each thread of a child */
    HOST_MAX = 255,
    LATE_MS = 1,
    DISCONNECTED = 255 /* the major version of a server that is not connected */
};

struct kc_store_memcached_t {
    char host[HOST_MAX + 1];
    in_port_t port;
    const char *text; /* as it was configured, for details */
    int64_t timeout_ms;
    const char *user;
    const char *password;
    pthread_mutex_t lock;
    memcached_st *idle[IDLE_MAX];
    size_t idle_count;
};

typedef kc_store_memcached_t server_t;

/* The server's handle while a thread has it. */
typedef struct {
    server_t *server;
    memcached_st *handle;
    int is_reused;
} lease_t;

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

#if defined(LIBMEMCACHED_WITH_SASL_SUPPORT) && LIBMEMCACHED_WITH_SASL_SUPPORT
enum { HAS_SASL = 1 };

static int sign_in(memcached_st *handle, const server_t *server)
{
    return !server->user ||
           !memcached_failed(memcached_set_sasl_auth_data(handle, server->user, server->password));
}
#else
enum { HAS_SASL = 0 };

static int sign_in(memcached_st *handle, const server_t *server)
{
    (void)handle;
    return !server->user;
}
#endif

static memcached_st *handle_make(const server_t *server)
{
    memcached_st *handle = memcached_create(NULL);

    if (!handle)
        return NULL;
    if (!behaviors_set(handle, server->timeout_ms) || !sign_in(handle, server) ||
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
static kc_rc_t lease_take(server_t *server, lease_t *lease, kc_err_t *err)
{
    memcached_return_t status;

    lease->server = server;
    lease->handle = idle_pop(server);
    lease->is_reused = lease->handle != NULL;
    if (!lease->handle)
        lease->handle = handle_make(server);
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

/* ---------------------------------------------------------------- get */

static kc_rc_t send_once(kc_store_memcached_get_t *get, int *is_stale, kc_err_t *err)
{
    size_t lens[KC_STORE_GET_MAX], i;
    memcached_return_t status;
    lease_t lease;

    get->handle = NULL;
    if (lease_take(get->server, &lease, err) != KC_OK)
        return KC_DOWN;
    for (i = 0; i < get->count; i++)
        lens[i] = KC_STORE_KEY_LEN;
    status = memcached_mget(lease.handle, get->keys, lens, get->count);
    if (status != MEMCACHED_SUCCESS)
        return lease_fail(&lease, status, is_stale, err);
    get->handle = lease.handle;
    get->is_reused = lease.is_reused;
    return KC_OK;
}

kc_rc_t kc_store_memcached_send(kc_store_memcached_get_t *get, kc_err_t *err)
{
    int is_stale = 0;
    kc_rc_t rc = send_once(get, &is_stale, err);

    return rc == KC_DOWN && is_stale ? send_once(get, &is_stale, err) : rc;
}

/* 1 when the answer is to one of the keys that were asked for. */
static int keep(const kc_store_memcached_get_t *get, const memcached_result_st *result,
                kc_store_memcached_item_t *items, apr_pool_t *pool)
{
    size_t len = memcached_result_length(result);
    int is_ours = 0;
    size_t i;

    if (memcached_result_key_length(result) != KC_STORE_KEY_LEN)
        return 0;
    for (i = 0; i < get->count; i++) {
        kc_bytes_t *value = &items[i].value;

        if (memcmp(memcached_result_key_value(result), get->keys[i], KC_STORE_KEY_LEN) != 0)
            continue;
        is_ours = 1;
        if (len > KC_STORE_VALUE_MAX) /* nothing that we wrote: as good as absent */
            continue;
        value->data = len ? apr_pmemdup(pool, memcached_result_value(result), len)
                          : (const unsigned char *)"";
        value->len = len;
        items[i].flags = memcached_result_flags(result);
    }
    return is_ours;
}

static void set_patience(memcached_st *handle, int64_t milliseconds)
{
    (void)memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, (uint64_t)milliseconds);
}

static kc_rc_t receive_once(kc_store_memcached_get_t *get, int is_late,
                            kc_store_memcached_item_t *items, apr_pool_t *pool, int *is_stale,
                            kc_err_t *err)
{
    lease_t lease = {get->server, get->handle, get->is_reused};
    memcached_return_t status = MEMCACHED_SUCCESS;
    memcached_result_st result;
    size_t answers = 0;
    int is_sane = 1;

    get->handle = NULL;
    memset(items, 0, get->count * sizeof(*items));
    if (is_late)
        set_patience(lease.handle, LATE_MS);
    (void)memcached_result_create(lease.handle, &result);
    while (is_sane && memcached_fetch_result(lease.handle, &result, &status))
        is_sane = ++answers <= get->count && keep(get, &result, items, pool);
    memcached_result_free(&result);
    if (is_sane && (status == MEMCACHED_END || status == MEMCACHED_NOTFOUND) &&
        is_in_order(lease.handle)) {
        if (is_late)
            set_patience(lease.handle, get->server->timeout_ms);
        lease_give(&lease);
        return KC_OK;
    }
    return lease_fail(&lease, status, is_stale, err);
}

kc_rc_t kc_store_memcached_receive(kc_store_memcached_get_t *get, int is_late,
                                   kc_store_memcached_item_t *items, apr_pool_t *pool,
                                   kc_err_t *err)
{
    int is_stale = 0;
    kc_rc_t rc = receive_once(get, is_late, items, pool, &is_stale, err);

    if (rc == KC_DOWN && is_stale) {
        rc = kc_store_memcached_send(get, err);
        if (rc == KC_OK)
            rc = receive_once(get, 0, items, pool, &is_stale, err);
    }
    if (rc != KC_OK)
        memset(items, 0, get->count * sizeof(*items));
    return rc;
}

void kc_store_memcached_abandon(kc_store_memcached_get_t *get)
{
    lease_t lease = {get->server, get->handle, 0};

    lease_destroy(&lease);
    get->handle = NULL;
}

/* ---------------------------------------------------------------- writes */

typedef kc_store_memcached_command_t command_t;

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
    case KC_STORE_MEMCACHED_PUT:
        return memcached_set(handle, command->key, KC_STORE_KEY_LEN, data, command->value.len,
                             expiry, command->flags);
    case KC_STORE_MEMCACHED_ADD:
        return memcached_add(handle, command->key, KC_STORE_KEY_LEN, data, command->value.len,
                             expiry, command->flags);
    case KC_STORE_MEMCACHED_TOUCH:
        return memcached_touch(handle, command->key, KC_STORE_KEY_LEN, expiry);
    case KC_STORE_MEMCACHED_DROP:
        break;
    }
    return memcached_delete(handle, command->key, KC_STORE_KEY_LEN, 0);
}

/* What an answer means for this command; KC_FAULT: nothing that we know. */
static kc_rc_t command_result(const command_t *command, memcached_return_t status)
{
    if (status == MEMCACHED_SUCCESS)
        return KC_OK;
    if (command->verb == KC_STORE_MEMCACHED_ADD &&
        (status == MEMCACHED_DATA_EXISTS || status == MEMCACHED_NOTSTORED))
        return KC_EXISTS;
    if (command->verb == KC_STORE_MEMCACHED_TOUCH && status == MEMCACHED_NOTFOUND)
        return KC_MISS;
    if (command->verb == KC_STORE_MEMCACHED_DROP && status == MEMCACHED_NOTFOUND)
        return KC_OK;
    return KC_FAULT;
}

static kc_rc_t command_try(server_t *server, const command_t *command, int *is_stale, kc_err_t *err)
{
    memcached_return_t status;
    lease_t lease;
    kc_rc_t rc;

    if (lease_take(server, &lease, err) != KC_OK)
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
kc_rc_t kc_store_memcached_do(kc_store_memcached_t *server, const command_t *command, kc_err_t *err)
{
    int is_stale = 0;
    kc_rc_t rc = command_try(server, command, &is_stale, err);

    if (rc == KC_DOWN && is_stale)
        rc = command_try(server, command, &is_stale, err);
    return rc;
}

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

/* ---------------------------------------------------------------- opening */

static apr_status_t server_close(void *data)
{
    server_t *server = data;

    idle_close(server);
    (void)pthread_mutex_destroy(&server->lock);
    return APR_SUCCESS;
}

kc_rc_t kc_store_memcached_open(const char *text, const kc_store_memcached_options_t *options,
                                apr_pool_t *pool, kc_store_memcached_t **out, kc_err_t *err)
{
    server_t *server = apr_pcalloc(pool, sizeof(*server));
    kc_rc_t rc = server_parse(text, server->host, &server->port, err);

    if (rc != KC_OK)
        return rc;
    if (pthread_mutex_init(&server->lock, NULL))
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "memcached: no lock can be made");
    apr_pool_cleanup_register(pool, server, server_close, apr_pool_cleanup_null);
    server->text = apr_pstrdup(pool, text);
    server->timeout_ms = options->timeout_ms;
    server->user = options->user;
    server->password = options->password;
    *out = server;
    return KC_OK;
}

int kc_store_memcached_can_sign_in(void)
{
    return HAS_SASL;
}

const char *kc_store_memcached_text(const kc_store_memcached_t *server)
{
    return server->text;
}

/* One memcached server: its idle connections, and how what it says becomes a store's answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store_memcached.h"

#include <apr_strings.h>
#include <ctype.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "memcached.h"

/*
 * A connection is leased by one thread at a time and closed after any error, so that a late answer
 * meets nobody. A miss is believed only if the whole answer was in order.
 */

enum {
    DEFAULT_PORT = 11211,
    IDLE_MAX = 128, /* connections for each server: about one for each thread of a child */
    HOST_MAX = 255
};

struct kc_store_memcached_t {
    kc_resolver_name_t *name;
    in_port_t port;
    const char *text; /* as it was configured, for details */
    const char *user;
    const char *password;
    int64_t (*now)(void *context);
    void *context;
    pthread_mutex_t lock; /* guards what follows; never held across I/O */
    kc_wire_t *idle[IDLE_MAX];
    size_t idle_count;
    uint32_t version; /* of the addresses that the idle ones go to */
    size_t first;     /* the address that was reached last */
};

typedef kc_store_memcached_t server_t;
typedef kc_store_memcached_get_t get_t;
typedef kc_store_memcached_command_t command_t;

/* A connection while a thread has it. */
typedef struct {
    server_t *server;
    kc_wire_t *wire;
    int is_reused;
    uint32_t version; /* of the addresses that it was taken from */
} lease_t;

/* ---------------------------------------------------------------- failures */

static const char *reason_of(kc_memcached_end_t end)
{
    switch (end) {
    case KC_MEMCACHED_LATE:
        return "no answer in time (KeycloakStoreTimeout)";
    case KC_MEMCACHED_CUT:
        return "the connection was cut";
    case KC_MEMCACHED_SIGN_IN:
        return "it does not take the name and password (KeycloakMemcachedUser), or wants one";
    case KC_MEMCACHED_FAILED:
        return "it says that it cannot do it";
    default:
        return "the answer makes no sense";
    }
}

static kc_rc_t fail(const server_t *server, kc_memcached_end_t end, kc_breaker_fault_t *fault,
                    kc_err_t *err)
{
    *fault = end == KC_MEMCACHED_LATE ? KC_BREAKER_LATE : KC_BREAKER_WRONG;
    return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "memcached %s: %s", server->text,
                   reason_of(end));
}

static kc_rc_t fail_connecting(const server_t *server, kc_wire_end_t end, kc_breaker_fault_t *fault,
                               kc_err_t *err)
{
    if (end == KC_WIRE_LATE)
        return fail(server, KC_MEMCACHED_LATE, fault, err);
    *fault = end == KC_WIRE_REFUSED ? KC_BREAKER_REFUSED : KC_BREAKER_WRONG;
    return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "memcached %s: it cannot be reached",
                   server->text);
}

/* ---------------------------------------------------------------- connections */

static kc_wire_t *idle_pop(server_t *server)
{
    kc_wire_t *wire = NULL;

    (void)pthread_mutex_lock(&server->lock);
    if (server->idle_count)
        wire = server->idle[--server->idle_count];
    (void)pthread_mutex_unlock(&server->lock);
    return wire;
}

static void idle_close(server_t *server)
{
    kc_wire_t *wire;

    while ((wire = idle_pop(server)))
        kc_wire_close(wire);
}

/* The host has other addresses now: what goes to the old ones may end at somebody else's. */
static void idle_close_moved(server_t *server)
{
    uint32_t version = kc_resolver_version(server->name);

    if (__atomic_exchange_n(&server->version, version, __ATOMIC_ACQ_REL) != version)
        idle_close(server);
}

static kc_rc_t connect_to(server_t *server, const kc_wire_time_t *time, kc_wire_t **out,
                          kc_breaker_fault_t *fault, kc_err_t *err)
{
    kc_wire_address_t addresses[KC_WIRE_ADDRESSES_MAX];
    size_t count;
    size_t first = __atomic_load_n(&server->first, __ATOMIC_RELAXED);
    kc_memcached_end_t welcome;
    kc_wire_end_t end;
    kc_err_t why;

    *out = NULL;
    *fault = KC_BREAKER_REFUSED;
    if (kc_resolver_get(server->name, server->port, 0, addresses, &count, KC_ERR_STORE_DOWN,
                        &why) != KC_OK)
        return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "memcached %s: %s", server->text,
                       why.detail);
    end = kc_wire_connect(addresses, count, &first, time, out);
    if (end != KC_WIRE_OK) {
        kc_resolver_doubt(server->name);
        return fail_connecting(server, end, fault, err);
    }
    __atomic_store_n(&server->first, first, __ATOMIC_RELAXED);
    if (!server->user)
        return KC_OK;
    welcome = kc_memcached_sign_in(*out, server->user, server->password, time);
    if (welcome == KC_MEMCACHED_OK)
        return KC_OK;
    kc_wire_close(*out);
    *out = NULL;
    return fail(server, welcome, fault, err);
}

static kc_rc_t lease_take(server_t *server, const kc_wire_time_t *time, lease_t *lease,
                          kc_breaker_fault_t *fault, kc_err_t *err)
{
    lease->server = server;
    lease->version = kc_resolver_version(server->name);
    if (lease->version != __atomic_load_n(&server->version, __ATOMIC_ACQUIRE))
        idle_close_moved(server);
    lease->wire = idle_pop(server);
    lease->is_reused = lease->wire != NULL;
    return lease->wire ? KC_OK : connect_to(server, time, &lease->wire, fault, err);
}

static void lease_give(lease_t *lease)
{
    server_t *server = lease->server;
    kc_wire_t *wire = lease->wire;

    lease->wire = NULL;
    (void)pthread_mutex_lock(&server->lock);
    if (server->idle_count < IDLE_MAX &&
        lease->version == __atomic_load_n(&server->version, __ATOMIC_ACQUIRE)) {
        server->idle[server->idle_count++] = wire;
        wire = NULL;
    }
    (void)pthread_mutex_unlock(&server->lock);
    kc_wire_close(wire);
}

static void lease_destroy(lease_t *lease)
{
    kc_wire_close(lease->wire);
    lease->wire = NULL;
}

/* The connection goes, and when it was an old one the other idle ones with it: if the server has
 * been started anew they are dead as well. *is_stale: the connection had ended before we used it,
 * so that a new one may do. */
static kc_rc_t lease_fail(lease_t *lease, kc_memcached_end_t end, int *is_stale,
                          kc_breaker_fault_t *fault, kc_err_t *err)
{
    *is_stale = lease->is_reused && end != KC_MEMCACHED_LATE;
    lease_destroy(lease);
    if (*is_stale)
        idle_close(lease->server);
    return fail(lease->server, end, fault, err);
}

/* ---------------------------------------------------------------- get */

static kc_rc_t send_once(get_t *get, const kc_wire_time_t *time, int *is_stale, kc_err_t *err)
{
    kc_memcached_end_t end;
    lease_t lease;

    get->wire = NULL;
    if (lease_take(get->server, time, &lease, &get->fault, err) != KC_OK)
        return KC_DOWN;
    end = kc_memcached_ask(lease.wire, get->keys, get->count, time);
    if (end != KC_MEMCACHED_OK)
        return lease_fail(&lease, end, is_stale, &get->fault, err);
    get->wire = lease.wire;
    get->is_reused = lease.is_reused;
    get->version = lease.version;
    return KC_OK;
}

kc_rc_t kc_store_memcached_send(get_t *get, const kc_wire_time_t *time, kc_err_t *err)
{
    int is_stale = 0;
    kc_rc_t rc = send_once(get, time, &is_stale, err);

    return rc == KC_DOWN && is_stale ? send_once(get, time, &is_stale, err) : rc;
}

static kc_rc_t receive_once(get_t *get, const kc_wire_time_t *time,
                            kc_store_memcached_item_t *items, apr_pool_t *pool, int *is_stale,
                            kc_err_t *err)
{
    lease_t lease = {get->server, get->wire, get->is_reused, get->version};
    kc_memcached_end_t end;

    get->wire = NULL;
    end = kc_memcached_take(lease.wire, get->keys, get->count, items, pool, time);
    if (end != KC_MEMCACHED_OK)
        return lease_fail(&lease, end, is_stale, &get->fault, err);
    lease_give(&lease);
    return KC_OK;
}

kc_rc_t kc_store_memcached_receive(get_t *get, const kc_wire_time_t *time,
                                   kc_store_memcached_item_t *items, apr_pool_t *pool,
                                   kc_err_t *err)
{
    int is_stale = 0;
    kc_rc_t rc = receive_once(get, time, items, pool, &is_stale, err);

    if (rc == KC_DOWN && is_stale) {
        rc = kc_store_memcached_send(get, time, err);
        if (rc == KC_OK)
            rc = receive_once(get, time, items, pool, &is_stale, err);
    }
    if (rc != KC_OK)
        memset(items, 0, get->count * sizeof(*items));
    return rc;
}

void kc_store_memcached_abandon(get_t *get)
{
    kc_wire_close(get->wire);
    get->wire = NULL;
}

/* ---------------------------------------------------------------- writes */

/* Up to 30 days memcached takes a number for a span, which its own idea of the time does not
 * change; anything larger is a time since 1970 by its own clock. What is over already ends at once,
 * by a time long ago. */
static uint32_t expiry_of(const server_t *server, int64_t expires_at)
{
    const int64_t longest_span = 60 * 60 * 24 * 30;
    const int64_t now = server->now(server->context);

    if (expires_at <= now)
        return (uint32_t)longest_span + 1;
    if (expires_at - now <= longest_span)
        return (uint32_t)(expires_at - now);
    return expires_at < INT32_MAX ? (uint32_t)expires_at : INT32_MAX;
}

static kc_rc_t command_try(server_t *server, const command_t *command, const kc_wire_time_t *time,
                           int *is_stale, kc_breaker_fault_t *fault, kc_err_t *err)
{
    kc_memcached_end_t end;
    lease_t lease;

    if (lease_take(server, time, &lease, fault, err) != KC_OK)
        return KC_DOWN;
    end = kc_memcached_do(lease.wire, command, expiry_of(server, command->expires_at), time);
    if (end >= KC_MEMCACHED_LATE)
        return lease_fail(&lease, end, is_stale, fault, err);
    lease_give(&lease);
    if (end == KC_MEMCACHED_TOO_LARGE)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_STORE_VALUE, "memcached %s: a value of %zu bytes",
                       server->text, command->value.len);
    if (end == KC_MEMCACHED_EXISTS)
        return KC_EXISTS;
    return end == KC_MEMCACHED_MISS && command->verb == KC_STORE_MEMCACHED_TOUCH ? KC_MISS : KC_OK;
}

/* Once more when the connection had ended before. An add may have been done all the same; then its
 * KC_EXISTS is as good as the truth to callers, for whom somebody else may always have been first.
 */
kc_rc_t kc_store_memcached_do(server_t *server, const command_t *command,
                              const kc_wire_time_t *time, kc_breaker_fault_t *fault, kc_err_t *err)
{
    int is_stale = 0;
    kc_rc_t rc = command_try(server, command, time, &is_stale, fault, err);

    if (rc == KC_DOWN && is_stale)
        rc = command_try(server, command, time, &is_stale, fault, err);
    return rc;
}

/* ---------------------------------------------------------------- its clock */

kc_rc_t kc_store_memcached_clock(server_t *server, const kc_wire_time_t *time, int64_t *seconds,
                                 kc_err_t *err)
{
    kc_breaker_fault_t fault;
    kc_memcached_end_t end;
    lease_t lease;
    int is_stale = 0;

    if (lease_take(server, time, &lease, &fault, err) != KC_OK)
        return KC_DOWN;
    end = kc_memcached_clock(lease.wire, seconds, time);
    if (end != KC_MEMCACHED_OK)
        return lease_fail(&lease, end, &is_stale, &fault, err);
    lease_give(&lease);
    return KC_OK;
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
                                kc_resolver_t *resolver, apr_pool_t *pool,
                                kc_store_memcached_t **out, kc_err_t *err)
{
    server_t *server = apr_pcalloc(pool, sizeof(*server));
    char host[HOST_MAX + 1];
    kc_rc_t rc = server_parse(text, host, &server->port, err);

    if (rc != KC_OK)
        return rc;
    server->name = kc_resolver_name(resolver, host);
    if (!server->name)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "memcached %s: no thread for its name",
                       text);
    if (pthread_mutex_init(&server->lock, NULL))
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "memcached: no lock can be made");
    apr_pool_cleanup_register(pool, server, server_close, apr_pool_cleanup_null);
    server->text = apr_pstrdup(pool, text);
    server->user = options->user;
    server->password = options->password;
    server->now = options->now;
    server->context = options->context;
    *out = server;
    return KC_OK;
}

const char *kc_store_memcached_text(const kc_store_memcached_t *server)
{
    return server->text;
}

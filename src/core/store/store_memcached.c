/* One memcached server, through libmemcached: how its results become a store's answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_memcached.h"

#include <apr_strings.h>
#include <libmemcached/memcached.h>
#include <netdb.h>
#include <string.h>

#include "net/reachable.h"
#include "store/store_address.h"
#include "store/store_attempt.h"
#include "store/store_connections.h"
#include "store/store_expiry.h"

/* libmemcached (1.1.4) distinguishes outages from misses only when it is used carefully. In a get
 * of several keys it skips servers that it cannot reach, and reports success. In a fetch from
 * several servers, a time-out of all is a plain "not found". So is an answer that it could not
 * read. When a server has lost a value, its replicas are not read.
 *
 * So libmemcached only does the protocol; the rest is here and in store_replicas.c. A handle has
 * one server, and is leased by one thread at a time. It has no old errors when it is asked. It is
 * destroyed after any error, so that a late answer reaches no other request. A miss is accepted
 * only if the connection was in order to the end.
 *
 * libmemcached limits each wait, not the operation. So each wait gets the rest of the operation's
 * time, and the time is checked between the answers to several keys. A single answer whose bytes
 * come one at a time cannot be limited. It gets numeric addresses, which need no look-up.
 * MEMCACHED_BEHAVIOR_VERIFY_KEY exists only for the text protocol; store.c checks the keys. */

enum {
    NUMERIC_MAX = 64,   /* of an address as text, with its closing NUL */
    DISCONNECTED = 255, /* the major version of a server that is not connected */
    TRIES = KC_WAIT_LIMIT_STOPS + 2,
    REASON_SIZE = 192
};

struct kc_store_memcached_t {
    kc_resolver_name_t *name;
    in_port_t port;
    const char *text; /* as configured, for details */
    const char *user;
    const char *password;
    int64_t (*now)(void *context);
    void *context;
    kc_store_connections_t idle; /* handles */
    size_t first;                /* the address that was reached last */
};

typedef kc_store_attempt_t attempt_t;
typedef kc_store_memcached_t server_t;
typedef kc_store_memcached_get_t get_t;
typedef kc_store_memcached_command_t command_t;

typedef struct { /* the server's handle while a thread has it */
    server_t *server;
    memcached_st *handle;
    int is_reused;
    uint32_t version; /* of the addresses that it was taken from */
} lease_t;

/* Each wait of the handle gets the rest of the operation's time. */
static void set_wait(attempt_t *attempt, memcached_st *handle)
{
    (void)memcached_behavior_set(handle, MEMCACHED_BEHAVIOR_POLL_TIMEOUT,
                                 (uint64_t)kc_store_attempt_wait_on(attempt));
}

/* ---------------------------------------------------------------- failures */

static int is_unreachable(memcached_return_t cause)
{
    return cause == MEMCACHED_SOME_ERRORS || cause == MEMCACHED_CONNECTION_FAILURE ||
           cause == MEMCACHED_HOST_LOOKUP_FAILURE;
}

/* The meaning of libmemcached's status. Of the system's errors only those of connecting are used:
 * others are left over from a non-blocking socket. */
static const char *reason_of(const memcached_st *handle, memcached_return_t cause, char *text,
                             size_t size)
{
    if (is_unreachable(cause))
        return kc_reachable_text("it cannot be reached", memcached_last_error_errno(handle),
                                 "it cannot be reached, or answers otherwise; is it memcached?",
                                 text, size);
    if (cause == MEMCACHED_TIMEOUT)
        return "no answer in time (KeycloakStoreTimeout)";
    if (!memcached_failed(cause) || cause == MEMCACHED_NOTFOUND)
        return "the answer makes no sense; is it memcached?";
    (void)apr_snprintf(text, size, "%s%s", memcached_strerror(handle, cause),
                       cause == MEMCACHED_AUTH_FAILURE || cause == MEMCACHED_AUTH_PROBLEM
                           ? " (KeycloakMemcachedUser, KeycloakMemcachedPassword)"
                           : "; is it memcached?");
    return text;
}

/* libmemcached loses some errors while returning, but not the last one. */
static memcached_return_t cause_of(const memcached_st *handle, memcached_return_t status)
{
    memcached_return_t last = memcached_last_error(handle);

    return last == MEMCACHED_SUCCESS ? status : last;
}

static kc_rc_t fail(const attempt_t *attempt, const lease_t *lease, memcached_return_t cause)
{
    char text[REASON_SIZE];

    *attempt->fault = cause == MEMCACHED_TIMEOUT ? KC_BREAKER_LATE : KC_BREAKER_WRONG;
    return KC_FAIL(attempt->err, KC_DOWN, KC_ERR_STORE_DOWN, "memcached %s: %s",
                   lease->server->text, reason_of(lease->handle, cause, text, sizeof(text)));
}

/* ---------------------------------------------------------------- handles */

static int behaviors_set(memcached_st *handle, int64_t wait_ms)
{
    const uint64_t ms = (uint64_t)wait_ms;
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
#define SET_SASL(handle, user, password) memcached_set_sasl_auth_data(handle, user, password)
#else
enum { HAS_SASL = 0 };
#define SET_SASL(handle, user, password) MEMCACHED_NOT_SUPPORTED
#endif

static int sign_in(memcached_st *handle, const server_t *server)
{
    return !server->user || !memcached_failed(SET_SASL(handle, server->user, server->password));
}

static memcached_st *handle_make(const server_t *server, const kc_resolver_address_t *address,
                                 int64_t wait_ms)
{
    char host[NUMERIC_MAX];
    memcached_st *handle;

    if (getnameinfo((const struct sockaddr *)&address->socket, address->len, host, sizeof(host),
                    NULL, 0, NI_NUMERICHOST) != 0)
        return NULL;
    handle = memcached_create(NULL);
    if (!handle)
        return NULL;
    if (!behaviors_set(handle, wait_ms) || !sign_in(handle, server) ||
        memcached_failed(memcached_server_add(handle, host, server->port))) {
        memcached_free(handle);
        return NULL;
    }
    return handle;
}

/* The host has other addresses now, and the old ones may belong to another server. */
static void idle_close(server_t *server)
{
    kc_store_connections_close(&server->idle, kc_resolver_version(server->name));
}

static void lease_destroy(lease_t *lease)
{
    if (lease->handle)
        memcached_free(lease->handle);
    lease->handle = NULL;
}

/* Connects, authenticates, and asks for the server's version, which is_in_order reads later. */
static kc_rc_t connect_at(attempt_t *attempt, lease_t *lease, const kc_resolver_address_t *address,
                          int64_t wait_ms)
{
    memcached_return_t status;

    kc_store_attempt_wait(attempt, wait_ms);
    lease->handle = handle_make(lease->server, address, attempt->wait_ms);
    if (!lease->handle) {
        *attempt->fault = KC_BREAKER_WRONG;
        return KC_FAIL(attempt->err, KC_DOWN, KC_ERR_STORE_DOWN,
                       "memcached %s: no handle can be made", lease->server->text);
    }
    status = memcached_version(lease->handle);
    if (status == MEMCACHED_SUCCESS) {
        (void)kc_store_attempt_is_excused(attempt);
        kc_store_attempt_end_wait(attempt);
        return KC_OK;
    }
    status = cause_of(lease->handle, status);
    (void)fail(attempt, lease, status);
    if (is_unreachable(status))
        *attempt->fault = KC_BREAKER_REFUSED;
    if (status == MEMCACHED_TIMEOUT) /* nothing was ever received on this connection */
        (void)KC_FAIL(attempt->err, KC_DOWN, KC_ERR_STORE_DOWN,
                      "memcached %s: no answer in time (KeycloakStoreTimeout); is it memcached?",
                      lease->server->text);
    attempt->is_again = status == MEMCACHED_TIMEOUT && kc_store_attempt_is_excused(attempt);
    lease_destroy(lease);
    return KC_DOWN;
}

/* Connects to the first address that accepts, beginning with the one that did last. After a part of
 * the time without an answer, the next one is tried. */
static kc_rc_t connect_to(attempt_t *attempt, lease_t *lease)
{
    server_t *server = lease->server;
    kc_resolver_address_t addresses[KC_RESOLVER_ADDRESSES_MAX];
    size_t first = __atomic_load_n(&server->first, __ATOMIC_RELAXED), count, i;
    kc_rc_t rc = KC_DOWN;
    kc_err_t why;

    *attempt->fault = KC_BREAKER_REFUSED;
    if (kc_resolver_get(server->name, server->port, 0, addresses, &count, KC_ERR_STORE_DOWN,
                        &why) != KC_OK)
        return KC_FAIL(attempt->err, KC_DOWN, KC_ERR_STORE_DOWN, "memcached %s: %s", server->text,
                       why.detail);
    for (i = 0; rc != KC_OK && i < count && (!i || kc_wait_limit_left(attempt->time)); i++) {
        const size_t at = (first + i) % count;
        const int64_t left = kc_wait_limit_left(attempt->time);

        rc = connect_at(attempt, lease, &addresses[at], left / (int64_t)(count - i));
        if (rc == KC_OK)
            __atomic_store_n(&server->first, at, __ATOMIC_RELAXED);
    }
    if (rc != KC_OK)
        kc_resolver_doubt(server->name);
    return rc;
}

static kc_rc_t lease_take(attempt_t *attempt, server_t *server, lease_t *lease)
{
    lease->server = server;
    lease->version = kc_resolver_version(server->name);
    if (!kc_store_connections_is_current(&server->idle, lease->version))
        idle_close(server);
    lease->handle = kc_store_connections_take(&server->idle);
    lease->is_reused = lease->handle != NULL;
    return lease->handle ? KC_OK : connect_to(attempt, lease);
}

static void lease_give(lease_t *lease)
{
    kc_store_connections_give(&lease->server->idle, lease->handle, lease->version);
    lease->handle = NULL;
}

/* Destroys the handle. If it was an old one, the other idle ones are destroyed too: after a restart
 * of the server they are dead as well. The operation is tried again when the connection had ended
 * before it was used, or when this process was stopped while it waited. */
static kc_rc_t lease_fail(attempt_t *attempt, lease_t *lease, memcached_return_t status)
{
    memcached_return_t cause = cause_of(lease->handle, status);

    (void)fail(attempt, lease, cause);
    lease_destroy(lease);
    if (cause == MEMCACHED_TIMEOUT) {
        attempt->is_again = kc_store_attempt_is_excused(attempt);
    } else if (lease->is_reused) {
        attempt->is_again = 1;
        idle_close(lease->server);
    }
    return KC_DOWN;
}

/* A connection that libmemcached has closed still has the error that was lost while returning. */
static int is_in_order(const memcached_st *handle)
{
    const memcached_instance_st *instance = memcached_server_instance_by_position(handle, 0);

    return instance && memcached_last_error(handle) == MEMCACHED_SUCCESS &&
           memcached_server_major_version(instance) != DISCONNECTED;
}

/* ---------------------------------------------------------------- get */

static kc_rc_t send_once(attempt_t *attempt, get_t *get)
{
    size_t lens[KC_STORE_GET_MAX], i;
    memcached_return_t status;
    lease_t lease;

    get->handle = NULL;
    if (lease_take(attempt, get->server, &lease) != KC_OK)
        return KC_DOWN;
    for (i = 0; i < get->count; i++)
        lens[i] = KC_STORE_KEY_LEN;
    set_wait(attempt, lease.handle);
    status = memcached_mget(lease.handle, get->keys, lens, get->count);
    if (status != MEMCACHED_SUCCESS)
        return lease_fail(attempt, &lease, status);
    get->handle = lease.handle;
    get->is_reused = lease.is_reused;
    get->version = lease.version;
    get->since = attempt->since;
    return KC_OK;
}

kc_rc_t kc_store_memcached_send(get_t *get, const kc_wait_limit_time_t *time, kc_err_t *err)
{
    attempt_t attempt = {.time = time, .fault = &get->fault, .err = err};
    kc_rc_t rc = send_once(&attempt, get);

    return rc == KC_DOWN && attempt.is_again ? send_once(&attempt, get) : rc;
}

/* 1 when the answer is for one of the requested keys. */
static int keep(const get_t *get, const memcached_result_st *result,
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
        if (len > KC_STORE_VALUE_MAX) /* not written by this module: treated as absent */
            continue;
        value->data = len ? apr_pmemdup(pool, memcached_result_value(result), len)
                          : (const unsigned char *)"";
        value->len = len;
        items[i].flags = memcached_result_flags(result);
    }
    return is_ours;
}

static kc_rc_t receive_once(attempt_t *attempt, get_t *get, kc_store_memcached_item_t *items,
                            apr_pool_t *pool)
{
    lease_t lease = {get->server, get->handle, get->is_reused, get->version};
    memcached_return_t status = MEMCACHED_SUCCESS;
    memcached_result_st result;
    size_t answers = 0;
    int is_sane = 1;

    get->handle = NULL;
    memset(items, 0, get->count * sizeof(*items));
    attempt->since = get->since; /* the request was sent without waiting */
    attempt->wait_ms = 0;
    set_wait(attempt, lease.handle);
    (void)memcached_result_create(lease.handle, &result);
    while (is_sane && memcached_fetch_result(lease.handle, &result, &status)) {
        is_sane = ++answers <= get->count && keep(get, &result, items, pool);
        set_wait(attempt, lease.handle);
    }
    memcached_result_free(&result);
    if (is_sane && (status == MEMCACHED_END || status == MEMCACHED_NOTFOUND) &&
        is_in_order(lease.handle)) {
        lease_give(&lease);
        return KC_OK;
    }
    return lease_fail(attempt, &lease, status);
}

kc_rc_t kc_store_memcached_receive(get_t *get, const kc_wait_limit_time_t *time,
                                   kc_store_memcached_item_t *items, apr_pool_t *pool,
                                   kc_err_t *err)
{
    attempt_t attempt = {.time = time, .fault = &get->fault, .err = err};
    kc_rc_t rc = receive_once(&attempt, get, items, pool);
    int tries = TRIES;

    while (rc == KC_DOWN && attempt.is_again && --tries) {
        attempt.is_again = 0;
        rc = send_once(&attempt, get);
        if (rc == KC_OK)
            rc = receive_once(&attempt, get, items, pool);
    }
    if (rc != KC_OK)
        memset(items, 0, get->count * sizeof(*items));
    return rc;
}

/* ---------------------------------------------------------------- writes */

static memcached_return_t command_send(memcached_st *handle, const command_t *command,
                                       time_t expiry)
{
    const char *data = command->value.len ? (const char *)command->value.data : "";

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

/* The meaning of an answer for this command; KC_FAULT: unknown. */
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

static kc_rc_t command_try(attempt_t *attempt, server_t *server, const command_t *command)
{
    memcached_return_t status;
    lease_t lease;
    kc_rc_t rc;

    if (lease_take(attempt, server, &lease) != KC_OK)
        return KC_DOWN;
    set_wait(attempt, lease.handle);
    status = command_send(lease.handle, command,
                          kc_store_expiry_of(command->expires_at, server->now(server->context)));
    rc = command_result(command, status);
    if (rc != KC_FAULT && is_in_order(lease.handle)) {
        lease_give(&lease);
        return rc;
    }
    if (status == MEMCACHED_E2BIG) {
        lease_destroy(&lease);
        return KC_FAIL(attempt->err, KC_REFUSED, KC_ERR_STORE_VALUE,
                       "memcached %s: a value of %zu bytes", server->text, command->value.len);
    }
    return lease_fail(attempt, &lease, status);
}

/* Tries again when the connection had ended before, or this process had been stopped. The first try
 * of an add may have succeeded. Its KC_EXISTS is then still correct for callers, because another
 * process could always have been first. */
kc_rc_t kc_store_memcached_do(server_t *server, const command_t *command,
                              const kc_wait_limit_time_t *time, kc_breaker_fault_t *fault,
                              kc_err_t *err)
{
    attempt_t attempt = {.time = time, .fault = fault, .err = err};
    int tries = TRIES;
    kc_rc_t rc;

    do {
        attempt.is_again = 0;
        rc = command_try(&attempt, server, command);
    } while (rc == KC_DOWN && attempt.is_again && --tries);
    return rc;
}

/* ---------------------------------------------------------------- statistics */

static memcached_return_t take_statistic(const memcached_instance_st *instance, const char *name,
                                         size_t name_len, const char *value, size_t value_len,
                                         void *context)
{
    kc_store_memcached_statistics_t *statistics = context;
    char texts[2][KC_STORE_MEMCACHED_STATISTIC_MAX + 1];

    (void)instance;
    (void)apr_snprintf(texts[0], sizeof(texts[0]), "%.*s", (int)name_len, name);
    (void)apr_snprintf(texts[1], sizeof(texts[1]), "%.*s", (int)value_len, value);
    statistics->each(statistics->context, texts[0], texts[1]);
    statistics->count++;
    return MEMCACHED_SUCCESS;
}

kc_rc_t kc_store_memcached_statistics(server_t *server, kc_store_memcached_statistics_t *statistics,
                                      const kc_wait_limit_time_t *time, kc_breaker_fault_t *fault,
                                      kc_err_t *err)
{
    attempt_t attempt = {.time = time, .fault = fault, .err = err};
    memcached_return_t status;
    lease_t lease;

    if (lease_take(&attempt, server, &lease) != KC_OK)
        return KC_DOWN;
    set_wait(&attempt, lease.handle);
    status = memcached_stat_execute(lease.handle, statistics->group, take_statistic, statistics);
    if (status != MEMCACHED_SUCCESS || !statistics->count || !is_in_order(lease.handle))
        return lease_fail(&attempt, &lease, status);
    lease_give(&lease);
    return KC_OK;
}

/* ---------------------------------------------------------------- opening */

static void handle_close(void *handle)
{
    memcached_free(handle);
}

static apr_status_t server_close(void *data)
{
    server_t *server = data;

    kc_store_connections_end(&server->idle);
    return APR_SUCCESS;
}

kc_rc_t kc_store_memcached_open(const char *text, const kc_store_memcached_options_t *options,
                                kc_resolver_t *resolver, apr_pool_t *pool,
                                kc_store_memcached_t **out, kc_err_t *err)
{
    server_t *server = apr_pcalloc(pool, sizeof(*server));
    char host[KC_STORE_ADDRESS_HOST_MAX + 1];
    kc_rc_t rc = kc_store_address_parse(text, host, &server->port, err);

    if (rc != KC_OK)
        return rc;
    server->name = kc_resolver_name(resolver, host);
    if (!server->name)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "memcached %s: no thread for its name",
                       text);
    if (kc_store_connections_init(&server->idle, handle_close) != KC_OK)
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

int kc_store_memcached_can_sign_in(void)
{
    return HAS_SASL;
}

int kc_store_memcached_is_named(const kc_store_memcached_t *server)
{
    return kc_resolver_is_known(server->name);
}

const char *kc_store_memcached_text(const kc_store_memcached_t *server)
{
    return server->text;
}

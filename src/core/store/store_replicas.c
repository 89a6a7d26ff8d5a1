/* The store in memcached: which servers have a value, and what happens when they differ or fail.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_replicas.h"

#include <apr_strings.h>
#include <string.h>

#include "store/store.h"
#include "store/store_memcached.h"
#include "store/store_meter.h"
#include "store/store_placement.h"

/* Beside each value memcached keeps 32 bits of flags: 12 bits are the value's lifetime in minutes,
 * 20 bits the time when it was written, in seconds since 1970. The time tells which copy is newest.
 * The lifetime is needed to restore a lost copy. */

enum {
    COPIES_MAX = 3,
    SECONDS_BITS = 20,
    SECONDS_MASK = (1 << SECONDS_BITS) - 1,
    MINUTES_MAX = 4095
};

typedef struct {
    kc_store_memcached_t *server;
    kc_breaker_t *breaker;
    size_t word; /* of the metrics */
} node_t;

typedef struct {
    kc_store_t store; /* first */
    kc_store_memcached_options_t options;
    node_t *nodes;
    uint64_t *hashes; /* of their texts */
    size_t count;
    size_t copies;
} replicas_t;

typedef kc_store_memcached_command_t command_t;

/* ---------------------------------------------------------------- placement */

/* The servers of a key, from the first of its order to the last. */
typedef struct {
    const replicas_t *replicas;
    kc_store_placement_t placement;
} walk_t;

static void walk_start(walk_t *walk, const replicas_t *replicas, const char *key)
{
    walk->replicas = replicas;
    kc_store_placement_start(&walk->placement, replicas->hashes, replicas->count, key);
}

/* NULL at the end. */
static node_t *walk_next(walk_t *walk)
{
    size_t next = kc_store_placement_next(&walk->placement);

    return next < walk->replicas->count ? &walk->replicas->nodes[next] : NULL;
}

/* ---------------------------------------------------------------- server state */

static kc_breaker_state_t state_of(node_t *node)
{
    if (kc_breaker_is_closed(node->breaker))
        return KC_BREAKER_CLOSED;
    return kc_breaker_ask(node->breaker, kc_wait_limit_now());
}

static void report(const replicas_t *replicas, const node_t *node, int is_up, const char *why)
{
    if (replicas->options.report)
        replicas->options.report(replicas->options.context, kc_store_memcached_text(node->server),
                                 is_up, why);
}

/* A request to a server, and its result. */
typedef struct {
    kc_breaker_state_t state;
    int64_t began;
    kc_breaker_fault_t fault; /* after KC_DOWN */
} attempt_t;

/* Any result except KC_DOWN is an answer. */
static void learn(const replicas_t *replicas, node_t *node, const attempt_t *attempt, kc_rc_t rc,
                  const kc_err_t *err)
{
    int64_t now = kc_wait_limit_now();

    if (rc == KC_DOWN) {
        if (kc_breaker_fail(node->breaker, attempt->state, attempt->fault, attempt->began, now))
            report(replicas, node, 0, err->detail);
    } else if (kc_breaker_succeed(node->breaker, attempt->state, now)) {
        report(replicas, node, 1, "it answers again");
    }
}

/* A request that tests whether a server works again has all its time. Other requests give up as
 * soon as the server is known to be down. */
static const kc_breaker_t *adviser(const node_t *node, kc_breaker_state_t state)
{
    return state == KC_BREAKER_CLOSED ? node->breaker : NULL;
}

static kc_rc_t do_at(const replicas_t *replicas, node_t *node, kc_breaker_state_t state,
                     const command_t *command, kc_err_t *err)
{
    attempt_t attempt = {state, 0, KC_BREAKER_WRONG};
    kc_wait_limit_t limit;
    const kc_wait_limit_time_t time = {&limit, adviser(node, state)};
    int64_t sent = kc_stopwatch_now();
    kc_rc_t rc;

    kc_wait_limit_start(&limit, replicas->options.timeout_ms, NULL);
    attempt.began = limit.began;
    rc = kc_store_memcached_do(node->server, command, &time, &attempt.fault, err);
    kc_store_meter_did(replicas->options.metrics, node->word, command, sent, rc, attempt.fault);
    learn(replicas, node, &attempt, rc, err);
    return rc;
}

/* Returns a result, and its reason to a caller that wants it. */
static kc_rc_t tell(kc_rc_t rc, const kc_err_t *why, kc_err_t *err)
{
    if (err)
        *err = *why;
    return rc;
}

/* All servers of a key are marked down; the message names the first home. */
static kc_rc_t nobody(const replicas_t *replicas, const char *key, kc_err_t *err)
{
    const node_t *first;
    walk_t walk;

    walk_start(&walk, replicas, key);
    first = walk_next(&walk);
    return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "memcached %s is marked down",
                   first ? kc_store_memcached_text(first->server) : "");
}

/* ---------------------------------------------------------------- flags */

static uint32_t flags_make(int64_t now, int64_t expires_at)
{
    int64_t minutes = expires_at > now ? (expires_at - now + 59) / 60 : 1;

    if (minutes > MINUTES_MAX)
        minutes = MINUTES_MAX;
    return (uint32_t)minutes << SECONDS_BITS | ((uint32_t)now & SECONDS_MASK);
}

static int64_t flags_span(uint32_t flags)
{
    return (int64_t)(flags >> SECONDS_BITS) * 60;
}

/* The seconds wrap every twelve days; the times of copies differ by less than half of that. */
static int is_newer(uint32_t flags, uint32_t than)
{
    uint32_t ahead = (flags - than) & SECONDS_MASK;

    return ahead != 0 && ahead <= SECONDS_MASK / 2;
}

/* ---------------------------------------------------------------- reading */

/* The keys that one server is asked for, and its answers. */
typedef struct {
    node_t *node;
    kc_breaker_state_t state;
    kc_store_memcached_get_t get;
    kc_wait_limit_t limit;
    int64_t sent;                         /* by kc_stopwatch_now, as begun below */
    size_t key_indices[KC_STORE_GET_MAX]; /* of the keys, in the caller's array */
    int is_home[KC_STORE_GET_MAX];
    kc_store_memcached_item_t items[KC_STORE_GET_MAX];
    kc_rc_t rc;
    kc_err_t err;
} asked_t;

typedef struct {
    const replicas_t *replicas;
    const char *const *keys;
    size_t count;
    apr_pool_t *pool;
    asked_t *asked[KC_STORE_SERVERS_MAX];
    size_t asked_count;
    int64_t begun;
} reading_t;

/* The entry of a server, made when there is none; NULL when the server is marked down. */
static asked_t *asked_for(reading_t *reading, node_t *node)
{
    kc_breaker_state_t state;
    asked_t *asked;
    size_t i;

    for (i = 0; i < reading->asked_count; i++) {
        if (reading->asked[i]->node == node)
            return reading->asked[i];
    }
    state = state_of(node);
    if (state == KC_BREAKER_OPEN)
        return NULL;
    asked = reading->asked[reading->asked_count++] = apr_palloc(reading->pool, sizeof(*asked));
    asked->node = node;
    asked->state = state;
    asked->get.server = node->server;
    asked->get.count = 0;
    return asked;
}

/* Assigns each key to the first servers of its order that work. */
static void plan(reading_t *reading)
{
    size_t copies = reading->replicas->copies, i;

    for (i = 0; i < reading->count; i++) {
        size_t rank = 0, found = 0;
        walk_t walk;
        node_t *node;

        walk_start(&walk, reading->replicas, reading->keys[i]);
        while (found < copies && (node = walk_next(&walk))) {
            asked_t *asked = asked_for(reading, node);

            rank++;
            if (!asked)
                continue;
            asked->get.keys[asked->get.count] = reading->keys[i];
            asked->key_indices[asked->get.count] = i;
            asked->is_home[asked->get.count++] = rank <= copies;
            found++;
        }
    }
}

/* All requests are sent before the first answer is read. When one answer has not come in time,
 * the other servers have had that time too. When this process was stopped meanwhile, none of
 * them had. */
static void run(reading_t *reading, kc_err_t *err)
{
    int is_over = 0, was_stopped = 0;
    size_t i;

    for (i = 0; i < reading->asked_count; i++) {
        asked_t *asked = reading->asked[i];
        const kc_wait_limit_time_t time = {&asked->limit, adviser(asked->node, asked->state)};

        memset(&asked->err, 0, sizeof(asked->err));
        asked->sent = kc_stopwatch_now();
        kc_wait_limit_start(&asked->limit, reading->replicas->options.timeout_ms, NULL);
        asked->rc = kc_store_memcached_send(&asked->get, &time, &asked->err);
    }
    for (i = 0; i < reading->asked_count; i++) {
        asked_t *asked = reading->asked[i];
        const kc_wait_limit_time_t time = {&asked->limit, adviser(asked->node, asked->state)};
        attempt_t attempt = {asked->state, asked->limit.began, KC_BREAKER_WRONG};

        if (asked->rc == KC_OK) {
            if (was_stopped)
                kc_wait_limit_start(&asked->limit, reading->replicas->options.timeout_ms, NULL);
            if (i) /* other servers were waited for meanwhile */
                asked->get.since = kc_wait_limit_clock(&asked->limit);
            if (is_over)
                kc_wait_limit_end(&asked->limit);
            asked->rc = kc_store_memcached_receive(&asked->get, &time, asked->items, reading->pool,
                                                   &asked->err);
            is_over |= asked->rc == KC_DOWN && asked->get.fault == KC_BREAKER_LATE;
            was_stopped |= !is_over && kc_wait_limit_was_stopped(&asked->limit);
        }
        attempt.fault = asked->get.fault;
        kc_store_meter_got(reading->replicas->options.metrics, asked->node->word, asked->sent,
                           asked->rc, attempt.fault);
        learn(reading->replicas, asked->node, &attempt, asked->rc, &asked->err);
        if (asked->rc != KC_OK)
            *err = asked->err;
    }
}

/* The index of a key in a server's request; -1: it was not asked for it, or has not answered. */
static int index_in(const asked_t *asked, size_t key_index)
{
    size_t i;

    for (i = 0; asked->rc == KC_OK && i < asked->get.count; i++) {
        if (asked->key_indices[i] == key_index)
            return (int)i;
    }
    return -1;
}

/* The newest copy of a key; NULL when no server has it. *homes: how many homes have answered. */
static const kc_store_memcached_item_t *newest(const reading_t *reading, size_t key_index,
                                               size_t *homes)
{
    const kc_store_memcached_item_t *best = NULL;
    size_t i;

    *homes = 0;
    for (i = 0; i < reading->asked_count; i++) {
        const asked_t *asked = reading->asked[i];
        int at = index_in(asked, key_index);
        const kc_store_memcached_item_t *item = at < 0 ? NULL : &asked->items[at];

        if (!item)
            continue;
        *homes += asked->is_home[at] != 0;
        if (item->value.data && (!best || is_newer(item->flags, best->flags)))
            best = item;
    }
    return best;
}

/* Writes the newest copy to servers that have none, or an older one. */
static void repair(const reading_t *reading, size_t key_index,
                   const kc_store_memcached_item_t *best)
{
    const replicas_t *replicas = reading->replicas;
    command_t command = {KC_STORE_MEMCACHED_ADD, reading->keys[key_index], best->value, best->flags,
                         0};
    int64_t span = flags_span(best->flags);
    kc_err_t err;
    size_t i;

    if (!span)
        return; /* not written by this module */
    command.expires_at = replicas->options.now(replicas->options.context) + span;
    for (i = 0; i < reading->asked_count; i++) {
        const asked_t *asked = reading->asked[i];
        int at = index_in(asked, key_index);

        if (at < 0 || &asked->items[at] == best || !kc_breaker_is_closed(asked->node->breaker))
            continue;
        if (asked->items[at].value.data && !is_newer(best->flags, asked->items[at].flags))
            continue;
        command.verb =
            asked->items[at].value.data ? KC_STORE_MEMCACHED_PUT : KC_STORE_MEMCACHED_ADD;
        (void)do_at(replicas, asked->node, KC_BREAKER_CLOSED, &command, &err);
    }
}

static kc_rc_t replicas_get(kc_store_t *store, const char *const *keys, size_t count,
                            kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err)
{
    reading_t reading;
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};
    size_t i;

    reading.replicas = (const replicas_t *)(void *)store;
    reading.keys = keys;
    reading.count = count;
    reading.pool = pool;
    reading.begun = kc_stopwatch_now();
    reading.asked_count = 0;
    plan(&reading);
    run(&reading, &why);
    (void)kc_stopwatch_stop(KC_STOPWATCH_STORE, reading.begun);
    for (i = 0; i < count; i++) {
        size_t homes;
        const kc_store_memcached_item_t *best = newest(&reading, i, &homes);

        if (!best && !homes) {
            memset(items, 0, count * sizeof(*items));
            if (why.reason == KC_ERR_NONE)
                return nobody(reading.replicas, keys[i], err);
            return tell(KC_DOWN, &why, err);
        }
        items[i].is_partial = !best && homes < reading.replicas->copies;
        if (!best)
            continue;
        items[i].value = best->value;
        if (reading.asked_count > 1)
            repair(&reading, i, best);
    }
    return KC_OK;
}

/* Asks all servers at once, whatever the order of the key is. If one of several does not answer,
 * some keys lack a copy at most; if none does, the store is down. */
static kc_rc_t replicas_probe(kc_store_t *store, const char *key, apr_pool_t *pool, kc_err_t *err)
{
    replicas_t *replicas = (replicas_t *)(void *)store;
    reading_t reading = {.replicas = replicas, .keys = &key, .count = 1, .pool = pool};
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};
    size_t i;

    for (i = 0; i < replicas->count; i++) {
        asked_t *asked = asked_for(&reading, &replicas->nodes[i]);

        if (!asked)
            continue;
        asked->get.keys[0] = key;
        asked->get.count = 1;
    }
    run(&reading, &why);
    for (i = 0; i < reading.asked_count; i++) {
        if (reading.asked[i]->rc == KC_OK)
            return KC_OK;
    }
    if (!reading.asked_count)
        return nobody(replicas, key, err);
    return tell(KC_DOWN, &why, err);
}

/* ---------------------------------------------------------------- writing */

/* Writes to as many servers of the key's order as there are copies. A drop goes to every server
 * that may ever have got the value. */
static kc_rc_t write_copies(kc_store_t *store, const command_t *command, kc_err_t *err)
{
    const replicas_t *replicas = (const replicas_t *)(void *)store;
    size_t wanted = command->verb == KC_STORE_MEMCACHED_DROP ? replicas->count : replicas->copies;
    size_t reached = 0, tried = 0;
    kc_rc_t answer = KC_DOWN;
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};
    walk_t walk;
    node_t *node;

    walk_start(&walk, replicas, command->key);
    while (reached < wanted && (node = walk_next(&walk))) {
        kc_breaker_state_t state = state_of(node);
        kc_rc_t rc;

        if (state == KC_BREAKER_OPEN)
            continue;
        tried++;
        rc = do_at(replicas, node, state, command, &why);
        if (rc == KC_EXISTS || rc == KC_REFUSED)
            return tell(rc, &why, err);
        reached += rc != KC_DOWN;
        if (rc == KC_OK || (rc == KC_MISS && answer == KC_DOWN))
            answer = rc;
    }
    if (answer == KC_DOWN && !tried)
        return nobody(replicas, command->key, err);
    if (answer == KC_DOWN && err)
        *err = why;
    return answer;
}

/* Writes to every server: a value that is on no home would not be found when the homes answer
 * again. A server that is marked down may work again by now. */
static kc_rc_t write_sure(const replicas_t *replicas, const command_t *command, kc_err_t *err)
{
    size_t rank = 0, homes = 0;
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};
    walk_t walk;
    node_t *node;

    walk_start(&walk, replicas, command->key);
    while ((node = walk_next(&walk))) {
        int is_home = rank++ < replicas->copies;
        kc_breaker_state_t state = state_of(node);
        kc_rc_t rc;

        if (state == KC_BREAKER_OPEN && !is_home)
            continue;
        rc = do_at(replicas, node, state == KC_BREAKER_OPEN ? KC_BREAKER_PROBE : state, command,
                   &why);
        if (rc == KC_REFUSED)
            return tell(rc, &why, err);
        homes += is_home && rc == KC_OK;
    }
    if (2 * homes >= replicas->copies)
        return KC_OK;
    return tell(KC_DOWN, &why, err);
}

static kc_rc_t replicas_write(kc_store_t *store, const kc_store_write_t *write, kc_err_t *err)
{
    const replicas_t *replicas = (const replicas_t *)(void *)store;
    const kc_store_memcached_options_t *options = &replicas->options;
    command_t command = {write->is_add ? KC_STORE_MEMCACHED_ADD : KC_STORE_MEMCACHED_PUT,
                         write->key, write->value, 0, write->expires_at};

    command.flags = flags_make(options->now(options->context), write->expires_at);
    if (write->kind == KC_STORE_CRITICAL && !write->is_add)
        return write_sure(replicas, &command, err);
    return write_copies(store, &command, err);
}

static kc_rc_t replicas_put(kc_store_t *store, const char *key, kc_bytes_t value,
                            int64_t expires_at, kc_err_t *err)
{
    const kc_store_write_t write = {key, value, expires_at, KC_STORE_OWNED, 0};

    return replicas_write(store, &write, err);
}

static kc_rc_t replicas_add(kc_store_t *store, const char *key, kc_bytes_t value,
                            int64_t expires_at, kc_err_t *err)
{
    const kc_store_write_t write = {key, value, expires_at, KC_STORE_OWNED, 1};

    return replicas_write(store, &write, err);
}

static kc_rc_t replicas_touch(kc_store_t *store, const char *key, int64_t expires_at, kc_err_t *err)
{
    const command_t command = {KC_STORE_MEMCACHED_TOUCH, key, {NULL, 0}, 0, expires_at};

    return write_copies(store, &command, err);
}

static kc_rc_t replicas_drop(kc_store_t *store, const char *key, kc_err_t *err)
{
    const command_t command = {KC_STORE_MEMCACHED_DROP, key, {NULL, 0}, 0, 0};

    return write_copies(store, &command, err);
}

static const kc_store_vtable_t vtable = {"memcached",    replicas_get,   replicas_put,
                                         replicas_add,   replicas_touch, replicas_drop,
                                         replicas_probe, replicas_write};

/* ---------------------------------------------------------------- making */

kc_rc_t kc_store_replicas_create(const kc_store_memcached_options_t *options, apr_pool_t *pool,
                                 kc_store_t **out, kc_err_t *err)
{
    kc_breaker_t *breakers = options->breakers;
    kc_resolver_t *resolver = options->resolver;
    replicas_t *replicas;
    size_t i;

    if (options->count < 1 || options->count > KC_STORE_SERVERS_MAX || options->timeout_ms < 1 ||
        options->timeout_ms > 60000 || options->copies < 1 || options->copies > COPIES_MAX ||
        !options->user != !options->password)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG,
                       "memcached: 1 to 64 servers, 1 to 3 copies, a timeout of 1 ms to 60 s, and "
                       "user and password together or neither");
    replicas = apr_pcalloc(pool, sizeof(*replicas));
    replicas->store.vtable = &vtable;
    replicas->options = *options;
    replicas->count = options->count;
    replicas->copies = options->copies < options->count ? options->copies : options->count;
    replicas->nodes = apr_pcalloc(pool, options->count * sizeof(*replicas->nodes));
    replicas->hashes = apr_pcalloc(pool, options->count * sizeof(*replicas->hashes));
    if (!breakers)
        breakers = apr_pcalloc(pool, options->count * sizeof(*breakers));
    if (!resolver && kc_resolver_create(NULL, pool, &resolver, err) != KC_OK)
        return KC_FAULT;
    for (i = 0; i < options->count; i++) {
        node_t *node = &replicas->nodes[i];
        kc_rc_t rc = kc_store_memcached_open(options->servers[i], options, resolver, pool,
                                             &node->server, err);

        if (rc != KC_OK)
            return rc;
        node->breaker = &breakers[i];
        node->word = kc_metrics_server(options->metrics, options->servers[i]);
        replicas->hashes[i] = kc_store_placement_hash(options->servers[i]);
    }
    *out = &replicas->store;
    return KC_OK;
}

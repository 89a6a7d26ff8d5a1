/* The check of each memcached server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_memcached.h"

#include <apr_strings.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "net/resolver.h"
#include "store/store_address.h"
#include "store/store_clock.h"
#include "store/store_memcached.h"

enum {
    MEGABYTE = 1024 * 1024,
    NAMES_MS = 3000,       /* for looking up all names */
    LIVES = 10,            /* seconds, of the value that is written */
    SMALL = 64 * MEGABYTE, /* memcached's own default of -m */
    FULL_PERCENT = 80,
    OWN = 2 /* connections of each child's background thread, and of this check */
};

typedef kc_check_memcached_seen_t seen_t;

typedef struct asking_t {
    const kc_check_t *check;
    kc_resolver_t *resolver;
    kc_store_memcached_t *server;
    const char *text; /* as configured */
    seen_t seen;
} asking_t;

/* ---------------------------------------------------------------- statistics */

static void take(void *context, const char *name, const char *value)
{
    static const struct {
        const char *name;
        size_t offset;
        int is_setting;
    } rows[] = {{"time", offsetof(seen_t, time), 0},
                {"limit_maxbytes", offsetof(seen_t, limit_maxbytes), 0},
                {"bytes", offsetof(seen_t, bytes), 0},
                {"evictions", offsetof(seen_t, evictions), 0},
                {"maxconns", offsetof(seen_t, maxconns), 1},
                {"item_size_max", offsetof(seen_t, item_size_max), 1},
                {"listen_disabled_num", offsetof(seen_t, refused), 0}};
    seen_t *seen = context;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].is_setting == seen->is_settings && strcmp(name, rows[i].name) == 0)
            *(int64_t *)(void *)((char *)seen + rows[i].offset) = apr_atoi64(value);
    }
    if (strcmp(name, "version") == 0)
        apr_cpystrn(seen->version, value, sizeof(seen->version));
}

static kc_rc_t ask_statistics(asking_t *asking, const char *group, kc_breaker_fault_t *fault,
                              kc_err_t *err)
{
    kc_store_memcached_statistics_t statistics = {group, take, &asking->seen, 0};
    kc_wait_limit_t limit;
    const kc_wait_limit_time_t time = {&limit, NULL};

    asking->seen.is_settings = group != NULL;
    kc_wait_limit_start(&limit, asking->check->rp->conf->store_timeout, NULL);
    return kc_store_memcached_statistics(asking->server, &statistics, &time, fault, err);
}

/* ---------------------------------------------------------------- connecting */

/* Whether the name is known. The resolver looks up an address in the same way. */
static int is_known(const asking_t *asking, kc_err_t *err)
{
    char host[KC_STORE_ADDRESS_HOST_MAX + 1];
    kc_resolver_address_t addresses[KC_RESOLVER_ADDRESSES_MAX];
    size_t count;
    in_port_t port;

    return kc_store_address_parse(asking->text, host, &port, err) == KC_OK &&
           kc_resolver_get(kc_resolver_name(asking->resolver, host), port, 0, addresses, &count,
                           KC_ERR_STORE_DOWN, err) == KC_OK;
}

static const char *cure_of(const asking_t *asking, kc_breaker_fault_t fault, const kc_err_t *err)
{
    const kc_conf_t *conf = asking->check->rp->conf;

    if (fault == KC_BREAKER_REFUSED)
        return "start memcached, let it listen at this address (-l, -p), or correct "
               "KeycloakMemcached";
    if (fault == KC_BREAKER_LATE)
        return "see whether a packet filter drops the connection, or whether the address is that "
               "of something else; a slow network needs a longer KeycloakStoreTimeout";
    if (strstr(err->detail, "KeycloakMemcachedPassword"))
        return "give KeycloakMemcachedUser and KeycloakMemcachedPassword as memcached's SASL "
               "database has them, or leave both out if memcached runs without -S";
    if (!conf->memcached_user)
        return "if memcached runs with -S, set KeycloakMemcachedUser and "
               "KeycloakMemcachedPassword; else correct the port in KeycloakMemcached";
    return "if memcached runs without -S, leave KeycloakMemcachedUser and "
           "KeycloakMemcachedPassword out; else correct the port in KeycloakMemcached";
}

static int connect_to(asking_t *asking)
{
    const kc_check_t *check = asking->check;
    kc_check_fault_t down = {KC_CHECK_FAILED, "memcached.connect", KC_ERR_STORE_DOWN, ""};
    const int64_t since = check->rp->env->elapsed_ms(check->rp->env->context);
    kc_breaker_fault_t fault = KC_BREAKER_WRONG;
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    int64_t took;

    if (!is_known(asking, &err)) {
        down.name = "memcached.dns";
        down.cure = "correct the host in KeycloakMemcached, or the name server";
        kc_check_report_add(check->report, &down, "memcached %s: %s", asking->text, err.detail);
        return 0;
    }
    if (ask_statistics(asking, NULL, &fault, &err) != KC_OK) {
        down.cure = cure_of(asking, fault, &err);
        kc_check_report_add(check->report, &down, "%s", err.detail);
        return 0;
    }
    took = check->rp->env->elapsed_ms(check->rp->env->context) - since;
    kc_check_report_ok(check->report, "memcached.connect",
                       "memcached %s: version %s answers%s, in %" APR_INT64_T_FMT " ms",
                       asking->text, *asking->seen.version ? asking->seen.version : "?",
                       check->rp->conf->memcached_user ? " to this user (SASL)" : "", took);
    return 1;
}

/* ---------------------------------------------------------------- writing and reading */

static kc_rc_t command(const asking_t *asking, kc_store_memcached_verb_t verb, const char *key,
                       kc_bytes_t value, kc_err_t *err)
{
    const kc_env_t *env = asking->check->rp->env;
    const kc_store_memcached_command_t what = {verb, key, value, 0, env->now(env->context) + LIVES};
    kc_breaker_fault_t fault;
    kc_wait_limit_t limit;
    const kc_wait_limit_time_t time = {&limit, NULL};

    kc_wait_limit_start(&limit, asking->check->rp->conf->store_timeout, NULL);
    return kc_store_memcached_do(asking->server, &what, &time, &fault, err);
}

static kc_rc_t read_back(const asking_t *asking, const char *key, kc_bytes_t *value, kc_err_t *err)
{
    kc_store_memcached_get_t get = {.server = asking->server, .keys = {key}, .count = 1};
    kc_store_memcached_item_t item = {{NULL, 0}, 0};
    kc_wait_limit_t limit;
    const kc_wait_limit_time_t time = {&limit, NULL};
    kc_rc_t rc;

    kc_wait_limit_start(&limit, asking->check->rp->conf->store_timeout, NULL);
    rc = kc_store_memcached_send(&get, &time, err);
    if (rc == KC_OK)
        rc = kc_store_memcached_receive(&get, &time, &item, asking->check->pool, err);
    *value = item.value;
    return rc;
}

/* Random, so that it is nobody else's. */
static const char *make_key(const kc_check_t *check)
{
    unsigned char bytes[KC_STORE_KEY_LEN / 2];
    char *key = apr_palloc(check->pool, KC_STORE_KEY_LEN + 1);

    if (check->rp->env->random(check->rp->env->context, bytes, sizeof(bytes)) != KC_OK)
        return NULL;
    kc_buf_hex_to(bytes, sizeof(bytes), key);
    return key;
}

/* The largest value that a session can have. */
static void tell_values(const asking_t *asking)
{
    const kc_check_t *check = asking->check;
    const kc_check_fault_t lost = {KC_CHECK_FAILED, "memcached.values", KC_ERR_STORE_DOWN,
                                   "give memcached more memory (-m), or look into its own log"};
    const kc_check_fault_t large = {KC_CHECK_FAILED, "memcached.item", KC_ERR_STORE_VALUE,
                                    "let memcached take values of 1 MB, its default: leave -I out"};
    const kc_bytes_t value = {
        memset(apr_palloc(check->pool, KC_STORE_VALUE_MAX), 'x', KC_STORE_VALUE_MAX),
        KC_STORE_VALUE_MAX};
    const kc_bytes_t small = {value.data, 64};
    const char *key = make_key(check);
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_bytes_t found = {NULL, 0};

    if (!key)
        return;
    if (command(asking, KC_STORE_MEMCACHED_PUT, key, small, &err) != KC_OK ||
        read_back(asking, key, &found, &err) != KC_OK || found.len != small.len) {
        kc_check_report_add(check->report, &lost,
                            "memcached %s: a value was not kept, or could not be read: %s",
                            asking->text, *err.detail ? err.detail : "it is not there");
    } else if (command(asking, KC_STORE_MEMCACHED_PUT, key, value, &err) != KC_OK ||
               read_back(asking, key, &found, &err) != KC_OK || found.len != value.len) {
        kc_check_report_add(check->report, &large,
                            "memcached %s takes no value of %d KB, the largest that a session may "
                            "need%s",
                            asking->text, KC_STORE_VALUE_MAX / 1024,
                            asking->seen.item_size_max > 0
                                ? apr_psprintf(check->pool, " (-I is %" APR_INT64_T_FMT " bytes)",
                                               asking->seen.item_size_max)
                                : "");
    } else {
        kc_check_report_ok(check->report, "memcached.values",
                           "memcached %s: values are written and read back", asking->text);
    }
    (void)command(asking, KC_STORE_MEMCACHED_DROP, key, small, &err);
}

/* ---------------------------------------------------------------- limits and clock */

static void tell_memory(const kc_check_t *check, const char *text, const seen_t *seen)
{
    kc_check_report_t *report = check->report;
    kc_check_fault_t fault = {KC_CHECK_WARNING, "memcached.memory", KC_ERR_NONE,
                              "give memcached more memory: -m MEGABYTES"};
    int is_well = 1;

    if (seen->evictions > 0) {
        is_well = 0;
        kc_check_report_add(
            report, &fault,
            "memcached %s is full: since its start it has thrown away %" APR_INT64_T_FMT
            " values before their time, each perhaps a session",
            text, seen->evictions);
    } else if (seen->limit_maxbytes > 0 &&
               seen->bytes > seen->limit_maxbytes / 100 * FULL_PERCENT) {
        is_well = 0;
        kc_check_report_add(report, &fault,
                            "memcached %s is nearly full: %" APR_INT64_T_FMT " of %" APR_INT64_T_FMT
                            " MB; then it throws away sessions",
                            text, seen->bytes / MEGABYTE, seen->limit_maxbytes / MEGABYTE);
    }
    if (seen->limit_maxbytes > 0 && seen->limit_maxbytes < SMALL) {
        is_well = 0;
        kc_check_report_add(report, &fault,
                            "memcached %s has %" APR_INT64_T_FMT
                            " MB (-m), less than its default of 64",
                            text, seen->limit_maxbytes / MEGABYTE);
    }
    if (is_well && seen->limit_maxbytes > 0)
        kc_check_report_ok(report, "memcached.memory",
                           "memcached %s: %" APR_INT64_T_FMT " MB, %" APR_INT64_T_FMT
                           " in use, nothing thrown away",
                           text, seen->limit_maxbytes / MEGABYTE, seen->bytes / MEGABYTE);
}

/* A thread has one connection at most to a server, while it works on a request. */
static void tell_connections(const kc_check_t *check, const char *text, const seen_t *seen)
{
    const int needed = check->threads + OWN;
    kc_check_fault_t fault = {KC_CHECK_FAILED, "memcached.connections", KC_ERR_STORE_DOWN, ""};

    if (seen->maxconns <= 0 || check->threads <= 0)
        return;
    fault.cure = apr_psprintf(check->pool,
                              "let memcached take more connections: -c, at least %d for each node "
                              "of this size (its default is 1024); or lower MaxRequestWorkers",
                              needed);
    if (seen->maxconns < needed) {
        kc_check_report_add(check->report, &fault,
                            "memcached %s takes %" APR_INT64_T_FMT
                            " connections (-c), but this httpd may open %d",
                            text, seen->maxconns, needed);
    } else if (seen->refused > 0) {
        fault.outcome = KC_CHECK_WARNING;
        kc_check_report_add(check->report, &fault,
                            "memcached %s takes %" APR_INT64_T_FMT
                            " connections (-c), and has had no room for one %" APR_INT64_T_FMT
                            " times since its start",
                            text, seen->maxconns, seen->refused);
    } else {
        kc_check_report_ok(check->report, "memcached.connections",
                           "memcached %s takes %" APR_INT64_T_FMT
                           " connections; this httpd may open %d",
                           text, seen->maxconns, needed);
    }
}

static void tell_clock(const kc_check_t *check, const char *text, const seen_t *seen)
{
    const kc_env_t *env = check->rp->env;
    const int64_t ahead = seen->time - env->now(env->context);
    const kc_check_fault_t fault = {KC_CHECK_FAILED, "memcached.clock", KC_ERR_STORE_CLOCK,
                                    "synchronise the clocks of both hosts (NTP)"};

    if (seen->time <= 0)
        return;
    if (ahead > KC_STORE_CLOCK_OFF || ahead < -KC_STORE_CLOCK_OFF)
        kc_check_report_add(check->report, &fault,
                            "memcached %s: its clock is %" APR_INT64_T_FMT " s %s this host's",
                            text, ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of");
    else
        kc_check_report_ok(check->report, "memcached.clock",
                           "memcached %s: its clock is this host's", text);
}

void kc_check_memcached_tell(const kc_check_t *check, const char *text,
                             const kc_check_memcached_seen_t *seen)
{
    tell_memory(check, text, seen);
    tell_connections(check, text, seen);
    tell_clock(check, text, seen);
}

/* ---------------------------------------------------------------- all servers */

static void ask_server(const kc_check_t *check, kc_resolver_t *resolver, const char *text)
{
    const kc_conf_t *conf = check->rp->conf;
    const kc_store_memcached_options_t options = {.user = conf->memcached_user,
                                                  .password = conf->memcached_password.text,
                                                  .now = check->rp->env->now,
                                                  .context = check->rp->env->context};
    asking_t asking = {check, resolver, NULL, text, {0, -1, -1, -1, -1, -1, -1, "", 0}};
    kc_breaker_fault_t fault;
    kc_err_t err;

    if (kc_store_memcached_open(text, &options, resolver, check->pool, &asking.server, &err) !=
            KC_OK ||
        !connect_to(&asking))
        return;
    (void)ask_statistics(&asking, "settings", &fault, &err);
    tell_values(&asking);
    kc_check_memcached_tell(check, text, &asking.seen);
}

void kc_check_memcached_ask(const kc_check_t *check)
{
    const apr_array_header_t *servers = check->rp->conf->memcached;
    char host[KC_STORE_ADDRESS_HOST_MAX + 1];
    kc_resolver_t *resolver;
    in_port_t port;
    kc_err_t err;
    int i;

    if (!servers || kc_resolver_create(NULL, check->pool, &resolver, &err) != KC_OK)
        return;
    for (i = 0; i < servers->nelts; i++) {
        if (kc_store_address_parse(APR_ARRAY_IDX(servers, i, const char *), host, &port, &err) ==
            KC_OK)
            (void)kc_resolver_name(resolver, host);
    }
    kc_resolver_wait(resolver, NAMES_MS);
    for (i = 0; i < servers->nelts; i++)
        ask_server(check, resolver, APR_ARRAY_IDX(servers, i, const char *));
}

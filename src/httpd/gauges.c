/* Metrics that are read when they are asked for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gauges.h"

#include <http_main.h>
#include <string.h>

#include "config.h"
#include "metrics_memory.h"

#include "core/conf/conf_watch.h"
#include "core/provider/metadata.h"

static void visit_one(akc_gauges_visit_t visit, void *context, const char *label, int64_t value)
{
    const char *const labels[KC_METRICS_ROW_LABELS] = {label, "", ""};

    visit(context, labels, value);
}

/* ---------------------------------------------------------------- servers of this process */

/* The first server from this one on that has sign-ins of its own; NULL: there is none. */
static server_rec *next_server(server_rec *server)
{
    while (server &&
           (!akc_config_server(server)->rp || akc_config_server(server)->server != server))
        server = server->next;
    return server;
}

static void each_fill(kc_metrics_index_t row, akc_gauges_visit_t visit, void *context)
{
    server_rec *server = next_server(ap_server_conf);
    kc_view_cache_fill_t fill;

    if (!server || !akc_config_server(server)->env.cache)
        return;
    kc_view_cache_fill(akc_config_server(server)->env.cache, &fill);
    visit_one(visit, context, "",
              (int64_t)(row == KC_METRICS_ROW_first_tier_entries ? fill.entries
                        : row == KC_METRICS_ROW_first_tier_used  ? fill.used
                                                                 : fill.size));
}

/* 1 when a server of the process uses this memcached server; *is_up: none of them has marked it
 * down. */
static int is_used(const char *name, int *is_up)
{
    server_rec *server;
    int is_found = 0, i;

    *is_up = 1;
    for (server = next_server(ap_server_conf); server; server = next_server(server->next)) {
        const akc_server_t *config = akc_config_server(server);
        const apr_array_header_t *names = config->conf->memcached;

        for (i = 0; names && i < names->nelts; i++) {
            if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) != 0)
                continue;
            is_found = 1;
            *is_up &= kc_breaker_is_closed(&config->breakers[i]);
        }
    }
    return is_found;
}

static void each_store(akc_gauges_visit_t visit, void *context)
{
    size_t i;

    for (i = 0; i < KC_METRICS_SERVER_MAX; i++) {
        const char *name = kc_metrics_word(akc_metrics_memory_get(), KC_METRICS_LABEL_SERVER, i);
        int is_up;

        if (name && is_used(name, &is_up))
            visit_one(visit, context, name, is_up);
    }
}

/* 1 when a server before this one has the same issuer. */
static int is_repeated(server_rec *server)
{
    const char *issuer = akc_config_server(server)->conf->issuer;
    server_rec *before;

    for (before = next_server(ap_server_conf); before != server;
         before = next_server(before->next)) {
        if (strcmp(akc_config_server(before)->conf->issuer, issuer) == 0)
            return 1;
    }
    return 0;
}

/* The oldest documents of all servers with this issuer; -1: none have any. */
static int64_t oldest(server_rec *first)
{
    const char *issuer = akc_config_server(first)->conf->issuer;
    int64_t oldest_age = -1;
    server_rec *server;

    for (server = first; server; server = next_server(server->next)) {
        const akc_server_t *config = akc_config_server(server);
        int64_t age =
            strcmp(config->conf->issuer, issuer) == 0 ? kc_metadata_age(config->rp->metadata) : -1;

        if (age > oldest_age)
            oldest_age = age;
    }
    return oldest_age;
}

static void each_issuer(akc_gauges_visit_t visit, void *context)
{
    server_rec *server;

    for (server = next_server(ap_server_conf); server; server = next_server(server->next)) {
        int64_t age = is_repeated(server) ? -1 : oldest(server);

        if (age >= 0)
            visit_one(visit, context, akc_config_server(server)->conf->issuer, age);
    }
}

/* All children find the same, sooner or later. */
static int64_t count_changed_files(void)
{
    int64_t count = 0;
    server_rec *server;

    for (server = next_server(ap_server_conf); server; server = next_server(server->next))
        count += kc_conf_watch_waiting(akc_config_server(server)->env.files);
    return count;
}

/* ---------------------------------------------------------------- values of all children */

static void each_wait(akc_gauges_visit_t visit, void *context)
{
    visit_one(visit, context, "keycloak", akc_metrics_memory_sum(KC_METRICS_TALKING));
    visit_one(visit, context, "slot", akc_metrics_memory_sum(KC_METRICS_QUEUED));
    visit_one(visit, context, "renewal", akc_metrics_memory_sum(KC_METRICS_WAITERS));
}

void akc_gauges_each(kc_metrics_index_t row, akc_gauges_visit_t visit, void *context)
{
    static const char *const build[KC_METRICS_ROW_LABELS] = {KC_VERSION, AP_SERVER_BASEREVISION,
                                                             ""};

    switch (row) {
    case KC_METRICS_ROW_first_tier_entries:
    case KC_METRICS_ROW_first_tier_used:
    case KC_METRICS_ROW_first_tier_size:
        each_fill(row, visit, context);
        break;
    case KC_METRICS_ROW_store_up:
        each_store(visit, context);
        break;
    case KC_METRICS_ROW_metadata_age:
        each_issuer(visit, context);
        break;
    case KC_METRICS_ROW_waiting:
        each_wait(visit, context);
        break;
    case KC_METRICS_ROW_streams:
        visit_one(visit, context, "", akc_metrics_memory_sum(KC_METRICS_STREAMS));
        break;
    case KC_METRICS_ROW_changed_files:
        visit_one(visit, context, "", count_changed_files());
        break;
    case KC_METRICS_ROW_build:
        visit(context, build, 1);
        break;
    default:
        break;
    }
}

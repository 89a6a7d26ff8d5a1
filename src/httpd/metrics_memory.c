/* The memory of the metrics, kept over restarts, and what each child shows in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "metrics_memory.h"

#include <apr_shm.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "streams.h"

static kc_metrics_t *metrics;

const kc_metrics_t *akc_metrics_memory_get(void)
{
    return metrics;
}

static apr_status_t forget(void *data)
{
    (void)data;
    metrics = NULL;
    akc_log_count(NULL);
    return APR_SUCCESS;
}

/* The memory that the process keeps: only a version with another table makes a new one. */
static kc_rc_t find_or_make(server_rec *main, apr_pool_t *pconf, kc_err_t *err)
{
    static const char name[] = "mod_auth_keycloak.metrics";
    apr_pool_t *process = main->process->pool;
    void *memory = NULL;
    apr_shm_t *mapping;

    apr_pool_userdata_get(&memory, name, process);
    if (memory && kc_metrics_attach(memory, pconf, &metrics, err) == KC_OK)
        return KC_OK;
    if (apr_shm_create(&mapping, kc_metrics_size(), NULL, process) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "no shared memory for the metrics");
    memory = apr_shm_baseaddr_get(mapping);
    memset(memory, 0, kc_metrics_size());
    apr_pool_userdata_set(memory, name, NULL, process);
    return kc_metrics_attach(memory, pconf, &metrics, err);
}

kc_rc_t akc_metrics_memory_start(server_rec *main, apr_pool_t *pconf, kc_err_t *err)
{
    server_rec *server;
    kc_rc_t rc = find_or_make(main, pconf, err);
    int i;

    if (rc != KC_OK)
        return rc;
    apr_pool_cleanup_register(pconf, NULL, forget, apr_pool_cleanup_null);
    akc_log_count(metrics);
    for (server = main; server; server = server->next) {
        akc_server_t *config = akc_config_server(server);
        const apr_array_header_t *names = config->conf->memcached;

        if (!config->rp)
            continue;
        config->env.metrics = metrics;
        for (i = 0; names && i < names->nelts; i++)
            (void)kc_metrics_claim(metrics, APR_ARRAY_IDX(names, i, const char *));
    }
    return KC_OK;
}

static int is_alive(int64_t pid)
{
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

int64_t akc_metrics_memory_sum(kc_metrics_value_t value)
{
    return (int64_t)kc_metrics_sum(metrics, value, is_alive);
}

static apr_status_t leave(void *data)
{
    (void)data;
    kc_metrics_leave(metrics);
    return APR_SUCCESS;
}

void akc_metrics_memory_child(kc_http_gate_t *gate, kc_http_gate_t *waiters, apr_pool_t *pchild)
{
    kc_metrics_enter(metrics, getpid(), is_alive);
    kc_http_gate_show(gate, kc_metrics_value(metrics, KC_METRICS_TALKING),
                      kc_metrics_value(metrics, KC_METRICS_QUEUED));
    kc_http_gate_show(waiters, kc_metrics_value(metrics, KC_METRICS_WAITERS), NULL);
    akc_streams_show(kc_metrics_value(metrics, KC_METRICS_STREAMS));
    apr_pool_cleanup_register(pchild, NULL, leave, apr_pool_cleanup_null);
}

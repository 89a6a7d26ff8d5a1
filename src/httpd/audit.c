/* The audit log: opened at start, written for the core.
 * SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include <apr_hash.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <pthread.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "request.h"

#include "core/audit/audit_line.h"
#include "core/audit/audit_sink.h"
#include "core/base/caller.h"
#include "core/conf/conf_audit.h"

/* The socket of the system's log. */
static const char log_socket[] = "/dev/log";

/* An audit log. Each child has its own copy. */
struct akc_audit_t {
    const char *name; /* as configured */
    kc_audit_sink_t *sink;
    pthread_mutex_t lock; /* of rate */
    kc_audit_rate_t rate;
};

/* --- checking --- */

static kc_rc_t check_folder(const char *name, apr_pool_t *pool, kc_err_t *err)
{
    const char *path = ap_server_root_relative(pool, name), *folder;
    char why[120];
    apr_finfo_t found;
    apr_status_t status;

    if (!path)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "%.100s is no path", name);
    folder = ap_make_dirstr_parent(pool, path);
    status = apr_stat(&found, folder, APR_FINFO_TYPE, pool);
    if (status == APR_SUCCESS && found.filetype != APR_DIR)
        status = APR_ENOTDIR;
    if (status != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG,
                       "the folder %.100s of this file cannot be used: %s; make it, or name a file "
                       "in another one",
                       folder, apr_strerror(status, why, sizeof(why)));
    return KC_OK;
}

/* Servers that have an audit log. Others merely inherit the words. */
static int has_log(const akc_server_t *config, const server_rec *server)
{
    return config->conf->issuer && config->server == server &&
           kc_conf_audit_kind(config->conf) != KC_CONF_AUDIT_NONE;
}

kc_rc_t akc_audit_check(server_rec *main, apr_pool_t *ptemp, server_rec **server, kc_err_t *err)
{
    for (*server = main; *server; *server = (*server)->next) {
        const akc_server_t *config = akc_config_server(*server);

        if (has_log(config, *server) && kc_conf_audit_kind(config->conf) == KC_CONF_AUDIT_FILE &&
            check_folder(config->conf->audit_log, ptemp, err) != KC_OK)
            return KC_FAULT;
    }
    return KC_OK;
}

/* --- opening --- */

static kc_rc_t to_file(apr_file_t *file, apr_pool_t *pool, kc_audit_sink_t **out)
{
    apr_os_file_t fd;

    if (!file || apr_os_file_get(&fd, file) != APR_SUCCESS)
        return KC_FAULT;
    *out = kc_audit_sink_to_file(fd, pool);
    return KC_OK;
}

/* It names people, so that others of the host may not read it. */
static kc_rc_t open_file(const char *name, apr_pool_t *pool, kc_audit_sink_t **out, kc_err_t *err)
{
    const char *path = ap_server_root_relative(pool, name);
    apr_file_t *file = NULL;
    char why[120];
    apr_status_t status =
        path ? apr_file_open(&file, path, APR_WRITE | APR_APPEND | APR_CREATE | APR_LARGEFILE,
                             APR_UREAD | APR_UWRITE | APR_GREAD, pool)
             : APR_EBADPATH;

    if (status != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "cannot open %.100s: %s", path ? path : name,
                       apr_strerror(status, why, sizeof(why)));
    return to_file(file, pool, out);
}

static kc_rc_t open_program(const char *name, apr_pool_t *pool, kc_audit_sink_t **out,
                            kc_err_t *err)
{
    piped_log *pipe = ap_open_piped_log(pool, name + 1);

    if (!pipe || to_file(ap_piped_log_write_fd(pipe), pool, out) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "cannot start the program of '%.100s'", name);
    return KC_OK;
}

static kc_rc_t open_sink(const kc_conf_t *conf, apr_pool_t *pool, kc_audit_sink_t **out,
                         kc_err_t *err)
{
    switch (kc_conf_audit_kind(conf)) {
    case KC_CONF_AUDIT_PROGRAM:
        return open_program(conf->audit_log, pool, out, err);
    case KC_CONF_AUDIT_SYSLOG:
        return kc_audit_sink_to_syslog(kc_conf_audit_target(conf), log_socket, pool, out, err);
    default:
        return open_file(conf->audit_log, pool, out, err);
    }
}

static kc_rc_t open_log(akc_server_t *config, apr_hash_t *logs, apr_pool_t *pool, kc_err_t *err)
{
    const char *name = config->conf->audit_log;
    struct akc_audit_t *log = apr_hash_get(logs, name, APR_HASH_KEY_STRING);

    if (!log) {
        log = apr_pcalloc(pool, sizeof(*log));
        log->name = name;
        if (pthread_mutex_init(&log->lock, NULL) != 0)
            return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "no lock for the audit log");
        if (open_sink(config->conf, pool, &log->sink, err) != KC_OK)
            return KC_FAULT;
        apr_hash_set(logs, name, APR_HASH_KEY_STRING, log);
    }
    config->audit = log;
    config->has_caller = 1;
    return KC_OK;
}

kc_rc_t akc_audit_start(server_rec *main, apr_pool_t *pconf, server_rec **server, kc_err_t *err)
{
    apr_hash_t *logs = apr_hash_make(pconf);

    for (*server = main; *server; *server = (*server)->next) {
        akc_server_t *config = akc_config_server(*server);

        if (has_log(config, *server) && open_log(config, logs, pconf, err) != KC_OK)
            return KC_FAULT;
    }
    return KC_OK;
}

/* --- writing --- */

/* 0: the event is one too many. *omitted: those that were before this one. */
static int is_allowed(struct akc_audit_t *log, const kc_env_t *env, const kc_audit_event_t *event,
                      unsigned int *omitted)
{
    int may;

    (void)pthread_mutex_lock(&log->lock);
    may = kc_audit_rate_allows(&log->rate, event, env->elapsed_ms(env->context));
    *omitted = log->rate.omitted;
    if (may)
        log->rate.omitted = 0;
    (void)pthread_mutex_unlock(&log->lock);
    return may;
}

static void describe(const akc_server_t *config, kc_audit_origin_t *origin)
{
    const kc_caller_t *caller = kc_caller_now();
    akc_request_t *request = caller ? caller->request : NULL;

    origin->time_ms = config->env.now_ms(config->env.context);
    origin->client = config->conf->client_id;
    origin->issuer = config->conf->issuer;
    origin->server = config->server->server_hostname;
    if (!request)
        return;
    origin->address = akc_request_address(request);
    origin->server = request->first->server->server_hostname;
    origin->agent = akc_request_header(request->first, "User-Agent");
    origin->trace = caller->trace_id;
    origin->request = akc_request_id(request, request->first);
}

static void report(const struct akc_audit_t *log, server_rec *server, kc_audit_sink_result_t result,
                   unsigned int lost, int error)
{
    char why[120];

    if (result == KC_AUDIT_SINK_LOST)
        AKC_LOG_SERVER(server, KC_ERR_EVENT_AUDIT_LOST,
                       "KeycloakAuditLog %s takes no events: %s; they are lost until it does",
                       log->name,
                       error == EAGAIN ? "it is full, for its reader is slow or has stopped"
                                       : apr_strerror(error, why, sizeof(why)));
    else if (result == KC_AUDIT_SINK_BACK)
        AKC_LOG_SERVER(server, KC_ERR_EVENT_AUDIT_BACK,
                       "KeycloakAuditLog %s takes events again; this process has lost %u",
                       log->name, lost);
}

void akc_audit_write(void *context, const kc_audit_event_t *event)
{
    server_rec *server = context;
    akc_server_t *config = akc_config_server(server);
    struct akc_audit_t *log = config->audit;
    kc_audit_origin_t origin = {0};
    char line[KC_AUDIT_LINE_MAX];
    kc_audit_sink_result_t result;
    unsigned int lost;
    int error;

    if (!is_allowed(log, &config->env, event, &origin.omitted))
        return;
    describe(config, &origin);
    origin.lost = kc_audit_sink_lost(log->sink);
    result = kc_audit_sink_write(log->sink, line, kc_audit_line_write(event, &origin, line), &lost,
                                 &error);
    report(log, server, result, lost, error);
}

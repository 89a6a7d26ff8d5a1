/* Log lines of the module: each begins with the tag of its reason.
 * SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "core/base/caller.h"
#include "core/conf/setting_names.h"

static const char trace_word[] = ", trace "; /* before the id, in lines for a request */

static const apr_array_header_t *setting_names; /* of the process; NULL: none */
static const kc_metrics_t *counters;            /* NULL: lines are not counted */

void akc_log_count(const kc_metrics_t *metrics)
{
    counters = metrics;
}

static void count(kc_reason_t reason)
{
    kc_metrics_add(counters, KC_METRICS_CELL(log_lines, reason, 0, 0), 1);
}

/* A line of the core has its tag in front. */
static void count_line(const char *line)
{
    int i;

    for (i = KC_ERR_NONE + 1; i < KC_ERR_COUNT; i++) {
        const char *tag = kc_err_row((kc_reason_t)i)->tag;

        if (strncmp(line, tag, strlen(tag)) == 0) {
            count((kc_reason_t)i);
            return;
        }
    }
}

static struct {
    akc_log_listener_t *function; /* NULL: the log itself */
    void *context;
} listening;

static apr_status_t forget_names(void *data)
{
    (void)data;
    setting_names = NULL;
    return APR_SUCCESS;
}

void akc_log_call_settings(const apr_array_header_t *names, apr_pool_t *pconf)
{
    setting_names = names;
    apr_pool_cleanup_register(pconf, NULL, forget_names, apr_pool_cleanup_null);
}

const char *akc_log_named(const char *text, apr_pool_t *pool)
{
    char named[MAX_STRING_LEN];

    kc_setting_names_apply(setting_names, text, named, sizeof(named));
    return apr_pstrdup(pool, named);
}

void akc_log_listen(akc_log_listener_t *listener, void *context)
{
    listening.function = listener;
    listening.context = context;
}

/* The trace id of a request, or of the one that it came of; NULL: none. */
static const char *trace_of(const request_rec *r)
{
    const akc_request_t *request;

    while (r->main || r->prev)
        r = r->main ? r->main : r->prev;
    request = ap_get_module_config(r->request_config, &auth_keycloak_module);
    return request && request->caller ? request->caller->trace_id : NULL;
}

int akc_log_level(kc_log_level_t level)
{
    static const int levels[] = {[KC_LOG_ERROR] = APLOG_ERR,
                                 [KC_LOG_WARNING] = APLOG_WARNING,
                                 [KC_LOG_NOTICE] = APLOG_NOTICE,
                                 [KC_LOG_INFO] = APLOG_INFO,
                                 [KC_LOG_DEBUG] = APLOG_DEBUG};

    return levels[level];
}

void akc_log_server(const char *file, int line, int level, const server_rec *server,
                    kc_reason_t reason, const char *format, ...)
{
    char text[MAX_STRING_LEN], named[MAX_STRING_LEN]; /* httpd cuts its lines at this size too */
    va_list arguments;

    va_start(arguments, format);
    (void)apr_vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    kc_setting_names_apply(setting_names, text, named, sizeof(named));
    if (listening.function) {
        listening.function(listening.context, server, reason, named);
        return;
    }
    count(reason);
    ap_log_error(file, line, APLOG_MODULE_INDEX, level, 0, server, "%s: %s",
                 kc_err_row(reason)->tag, named);
}

void akc_log_request(const char *file, int line, int level, const request_rec *r,
                     kc_reason_t reason, const char *format, ...)
{
    char text[MAX_STRING_LEN], named[MAX_STRING_LEN];
    const char *trace;
    va_list arguments;

    va_start(arguments, format);
    (void)apr_vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    kc_setting_names_apply(setting_names, text, named, sizeof(named));
    trace = trace_of(r);
    count(reason);
    ap_log_rerror(file, line, APLOG_MODULE_INDEX, level, 0, r, "%s: %s%s%s",
                  kc_err_row(reason)->tag, named, trace ? trace_word : "", trace ? trace : "");
}

void akc_log_line(void *context, kc_log_level_t level, const char *line)
{
    const server_rec *server = context;
    const kc_caller_t *caller = kc_caller_now();
    const char *trace;
    char named[MAX_STRING_LEN];

    if (!APLOG_IS_LEVEL(server, akc_log_level(level)))
        return;
    count_line(line);
    kc_setting_names_apply(setting_names, line, named, sizeof(named));
    trace = caller ? caller->trace_id : NULL;
    ap_log_error(APLOG_MARK, akc_log_level(level), 0, server, "%s%s%s", named,
                 trace ? trace_word : "", trace ? trace : "");
}

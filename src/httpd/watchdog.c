/* The background: in each child a thread of mod_watchdog keeps metadata and keys fresh, and ends
 * sessions at Keycloak that the browser has not ended there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "watchdog.h"

#include <apr_atomic.h>
#include <mod_watchdog.h>

#include "backchannel.h"
#include "config.h"
#include "log.h"

#include "core/conf/conf_watch.h"
#include "core/http/http_curl.h"
#include "core/logout/logout_pending.h"
#include "core/net/wait_limit.h"
#include "core/provider/metadata.h"

/* Each child has the thread, and a lease in the host's store decides which one works.
 * mod_watchdog's singleton would be one thread for all. But when its child dies, the next one takes
 * ten seconds to follow, and with some kinds of mutex it never does. */

enum {
    TICK_MS = 200,    /* a server that starts before the provider is ready soon after it */
    FILES_TICKS = 10, /* between looks at the files of the settings */
    STOP_POLL_MS = 10,
    STOP_MAX_MS = 5000 /* to wait for the thread when a child ends */
};

/* State of this child. Not in a pool: the thread may use it after the child's pool is gone. */
static apr_uint32_t is_stopping;
static apr_uint32_t is_running;
static kc_http_gate_t gate;

/* Each child finds the same; the first one tells it. */
static void report_file(void *context, const kc_conf_watch_news_t *news)
{
    const akc_server_t *config = context;
    const char *name = kc_conf_table_row(news->index)->name;
    const kc_bytes_t id = {news->id, sizeof(news->id)};
    server_rec *server = config->server;

    if (!kc_rp_is_news(config->rp, "file", id))
        return;
    switch (news->kind) {
    case KC_CONF_WATCH_TAKEN:
        AKC_LOG_SERVER_AT(news->is_first ? APLOG_INFO : APLOG_NOTICE, server,
                          KC_ERR_EVENT_FILE_TAKEN,
                          "%s: %s has changed, and its new content is in use", name, news->path);
        break;
    case KC_CONF_WATCH_REFUSED:
        AKC_LOG_SERVER(server, KC_ERR_EVENT_FILE_REFUSED,
                       "%s: %s has changed, and its former content stays in use: %s", name,
                       news->path, news->detail);
        break;
    case KC_CONF_WATCH_RESTART:
        AKC_LOG_SERVER(server, KC_ERR_EVENT_FILE_WAITS,
                       "%s: %s has changed; the next graceful restart takes it", name, news->path);
        break;
    case KC_CONF_WATCH_UNSEEN:
        AKC_LOG_SERVER(server, KC_ERR_EVENT_FILE_UNSEEN,
                       "%s: only a graceful restart takes another content of this file: %s", name,
                       news->detail);
        break;
    }
}

static void look_after_all(server_rec *main)
{
    static int ticks; /* of the only thread */
    const int is_time_for_files = ticks++ % FILES_TICKS == 0;
    server_rec *server;

    for (server = main; server && !apr_atomic_read32(&is_stopping); server = server->next) {
        akc_server_t *config = akc_config_server(server);

        if (!config->rp || config->server != server)
            continue;
        if (is_time_for_files)
            kc_conf_watch_look(config->env.files, report_file, config);
        kc_metadata_refresh(config->rp->metadata, config->background);
        kc_logout_pending_look(config->rp, config->background, &is_stopping);
        if (config->clock)
            kc_store_clock_look(config->clock, kc_wait_limit_now(), &is_stopping);
    }
}

static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    (void)pool;
    /* prefork ends a child in its signal handler, which must not interrupt this thread */
    if (state == AP_WATCHDOG_STATE_STARTING)
        (void)apr_setup_signal_thread();
    if (state == AP_WATCHDOG_STATE_STOPPING)
        return APR_SUCCESS;
    (void)apr_atomic_xchg32(&is_running, 1);
    look_after_all(data);
    (void)apr_atomic_xchg32(&is_running, 0);
    return APR_SUCCESS;
}

/* What the thread uses ends with the child's pool, and mod_watchdog lets the thread continue. */
static apr_status_t stop(void *data)
{
    int left = STOP_MAX_MS / STOP_POLL_MS;

    (void)data;
    (void)apr_atomic_xchg32(&is_stopping, 1);
    while (apr_atomic_read32(&is_running) && left-- > 0)
        apr_sleep(apr_time_from_msec(STOP_POLL_MS));
    return APR_SUCCESS;
}

/* Turns on what relies on the thread, because there is one. */
static void attend(server_rec *main)
{
    server_rec *server;

    for (server = main; server; server = server->next) {
        akc_server_t *config = akc_config_server(server);

        if (config->rp)
            config->rp->is_attended = 1;
    }
}

/* A thread of its own, with its own name: a provider that hangs must not block other modules. */
void akc_watchdog_start(apr_pool_t *pconf, server_rec *main)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get_instance =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *register_callback =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;

    if (!get_instance || !register_callback)
        AKC_LOG_SERVER(main, KC_ERR_EVENT_WATCHDOG_MISSING,
                       "mod_watchdog is not loaded: requests wait while metadata and keys are "
                       "fetched, and a sign-out does not reach an identity provider behind "
                       "Keycloak. Add LoadModule watchdog_module");
    else if (get_instance(&watchdog, "_auth_keycloak_", 0, 0, pconf) != APR_SUCCESS ||
             register_callback(watchdog, apr_time_from_msec(TICK_MS), main, tick) != APR_SUCCESS)
        AKC_LOG_SERVER(main, KC_ERR_EVENT_WATCHDOG_REFUSES,
                       "mod_watchdog refuses: requests wait while metadata and keys are fetched, "
                       "and a sign-out does not reach an identity provider behind Keycloak");
    else
        attend(main);
}

kc_rc_t akc_watchdog_child(akc_server_t *config, apr_pool_t *pchild, kc_err_t *err)
{
    const kc_http_curl_options_t limits = {.gate = &gate, .stop = &is_stopping};
    kc_rc_t rc;

    kc_http_gate_init(&gate, 1, 0);
    kc_conf_watch_look(config->env.files, report_file, config);
    rc = akc_backchannel_create(config, &limits, pchild, &config->background, err);
    apr_pool_pre_cleanup_register(pchild, config, stop);
    return rc;
}

/* httpd -t -D KEYCLOAK_CHECK: which servers are asked about, and where the report goes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "ask_start.h"

#include <ap_mpm.h>
#include <apr_env.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "lifecycle.h"
#include "log.h"
#include "phase.h"
#include "process.h"

#include "core/base/url.h"
#include "core/check/check.h"
#include "core/check/check_people.h"
#include "core/check/check_same.h"

static const char word[] = "KEYCLOAK_CHECK";

/* NULL when it is not set, or empty. */
static const char *variable(const char *name, apr_pool_t *pool)
{
    char *value = NULL;

    return apr_env_get(&value, name, pool) == APR_SUCCESS && value && *value ? value : NULL;
}

/* Of the variables that programs take a proxy from, one that is set. */
static const char *proxy_variable(apr_pool_t *pool)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "http_proxy",
                                        "HTTP_PROXY",  "all_proxy",   "ALL_PROXY"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (variable(names[i], pool))
            return names[i];
    }
    return NULL;
}

static int port_of(const server_rec *server)
{
    return server->port || !server->addrs ? server->port : server->addrs->host_port;
}

static const char *name_of(const server_rec *server, apr_pool_t *pool)
{
    const char *host = server->server_hostname ? server->server_hostname : "(no ServerName)";

    return port_of(server) ? apr_psprintf(pool, "%s:%d", host, port_of(server)) : host;
}

static int has_tls(const server_rec *server)
{
    const ap_directive_t *line = akc_process_directive(server, "SSLEngine");

    return line && line->args && strcasecmp(line->args, "on") == 0;
}

/* Where browsers come to, as far as the configuration tells without a request; else NULL. Where
 * virtual hosts answer, the main server's name says little. */
static const char *public_url(const akc_server_t *config, const server_rec *server,
                              apr_pool_t *pool)
{
    kc_url_t url = {has_tls(server) ? "https" : "http", server->server_hostname, port_of(server),
                    "/", NULL};

    if (config->public_url)
        return config->public_url;
    if (!akc_process_directive(server, "ServerName") || !url.host ||
        (!server->is_virtual && server->next))
        return NULL;
    if (server->server_scheme)
        url.scheme = server->server_scheme;
    if (!url.port)
        url.port = strcmp(url.scheme, "https") == 0 ? 443 : 80;
    return kc_url_origin(&url, pool);
}

/* A server whose questions would all be the same was asked about before: its name, else NULL. */
static const char *asked_before(const apr_array_header_t *asked, const kc_check_t *check)
{
    int i;

    for (i = 0; i < asked->nelts; i++) {
        const kc_check_t *other = &APR_ARRAY_IDX(asked, i, kc_check_t);

        if (kc_check_same_is(check, other))
            return other->name;
    }
    return NULL;
}

/* How many requests all children together can work on. */
static int threads(void)
{
    int children = 0, each = 0;

    if (ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &children) != APR_SUCCESS ||
        ap_mpm_query(AP_MPMQ_MAX_THREADS, &each) != APR_SUCCESS)
        return 0;
    return children * (each > 0 ? each : 1);
}

static const apr_array_header_t *issuers_of(server_rec *server, apr_pool_t *pool)
{
    apr_array_header_t *issuers = apr_array_make(pool, 8, sizeof(const char *));

    for (; server; server = server->next) {
        if (akc_config_server(server)->rp)
            APR_ARRAY_PUSH(issuers, const char *) = akc_config_server(server)->conf->issuer;
    }
    return issuers;
}

/* The people of the environment. */
static void name_people(kc_check_t *check, const apr_array_header_t *issuers, apr_pool_t *pool)
{
    check->user = variable("KEYCLOAK_CHECK_USER", pool);
    check->password = variable("KEYCLOAK_CHECK_PASSWORD", pool);
    check->admin = variable("KEYCLOAK_CHECK_ADMIN", pool);
    check->admin_password = variable("KEYCLOAK_CHECK_ADMIN_PASSWORD", pool);
    kc_check_people_limit(check, variable("KEYCLOAK_CHECK_ISSUER", pool), issuers);
}

static void ask(server_rec *main, kc_check_report_t *report, apr_pool_t *pool)
{
    apr_array_header_t *asked = apr_array_make(pool, 8, sizeof(kc_check_t));
    server_rec *server;

    for (server = main; server; server = server->next) {
        const akc_server_t *config = akc_config_server(server);
        kc_browser_t *client = apr_pcalloc(pool, sizeof(*client));
        kc_check_t check = {.rp = config->rp, .report = report, .pool = pool};
        const char *before;

        if (!config->rp)
            continue;
        check.name = name_of(server, pool);
        check.proxy = proxy_variable(pool);
        check.fingerprints = variable("KEYCLOAK_CHECK_FINGERPRINT", pool);
        check.has_tls = has_tls(server);
        check.threads = threads();
        client->public_url = public_url(config, server, pool);
        client->is_https = client->public_url && strncmp(client->public_url, "https:", 6) == 0;
        check.client = client->public_url ? client : NULL;
        kc_check_report_begin(report, check.name);
        before = asked_before(asked, &check);
        APR_ARRAY_PUSH(asked, kc_check_t) = check;
        if (before) {
            kc_check_report_ok(report, "server.same", "asked once: the settings are those of %s",
                               before);
        } else {
            name_people(&check, issuers_of(main, pool), pool);
            kc_check_local(&check);
            kc_check_run(&check);
        }
    }
}

/* KeycloakSettingNames. One by one, because a text is cut at the length of a log line. */
static void name_settings(const kc_check_report_t *report, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < report->results->nelts; i++) {
        kc_check_result_t *result = &APR_ARRAY_IDX(report->results, i, kc_check_result_t);

        result->sentence = akc_log_named(result->sentence, pool);
        result->cure = akc_log_named(result->cure, pool);
    }
}

/* JSON when the environment says so. */
static void print(const kc_check_report_t *report, apr_pool_t *pool)
{
    const char *form = variable(word, pool), *text;

    name_settings(report, pool);
    if (form && strcasecmp(form, "json") == 0)
        text = kc_check_report_json(report, pool);
    else
        text = kc_check_report_text(report, pool);
    (void)fputs(text, stdout);
    (void)fflush(stdout);
}

void akc_ask_test(apr_pool_t *pconf, server_rec *main)
{
    kc_check_report_t report;
    apr_pool_t *pool;

    if (!ap_exists_config_define(word) || !akc_phase_is_test())
        return;
    if (apr_pool_create(&pool, pconf) != APR_SUCCESS || akc_lifecycle_rehearse(pool, main) != OK)
        exit(EXIT_FAILURE);
    kc_check_report_init(&report, pool);
    ask(main, &report, pool);
    if (!report.results->nelts)
        kc_check_report_add(&report,
                            &(kc_check_fault_t){KC_CHECK_FAILED, "server.issuer", KC_ERR_CONFIG,
                                                "set KeycloakIssuer"},
                            "no server has a KeycloakIssuer, so the module is off");
    akc_ask_start_tell(main, &report, pool);
    print(&report, pool);
    if (kc_check_report_count(&report, KC_CHECK_FAILED))
        exit(EXIT_FAILURE);
    apr_pool_destroy(pool);
}

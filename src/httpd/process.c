/* The process: tasks for all of its servers, including those without KeycloakIssuer, once there is
 * one with it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <apr_strings.h>
#include <string.h>

#include "config.h"
#include "export.h"
#include "gateway/ext_authz.h"
#include "log.h"
#include "phase.h"

#include "core/base/header_name.h"
#include "core/rp.h"

int akc_process_has_issuer(server_rec *main)
{
    server_rec *server;

    for (server = main; server; server = server->next) {
        if (akc_config_server(server)->conf->issuer)
            return 1;
    }
    return 0;
}

/* ---------------------------------------------------------------- trailers */

static int is_named(const ap_directive_t *node, const char *name)
{
    return strcasecmp(node->directive, name) == 0;
}

/* The last of the lines that set a server-scope directive. Conditions, included files and macros
 * add no nodes around their lines, and no other section may have such a directive. */
static const ap_directive_t *find_line(const ap_directive_t *node, const char *name)
{
    const ap_directive_t *found = NULL;

    for (; node; node = node->next) {
        if (is_named(node, name))
            found = node;
    }
    return found;
}

static const ap_directive_t *find_host(const ap_directive_t *node, const server_rec *server)
{
    for (; node; node = node->next) {
        if (is_named(node, "<VirtualHost") &&
            server->defn_line_number == (unsigned)node->line_num &&
            strcmp(server->defn_name, node->filename) == 0)
            return node;
    }
    return NULL;
}

const ap_directive_t *akc_process_directive(const server_rec *server, const char *name)
{
    const ap_directive_t *host = server->defn_name ? find_host(ap_conftree, server) : NULL;
    const ap_directive_t *line = host ? find_line(host->first_child, name) : NULL;

    return line ? line : find_line(ap_conftree, name);
}

/* Trailers that become headers arrive after the headers were checked. The settings that httpd has
 * merged for a server count, whether or not it has directives of this module. */
static int check_trailers(server_rec *server)
{
    static const char name[] = "MergeTrailers";
    const core_server_config *core = ap_get_core_module_config(server->module_config);
    const ap_directive_t *line;

    if (core->merge_trailers != AP_MERGE_TRAILERS_ENABLE)
        return OK;
    line = akc_process_directive(server, name);
    AKC_LOG_SERVER_AT(APLOG_EMERG, server, KC_ERR_CONFIG,
                      "%s (line %d of %s) is On for %s: trailers then become headers, by which "
                      "clients could set their own identity. Set it to Off",
                      name, line ? line->line_num : 0, line ? line->filename : "the configuration",
                      server->defn_name ? apr_psprintf(server->process->pconf,
                                                       "the virtual host of line %u of %s",
                                                       server->defn_line_number, server->defn_name)
                                        : "the main server");
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* ---------------------------------------------------------------- settings of the whole process */

static void warn_of_size(server_rec *main, const server_rec *server)
{
    const kc_conf_position_t *ours =
        &akc_config_server(main)->conf->position[KC_CONF_ROW_cache_size];
    const kc_conf_position_t *its =
        &akc_config_server((server_rec *)server)->conf->position[KC_CONF_ROW_cache_size];

    if (!its->file || (ours->file && its->line == ours->line && !strcmp(its->file, ours->file)))
        return;
    AKC_LOG_SERVER(main, KC_ERR_EVENT_CACHE_SIZE_IGNORED,
                   "%s (line %d of %s) is ignored in a virtual host: all virtual hosts share the "
                   "memory whose size is set outside them",
                   kc_conf_table_row(KC_CONF_ROW_cache_size)->name, its->line, its->file);
}

static void warn(server_rec *main)
{
    const server_rec *server;

    for (server = akc_process_has_issuer(main) ? main : NULL; server; server = server->next)
        warn_of_size(main, server);
}

int akc_process_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    server_rec *server;

    (void)pconf;
    (void)plog;
    (void)ptemp;
    if (!akc_process_has_issuer(main))
        return OK;
    for (server = main; server; server = server->next) {
        if (check_trailers(server) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (akc_phase_is_test())
        warn(main);
    return OK;
}

int akc_process_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    if (!akc_phase_is_trial())
        warn(main);
    return OK;
}

/* ---------------------------------------------------------------- names of this module */

static int has_name(const apr_array_header_t *names, const char *name)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) == 0)
            return 1;
    }
    return 0;
}

static void add(apr_array_header_t *names, const char *name)
{
    if (!has_name(names, name))
        APR_ARRAY_PUSH(names, const char *) = name;
}

/* Headers of all servers: folded, and in the spelling of the first server that has each. */
typedef struct {
    apr_array_header_t *folded;
    apr_array_header_t *written;
} headers_t;

static void add_header(const headers_t *headers, const char *name)
{
    const char *folded = kc_header_name_folded(name, headers->folded->pool);

    if (has_name(headers->folded, folded))
        return;
    APR_ARRAY_PUSH(headers->folded, const char *) = folded;
    APR_ARRAY_PUSH(headers->written, const char *) = name;
}

static int is_authorization(const char *name)
{
    return strcasecmp(name, "Authorization") == 0;
}

/* Authorization may bring the session's token to a server's backends. Everywhere else it belongs to
 * the client. */
static void add_headers(const headers_t *headers, const kc_conf_t *conf)
{
    int i;

    add_header(headers, conf->user_header);
    add_header(headers, conf->groups_header);
    if (conf->id_token_header && !is_authorization(conf->id_token_header))
        add_header(headers, conf->id_token_header);
    for (i = 0; conf->headers && i < conf->headers->nelts; i++)
        add_header(headers, APR_ARRAY_IDX(conf->headers, i, kc_conf_pair_t).name);
}

static void add_cookies(apr_array_header_t *cookies, const kc_rp_t *rp)
{
    size_t i;

    for (i = 0; i < sizeof(rp->names) / sizeof(rp->names[0]); i++) {
        add(cookies, rp->names[i].session);
        add(cookies, rp->names[i].login_pattern);
        add(cookies, rp->names[i].rounds);
        add(cookies, rp->names[i].logout);
    }
}

static headers_t no_headers(apr_pool_t *pool)
{
    headers_t headers = {apr_array_make(pool, 4, sizeof(const char *)),
                         apr_array_make(pool, 4, sizeof(const char *))};

    return headers;
}

/* Those that the server itself does not set. */
static apr_array_header_t *foreign_to(const akc_server_t *server, const headers_t *headers,
                                      apr_pool_t *pool)
{
    apr_array_header_t *foreign = apr_array_make(pool, 4, sizeof(const char *));
    const headers_t own = no_headers(pool);
    int i;

    add_headers(&own, server->conf);
    for (i = 0; i < headers->folded->nelts; i++) {
        if (!has_name(own.folded, APR_ARRAY_IDX(headers->folded, i, const char *)))
            APR_ARRAY_PUSH(foreign, const char *) =
                APR_ARRAY_IDX(headers->written, i, const char *);
    }
    return foreign;
}

static void guard(akc_server_t *server, const headers_t *headers, const apr_array_header_t *cookies,
                  apr_pool_t *pool)
{
    const char *token = server->rp ? server->conf->id_token_header : NULL;
    int i;

    server->guarded = apr_array_make(pool, headers->folded->nelts + 1, sizeof(const char *));
    for (i = 0; i < headers->folded->nelts; i++)
        akc_export_guard(server, APR_ARRAY_IDX(headers->folded, i, const char *), pool);
    if (server->rp) {
        server->foreign = foreign_to(server, headers, pool);
        akc_ext_authz_prepare(server, pool);
    }
    if (token && is_authorization(token))
        akc_export_guard(server, token, pool);
    server->cookies = (const char *const *)(void *)cookies->elts;
    server->cookie_count = (size_t)cookies->nelts;
}

/* Servers may share a backend or a domain: a backend of one trusts names that another one sets. */
void akc_process_prepare(apr_pool_t *pconf, server_rec *main)
{
    const headers_t headers = no_headers(pconf);
    apr_array_header_t *cookies = apr_array_make(pconf, 8, sizeof(const char *));
    server_rec *server;

    for (server = main; server; server = server->next) {
        const akc_server_t *config = akc_config_server(server);

        if (!config->rp)
            continue;
        add_headers(&headers, config->conf);
        add_cookies(cookies, config->rp);
    }
    for (server = main; headers.folded->nelts && server; server = server->next) {
        if (!akc_config_server(server)->guarded)
            guard(akc_config_server(server), &headers, cookies, pconf);
    }
}

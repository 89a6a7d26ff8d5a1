/* Protections that are only half configured: found when httpd starts, so that nothing is open that
 * looks protected.
 * SPDX-License-Identifier: Apache-2.0 */
#include "guards.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "guards_public.h"
#include "log.h"
#include "phase.h"
#include "process.h"
#include "sections.h"

#include "core/base/url.h"
#include "core/conf/conf_doubt.h"
#include "core/conf/conf_own.h"

/* The directives of one server, with those of the others. */
typedef struct scope_t {
    const apr_array_header_t *all; /* akc_sections_t of every server */
    const akc_sections_t *own;
    server_rec *main;
    int is_quiet; /* no warnings */
} scope_t;

typedef int (*relation_fn)(const akc_sections_line_t *each, const akc_sections_line_t *line);

static int is_anywhere(const akc_sections_line_t *each, const akc_sections_line_t *line)
{
    (void)each;
    (void)line;
    return 1;
}

static int is_around(const akc_sections_line_t *each, const akc_sections_line_t *line)
{
    return akc_sections_may_cover(each, line);
}

static int is_inside(const akc_sections_line_t *each, const akc_sections_line_t *line)
{
    return akc_sections_may_cover(line, each);
}

static int has_own(const akc_sections_t *sections, akc_sections_kind_t kind, relation_fn relation,
                   const akc_sections_line_t *line)
{
    int i;

    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *each = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);

        if (each->kind == kind && relation(each, line))
            return 1;
    }
    return 0;
}

/* Lines outside of virtual hosts apply to each of them, and any of them may complete a
 * protection. */
static int has(const scope_t *scope, akc_sections_kind_t kind, relation_fn relation,
               const akc_sections_line_t *line)
{
    int i;

    for (i = 0; i < scope->all->nelts; i++) {
        const akc_sections_t *sections = &APR_ARRAY_IDX(scope->all, i, akc_sections_t);

        if ((!sections->host || !scope->own->host || sections == scope->own) &&
            has_own(sections, kind, relation, line))
            return 1;
    }
    return 0;
}

/* --- the module's handlers --- */

/* If no module has a handler of this name, httpd serves files: 200 for everybody. */
static int check_name(const scope_t *scope, const akc_sections_line_t *line)
{
    static const char *const ours[] = {AKC_ENDPOINTS_JUDGE, AKC_ENDPOINTS_SESSIONS,
                                       AKC_ENDPOINTS_HEALTH, AKC_ENDPOINTS_METRICS};
    static const char prefix[] = "keycloak";
    size_t i;

    if (strncasecmp(line->word, prefix, sizeof(prefix) - 1) != 0)
        return OK;
    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(line->word, ours[i]) == 0)
            return OK;
    }
    AKC_LOG_SERVER_AT(APLOG_EMERG, scope->main, KC_ERR_CONFIG,
                      "SetHandler %s (line %d of %s): this module has no such handler; it "
                      "has " AKC_ENDPOINTS_JUDGE ", " AKC_ENDPOINTS_SESSIONS
                      ", " AKC_ENDPOINTS_HEALTH " and " AKC_ENDPOINTS_METRICS,
                      line->word, line->node->line_num, line->node->filename);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int is_handler(const akc_sections_line_t *line, const char *name)
{
    return strcmp(line->word, name) == 0;
}

/* External authorization needs this module's own check; a list of sessions accepts any
 * authenticated user. */
static int is_guarded(const scope_t *scope, const akc_sections_line_t *line)
{
    return has(scope, AKC_SECTIONS_ASKING, is_around, line) &&
           (!is_handler(line, AKC_ENDPOINTS_JUDGE) ||
            has(scope, AKC_SECTIONS_TYPE, is_around, line));
}

/* Each request is refused there. The warning saves the administrator the search. */
static void warn_of_handler(const scope_t *scope, const akc_sections_line_t *line)
{
    if (scope->is_quiet || is_guarded(scope, line) ||
        (!is_handler(line, AKC_ENDPOINTS_JUDGE) && !is_handler(line, AKC_ENDPOINTS_SESSIONS)))
        return;
    AKC_LOG_SERVER(scope->main, KC_ERR_CONFIG,
                   "SetHandler %s (line %d of %s) in a location without authentication answers "
                   "with 500: add AuthType " AKC_AUTH_TYPE " and a Require such as valid-user",
                   line->word, line->node->line_num, line->node->filename);
}

/* --- locations that look protected --- */

/* httpd answers 500 where nothing is required, and lets everybody in where everything is granted.
 * An AuthType for the whole server with Require at some locations below it is intended. */
static void warn_of_type(const scope_t *scope, const akc_sections_line_t *line)
{
    if (scope->is_quiet || has(scope, AKC_SECTIONS_ASKING, is_around, line) ||
        has(scope, AKC_SECTIONS_ASKING, is_inside, line))
        return;
    AKC_LOG_SERVER_AT(APLOG_WARNING, scope->main, KC_ERR_CONFIG,
                      "AuthType " AKC_AUTH_TYPE
                      " (line %d of %s) without a Require that needs a user: nobody is asked to "
                      "sign in there. httpd answers 500, or lets everybody in where it finds a "
                      "Require all granted. Add Require valid-user, or leave AuthType out",
                      line->node->line_num, line->node->filename);
}

/* httpd answers 500 where it does not know how clients authenticate. A Require for the whole server
 * with AuthType at some locations below it is intended. */
static void warn_of_require(const scope_t *scope, const akc_sections_line_t *line)
{
    static const char prefix[] = "keycloak-";

    if (scope->is_quiet ||
        (strcmp(line->word, "valid-user") != 0 && strcmp(line->word, "user") != 0 &&
         strncmp(line->word, prefix, sizeof(prefix) - 1) != 0) ||
        has(scope, AKC_SECTIONS_TYPE, is_around, line) ||
        has(scope, AKC_SECTIONS_TYPE, is_inside, line) ||
        has(scope, AKC_SECTIONS_FOREIGN, is_around, line) ||
        has(scope, AKC_SECTIONS_FOREIGN, is_inside, line))
        return;
    AKC_LOG_SERVER_AT(
        APLOG_WARNING, scope->main, KC_ERR_CONFIG,
        "Require %s (line %d of %s) without an AuthType: httpd answers 500 there. Add "
        "AuthType " AKC_AUTH_TYPE,
        line->word, line->node->line_num, line->node->filename);
}

static int is_of_files(const ap_directive_t *section)
{
    static const char *const names[] = {"<Directory", "<DirectoryMatch", "<Files", "<FilesMatch"};
    size_t i;

    for (i = 0; section && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(section->directive, names[i]) == 0)
            return 1;
    }
    return 0;
}

/* A protected part of the URL space protects no files, but everything that a proxy forwards
 * there. */
static int is_over_proxy(const akc_sections_line_t *each, const akc_sections_line_t *proxy)
{
    return !is_of_files(each->section) && akc_sections_may_cover(each, proxy);
}

/* The first directive by which a proxy forwards what no section protects; NULL: there is none. */
static const ap_directive_t *find_open_proxy(const akc_sections_t *sections)
{
    int i;

    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *each = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);

        if (each->kind == AKC_SECTIONS_PROXY &&
            !has_own(sections, AKC_SECTIONS_TYPE, is_over_proxy, each))
            return each->node;
    }
    return NULL;
}

/* What a proxy forwards is no file, and is in no directory. */
static void warn_of_directory(const scope_t *scope, const akc_sections_line_t *line)
{
    const ap_directive_t *proxy;

    if (scope->is_quiet || !is_of_files(line->section))
        return;
    proxy = find_open_proxy(scope->own);
    if (!proxy)
        return;
    AKC_LOG_SERVER_AT(APLOG_WARNING, scope->main, KC_ERR_CONFIG,
                      "AuthType " AKC_AUTH_TYPE
                      " (line %d of %s) in %s ...>: what %s (line %d) proxies is in no directory, "
                      "so that everybody is let in there. Use <Location /> in its place",
                      line->node->line_num, line->node->filename, line->section->directive,
                      proxy->directive, proxy->line_num);
}

static int check_sections(const scope_t *scope)
{
    int i;

    for (i = 0; i < scope->own->list->nelts; i++) {
        const akc_sections_line_t *line = &APR_ARRAY_IDX(scope->own->list, i, akc_sections_line_t);

        if (line->kind == AKC_SECTIONS_HANDLER) {
            if (check_name(scope, line) != OK)
                return HTTP_INTERNAL_SERVER_ERROR;
            warn_of_handler(scope, line);
        }
        if (line->kind == AKC_SECTIONS_ASKING)
            warn_of_require(scope, line);
        if (line->kind == AKC_SECTIONS_TYPE) {
            warn_of_type(scope, line);
            warn_of_directory(scope, line);
        }
    }
    return OK;
}

/* --- servers --- */

static void warn_of_issuer(const scope_t *scope, const akc_server_t *config)
{
    const kc_conf_position_t *position = &config->conf->position[KC_CONF_ROW_issuer];

    if (!akc_config_is_own(config, scope->main, KC_CONF_ROW_issuer) ||
        has(scope, AKC_SECTIONS_TYPE, is_anywhere, NULL))
        return;
    AKC_LOG_SERVER_AT(
        APLOG_WARNING, config->server, KC_ERR_CONFIG,
        "KeycloakIssuer (line %d of %s), but no location has AuthType " AKC_AUTH_TYPE
        ": nobody is asked to sign in, unless a .htaccess does. Add AuthType " AKC_AUTH_TYPE
        " and Require valid-user to a <Location>",
        position->line, position->file);
}

static void warn_of_public_path(const scope_t *scope, const akc_server_t *config)
{
    const kc_conf_position_t *position = &config->conf->position[KC_CONF_ROW_public_paths];
    const apr_array_header_t *paths = config->conf->public_paths;
    int i;

    if (!akc_config_is_own(config, scope->main, KC_CONF_ROW_public_paths))
        return;
    for (i = 0; i < paths->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(paths, i, const char *), "/") == 0)
            AKC_LOG_SERVER_AT(APLOG_WARNING, config->server, KC_ERR_CONFIG,
                              "KeycloakPublicPath / (line %d of %s): every path is public, so that "
                              "nobody is asked to sign in. Name only what everybody may see",
                              position->line, position->file);
    }
}

/* --- values --- */

static void warn_of_values(const scope_t *scope, const akc_server_t *config, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < KC_CONF_ROWS; i++) {
        kc_conf_index_t index = (kc_conf_index_t)i;
        const kc_conf_position_t *position = &config->conf->position[i];
        const char *doubt = kc_conf_doubt_tell(config->conf, index, pool);

        if (doubt && akc_config_is_own(config, scope->main, index))
            AKC_LOG_SERVER_AT(APLOG_WARNING, config->server, KC_ERR_CONFIG,
                              "%s (line %d of %s): %s", kc_conf_table_row(index)->name,
                              position->line, position->file, doubt);
    }
}

static int is_same(const char *one, const char *other)
{
    return one && other ? strcasecmp(one, other) == 0 : !one && !other;
}

/* Browsers send a cookie to all ports of a host, and to all hosts of its domain. */
static int share_cookie(const akc_server_t *one, const akc_server_t *other)
{
    return strcmp(one->conf->cookie, other->conf->cookie) == 0 &&
           is_same(one->conf->cookie_domain, other->conf->cookie_domain) &&
           (one->conf->cookie_domain ||
            is_same(one->server->server_hostname, other->server->server_hostname));
}

/* Both have an issuer, and so a client: akc_lifecycle_check runs before. */
static int share_sessions(const kc_conf_t *one, const kc_conf_t *other)
{
    return strcmp(one->issuer, other->issuer) == 0 && strcmp(one->client_id, other->client_id) == 0;
}

static void warn_of_cookie(const akc_server_t *config)
{
    server_rec *server;

    for (server = config->server->next; server; server = server->next) {
        const akc_server_t *other = akc_config_server(server);

        if (other == config || other->server != server || !other->conf->issuer ||
            !share_cookie(config, other) || share_sessions(config->conf, other->conf))
            continue;
        AKC_LOG_SERVER_AT(
            APLOG_WARNING, config->server, KC_ERR_CONFIG,
            "KeycloakCookie: the virtual hosts of line %u and line %u share the "
            "cookie %s of %s, but not their sessions: a user who signs in at one is signed out at "
            "the other. Give each a name of its own",
            config->server->defn_line_number, server->defn_line_number, config->conf->cookie,
            config->conf->cookie_domain ? config->conf->cookie_domain : server->server_hostname);
        return;
    }
}

/* The server has directives about sign-ins but no issuer. For the main server it counts only if no
 * server has an issuer, because a virtual host may have it. */
static void warn_of_no_issuer(const scope_t *scope, const akc_server_t *config)
{
    int i;

    if (config->conf->issuer ||
        (config->server == scope->main && akc_process_has_issuer(scope->main)))
        return;
    for (i = 0; i < KC_CONF_ROWS; i++) {
        const kc_conf_row_t *row = kc_conf_table_row((kc_conf_index_t)i);
        const kc_conf_position_t *position = &config->conf->position[i];

        if (!row->needs_issuer || !akc_config_is_own(config, scope->main, (kc_conf_index_t)i))
            continue;
        AKC_LOG_SERVER_AT(APLOG_WARNING, config->server, KC_ERR_CONFIG,
                          "%s (line %d of %s), but no KeycloakIssuer: the module is off there, and "
                          "AuthType " AKC_AUTH_TYPE
                          " answers with 500. Add KeycloakIssuer https://HOST/realms/REALM",
                          row->name, position->line, position->file);
        return;
    }
}

static void warn_of_name(const akc_server_t *config)
{
    const kc_conf_position_t *position = &config->conf->position[KC_CONF_ROW_issuer];

    if (config->is_named || config->conf->public_url || config->conf->redirect_uri)
        return;
    AKC_LOG_SERVER_AT(
        APLOG_WARNING, config->server, KC_ERR_CONFIG,
        "KeycloakIssuer (line %d of %s), but neither KeycloakPublicURL nor ServerName "
        "says which address browsers use: browsers that use another name than %s are sent to that "
        "one, which httpd has guessed. Add KeycloakPublicURL "
        "https://host.example.com, or ServerName",
        position->line, position->file, config->server->server_hostname);
}

/* The host that browsers use, if the settings tell it; else NULL. */
static const char *known_host(const akc_server_t *config, apr_pool_t *pool)
{
    const kc_conf_t *conf = config->conf;
    const char *text = conf->public_url ? conf->public_url : conf->redirect_uri;
    kc_url_t url;

    if (text)
        return kc_url_parse(text, pool, &url, NULL) == KC_OK ? url.host : NULL;
    return config->is_named ? config->server->server_hostname : NULL;
}

/* 1 when the main server's settings may be meant only for its virtual hosts. */
static int is_for_others(const akc_server_t *config)
{
    const server_rec *server;

    for (server = config->server->is_virtual ? NULL : config->server->next; server;
         server = server->next) {
        if (kc_url_is_in_domain(server->server_hostname, config->conf->cookie_domain))
            return 1;
    }
    return 0;
}

/* A browser refuses a cookie for a domain that its host is not in. It then signs in again and
 * again. */
static void warn_of_domain(const akc_server_t *config, apr_pool_t *pool)
{
    const kc_conf_position_t *position = &config->conf->position[KC_CONF_ROW_cookie_domain];
    const char *domain = config->conf->cookie_domain, *host = known_host(config, pool);

    if (!domain || !host || kc_url_is_in_domain(host, domain) || is_for_others(config))
        return;
    AKC_LOG_SERVER_AT(APLOG_WARNING, config->server, KC_ERR_CONFIG,
                      "KeycloakCookieDomain %s (line %d of %s): %s is not in that domain: browsers "
                      "refuse the cookie, and users of that host do not stay signed in. Correct "
                      "it, or leave it out",
                      domain, position->line, position->file, host);
}

/* Replaces a KeycloakAfterLogoutURL that leads to the module's own addresses; a warning has said
 * so. */
static void reset_after_logout(server_rec *server, apr_pool_t *pool)
{
    for (; server; server = server->next) {
        kc_conf_t *conf = akc_config_server(server)->conf;

        if (kc_conf_own_after_logout(conf, pool))
            conf->after_logout_url = "/";
    }
}

/* With an issuer somewhere, AuthType may be meant only for that host, or for .htaccess files of
 * others. */
static void complain_of_type(const scope_t *scope)
{
    int i, j;

    if (scope->is_quiet || akc_process_has_issuer(scope->main))
        return;
    for (i = 0; i < scope->all->nelts; i++) {
        const apr_array_header_t *list = APR_ARRAY_IDX(scope->all, i, akc_sections_t).list;

        for (j = 0; j < list->nelts; j++) {
            const akc_sections_line_t *line = &APR_ARRAY_IDX(list, j, akc_sections_line_t);

            if (line->kind != AKC_SECTIONS_TYPE)
                continue;
            AKC_LOG_SERVER(scope->main, KC_ERR_CONFIG,
                           "AuthType " AKC_AUTH_TYPE
                           " (line %d of %s), but no KeycloakIssuer: it answers with 500. Add "
                           "KeycloakIssuer https://HOST/realms/REALM",
                           line->node->line_num, line->node->filename);
            return;
        }
    }
}

/* The back channel uses no proxy (core/http/http_curl.c), but an administrator may have set one.
 * Its value may contain a password. no_proxy without a proxy does nothing. */
static void warn_of_proxy(const akc_server_t *config)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "http_proxy",
                                        "HTTP_PROXY",  "all_proxy",   "ALL_PROXY"};
    const kc_conf_t *conf = config->conf;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);

        if (!value || !*value)
            continue;
        AKC_LOG_SERVER(config->server, KC_ERR_PROXY_IGNORED,
                       "%s: httpd's environment has %s: this module ignores it, as it does "
                       "no_proxy, and connects straight to %s. If only a proxy leads there, set "
                       "KeycloakBackchannelURL to an address that httpd can reach",
                       kc_err_row(KC_ERR_PROXY_IGNORED)->slug, names[i],
                       conf->backchannel_url ? conf->backchannel_url : conf->issuer);
        return;
    }
}

static void warn_of_server(const scope_t *scope, const akc_server_t *config, apr_pool_t *pool)
{
    warn_of_no_issuer(scope, config);
    if (!config->conf->issuer)
        return;
    warn_of_issuer(scope, config);
    warn_of_name(config);
    warn_of_public_path(scope, config);
    akc_guards_public_warn(config, scope->all, scope->own, scope->main);
    warn_of_values(scope, config, pool);
    warn_of_cookie(config);
    warn_of_domain(config, pool);
}

/* For the first server that has an issuer: the environment is the same for all. */
static void warn_of_environment(server_rec *server)
{
    for (; server; server = server->next) {
        if (akc_config_server(server)->conf->issuer) {
            warn_of_proxy(akc_config_server(server));
            return;
        }
    }
}

static int look(server_rec *main, int is_quiet, apr_pool_t *pool)
{
    scope_t scope = {akc_sections_read(pool), NULL, main, is_quiet};
    server_rec *server;
    int i;

    for (i = 0; i < scope.all->nelts; i++) {
        scope.own = &APR_ARRAY_IDX(scope.all, i, akc_sections_t);
        if (check_sections(&scope) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    complain_of_type(&scope);
    if (!is_quiet)
        warn_of_environment(main);
    for (server = main; server; server = server->next) {
        akc_server_t *config = akc_config_server(server);

        /* a virtual host without directives of this module has the main server's settings */
        if (config->server != server)
            continue;
        scope.own = akc_sections_of(scope.all, server);
        /* without ServerName httpd guesses, on many machines 127.0.0.1 or 127.0.1.1 */
        config->is_named = akc_process_directive(server, "ServerName") != NULL;
        if (!is_quiet)
            warn_of_server(&scope, config, pool);
    }
    return OK;
}

int akc_guards_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    (void)pconf;
    (void)plog;
    return look(main, !akc_phase_is_test(), ptemp);
}

void akc_guards_tell(server_rec *main, apr_pool_t *pool)
{
    (void)look(main, 0, pool);
}

int akc_guards_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    int status;

    (void)pconf;
    (void)plog;
    status = look(main, akc_phase_is_trial(), ptemp);
    reset_after_logout(main, ptemp);
    return status;
}

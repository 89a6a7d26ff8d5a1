/* At start: what else answers in the server of an external authorization handler, and must not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gateway_check.h"

#include <apr_lib.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "phase.h"
#include "sections.h"

/* Handlers that a server names, or the main server for it. */
typedef struct found_t {
    const ap_directive_t *gateway, *sessions;
} found_t;

/* A virtual host has the main server's locations as well as its own. */
static int check(const found_t *found, server_rec *main)
{
    if (!found->gateway || !found->sessions)
        return OK;
    AKC_LOG_SERVER_AT(
        APLOG_EMERG, main, KC_ERR_CONFIG,
        "SetHandler %s (line %d of %s) and SetHandler %s (line %d of %s) exclude each "
        "other in one virtual host: a gateway would read the list's 200 as \"allowed\"",
        AKC_ENDPOINTS_SESSIONS, found->sessions->line_num, found->sessions->filename,
        AKC_ENDPOINTS_JUDGE, found->gateway->line_num, found->gateway->filename);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* --- other virtual hosts at the address of external authorization --- */

static int is_any(const apr_sockaddr_t *address)
{
    static const unsigned char zeros[16] = {0};

    return (size_t)address->ipaddr_len <= sizeof(zeros) &&
           memcmp(address->ipaddr_ptr, zeros, (size_t)address->ipaddr_len) == 0;
}

static int is_met(const server_addr_rec *one, const server_addr_rec *other)
{
    if (one->host_port && other->host_port && one->host_port != other->host_port)
        return 0;
    return is_any(one->host_addr) || is_any(other->host_addr) ||
           apr_sockaddr_equal(one->host_addr, other->host_addr);
}

static int shares_address(const server_rec *one, const server_rec *other)
{
    const server_addr_rec *mine, *its;

    for (mine = one->addrs; mine; mine = mine->next) {
        for (its = other->addrs; its; its = its->next) {
            if (is_met(mine, its))
                return 1;
        }
    }
    return 0;
}

/* What virtual hosts inherit from the main server counts as well. */
static found_t find(const apr_array_header_t *all, const akc_sections_t *sections)
{
    const akc_sections_t *global = &APR_ARRAY_IDX(all, 0, akc_sections_t);
    found_t found = {akc_sections_handler(global, AKC_ENDPOINTS_JUDGE),
                     akc_sections_handler(global, AKC_ENDPOINTS_SESSIONS)};

    if (!found.gateway)
        found.gateway = akc_sections_handler(sections, AKC_ENDPOINTS_JUDGE);
    if (!found.sessions)
        found.sessions = akc_sections_handler(sections, AKC_ENDPOINTS_SESSIONS);
    return found;
}

static int has_gateway(const apr_array_header_t *all, const server_rec *server)
{
    return find(all, akc_sections_of(all, server)).gateway != NULL;
}

/* Clients choose a virtual host by their Host header, and the gateway takes any 200 for
 * "allowed". */
static void warn(server_rec *main, const apr_array_header_t *all)
{
    server_rec *gateway, *other;

    for (gateway = main->next; gateway; gateway = gateway->next) {
        if (!has_gateway(all, gateway))
            continue;
        for (other = main->next; other; other = other->next) {
            if (has_gateway(all, other) || !shares_address(gateway, other))
                continue;
            AKC_LOG_SERVER(
                gateway, KC_ERR_EVENT_JUDGE_SHARED,
                "the judge of %s (line %u of %s) shares its address with the virtual host "
                "%s (line %u of %s), which clients of the gateway choose by their Host header. The "
                "gateway reads any 200 as \"allowed\": give the judge a port of its own",
                gateway->server_hostname, gateway->defn_line_number, gateway->defn_name,
                other->server_hostname, other->defn_line_number, other->defn_name);
            break;
        }
    }
}

/* --- KeycloakJudgePaths any --- */

/* What a line may do, where other spellings of all paths are treated as "/". */
typedef enum { HARMLESS, STRICTER, DEPENDENT } effect_t;

static int is_one_of(const char *word, const char *const *names)
{
    for (; *names; names++) {
        if (strcasecmp(word, *names) == 0)
            return 1;
    }
    return 0;
}

/* 1 when a section selects nothing but addresses of this module: <Location> with one, or
 * <LocationMatch> with one or several, as ^/prefix/(a|b)$. Other spellings of these are none. */
static int is_ours(const ap_directive_t *section, const char *prefix, apr_pool_t *pool)
{
    const char *word = akc_sections_word(section, pool), *c;
    int is_pattern = strcasecmp(section->directive, "<LocationMatch") == 0, is_list;

    if (!is_pattern && strcasecmp(section->directive, "<Location") != 0)
        return 0;
    if (is_pattern && *word++ != '^')
        return 0;
    if (strncmp(word, prefix, strlen(prefix)) != 0)
        return 0;
    word += strlen(prefix);
    is_list = is_pattern && *word == '(';
    for (c = word + is_list; apr_isalnum(*c) || *c == '_' || *c == '-' || (is_list && *c == '|');)
        c++;
    if (c == word + is_list)
        return 0;
    if (is_pattern)
        return strcmp(c, is_list ? ")$" : "$") == 0;
    /* the administrator's own pages are below site/ */
    return !*c && strcasecmp(word, "site") != 0;
}

/* 1 when the section selects requests of a gateway by something else than <Location />: a judged
 * request has no file. */
static int is_elsewhere(const akc_sections_line_t *line, const char *prefix, apr_pool_t *pool)
{
    const ap_directive_t *node;

    for (node = line->section; node; node = node->parent) {
        if (strncasecmp(node->directive, "<Directory", 10) == 0 ||
            strncasecmp(node->directive, "<Files", 6) == 0 ||
            strncasecmp(node->directive, "<Proxy", 6) == 0 || is_ours(node, prefix, pool))
            return 0;
    }
    return line->section && (!line->path || strcmp(line->path, "/") != 0);
}

/* 1 when a line of another section lets nobody in less than <Location /> does. */
static int is_equal(const akc_sections_line_t *line)
{
    static const char *const names[] = {"AuthName",    "AuthMerging", "LogLevel", "ErrorDocument",
                                        "<RequireAll", "<RequireAny", NULL};
    const char *name = line->node->directive;

    if (strcasecmp(name, "Require") == 0)
        return strcasecmp(line->word, "valid-user") == 0;
    if (strcasecmp(name, "AuthType") == 0)
        return strcasecmp(line->word, AKC_AUTH_TYPE) == 0;
    return is_one_of(name, names) ||
           strcasecmp(name, kc_conf_table_row(KC_CONF_ROW_unauth)->name) == 0;
}

/* 1 when a line of <Location /> is the same for all paths. Other modules' names for Require may be
 * aliases of expr, and variables may come from the path. */
static int is_fixed(const akc_sections_line_t *line, apr_pool_t *pool)
{
    static const char *const names[] = {
        "AuthName", "AuthMerging",  "LogLevel", "ErrorDocument", "Header",      "RequestHeader",
        "Options",  "SetEnv",       "UnsetEnv", "<RequireAll",   "<RequireAny", "<RequireNone",
        "<Limit",   "<LimitExcept", "<If",      "<ElseIf",       "<Else",       "LimitRequestBody",
        NULL};
    static const char *const providers[] = {"valid-user", "user",  "group",       "all",    "ip",
                                            "host",       "local", "forward-dns", "method", NULL};
    const char *name = line->node->directive, *arguments = line->node->args, *word;

    if (is_one_of(name, names))
        return 1;
    if (strstr(arguments, "%{"))
        return 0;
    if (strcasecmp(name, "Require") != 0)
        return strncasecmp(name, "Keycloak", 8) == 0 || strcasecmp(name, "AuthType") == 0 ||
               strcasecmp(name, "SetHandler") == 0;
    word = ap_getword_conf(pool, &arguments);
    if (strcasecmp(word, "not") == 0)
        word = ap_getword_conf(pool, &arguments);
    return strncasecmp(word, "keycloak-", 9) == 0 || is_one_of(word, providers);
}

static effect_t effect_of(const akc_sections_line_t *line, const char *prefix, apr_pool_t *pool)
{
    if (is_elsewhere(line, prefix, pool))
        return is_equal(line) ? HARMLESS : STRICTER;
    if (line->path && line->section && strcmp(line->path, "/") == 0)
        return is_fixed(line, pool) ? HARMLESS : DEPENDENT;
    return HARMLESS;
}

/* The first line that is not harmless: NULL when there is none. */
static const akc_sections_line_t *find_unequal(const akc_sections_t *sections, const char *prefix,
                                               apr_pool_t *pool)
{
    int i;

    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *line = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);

        if (effect_of(line, prefix, pool) != HARMLESS)
            return line;
    }
    return NULL;
}

/* 1 when external authorization answers for "/". */
static int has_root(const akc_sections_t *sections)
{
    int i;

    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *line = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);

        if (line->kind == AKC_SECTIONS_HANDLER && strcmp(line->word, AKC_ENDPOINTS_JUDGE) == 0 &&
            line->path && strcmp(line->path, "/") == 0)
            return 1;
    }
    return 0;
}

/* Refuses KeycloakJudgePaths any because of a line; NULL: nothing answers gateways for "/". */
static int refuse_any(const kc_conf_t *conf, server_rec *server, const akc_sections_line_t *line)
{
    const char *name = kc_conf_table_row(KC_CONF_ROW_judge_paths)->name;
    const kc_conf_position_t *position = &conf->position[KC_CONF_ROW_judge_paths];

    if (line)
        AKC_LOG_SERVER_AT(APLOG_EMERG, server, KC_ERR_CONFIG,
                          "%s any (line %d of %s): %s (line %d of %s) may %s, and another spelling "
                          "of a path is judged as /. Leave %s out, or ask for the same everywhere",
                          name, position->line, position->file, line->node->directive,
                          line->node->line_num, line->node->filename,
                          line->path && strcmp(line->path, "/") == 0
                              ? "depend on the path"
                              : "ask for more than <Location /> does",
                          name);
    else
        AKC_LOG_SERVER_AT(APLOG_EMERG, server, KC_ERR_CONFIG,
                          "%s any (line %d of %s): no <Location /> of %s has SetHandler %s, and "
                          "other spellings of paths are judged as /. Leave %s out, or let "
                          "SetHandler hold for /",
                          name, position->line, position->file, server->server_hostname,
                          AKC_ENDPOINTS_JUDGE, name);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* Another spelling of a stricter section's path would be treated as "/". */
static int check_paths(const apr_array_header_t *all, server_rec *main, apr_pool_t *pool)
{
    const akc_sections_t *global = &APR_ARRAY_IDX(all, 0, akc_sections_t);
    server_rec *server;

    for (server = main; server; server = server->next) {
        const akc_sections_t *own = akc_sections_of(all, server);
        akc_server_t *ours = akc_config_server(server);
        const akc_sections_line_t *line;

        if (ours->conf->judge_paths != KC_JUDGE_PATHS_ANY || !has_gateway(all, server))
            continue;
        if (!has_root(global) && !has_root(own))
            return refuse_any(ours->conf, server, NULL);
        line = find_unequal(global, ours->conf->prefix, pool);
        if (!line)
            line = find_unequal(own, ours->conf->prefix, pool);
        if (line)
            return refuse_any(ours->conf, server, line);
        ours->judges_any_path = 1;
    }
    return OK;
}

int akc_gateway_check_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                            server_rec *main)
{
    apr_array_header_t *all = akc_sections_read(ptemp);
    found_t found;
    int i;

    (void)pconf;
    (void)plog;
    for (i = 0; i < all->nelts; i++) {
        found = find(all, &APR_ARRAY_IDX(all, i, akc_sections_t));
        if (check(&found, main) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (check_paths(all, main, ptemp) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    if (akc_phase_is_test())
        warn(main, all);
    return OK;
}

int akc_gateway_check_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                            server_rec *main)
{
    (void)pconf;
    (void)plog;
    if (!akc_phase_is_trial())
        warn(main, akc_sections_read(ptemp));
    return OK;
}

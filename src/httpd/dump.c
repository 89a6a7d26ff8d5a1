/* httpd -t -D DUMP_KEYCLOAK: the effective settings of each server, where each was set, and the
 * sections that use the module.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dump.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "sections.h"

#include "core/conf/conf_listing.h"

/* What is printed, for one server after the other. */
typedef struct print_t {
    apr_file_t *out;
    const apr_array_header_t *all; /* akc_sections_t of every server */
    server_rec *main;
    apr_pool_t *pool;
} print_t;

/* ---------------------------------------------------------------- settings */

/* Another name of the directive (KeycloakSettingNames), with ", " behind it, or nothing. */
static const char *other_name(const char *name, apr_pool_t *pool)
{
    const char *other = akc_log_named(name, pool);

    return strcmp(other, name) == 0 ? "" : apr_pstrcat(pool, other, ", ", NULL);
}

static void print_setting(const print_t *print, const void *conf, const void *main,
                          kc_conf_index_t index)
{
    const char *name = kc_conf_table_row(index)->name;

    apr_file_printf(print->out, "    %-28s %s  [%s%s]\n", name,
                    kc_conf_listing_value(conf, index, print->pool), other_name(name, print->pool),
                    kc_conf_listing_origin(conf, main, index, print->pool));
}

static const kc_conf_dir_t *defaults_of(const server_rec *server)
{
    return ap_get_module_config(server->lookup_defaults, &auth_keycloak_module);
}

/* Where the module is off, only what was written. */
static void print_settings(const print_t *print, const akc_server_t *config,
                           const server_rec *server)
{
    const akc_server_t *global = akc_config_server(print->main);
    const int is_main = server == print->main;
    int i;

    for (i = 0; i < KC_CONF_ROWS; i++) {
        const kc_conf_index_t index = (kc_conf_index_t)i;
        const int is_dir = kc_conf_table_row(index)->is_directory;
        const void *conf = is_dir ? (const void *)defaults_of(server) : config->conf;
        const void *main = is_dir ? (const void *)defaults_of(print->main) : global->conf;
        const int is_set = is_dir ? defaults_of(server)->position[i].file != NULL
                                  : kc_conf_table_is_set(config->conf, index);

        if (config->conf->issuer || is_set)
            print_setting(print, conf, is_main ? NULL : main, index);
    }
}

/* ---------------------------------------------------------------- sections */

static int is_of_module(const akc_sections_line_t *line)
{
    static const char ours[] = "keycloak";
    const size_t len = sizeof(ours) - 1;

    if (strncasecmp(line->node->directive, ours, len) == 0 || line->kind == AKC_SECTIONS_TYPE)
        return 1;
    return (line->kind == AKC_SECTIONS_HANDLER || line->kind == AKC_SECTIONS_ASKING) &&
           strncasecmp(line->word, ours, len) == 0;
}

/* What decides on who is let in. Lines of other modules may hold secrets, and stay unseen. */
static int is_shown(const akc_sections_line_t *line)
{
    static const char *const names[] = {"AuthType",    "AuthMerging", "Require",
                                        "<RequireAll", "<RequireAny", "<RequireNone",
                                        "Satisfy",     "<Limit",      "<LimitExcept"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(line->node->directive, names[i]) == 0)
            return 1;
    }
    return is_of_module(line);
}

static int has_module(const akc_sections_t *sections, const ap_directive_t *section)
{
    int i;

    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *line = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);

        if (line->section == section && is_of_module(line))
            return 1;
    }
    return 0;
}

static int depth_of(const ap_directive_t *node, const ap_directive_t *section)
{
    int depth = 0;

    for (node = node->parent; node && node != section; node = node->parent)
        depth++;
    return depth;
}

/* The arguments of a section end with its ">"; conditions are expressions. */
static const char *arguments_of(const ap_directive_t *node, apr_pool_t *pool)
{
    if (strcasecmp(node->directive, "Require") == 0)
        return kc_conf_listing_require(node->args, pool);
    if (strcasecmp(node->directive, "<If") == 0 || strcasecmp(node->directive, "<ElseIf") == 0)
        return "...>";
    return kc_conf_listing_plain(node->args, pool);
}

static void print_line(const print_t *print, const ap_directive_t *node, int depth)
{
    apr_file_printf(print->out, "    %*s%s%s%s  [%s:%d]\n", 4 * depth, "", node->directive,
                    *node->args && *node->args != '>' ? " " : "", arguments_of(node, print->pool),
                    kc_conf_listing_plain(node->filename, print->pool), node->line_num);
}

static void print_section(const print_t *print, const akc_sections_t *sections,
                          const ap_directive_t *section)
{
    int i;

    print_line(print, section, 0);
    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *line = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);

        if (line->section == section && is_shown(line))
            print_line(print, line->node, 1 + depth_of(line->node, section));
    }
}

/* Each section once, where its first line is. */
static void print_sections(const print_t *print, const akc_sections_t *sections)
{
    int i, j, count = 0;

    for (i = 0; i < sections->list->nelts; i++) {
        const ap_directive_t *section =
            APR_ARRAY_IDX(sections->list, i, akc_sections_line_t).section;

        for (j = 0; j < i; j++) {
            if (APR_ARRAY_IDX(sections->list, j, akc_sections_line_t).section == section)
                break;
        }
        if (j < i || !section || !has_module(sections, section))
            continue;
        if (count++ == 0)
            apr_file_printf(print->out, "  Sections%s:\n",
                            sections->host ? "" : ", also of each virtual host");
        print_section(print, sections, section);
    }
}

/* ---------------------------------------------------------------- servers */

static void print_name(const print_t *print, const server_rec *server)
{
    const server_addr_rec *address;
    const char *name = kc_conf_listing_plain(server->server_hostname, print->pool);

    if (!server->is_virtual) {
        apr_file_printf(print->out, "\nMain server %s\n", name);
        return;
    }
    apr_file_printf(print->out, "\nVirtual host %s", name);
    for (address = server->addrs; address; address = address->next) {
        /* "*" is an address of IPv4, and one of IPv6 */
        if (address->next && address->next->host_port == address->host_port &&
            strcmp(address->next->virthost, address->virthost) == 0)
            continue;
        apr_file_printf(print->out, " %s:%u", kc_conf_listing_plain(address->virthost, print->pool),
                        address->host_port);
    }
    apr_file_printf(print->out, "  [%s:%u]\n",
                    kc_conf_listing_plain(server->defn_name, print->pool),
                    server->defn_line_number);
}

static void print_server(const print_t *print, const server_rec *server)
{
    const akc_server_t *config = akc_config_server((server_rec *)server);
    const akc_sections_t *sections = akc_sections_of(print->all, server);

    print_name(print, server);
    if (config->server != server)
        apr_file_printf(print->out, "  Settings: those of the main server\n");
    else if (!config->conf->issuer)
        apr_file_printf(print->out, "  The module is off: no %s%s\n",
                        other_name("KeycloakIssuer", print->pool), "KeycloakIssuer");
    if (config->server == server) {
        apr_file_printf(print->out, "  Settings:\n");
        print_settings(print, config, server);
    }
    if (!server->is_virtual || sections->host)
        print_sections(print, sections);
}

/* httpd's list begins with the last one of the configuration. */
static void print_hosts(const print_t *print, const server_rec *first)
{
    apr_array_header_t *hosts = apr_array_make(print->pool, 8, sizeof(server_rec *));
    const server_rec *const *host;

    for (; first; first = first->next)
        APR_ARRAY_PUSH(hosts, const server_rec *) = first;
    while ((host = apr_array_pop(hosts)) != NULL)
        print_server(print, *host);
}

void akc_dump_print(apr_pool_t *pconf, server_rec *main)
{
    print_t print = {NULL, NULL, main, NULL};

    if (!ap_exists_config_define("DUMP_KEYCLOAK") ||
        apr_pool_create(&print.pool, pconf) != APR_SUCCESS)
        return;
    if (apr_file_open_stdout(&print.out, print.pool) == APR_SUCCESS) {
        print.all = akc_sections_read(print.pool);
        apr_file_printf(print.out, "mod_auth_keycloak " KC_VERSION
                                   ": effective settings. [Where each was set.] Secrets, and "
                                   "parts of URLs that may be, are not shown.\n");
        print_server(&print, main);
        print_hosts(&print, main->next);
    }
    apr_pool_destroy(print.pool);
}

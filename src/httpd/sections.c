/* The sections of each server, read at start from the tree of its configuration.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sections.h"

#include <apr_strings.h>
#include <string.h>

const char *akc_sections_word(const ap_directive_t *node, apr_pool_t *pool)
{
    const char *arguments = node->args;
    char *word = ap_getword_conf(pool, &arguments);
    size_t len = strlen(word);

    if (node->directive[0] == '<' && len && word[len - 1] == '>')
        word[len - 1] = '\0';
    return word;
}

static int is_named(const ap_directive_t *node, const char *name)
{
    return strcasecmp(node->directive, name) == 0;
}

/* The path of a <Location>, which covers everything below it. NULL for any other section, because
 * its scope is not known at start. */
static const char *path_of(const ap_directive_t *section, apr_pool_t *pool)
{
    const char *path;

    if (!section || !is_named(section, "<Location"))
        return NULL;
    path = akc_sections_word(section, pool);
    return path[0] == '/' && !strpbrk(path, "*?[") ? path : NULL;
}

/* Providers that let clients in, or keep them out, without asking for the user. */
static int is_asking(const ap_directive_t *node, apr_pool_t *pool)
{
    static const char *const others[] = {"all",         "ip",     "host", "local",
                                         "forward-dns", "method", "env"};
    const char *arguments = node->args;
    const char *word = ap_getword_conf(pool, &arguments);
    size_t i;

    if (strcasecmp(word, "not") == 0)
        word = ap_getword_conf(pool, &arguments);
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcasecmp(word, others[i]) == 0)
            return 0;
    }
    return 1;
}

/* AuthType may be an expression, which may yield ours. */
static int is_our_type(const char *word)
{
    return strcasecmp(word, AKC_AUTH_TYPE) == 0 || strchr(word, '%');
}

/* 1 when one of mod_rewrite's flags, such as [L,P], is the one that proxies. */
static int is_proxying(const char *flags, apr_pool_t *pool)
{
    char *state, *list = apr_pstrdup(pool, flags);
    const char *flag;

    for (flag = apr_strtok(list, "[], ", &state); flag; flag = apr_strtok(NULL, "[], ", &state)) {
        if (strcasecmp(flag, "P") == 0 || strcasecmp(flag, "proxy") == 0)
            return 1;
    }
    return 0;
}

/* The text with which all paths of a pattern begin, as far as that is obvious. */
static const char *beginning_of(const char *pattern, apr_pool_t *pool)
{
    const char *c;
    size_t len;
    int depth = 0;

    for (c = pattern; *c; c++) {
        depth += (*c == '(') - (*c == ')');
        if (*c == '|' && depth <= 0)
            return "/";
    }
    if (strncmp(pattern, "^/", 2) != 0)
        return "/";
    len = strcspn(++pattern, "\\^$.|?*+()[{");
    if (pattern[len] && strchr("?*{", pattern[len]))
        len--;
    return len ? apr_pstrndup(pool, pattern, len) : "/";
}

/* Notes the path below which a directive forwards requests, if it does so before protections of
 * files apply; rules of a section come later. */
static void note_proxy(akc_sections_line_t *line, apr_pool_t *pool)
{
    int is_rule = is_named(line->node, "RewriteRule");
    int is_pattern = is_rule || is_named(line->node, "ProxyPassMatch");
    const char *arguments = line->node->args, *first, *second;

    if ((!is_pattern && !is_named(line->node, "ProxyPass")) || (is_rule && line->section))
        return;
    first = ap_getword_conf(pool, &arguments);
    second = ap_getword_conf(pool, &arguments);
    if (is_rule ? !is_proxying(ap_getword_conf(pool, &arguments), pool)
                : strcmp(line->section ? first : second, "!") == 0)
        return;
    line->kind = AKC_SECTIONS_PROXY;
    if (!line->section)
        line->path = is_pattern ? beginning_of(first, pool) : first;
}

static akc_sections_kind_t kind_of(const ap_directive_t *node, apr_pool_t *pool)
{
    if (is_named(node, "AuthType"))
        return is_our_type(akc_sections_word(node, pool)) ? AKC_SECTIONS_TYPE
                                                          : AKC_SECTIONS_FOREIGN;
    if (is_named(node, "Require"))
        return is_asking(node, pool) ? AKC_SECTIONS_ASKING : AKC_SECTIONS_REQUIRE;
    if (is_named(node, kc_conf_table_row(KC_CONF_ROW_require_acr)->name) ||
        is_named(node, kc_conf_table_row(KC_CONF_ROW_max_age)->name))
        return AKC_SECTIONS_STEP_UP;
    return is_named(node, "SetHandler") ? AKC_SECTIONS_HANDLER : AKC_SECTIONS_NOTHING;
}

/* 1 for sections that select addresses; 0 for those that only group lines. */
static int is_section(const ap_directive_t *node)
{
    static const char *const names[] = {
        "<Location", "<LocationMatch", "<Directory", "<DirectoryMatch", "<Files", "<FilesMatch",
        "<Proxy",    "<ProxyMatch",    "<If",        "<ElseIf",         "<Else"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_named(node, names[i]))
            return 1;
    }
    return 0;
}

static void note(akc_sections_t *sections, const ap_directive_t *node,
                 const ap_directive_t *section, apr_pool_t *pool)
{
    akc_sections_line_t line = {kind_of(node, pool), node, section, path_of(section, pool), NULL};

    if (line.kind == AKC_SECTIONS_NOTHING)
        note_proxy(&line, pool);
    if (line.kind == AKC_SECTIONS_NOTHING && !section)
        return;
    if (line.kind == AKC_SECTIONS_NOTHING)
        line.kind = AKC_SECTIONS_OTHER;
    line.word = akc_sections_word(node, pool);
    APR_ARRAY_PUSH(sections->list, akc_sections_line_t) = line;
}

/* Reads everything from a node on, except virtual hosts. */
static void read_all(akc_sections_t *sections, const ap_directive_t *node,
                     const ap_directive_t *section, apr_pool_t *pool)
{
    for (; node; node = node->next) {
        if (is_named(node, "<VirtualHost"))
            continue;
        note(sections, node, section, pool);
        read_all(sections, node->first_child, is_section(node) ? node : section, pool);
    }
}

static void add(apr_array_header_t *all, const ap_directive_t *host, const ap_directive_t *first,
                apr_pool_t *pool)
{
    akc_sections_t *sections = apr_array_push(all);

    sections->host = host;
    sections->list = apr_array_make(pool, 8, sizeof(akc_sections_line_t));
    read_all(sections, first, NULL, pool);
}

static void add_hosts(apr_array_header_t *all, const ap_directive_t *node, apr_pool_t *pool)
{
    for (; node; node = node->next) {
        if (is_named(node, "<VirtualHost"))
            add(all, node, node->first_child, pool);
        else
            add_hosts(all, node->first_child, pool);
    }
}

apr_array_header_t *akc_sections_read(apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 8, sizeof(akc_sections_t));

    add(all, NULL, ap_conftree, pool);
    add_hosts(all, ap_conftree, pool);
    return all;
}

const akc_sections_t *akc_sections_of(const apr_array_header_t *all, const server_rec *server)
{
    int i;

    for (i = 1; server->is_virtual && i < all->nelts; i++) {
        const akc_sections_t *sections = &APR_ARRAY_IDX(all, i, akc_sections_t);

        if (server->defn_name && strcmp(server->defn_name, sections->host->filename) == 0 &&
            server->defn_line_number == (unsigned)sections->host->line_num)
            return sections;
    }
    return &APR_ARRAY_IDX(all, 0, akc_sections_t);
}

const ap_directive_t *akc_sections_handler(const akc_sections_t *sections, const char *name)
{
    int i;

    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *line = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);

        if (line->kind == AKC_SECTIONS_HANDLER && strcmp(line->word, name) == 0)
            return line->node;
    }
    return NULL;
}

int akc_sections_may_cover(const akc_sections_line_t *above, const akc_sections_line_t *below)
{
    size_t len;

    if (above->section == below->section || !above->path || !below->path)
        return 1;
    len = strlen(above->path);
    return strncmp(above->path, below->path, len) == 0 &&
           (above->path[len - 1] == '/' || !below->path[len] || below->path[len] == '/');
}

/* Locations that a public path opens although they are guarded: found when httpd starts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "guards_public.h"

#include <string.h>

#include "config.h"
#include "log.h"

static int is_at_or_below(const char *path, const char *public)
{
    size_t len = strlen(public);

    while (len > 1 && public[len - 1] == '/')
        len--;
    return strncmp(path, public, len) == 0 && (!path[len] || path[len] == '/');
}

/* Another AuthType is that of another module, for which no path is public. */
static int is_foreign(const akc_sections_t *sections, const ap_directive_t *section)
{
    int i;

    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *line = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);

        if (line->kind == AKC_SECTIONS_FOREIGN && line->section == section)
            return 1;
    }
    return 0;
}

/* A public path "/" has its own warning. */
static const char *find_public(const akc_server_t *config, const char *path)
{
    const apr_array_header_t *paths = config->conf->public_paths;
    int i;

    for (i = 0; paths && i < paths->nelts; i++) {
        const char *public = APR_ARRAY_IDX(paths, i, const char *);

        if (public[1] && is_at_or_below(path, public))
            return public;
    }
    return NULL;
}

/* Once for each section. */
static void warn_of_sections(const akc_server_t *config, const akc_sections_t *sections)
{
    const kc_conf_position_t *position = &config->conf->position[KC_CONF_ROW_public_paths];
    const ap_directive_t *last = NULL;
    int i;

    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *line = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);
        const char *public = line->path ? find_public(config, line->path) : NULL;

        if (line->kind != AKC_SECTIONS_ASKING || !public || line->section == last ||
            is_foreign(sections, line->section))
            continue;
        last = line->section;
        AKC_LOG_SERVER_AT(APLOG_WARNING, config->server, KC_ERR_CONFIG,
                          "KeycloakPublicPath %s (line %d of %s) opens <Location %s> (line %d of "
                          "%s): nobody is asked to sign in there, whatever it requires. Make the "
                          "public path narrower, or take the Require line away",
                          public, position->line, position->file, line->path,
                          line->section->line_num, line->section->filename);
    }
}

/* What a virtual host has inherited is told for the main server alone. */
void akc_guards_public_warn(const akc_server_t *config, const apr_array_header_t *all,
                            const akc_sections_t *own, server_rec *main)
{
    const int is_own = akc_config_is_own(config, main, KC_CONF_ROW_public_paths);
    int i;

    for (i = 0; i < all->nelts; i++) {
        const akc_sections_t *sections = &APR_ARRAY_IDX(all, i, akc_sections_t);

        if (sections == own ? is_own || sections->host : is_own && !sections->host)
            warn_of_sections(config, sections);
    }
}

/* Directives: the core's table converted to httpd's, and the records that it fills.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <apr_strings.h>
#include <string.h>

void *akc_config_create_server(apr_pool_t *pool, server_rec *server)
{
    akc_server_t *config = apr_pcalloc(pool, sizeof(*config));

    config->conf = kc_conf_create(pool);
    config->server = server;
    return config;
}

void *akc_config_merge_server(apr_pool_t *pool, void *base, void *add)
{
    akc_server_t *config = apr_pcalloc(pool, sizeof(*config));

    config->conf = kc_conf_merge(((akc_server_t *)base)->conf, ((akc_server_t *)add)->conf, pool);
    config->server = ((akc_server_t *)add)->server;
    return config;
}

void *akc_config_create_dir(apr_pool_t *pool, char *path)
{
    (void)path;
    return kc_conf_dir_create(pool);
}

void *akc_config_merge_dir(apr_pool_t *pool, void *base, void *add)
{
    return kc_conf_dir_merge(base, add, pool);
}

akc_server_t *akc_config_server(server_rec *server)
{
    return ap_get_module_config(server->module_config, &auth_keycloak_module);
}

int akc_config_is_own(const akc_server_t *config, const server_rec *main, kc_conf_index_t index)
{
    const kc_conf_position_t *position = &config->conf->position[index];
    const kc_conf_position_t *global =
        &akc_config_server((server_rec *)main)->conf->position[index];

    if (!position->file || config->server == main)
        return position->file != NULL;
    return !global->file || global->line != position->line ||
           strcmp(global->file, position->file) != 0;
}

const kc_conf_dir_t *akc_config_dir(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &auth_keycloak_module);
}

/* Files are relative to ServerRoot, as everywhere in httpd. */
static const char *rooted(apr_pool_t *pool, kc_conf_index_t index, const char *word)
{
    const char *path = kc_conf_path_in(index, word);
    const char *whole = path ? ap_server_root_relative(pool, path) : NULL;

    return whole ? apr_psprintf(pool, "%.*s%s", (int)(path - word), word, whole) : word;
}

static const char *set(cmd_parms *cmd, void *target, int argc, char *const argv[])
{
    kc_conf_index_t index = (kc_conf_index_t)(intptr_t)cmd->info;
    int count, i;
    const char *const *given =
        kc_conf_split(index, argc, (const char *const *)argv, cmd->temp_pool, &count);
    const char **words = apr_pcalloc(cmd->temp_pool, ((size_t)count + 1) * sizeof(*words));
    kc_err_t err;

    for (i = 0; i < count; i++)
        words[i] = rooted(cmd->pool, index, given[i]);
    if (kc_conf_set(target, index, count, words, cmd->directive->filename, cmd->directive->line_num,
                    cmd->pool, &err) != KC_OK)
        return apr_psprintf(cmd->pool, "%s %s", kc_conf_table_row(index)->name, err.detail);
    return NULL;
}

static const char *set_server(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    (void)dir;
    return set(cmd, akc_config_server(cmd->server)->conf, argc, argv);
}

static const char *set_dir(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    return set(cmd, dir, argc, argv);
}

const command_rec akc_config_commands[] = {
#define KC_CONF(type, member, name, fallback, rules, arguments, help)                      \
    AP_INIT_TAKE_ARGV(name, set_server, (void *)(intptr_t)KC_CONF_ROW_##member, RSRC_CONF, \
                      arguments ". " help),
#define KC_CONF_DIR(type, member, name, fallback, rules, arguments, help)    \
    AP_INIT_TAKE_ARGV(name, set_dir, (void *)(intptr_t)KC_CONF_ROW_##member, \
                      RSRC_CONF | ACCESS_CONF, arguments ". " help),
#include "core/conf/conf.def"
#undef KC_CONF
#undef KC_CONF_DIR
    {.name = NULL}};

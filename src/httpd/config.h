/* Directives as httpd wants them: a record for each server and each directory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_CONFIG_H
#define AKC_CONFIG_H

#include "module.h"

void *akc_config_create_server(apr_pool_t *pool, server_rec *server);
void *akc_config_merge_server(apr_pool_t *pool, void *base, void *add);
void *akc_config_create_dir(apr_pool_t *pool, char *path);
void *akc_config_merge_dir(apr_pool_t *pool, void *base, void *add);
extern const command_rec akc_config_commands[];
akc_server_t *akc_config_server(server_rec *server);
/* 1 when the directive was written for this server, not inherited from the main server. */
int akc_config_is_own(const akc_server_t *config, const server_rec *main, kc_conf_index_t index);
const kc_conf_dir_t *akc_config_dir(const request_rec *r);

#endif

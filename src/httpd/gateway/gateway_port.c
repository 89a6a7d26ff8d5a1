/* Whether a gateway calls the port of a request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gateway_port.h"

#include <http_main.h>
#include <string.h>

static int names_gateway(request_rec *r, ap_conf_vector_t *section)
{
    const core_dir_config *core = ap_get_core_module_config(section);
    const char *error = NULL, *name;
    int i;

    if (core && core->expr_handler) {
        name = ap_expr_str_exec(r, core->expr_handler, &error);
        if (!name || strcmp(name, AKC_ENDPOINTS_JUDGE) == 0)
            return 1;
    }
    for (i = 0; core && core->sec_if && i < core->sec_if->nelts; i++) {
        if (names_gateway(r, APR_ARRAY_IDX(core->sec_if, i, ap_conf_vector_t *)))
            return 1;
    }
    return 0;
}

static int has_gateway(request_rec *r, const server_rec *server)
{
    const core_server_config *core = ap_get_core_module_config(server->module_config);
    int i;

    for (i = 0; i < core->sec_url->nelts; i++) {
        if (names_gateway(r, APR_ARRAY_IDX(core->sec_url, i, ap_conf_vector_t *)))
            return 1;
    }
    return names_gateway(r, server->lookup_defaults);
}

static int is_at_port(const server_rec *server, apr_port_t port)
{
    const server_addr_rec *address;

    for (address = server->addrs; address; address = address->next) {
        if (!address->host_port || address->host_port == port)
            return 1;
    }
    return 0;
}

int akc_gateway_port_is_met(request_rec *r)
{
    apr_port_t port = r->connection->local_addr->port;
    const server_rec *server;

    for (server = ap_server_conf; server; server = server->next) {
        if ((server == r->server || is_at_port(server, port)) && has_gateway(r, server))
            return 1;
    }
    return 0;
}

/* The module's own addresses: which there are, and how a path is matched with them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "addresses.h"

#include <apr_strings.h>
#include <string.h>

static const char file_prefix[] = "keycloak:"; /* in place of a file's name */

typedef struct route_t {
    const char *name; /* below KeycloakPrefix */
    int takes_body;   /* in a POST */
    int is_by_cookie; /* bearer tokens do not count */
    int is_tree;      /* everything below it as well */
} route_t;

static const route_t routes[AKC_ADDRESSES] = {
    [AKC_ADDRESS_LOGIN] = {"login", 0, 1, 0},
    [AKC_ADDRESS_LOGOUT] = {"logout", 0, 1, 0},
    [AKC_ADDRESS_SESSIONS] = {"sessions", 1, 1, 0},
    [AKC_ADDRESS_WHOAMI] = {"whoami", 0, 0, 0},
    [AKC_ADDRESS_BACKCHANNEL] = {"backchannel-logout", 1, 1, 0},
    [AKC_ADDRESS_FRONTCHANNEL] = {"frontchannel-logout", 0, 1, 0},
    [AKC_ADDRESS_VERIFY] = {"verify", 0, 0, 1},
};

/* Runs several times for each request. Most paths differ in the second character. Both paths begin
 * with a slash; "*" matches none of ours. */
static int may_begin(const char *path, const char *ours)
{
    return path[0] == ours[0] && path[1] == ours[1];
}

/* The part of a path below KeycloakPrefix. NULL when it is elsewhere, or below site/, which has the
 * administrator's own pages about login and logout. */
static const char *below_prefix(const akc_server_t *server, const char *path)
{
    size_t len;

    if (!may_begin(path, server->conf->prefix))
        return NULL;
    len = strlen(server->conf->prefix);
    if (strncmp(path, server->conf->prefix, len) != 0 || strncmp(path + len, "site/", 5) == 0)
        return NULL;
    return path + len;
}

int akc_addresses_is_callback(const akc_server_t *server, const char *path)
{
    return may_begin(path, server->rp->callback_path) &&
           strcmp(path, server->rp->callback_path) == 0;
}

int akc_addresses_is_ours(const akc_server_t *server, const request_rec *r)
{
    return r->uri && (below_prefix(server, r->uri) || akc_addresses_is_callback(server, r->uri));
}

/* The handler that SetHandler names for the location, if it is one of this module; else NULL.
 * Before names are translated, only the server's own settings count. */
const char *akc_addresses_configured(request_rec *r)
{
    static const char *const ours[] = {AKC_ENDPOINTS_SESSIONS, AKC_ENDPOINTS_JUDGE,
                                       AKC_ENDPOINTS_HEALTH, AKC_ENDPOINTS_METRICS};
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *name = NULL, *error = NULL;
    size_t i;

    if (core && core->expr_handler)
        name = ap_expr_str_exec(r, core->expr_handler, &error);
    for (i = 0; name && i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(name, ours[i]) == 0)
            return ours[i];
    }
    return NULL;
}

int akc_addresses_is_judge(request_rec *r)
{
    const char *handler = akc_addresses_configured(r);

    return handler && strcmp(handler, AKC_ENDPOINTS_JUDGE) == 0;
}

void akc_addresses_take(request_rec *r, const char *handler)
{
    r->filename = apr_pstrcat(r->pool, file_prefix, r->uri, NULL);
    r->handler = handler;
}

int akc_addresses_is_taken(const request_rec *r)
{
    return r->filename && strncmp(r->filename, file_prefix, strlen(file_prefix)) == 0;
}

static int is_named(const route_t *route, const char *name)
{
    size_t len = strlen(route->name);

    return strncmp(name, route->name, len) == 0 &&
           (!name[len] || (route->is_tree && name[len] == '/'));
}

akc_address_t akc_addresses_find(const akc_server_t *server, const char *path)
{
    const char *name = below_prefix(server, path);
    size_t i;

    if (akc_addresses_is_callback(server, path))
        return AKC_ADDRESS_CALLBACK;
    for (i = 0; name && i < AKC_ADDRESSES; i++) {
        if (routes[i].name && is_named(&routes[i], name))
            return (akc_address_t)i;
    }
    return AKC_ADDRESSES;
}

const char *akc_addresses_names(apr_pool_t *pool)
{
    const char *names = "";
    size_t i;

    for (i = 0; i < AKC_ADDRESSES; i++) {
        if (routes[i].name)
            names = apr_pstrcat(pool, names, *names ? ", " : "", routes[i].name, NULL);
    }
    return names;
}

int akc_addresses_takes_body(akc_address_t address)
{
    return address < AKC_ADDRESSES && routes[address].takes_body;
}

int akc_addresses_is_by_cookie(const akc_server_t *server, const char *path)
{
    akc_address_t address = akc_addresses_find(server, path);

    return address == AKC_ADDRESS_CALLBACK ||
           (address < AKC_ADDRESSES && routes[address].is_by_cookie);
}

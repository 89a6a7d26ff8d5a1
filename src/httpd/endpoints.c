/* The module's own addresses: which there are, and who answers there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "endpoints.h"

#include <apr_strings.h>
#include <string.h>

#include "account.h"
#include "forward.h"
#include "hints.h"
#include "judge.h"
#include "logout.h"
#include "request.h"
#include "respond.h"
#include "signin.h"
#include "verify.h"

static const char handler_name[] = "keycloak-endpoint";
static const char file_prefix[] = "keycloak:"; /* of what is no file */

/* Each request is asked several times where it is: most differ from us in their second character.
 * Both begin with a slash, or are "*" and none of ours. */
static int may_begin(const char *path, const char *ours)
{
    return path[0] == ours[0] && path[1] == ours[1];
}

/* The part of a path behind KeycloakPrefix; NULL when it is elsewhere, or below site/, where an
 * administrator's own pages about signing in and out are. */
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

int akc_endpoints_is_callback(const akc_server_t *server, const char *path)
{
    return may_begin(path, server->rp->callback_path) &&
           strcmp(path, server->rp->callback_path) == 0;
}

int akc_endpoints_is_ours(const akc_server_t *server, const request_rec *r)
{
    return r->uri && (below_prefix(server, r->uri) || akc_endpoints_is_callback(server, r->uri));
}

/* What SetHandler says for the place, as far as it is one of ours; NULL: nothing. Known before
 * names are translated, it is of the server's settings alone. */
const char *akc_endpoints_configured(request_rec *r)
{
    static const char *const ours[] = {AKC_ENDPOINTS_SESSIONS, AKC_ENDPOINTS_JUDGE,
                                       AKC_ENDPOINTS_HEALTH};
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

/* The handler of ours that is to answer; NULL: none. */
static const char *handler_of(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);
    const char *configured;

    if (request && akc_endpoints_is_ours(request->server, r))
        return handler_name;
    configured = akc_endpoints_configured(r);
    /* the health of all servers may be asked for at one where the module is off */
    if (!request && configured && strcmp(configured, AKC_ENDPOINTS_HEALTH) != 0)
        return NULL;
    return configured;
}

/* No file and no backend stands behind our addresses, whatever ProxyPass says; the handler's name
 * tells other modules, such as mod_dir with FallbackResource, that they are taken. */
int akc_endpoints_translate(request_rec *r)
{
    const char *handler = handler_of(r);

    if (!handler)
        return DECLINED;
    r->filename = apr_pstrcat(r->pool, file_prefix, r->uri, NULL);
    r->handler = handler;
    return OK;
}

int akc_endpoints_is_taken(const request_rec *r)
{
    return r->filename && strncmp(r->filename, file_prefix, strlen(file_prefix)) == 0;
}

int akc_endpoints_map(request_rec *r)
{
    if (akc_judge_is_asked_for_star(r))
        return HTTP_BAD_REQUEST;
    if (akc_forward_refuses(r))
        return HTTP_FORBIDDEN;
    return akc_endpoints_is_taken(r) ? OK : DECLINED;
}

int akc_endpoints_refuse_method(akc_request_t *request, request_rec *r, const char *allowed)
{
    kc_err_t err;

    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_METHOD, "%s takes %s only", r->uri, allowed);
    apr_table_setn(r->headers_out, "Allow", allowed);
    return akc_respond_error(request, r, &err);
}

typedef struct endpoint_t {
    const char *name; /* behind KeycloakPrefix */
    int (*handle)(akc_request_t *request, request_rec *r);
    int takes_body;   /* by POST */
    int is_by_cookie; /* no bearer token counts */
    int is_tree;      /* all below it as well */
} endpoint_t;

static const endpoint_t endpoints[] = {
    {"login", akc_signin_login, 0, 1, 0},
    {"logout", akc_logout_here, 0, 1, 0},
    {"sessions", akc_account_sessions, 1, 1, 0},
    {"whoami", akc_account_whoami, 0, 0, 0},
    {"backchannel-logout", akc_logout_backchannel, 1, 1, 0},
    {"frontchannel-logout", akc_logout_frontchannel, 0, 1, 0},
    {"verify", akc_verify_here, 0, 0, 1},
};

static int is_named(const endpoint_t *endpoint, const char *name)
{
    size_t len = strlen(endpoint->name);

    return strncmp(name, endpoint->name, len) == 0 &&
           (!name[len] || (endpoint->is_tree && name[len] == '/'));
}

int akc_endpoints_is_by_cookie(const akc_server_t *server, const char *path)
{
    const char *name = below_prefix(server, path);
    size_t i;

    for (i = 0; name && i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        if (is_named(&endpoints[i], name))
            return endpoints[i].is_by_cookie;
    }
    return akc_endpoints_is_callback(server, path);
}

static const char *names_of_all(apr_pool_t *pool)
{
    const char *list = endpoints[0].name;
    size_t i;

    for (i = 1; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
        list = apr_pstrcat(pool, list, ", ", endpoints[i].name, NULL);
    return list;
}

int akc_endpoints_handle(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);
    const char *name;
    kc_err_t err;
    size_t i;

    if (!request || !akc_endpoints_is_ours(request->server, r))
        return DECLINED;
    if (!ap_is_initial_req(r))
        return HTTP_NOT_FOUND;
    if (akc_endpoints_is_callback(request->server, r->uri))
        return akc_signin_callback(request, r);
    name = below_prefix(request->server, r->uri);
    for (i = 0; name && i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        if (!is_named(&endpoints[i], name))
            continue;
        if (endpoints[i].takes_body && akc_judge_passes(request, r))
            return DONE;
        return endpoints[i].handle(request, r);
    }
    akc_hints_address(request, r, names_of_all(r->pool));
    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_NOT_FOUND, "no such address under %s",
                  request->server->conf->prefix);
    return akc_respond_error(request, r, &err);
}

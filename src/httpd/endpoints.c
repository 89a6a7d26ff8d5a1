/* The module's own addresses: which there are, and who answers there.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "mod_auth_keycloak.h"

APLOG_USE_MODULE(auth_keycloak);

static const char handler_name[] = "keycloak-endpoint";
static const char file_prefix[] = "keycloak:"; /* of what is no file */

/* The part of a path behind KeycloakPrefix; NULL when it is elsewhere. */
static const char *below_prefix(const akc_server_t *server, const char *path)
{
    size_t len = strlen(server->conf->prefix);

    return strncmp(path, server->conf->prefix, len) == 0 ? path + len : NULL;
}

int akc_endpoints_is_callback(const akc_server_t *server, const char *path)
{
    return strcmp(path, server->rp->callback_path) == 0;
}

int akc_endpoints_is_ours(const akc_server_t *server, const request_rec *r)
{
    return r->uri && (below_prefix(server, r->uri) || akc_endpoints_is_callback(server, r->uri));
}

/* The handler of ours that is to answer; NULL: none. */
static const char *handler_of(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    if (!request)
        return NULL;
    if (akc_endpoints_is_ours(request->server, r))
        return handler_name;
    return akc_account_handler(r);
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
} endpoint_t;

static const endpoint_t endpoints[] = {
    {"login", akc_signin_login},
    {"logout", akc_logout_here},
    {"sessions", akc_account_sessions},
    {"whoami", akc_account_whoami},
    {"backchannel-logout", akc_logout_backchannel},
    {"frontchannel-logout", akc_logout_frontchannel},
};

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
        if (strcmp(name, endpoints[i].name) == 0)
            return endpoints[i].handle(request, r);
    }
    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_NOT_FOUND, "no such address under %s",
                  request->server->conf->prefix);
    return akc_respond_error(request, r, &err);
}

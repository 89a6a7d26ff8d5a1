/* External authorization: answers a gateway that asks whether a request is allowed, and for which
 * user.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gateway/ext_authz.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "addresses.h"
#include "answers.h"
#include "config.h"
#include "gateway/forward_auth.h"
#include "request.h"
#include "respond.h"
#include "trace_context.h"

#include "core/base/header_name.h"
#include "core/base/path.h"

/* A gateway (Envoy's ext_authz over HTTP) sends method, path and headers of a request, without its
 * body. Only status 200 allows it; the headers of this answer then replace those of the client. The
 * client gets any other answer. Access has been decided before a handler runs, by AuthType and
 * Require of the location of the path, as for any other request. */

static const char removal_header[] = "x-envoy-auth-headers-to-remove";

/* Finds the settings of the locations of a path, without those of the path before. */
static int walk(request_rec *r, char *uri)
{
    r->uri = uri;
    r->per_dir_config = r->server->lookup_defaults;
    return ap_location_walk(r) == OK;
}

/* 1 when external authorization answers for "/", and then leaves the request there; otherwise the
 * request is as before. */
static int is_at_root(request_rec *r)
{
    ap_conf_vector_t *settings = r->per_dir_config;
    char *uri = r->uri;

    if (walk(r, apr_pstrdup(r->pool, "/")) && akc_addresses_is_judge(r))
        return 1;
    r->uri = uri;
    r->per_dir_config = settings;
    return 0;
}

int akc_ext_authz_is_asked_for_star(request_rec *r)
{
    ap_conf_vector_t *settings = r->per_dir_config;
    char *uri = r->uri;
    int is_for_gateway;

    if (!uri || strcmp(uri, "*") != 0 || !akc_request_get(r))
        return 0;
    is_for_gateway = is_at_root(r);
    r->uri = uri;
    r->per_dir_config = settings;
    return is_for_gateway;
}

void akc_ext_authz_enter(akc_request_t *request, request_rec *r)
{
    ap_conf_vector_t *settings = r->per_dir_config;
    char *uri = r->uri;
    int is_for_scripts;

    if (!request->server->judges_any_path || akc_forward_auth_is_on(request) ||
        !ap_is_initial_req(r) || !uri || uri[0] != '/' || kc_path_is_plain(r->unparsed_uri))
        return;
    /* the second of two calls finds it there */
    if (strcmp(uri, "/") == 0 && akc_addresses_is_taken(r))
        return;
    is_for_scripts = walk(r, uri) && akc_config_dir(r)->unauth == KC_UNAUTH_401;
    r->per_dir_config = settings;
    if (is_at_root(r)) {
        request->is_for_scripts = is_for_scripts;
        request->is_judged_as_root = 1;
    }
}

static void put_one(request_rec *r, const char *name)
{
    const char *value = apr_table_get(r->headers_in, name);

    apr_table_setn(r->headers_out, name, value ? value : "");
}

/* All names, each time and each once, because a client could forge one that is left out. */
static void put_identity(const akc_request_t *request, request_rec *r)
{
    const kc_conf_t *conf = request->server->conf;
    int k;

    put_one(r, conf->user_header);
    put_one(r, conf->groups_header);
    if (conf->id_token_header)
        put_one(r, conf->id_token_header);
    for (k = 0; conf->headers && k < conf->headers->nelts; k++)
        put_one(r, APR_ARRAY_IDX(conf->headers, k, kc_conf_pair_t).name);
}

/* The same for other servers' names, for gateways that cannot be told to remove one. Their backends
 * may be the same. */
static void put_foreign(const akc_request_t *request, request_rec *r)
{
    const apr_array_header_t *names = request->server->foreign;
    int i;

    for (i = 0; names && i < names->nelts; i++)
        apr_table_setn(r->headers_out, APR_ARRAY_IDX(names, i, const char *), "");
}

void akc_ext_authz_prepare(akc_server_t *server, apr_pool_t *pool)
{
    const kc_conf_t *conf = server->conf;
    const char *list = kc_header_name_add_spellings("", conf->user_header, pool);
    int k;

    list = kc_header_name_add_spellings(list, conf->groups_header, pool);
    if (conf->id_token_header)
        list = kc_header_name_add_spellings(list, conf->id_token_header, pool);
    for (k = 0; conf->headers && k < conf->headers->nelts; k++)
        list = kc_header_name_add_spellings(
            list, APR_ARRAY_IDX(conf->headers, k, kc_conf_pair_t).name, pool);
    for (k = 0; server->foreign && k < server->foreign->nelts; k++) {
        const char *name = APR_ARRAY_IDX(server->foreign, k, const char *);

        list = kc_header_name_add_spellings(kc_header_name_add(list, name, pool), name, pool);
    }
    server->removals = list;
    server->removals_and_cookie = kc_header_name_add(list, "cookie", pool);
}

/* The cookies that the backend may see, in place of those that the client has sent. Always set,
 * because such gateways cannot be told to remove a header. */
static void put_cookies(request_rec *r)
{
    const char *left = apr_table_get(r->headers_in, "Cookie");

    apr_table_set(r->headers_out, "Cookie", left ? left : "");
}

/* The headers that the gateway must remove. The module's cookies are already removed here. When no
 * other cookie is left, the gateway removes the whole header; otherwise it gets the rest. */
static void put_removals(const akc_request_t *request, request_rec *r)
{
    const char *left = apr_table_get(r->headers_in, "Cookie");
    const char *list = request->server->removals;
    const char *token = request->server->conf->id_token_header;

    if (!left && request->access.cookies)
        list = request->server->removals_and_cookie;
    else if (left && strcmp(left, request->access.cookies) != 0)
        apr_table_setn(r->headers_out, "Cookie", left);
    /* some backends fail with an empty Authorization */
    if (token && !apr_table_get(r->headers_in, token))
        list = kc_header_name_add(list, token, r->pool);
    if (*list)
        apr_table_setn(r->headers_out, removal_header, list);
}

static int allow(akc_request_t *request, request_rec *r)
{
    akc_answers_are_for_nobody(request, r);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    put_identity(request, r);
    akc_trace_context_answer(request, r);
    if (akc_forward_auth_is_on(request)) {
        put_foreign(request, r);
        put_cookies(r);
    } else {
        put_removals(request, r);
    }
    request->is_allowed = 1;
    ap_set_content_length(r, 0);
    return DONE;
}

int akc_ext_authz_is_lost(const akc_request_t *request, const request_rec *r, const char *handler)
{
    return request->is_judged_as_root && r == request->first &&
           (!handler || strcmp(handler, AKC_ENDPOINTS_JUDGE) != 0);
}

int akc_ext_authz_passes(akc_request_t *request, request_rec *r)
{
    size_t len = strcspn(r->unparsed_uri, "?");

    /* exactly an address of this module: another spelling may lead the gateway elsewhere */
    if (r->method_number != M_POST || !akc_addresses_is_judge(r) || strlen(r->uri) != len ||
        strncmp(r->uri, r->unparsed_uri, len) != 0)
        return 0;
    /* the session cookie is forwarded as well, because the handler there needs it */
    if (request->access.cookies)
        apr_table_setn(r->headers_in, "Cookie", request->access.cookies);
    (void)allow(request, r);
    return 1;
}

/* Allowing everybody is never intended: for open locations there is KeycloakPublicPath, or
 * KeycloakUnauth pass. */
static int refuse_unguarded(akc_request_t *request, request_rec *r)
{
    kc_err_t err;

    (void)KC_FAIL(
        &err, KC_REFUSED, KC_ERR_CONFIG,
        "SetHandler %s in a location that is open to everybody: add AuthType " AKC_AUTH_TYPE
        " and a Require that needs a user, or KeycloakPublicPath or KeycloakUnauth "
        "pass for what all may see",
        AKC_ENDPOINTS_JUDGE);
    return akc_respond_error(request, r, &err);
}

/* The query may have what no log may show. */
static int refuse_path(akc_request_t *request, request_rec *r)
{
    kc_err_t err;

    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_JUDGE_PATH,
                  "the path could be read otherwise by a backend: %.200s",
                  apr_pstrndup(r->pool, r->unparsed_uri, strcspn(r->unparsed_uri, "?#")));
    return akc_respond_error(request, r, &err);
}

/* Only for who is signed in, and where akc_ext_authz_enter has made it "/": what is there for
 * everybody is so for its own spelling alone. */
static int may_be_any(const akc_request_t *request, const request_rec *r)
{
    return request->is_judged_as_root && strcmp(r->uri, "/") == 0 && r->unparsed_uri[0] == '/' &&
           r->user && *r->user;
}

int akc_ext_authz_handle(request_rec *r)
{
    akc_request_t *request;

    if (strcmp(r->handler, AKC_ENDPOINTS_JUDGE) != 0)
        return DECLINED;
    request = akc_request_get(r);
    /* a .htaccess is read after names are translated, and must not decide for a gateway */
    if (!request || !akc_addresses_is_taken(r))
        return HTTP_NOT_FOUND;
    /* through an ErrorDocument, a refusal would become a permission */
    if (!ap_is_initial_req(r))
        return HTTP_FORBIDDEN;
    if (!kc_path_is_plain(r->unparsed_uri) && !may_be_any(request, r))
        return refuse_path(request, r);
    if (!akc_request_is_decided(request, r))
        return refuse_unguarded(request, r);
    return allow(request, r);
}

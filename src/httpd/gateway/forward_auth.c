/* The request that a gateway asks about in its own headers: nginx's auth_request, and the forward
 * authentication of Traefik and Caddy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gateway/forward_auth.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <util_filter.h>

#include "addresses.h"
#include "request.h"
#include "respond.h"

#include "core/base/path.h"

/* The request line is the gateway's; two headers name the request to check. These replace the
 * request line before any module has seen it. So locations, Require, the return after a sign-in and
 * the logs see only that request. The headers are trusted only from KeycloakTrustedProxy. For such
 * gateways any 2xx means "allowed". So an answer of the virtual host that external authorization
 * has not allowed is changed to a refusal. */

enum { METHOD_MAX = 32 /* characters */ };

static const char filter_name[] = "AKC_JUDGED";
static const char login_header[] = "X-Keycloak-Login";

static const struct {
    const char *uri, *method;
} sources[] = {
    [KC_JUDGE_NGINX] = {"X-Original-URI", "X-Original-Method"},
    [KC_JUDGE_FORWARDED] = {"X-Forwarded-Uri", "X-Forwarded-Method"},
};

int akc_forward_auth_is_on(const akc_request_t *request)
{
    return request->server->conf->judge_for != KC_JUDGE_ENVOY;
}

int akc_forward_auth_is_nginx(const akc_request_t *request)
{
    return request->server->conf->judge_for == KC_JUDGE_NGINX;
}

/* --- question --- */

/* nginx turns any status other than 401 and 403 into 500. */
static int refuse(akc_request_t *request, request_rec *r, const char *why, const char *name)
{
    kc_err_t err;

    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_JUDGE_QUESTION, why, name);
    akc_respond_log(request, r, &err);
    return akc_forward_auth_is_nginx(request) ? HTTP_FORBIDDEN : HTTP_BAD_REQUEST;
}

/* A method's name (RFC 9110 section 5.6.2), as httpd accepts it. Backends give nothing for TRACE
 * and CONNECT. */
static int is_method(const char *text)
{
    size_t len = strlen(text), i;

    for (i = 0; i < len && (apr_isalnum(text[i]) || strchr("!#$%&'*+-.^_`|~", text[i])); i++)
        ;
    return len > 0 && len <= METHOD_MAX && i == len && strcmp(text, "TRACE") != 0 &&
           strcmp(text, "CONNECT") != 0;
}

/* Path and query of a request line. A header that came twice contains a space. */
static int is_target(request_rec *r, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at > ' ' && *at < 0x7f && *at != '#')
        at++;
    return *at == '\0' && at - (const unsigned char *)text <= r->server->limit_req_line &&
           kc_path_is_plain(text);
}

/* A question has no body. If its length were left over from another request, the next data on the
 * connection would be read as a body. */
static int refuse_body(akc_request_t *request, request_rec *r)
{
    r->connection->keepalive = AP_CONN_CLOSE; /* and it is not waited for */
    return refuse(request, r, "a gateway's question has a body%s", "");
}

static int put(akc_request_t *request, request_rec *r, const char *uri, const char *method)
{
    ap_parse_uri(r, uri);
    if (r->status != HTTP_OK || !r->parsed_uri.path || r->parsed_uri.path[0] != '/')
        return refuse(request, r, "the judged address cannot be parsed%s", "");
    r->method = method;
    r->method_number = ap_method_number_of(method);
    r->the_request = apr_pstrcat(r->pool, method, " ", r->unparsed_uri, " ", r->protocol, NULL);
    return OK;
}

int akc_forward_auth_take(akc_request_t *request, request_rec *r)
{
    const char *uri_header = sources[request->server->conf->judge_for].uri;
    const char *method_header = sources[request->server->conf->judge_for].method;
    const char *uri, *method;

    if (!akc_request_is_trusted(request, r)) {
        (void)refuse(request, r, "a peer that KeycloakTrustedProxy does not name asks%s", "");
        return HTTP_FORBIDDEN;
    }
    if (r->method_number != M_GET)
        return refuse(request, r, "a gateway asks by GET, not by %.20s", r->method);
    if (akc_request_has_body(r))
        return refuse_body(request, r);
    uri = apr_table_get(r->headers_in, uri_header);
    method = apr_table_get(r->headers_in, method_header);
    if (!uri || !is_target(r, uri))
        return refuse(request, r,
                      uri ? "%s is no plain path, with or without a query" : "%s is missing",
                      uri_header);
    if (!method || !is_method(method))
        return refuse(request, r, method ? "%s is no method that is judged" : "%s is missing",
                      method_header);
    uri = apr_pstrdup(r->pool, uri);
    method = apr_pstrdup(r->pool, method);
    /* the query may have what no log may show */
    apr_table_unset(r->headers_in, uri_header);
    apr_table_unset(r->headers_in, method_header);
    return put(request, r, uri, method);
}

int akc_forward_auth_refuses(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    if (!request || !akc_forward_auth_is_on(request) || r->main ||
        (akc_addresses_is_taken(r) && strcmp(r->handler, AKC_ENDPOINTS_JUDGE) == 0))
        return 0;
    if (akc_addresses_is_ours(request->server, r))
        (void)refuse(request, r,
                     "an address of this module is no question: have the gateway route %s to a "
                     "virtual host without KeycloakJudgeFor",
                     request->server->conf->prefix);
    else
        (void)refuse(request, r, "no SetHandler %s here", AKC_ENDPOINTS_JUDGE);
    return 1;
}

/* --- answer --- */

void akc_forward_auth_point_to_login(akc_request_t *request, request_rec *r,
                                     const kc_step_up_t *step_up)
{
    const char *page = r->method_number == M_GET ? r->unparsed_uri : "/";

    apr_table_set(r->headers_out, login_header, akc_respond_login_url(request, r, page, step_up));
}

/* The status for the gateway: success only if external authorization itself has allowed the
 * request. */
static int status_of(const akc_request_t *request, int status)
{
    if (ap_is_HTTP_SUCCESS(status))
        return request->is_allowed ? status : HTTP_FORBIDDEN;
    if (akc_forward_auth_is_nginx(request) && status < HTTP_INTERNAL_SERVER_ERROR &&
        status != HTTP_UNAUTHORIZED)
        return HTTP_FORBIDDEN;
    return status;
}

static void drop_body(request_rec *r, apr_bucket_brigade *brigade)
{
    apr_brigade_cleanup(brigade);
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(r->connection->bucket_alloc));
    ap_set_content_length(r, 0);
}

static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    request_rec *r = f->r;
    akc_request_t *request = akc_request_get(r);
    int status;

    if (f->ctx) {
        apr_brigade_cleanup(brigade); /* of a body that was dropped */
        return APR_SUCCESS;
    }
    status = request ? status_of(request, r->status) : HTTP_INTERNAL_SERVER_ERROR;
    if (status == r->status) {
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, brigade);
    }
    if (ap_is_HTTP_SUCCESS(r->status)) {
        f->ctx = f;
        drop_body(r, brigade);
    } else {
        ap_remove_output_filter(f);
    }
    r->status = status;
    r->status_line = NULL;
    return ap_pass_brigade(f->next, brigade);
}

void akc_forward_auth_watch(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    if (request && akc_forward_auth_is_on(request) && !r->main)
        ap_add_output_filter(filter_name, NULL, r, r->connection);
}

void akc_forward_auth_register(apr_pool_t *pool)
{
    (void)pool;
    ap_register_output_filter(filter_name, filter, NULL, AP_FTYPE_PROTOCOL - 1);
}

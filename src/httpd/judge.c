/* The judge: answers a gateway that asks whether a request may go on, and as whose.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "mod_auth_keycloak.h"

APLOG_USE_MODULE(auth_keycloak);

/*
 * A gateway (Envoy's ext_authz over HTTP) sends method, path and headers of a request, without its
 * body. Status 200 alone lets it go on, with what this answer says in place of what the client has
 * sent; anything else is what the client gets. Who may come in has been decided before a handler is
 * asked, by AuthType and Require of the place that the path is in, as for a request of our own.
 */

static const char removal_header[] = "x-envoy-auth-headers-to-remove";

int akc_judge_is_place(request_rec *r)
{
    const char *handler = akc_endpoints_configured(r);

    return handler && strcmp(handler, AKC_ENDPOINTS_JUDGE) == 0;
}

int akc_judge_is_asked_for_star(request_rec *r)
{
    char *uri = r->uri;
    int is_judge;

    if (!uri || strcmp(uri, "*") != 0 || !akc_request_get(r))
        return 0;
    r->uri = apr_pstrdup(r->pool, "/");
    is_judge = ap_location_walk(r) == OK && akc_judge_is_place(r);
    r->uri = uri;
    return is_judge;
}

/* All names each time, and each once: one that is left out, a client could forge. */
static void put_identity(const akc_request_t *request, request_rec *r)
{
    const kc_conf_t *conf = request->server->conf;
    const char *names[] = {conf->user_header, conf->groups_header};
    const char *value;
    size_t i;
    int k;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        value = apr_table_get(r->headers_in, names[i]);
        apr_table_set(r->headers_out, names[i], value ? value : "");
    }
    for (k = 0; conf->headers && k < conf->headers->nelts; k++) {
        const char *name = APR_ARRAY_IDX(conf->headers, k, kc_conf_pair_t).name;

        value = apr_table_get(r->headers_in, name);
        apr_table_set(r->headers_out, name, value ? value : "");
    }
}

/* The gateway knows headers by their names alone, and some backends take an underscore for a
 * hyphen: such ones the client alone can have sent. */
static const char *add_spelling(request_rec *r, const char *list, const char *name)
{
    char *other = apr_pstrdup(r->pool, name), *at;

    for (at = other; *at; at++)
        *at = *at == '-' ? '_' : *at;
    if (strcmp(other, name) == 0)
        return list;
    return apr_pstrcat(r->pool, list, *list ? "," : "", other, NULL);
}

/* What the gateway takes out of the request. Our cookies are gone from what we have of it; when no
 * other is left, the header goes as a whole, else it is told what is left. */
static void put_removals(const akc_request_t *request, request_rec *r)
{
    const kc_conf_t *conf = request->server->conf;
    const char *left = apr_table_get(r->headers_in, "Cookie");
    const char *list = add_spelling(r, "", conf->user_header);
    int k;

    list = add_spelling(r, list, conf->groups_header);
    for (k = 0; conf->headers && k < conf->headers->nelts; k++)
        list = add_spelling(r, list, APR_ARRAY_IDX(conf->headers, k, kc_conf_pair_t).name);
    if (!left && request->cookies)
        list = apr_pstrcat(r->pool, list, *list ? "," : "", "cookie", NULL);
    else if (left && strcmp(left, request->cookies) != 0)
        apr_table_set(r->headers_out, "Cookie", left);
    if (*list)
        apr_table_setn(r->headers_out, removal_header, list);
}

/* A proxy hands on the path that it has judged; a gateway hands on what the client wrote, and
 * backends may read that otherwise. What httpd has had to put right is refused. */
static int is_plain(const request_rec *r)
{
    static const char *const odd[] = {"//", "/./", "/../", "/.;", "/..;",
                                      "\\", "%2e", "%5c",  "%00"};
    const char *path = apr_pstrmemdup(r->pool, r->unparsed_uri, strcspn(r->unparsed_uri, "?#"));
    size_t len = strlen(path), i;

    if (path[0] != '/' || (len >= 2 && strcmp(path + len - 2, "/.") == 0) ||
        (len >= 3 && strcmp(path + len - 3, "/..") == 0))
        return 0;
    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        if (ap_strcasestr(path, odd[i]))
            return 0;
    }
    return 1;
}

static int allow(akc_request_t *request, request_rec *r)
{
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    put_identity(request, r);
    put_removals(request, r);
    ap_set_content_length(r, 0);
    return DONE;
}

int akc_judge_passes(akc_request_t *request, request_rec *r)
{
    size_t len = strcspn(r->unparsed_uri, "?");

    /* an address of ours to the letter: any other spelling may lead the gateway elsewhere */
    if (r->method_number != M_POST || !akc_judge_is_place(r) || strlen(r->uri) != len ||
        strncmp(r->uri, r->unparsed_uri, len) != 0)
        return 0;
    (void)allow(request, r);
    return 1;
}

int akc_judge_handle(request_rec *r)
{
    akc_request_t *request;

    if (!r->handler || strcmp(r->handler, AKC_ENDPOINTS_JUDGE) != 0)
        return DECLINED;
    request = akc_request_get(r);
    /* a .htaccess is read later than names are translated; nor does it speak for a gateway */
    if (!request || !akc_endpoints_is_taken(r))
        return HTTP_NOT_FOUND;
    /* where an ErrorDocument leads, a refusal would become a permission */
    if (!ap_is_initial_req(r))
        return HTTP_FORBIDDEN;
    if (!is_plain(r))
        return HTTP_BAD_REQUEST;
    return allow(request, r);
}

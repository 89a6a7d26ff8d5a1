/* A request: the browser's address, its session, and what kind of request it is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "addresses.h"
#include "config.h"
#include "hints.h"
#include "log.h"

#include "core/access/access.h"
#include "core/access/request_class.h"
#include "core/base/forwarded.h"
#include "core/base/path.h"
#include "core/base/url.h"
#include "core/browser.h"
#include "core/crypto/crypto.h"
#include "core/rp.h"
#include "core/session/step_up.h"

enum {
    ID_SIZE = 9 /* bytes; 12 characters */
};

/* The request that the client made: the first of a chain of subrequests and internal redirects. */
static request_rec *origin(request_rec *r)
{
    while (r->main || r->prev)
        r = r->main ? r->main : r->prev;
    return r;
}

/* When httpd cannot read a request line, the request has no path, method or hostname. httpd may
 * continue with an ErrorDocument: hooks see that as an internal redirect, whose fields are all
 * set. Of the first request, hooks may use what httpd makes with it: pool, connection and
 * tables. For the rest they call this. */
const char *akc_request_path(const akc_request_t *request)
{
    return request->first->uri ? request->first->uri : "";
}

static akc_request_t *make(request_rec *first, akc_server_t *server)
{
    akc_request_t *request = apr_pcalloc(first->pool, sizeof(*request));

    request->server = server;
    request->first = first;
    if (server->has_caller) {
        request->caller = apr_pcalloc(first->pool, sizeof(*request->caller));
        request->caller->request = request;
    }
    request->access.rp = server->rp;
    request->access.pool = first->pool;
    request->access.cookies = apr_table_get(first->headers_in, "Cookie");
    if (server->conf->bearer || server->conf->id_token_header)
        request->authorization = apr_table_get(first->headers_in, "Authorization");
    ap_set_module_config(first->request_config, &auth_keycloak_module, request);
    return request;
}

/* Not inlined, so that akc_request_get saves no registers in the usual case. */
static akc_request_t *find_or_make(request_rec *r) __attribute__((noinline));

static akc_request_t *find_or_make(request_rec *r)
{
    akc_server_t *server = akc_config_server(r->server);
    akc_request_t *request;
    request_rec *first;

    if (!server->rp)
        return NULL;
    first = origin(r);
    request = ap_get_module_config(first->request_config, &auth_keycloak_module);
    return request ? request : make(first, server);
}

akc_request_t *akc_request_get(request_rec *r)
{
    akc_request_t *request = ap_get_module_config(r->request_config, &auth_keycloak_module);

    /* usually it exists: this is called a dozen times for each request */
    return request ? request : find_or_make(r);
}

/* --- the address that the browser uses --- */

static int is_trusted_address(const akc_server_t *server, apr_sockaddr_t *address)
{
    int i;

    for (i = 0; i < server->trusted->nelts; i++) {
        if (apr_ipsubnet_test(APR_ARRAY_IDX(server->trusted, i, apr_ipsubnet_t *), address))
            return 1;
    }
    return 0;
}

static int is_trusted_peer(const akc_server_t *server, const request_rec *r)
{
    return is_trusted_address(server, r->connection->client_addr);
}

/* A name is not an address, and is not looked up. */
static int is_address(const char *text)
{
    return text[strspn(text, "0123456789abcdefABCDEF.:")] == '\0' && strpbrk(text, ".:");
}

/* The address that a proxy reports as its client. */
static int is_trusted_hop(void *context, const char *text)
{
    request_rec *r = context;
    apr_sockaddr_t *address;

    return is_address(text) &&
           apr_sockaddr_info_get(&address, text, APR_UNSPEC, 0, 0, r->pool) == APR_SUCCESS &&
           is_trusted_address(akc_config_server(r->server), address);
}

static int is_listed(const apr_array_header_t *names, const char *host)
{
    int i;

    for (i = 0; names && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (name && ap_strcasecmp_match(host, name) == 0)
            return 1;
    }
    return 0;
}

/* httpd has an IPv6 address without the brackets that it has in a URL. */
static const char *bracketed(const char *host, apr_pool_t *pool)
{
    return strchr(host, ':') && host[0] != '[' ? apr_pstrcat(pool, "[", host, "]", NULL) : host;
}

static int is_loopback_name(const request_rec *r, const char *host)
{
    kc_url_t url = {"http", host, 80, "/", NULL};
    char *address = NULL;
    kc_url_t local = {"http", NULL, 80, "/", NULL};

    if (apr_sockaddr_ip_get(&address, r->connection->local_addr) != APR_SUCCESS)
        return 0;
    local.host = bracketed(address, r->pool);
    return kc_url_is_loopback(&url) && kc_url_is_loopback(&local);
}

/* The host name, as it stands in a URL. A Host header is used only if the configuration has that
 * name: a forged one must not get into a redirect URI. */
static const char *host_name(request_rec *r)
{
    const char *host = ap_get_server_name(r);
    server_rec *server = r->server;

    if (strcasecmp(host, server->server_hostname) != 0 && !is_listed(server->names, host) &&
        !is_listed(server->wild_names, host) && !is_loopback_name(r, bracketed(host, r->pool)))
        host = server->server_hostname;
    return bracketed(host, r->pool);
}

static int port_of(const request_rec *r)
{
    return r->server->port ? r->server->port : r->connection->local_addr->port;
}

static void read_headers(const apr_table_t *in, kc_forwarded_headers_t *headers)
{
    headers->by_for = apr_table_get(in, "X-Forwarded-For");
    headers->proto = apr_table_get(in, "X-Forwarded-Proto");
    headers->scheme = apr_table_get(in, "X-Forwarded-Scheme");
    headers->x_scheme = apr_table_get(in, "X-Scheme");
    headers->ssl = apr_table_get(in, "X-Forwarded-Ssl");
    headers->host = apr_table_get(in, "X-Forwarded-Host");
    headers->port = apr_table_get(in, "X-Forwarded-Port");
    headers->standard = apr_table_get(in, "Forwarded");
}

/* What the headers of a trusted peer say; all NULL and 0 for other peers. */
static kc_forwarded_t forwarded(const akc_server_t *server, request_rec *r)
{
    kc_forwarded_headers_t headers;
    kc_forwarded_t said = {NULL, NULL, NULL, 0};

    if (!is_trusted_peer(server, r))
        return said;
    read_headers(r->headers_in, &headers);
    kc_forwarded_read(&headers, is_trusted_hop, r, r->pool, &said);
    return said;
}

/* The scheme that the browser uses: as a trusted peer says, else that of this connection. */
static const char *scheme_of(const akc_server_t *server, request_rec *r)
{
    kc_forwarded_t said = forwarded(server, r);

    return said.scheme ? said.scheme : ap_http_scheme(r);
}

/* A name that browsers elsewhere cannot use: httpd's guess without a ServerName, an address of
 * this machine, a name without a domain. */
static int has_no_public_name(const akc_server_t *server, const request_rec *r)
{
    const char *name = r->server->server_hostname;
    kc_url_t url = {"http", bracketed(name, r->pool), 80, "/", NULL};

    return !server->is_named || !strchr(name, '.') || kc_url_is_loopback(&url);
}

/* The Host header of a request for which a trusted peer has told only the scheme: most peers
 * forward Host. It has its port, unless that is the port where the peer has connected. NULL: the
 * header says no more than is known. */
static const char *host_of_header(const akc_server_t *server, request_rec *r)
{
    const char *host = apr_table_get(r->headers_in, "Host");
    const char *own = apr_psprintf(r->pool, ":%d", (int)r->connection->local_addr->port);
    size_t len = host ? strlen(host) : 0, tail = strlen(own);

    if (!host || !r->hostname)
        return NULL;
    if (len > tail && strcmp(host + len - tail, own) == 0)
        host = kc_buf_copy(host, len - tail, r->pool);
    return strcasecmp(r->hostname, host_name(r)) == 0 || has_no_public_name(server, r) ? host
                                                                                       : NULL;
}

/* Host and port as a trusted peer says; NULL when that is not a URL. */
static const char *forwarded_origin(const akc_server_t *server, request_rec *r,
                                    const kc_forwarded_t *said, const kc_url_t *known)
{
    const char *name = said->host ? said->host : host_of_header(server, r), *text;
    kc_url_t url;

    if (!said->is_told)
        return NULL;
    if (!name)
        name = known->host;
    text = apr_pstrcat(r->pool, known->scheme, "://", name, NULL);
    if (said->port && !(said->host && strchr(said->host, ':')))
        text = apr_pstrcat(r->pool, known->scheme, "://",
                           said->host ? said->host : bracketed(known->host, r->pool), ":",
                           said->port, NULL);
    if (kc_url_parse(text, r->pool, &url, NULL) != KC_OK)
        return NULL;
    return kc_url_origin(&url, r->pool);
}

static const char *derive_origin(const akc_server_t *server, request_rec *r)
{
    kc_forwarded_t said = forwarded(server, r);
    kc_url_t url = {said.scheme ? said.scheme : ap_http_scheme(r), host_name(r), port_of(r), "/",
                    NULL};
    const char *origin = forwarded_origin(server, r, &said, &url);

    if (!origin)
        origin = kc_url_origin(&url, r->pool);
    if (!is_trusted_peer(server, r))
        akc_hints_forwarded(r, origin);
    return origin;
}

int akc_request_is_trusted(const akc_request_t *request, const request_rec *r)
{
    return is_trusted_peer(request->server, r);
}

int akc_request_is_https(const akc_request_t *request, request_rec *r)
{
    const akc_server_t *server = request->server;
    const char *scheme = server->public_url ? server->public_url : scheme_of(server, origin(r));

    return strncmp(scheme, "https", 5) == 0;
}

const kc_browser_t *akc_request_client(akc_request_t *request, request_rec *r)
{
    const akc_server_t *server = request->server;
    kc_browser_t *client = &request->client;

    if (client->public_url)
        return client;
    client->public_url = server->public_url ? server->public_url : derive_origin(server, origin(r));
    client->is_https = request->access.is_https = akc_request_is_https(request, r);
    kc_access_settle(&request->access);
    client->cookies = request->access.cookies;
    client->address = akc_request_address(request);
    client->agent = apr_table_get(r->headers_in, "User-Agent");
    return client;
}

/* mod_remoteip has the first word, where it is used. */
const char *akc_request_address(const akc_request_t *request)
{
    request_rec *r = request->first;
    kc_forwarded_headers_t headers;
    const char *address;

    if (r->useragent_addr != r->connection->client_addr || !is_trusted_peer(request->server, r))
        return r->useragent_ip;
    read_headers(r->headers_in, &headers);
    address = kc_forwarded_address(&headers, is_trusted_hop, r, r->pool);
    return address && is_address(address) ? address : r->useragent_ip;
}

/* --- its session --- */

kc_caller_t *akc_request_enter(akc_request_t *request)
{
    return request->caller ? kc_caller_enter(request->caller) : NULL;
}

void akc_request_leave(const akc_request_t *request, kc_caller_t *before)
{
    if (request->caller)
        (void)kc_caller_enter(before);
}

/* What the core needs to know of the request before it looks for a session. */
static void prepare(akc_request_t *request, request_rec *r)
{
    kc_access_t *access = &request->access;

    access->path = akc_request_path(request);
    access->is_https = akc_request_is_https(request, r);
    if (request->authorization && !akc_addresses_is_by_cookie(request->server, access->path))
        access->authorization = request->authorization;
}

static void log_failed_renewal(const kc_access_t *access, request_rec *r)
{
    const kc_err_t *err = &access->err;
    int is_kept = access->state == KC_SESSION_LIVE;
    int level = is_kept ? APLOG_WARNING : APLOG_INFO;

    AKC_LOG_REQUEST_AT(level, r, err->reason, "the session of %s %s: %s",
                       ap_escape_logitem(r->pool, access->session.user),
                       is_kept ? "goes on although its tokens could not be renewed"
                               : "ends, its tokens could not be renewed",
                       ap_escape_logitem(r->pool, err->detail));
}

kc_access_answer_t akc_request_check(akc_request_t *request, request_rec *r,
                                     const kc_access_location_t *location)
{
    kc_access_answer_t answer;
    kc_caller_t *before;

    if (!request->access.has_looked)
        prepare(request, r);
    before = akc_request_enter(request);
    answer = kc_access_check(&request->access, location);
    akc_request_leave(request, before);
    if (answer.has_failed_renewal)
        log_failed_renewal(&request->access, r);
    return answer;
}

int akc_request_is_bearer(const akc_request_t *request)
{
    return kc_access_is_bearer(&request->access);
}

int akc_request_is_signed_in(const akc_request_t *request, const request_rec *r)
{
    kc_step_up_t step_up = kc_step_up_required(akc_config_dir(r));

    return kc_access_is_signed_in(&request->access, &step_up);
}

/* --- its kind --- */

const char *akc_request_header(void *context, const char *name)
{
    const request_rec *r = context;

    return apr_table_get(r->headers_in, name);
}

int akc_request_is_api(request_rec *r, const char *method)
{
    return kc_request_class_read(method, akc_request_header, r) == KC_REQUEST_CLASS_API;
}

int akc_request_is_prefetch(request_rec *r)
{
    static const char *const names[] = {"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *purpose = apr_table_get(r->headers_in, names[i]);

        if (purpose && (ap_strcasestr(purpose, "prefetch") || ap_strcasestr(purpose, "prerender") ||
                        ap_strcasestr(purpose, "preview")))
            return 1;
    }
    return 0;
}

kc_request_class_source_t akc_request_source(akc_request_t *request, request_rec *r,
                                             const apr_array_header_t *hosts)
{
    const kc_request_class_origin_t sent_by = {apr_table_get(r->headers_in, "Sec-Fetch-Site"),
                                               apr_table_get(r->headers_in, "Origin"),
                                               apr_table_get(r->headers_in, "Referer")};

    if (akc_request_is_prefetch(r))
        return KC_REQUEST_CLASS_CROSS_SITE;
    return kc_request_class_source(&sent_by, akc_request_client(request, r)->public_url, hosts,
                                   r->pool);
}

/* --- its body --- */

int akc_request_has_body(const request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    return apr_table_get(r->headers_in, "Transfer-Encoding") ||
           (length && strcmp(length, "0") != 0);
}

const char *akc_request_id(akc_request_t *request, request_rec *r)
{
    unsigned char raw[ID_SIZE];
    kc_bytes_t bytes = {raw, sizeof(raw)};
    request_rec *first = origin(r);

    if (!request->id)
        request->id = apr_table_get(first->subprocess_env, "UNIQUE_ID");
    if (!request->id && kc_crypto_random(raw, sizeof(raw), NULL) == KC_OK)
        request->id = kc_buf_base64url(bytes, first->pool);
    return request->id ? request->id : "-";
}

int akc_request_is_our_type(request_rec *r)
{
    const char *type = ap_auth_type(r);

    return type && strcasecmp(type, AKC_AUTH_TYPE) == 0;
}

static int is_public_place(const akc_request_t *request, request_rec *r)
{
    return kc_path_is_public(r->uri, r->unparsed_uri, request->server->conf->public_paths) &&
           akc_request_is_our_type(r);
}

int akc_request_is_open(const akc_request_t *request, request_rec *r)
{
    return akc_addresses_is_ours(request->server, r) || is_public_place(request, r);
}

int akc_request_is_decided(const akc_request_t *request, request_rec *r)
{
    return request->is_decided || is_public_place(request, r);
}

/* The user name of an anonymous request while httpd checks Require; recognised by its address. */
static char anonymous[] = "";

void akc_request_make_anonymous(request_rec *r)
{
    r->user = anonymous;
}

/* Programs and logs do not see the user name "" of a request that this module has let in. */
int akc_request_forget_anonymous(request_rec *r)
{
    if (r->user != anonymous)
        return DECLINED;
    r->user = NULL;
    r->ap_auth_type = NULL;
    return DECLINED;
}

/* Headers: removes those that a client may not send, and sets those for the backend.
 * SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "addresses.h"
#include "config.h"
#include "gateway/forward_auth.h"
#include "interim.h"
#include "request.h"
#include "trace_context.h"
#include "traces.h"

#include "core/base/cookie.h"
#include "core/base/header_name.h"
#include "core/session/session_list.h"
#include "core/session/session_tokens.h"

/* A letter's or digit's bit among initials; letters and digits share some bits. */
static apr_uint32_t initial(char folded)
{
    return (apr_uint32_t)1 << (folded & 31);
}

void akc_export_guard(akc_server_t *server, const char *name, apr_pool_t *pool)
{
    const char *folded = kc_header_name_folded(name, pool);

    APR_ARRAY_PUSH(server->guarded, const char *) = folded;
    server->initials |= initial(*folded);
}

/* The first character excludes most names. */
static int is_guarded(const akc_server_t *server, const char *name, const char *end)
{
    char first = kc_header_name_fold(*name);
    int i;

    if (first && !(server->initials & initial(first)))
        return 0;
    for (i = 0; i < server->guarded->nelts; i++) {
        if (kc_header_name_is_same(name, end, APR_ARRAY_IDX(server->guarded, i, const char *)))
            return 1;
    }
    return 0;
}

static int has_guarded(const akc_server_t *server, const apr_array_header_t *entries)
{
    int i;

    for (i = 0; i < entries->nelts; i++) {
        if (is_guarded(server, APR_ARRAY_IDX(entries, i, apr_table_entry_t).key, NULL))
            return 1;
    }
    return 0;
}

/* Removes all guarded headers from a table. The table is rewritten once, because each removal by
 * name would search all of it. */
static void remove_guarded(const akc_server_t *server, apr_table_t *headers, apr_pool_t *pool)
{
    const apr_array_header_t *entries = apr_table_elts(headers);
    int i;

    if (!has_guarded(server, entries))
        return;
    entries = apr_array_copy(pool, entries);
    apr_table_clear(headers);
    for (i = 0; i < entries->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);

        if (!is_guarded(server, entry->key, NULL))
            apr_table_addn(headers, entry->key, entry->val);
    }
}

/* Headers that a proxy must not drop because Connection names them. */
static int is_pinned(const akc_server_t *server, const char *name, const char *end)
{
    static const char *const pinned[] = {"cookie",           "authorization",    "host",
                                         "xforwardedfor",    "xforwardedproto",  "xforwardedhost",
                                         "xforwardedport",   "xforwardedserver", "forwarded",
                                         "xforwardedscheme", "xscheme",          "xforwardedssl"};
    size_t i;

    for (i = 0; i < sizeof(pinned) / sizeof(pinned[0]); i++) {
        if (kc_header_name_is_same(name, end, pinned[i]))
            return 1;
    }
    if (server->conf->trace_context && (kc_header_name_is_same(name, end, "traceparent") ||
                                        kc_header_name_is_same(name, end, "tracestate")))
        return 1;
    return is_guarded(server, name, end);
}

/* Removes tokens from Connection that would make a proxy drop headers set here. mod_proxy separates
 * them by commas, semicolons and blanks, and reads inside quotes. */
static void clean_connection(const akc_server_t *server, request_rec *r)
{
    static const char separators[] = ",; \t\"";
    const char *at = apr_table_get(r->headers_in, "Connection"), *end;
    char *kept, *out;

    if (!at || (!at[strcspn(at, separators)] && !is_pinned(server, at, at + strlen(at))))
        return;
    kept = out = apr_palloc(r->pool, strlen(at) + 2);
    for (; *at; at = *end ? end + 1 : end) {
        end = at + strcspn(at, separators);
        if (at == end || is_pinned(server, at, end))
            continue;
        memcpy(out, at, (size_t)(end - at));
        out += end - at;
        *out++ = ',';
    }
    if (out == kept) {
        apr_table_unset(r->headers_in, "Connection");
        return;
    }
    out[-1] = '\0';
    apr_table_setn(r->headers_in, "Connection", kept);
}

static void strip_cookies(const akc_server_t *server, request_rec *r)
{
    const char *header = apr_table_get(r->headers_in, "Cookie"), *rest;

    rest = kc_cookie_strip(header, server->cookies, server->cookie_count, r->pool);
    if (!rest)
        apr_table_unset(r->headers_in, "Cookie");
    else if (rest != header)
        apr_table_setn(r->headers_in, "Cookie", rest);
}

/* An upgrade to HTTP/2 (RFC 7540 section 3.2) would let httpd itself repeat a request that has lost
 * its cookie here, or let a backend do so without this module. RFC 9113 has removed it, and servers
 * need not support it. */
static int is_http2(const char *at, const char *end)
{
    size_t len = (size_t)(end - at);

    return (len >= 2 && strncasecmp(at, "h2", 2) == 0 && (len == 2 || at[2] == '/')) ||
           (len >= 3 && strncasecmp(at, "h2c", 3) == 0 && (len == 3 || at[3] == '/'));
}

/* Upgrade without such tokens. */
static void clean_upgrade(request_rec *r)
{
    static const char separators[] = ", \t";
    const char *at = apr_table_get(r->headers_in, "Upgrade"), *end;
    char *kept, *out;

    if (!at)
        return;
    kept = out = apr_palloc(r->pool, strlen(at) + 2);
    for (; *at; at = *end ? end + 1 : end) {
        end = at + strcspn(at, separators);
        if (at == end || is_http2(at, end))
            continue;
        memcpy(out, at, (size_t)(end - at));
        out += end - at;
        *out++ = ',';
    }
    if (out == kept) {
        apr_table_unset(r->headers_in, "Upgrade");
        return;
    }
    out[-1] = '\0';
    apr_table_setn(r->headers_in, "Upgrade", kept);
}

/* The query of a callback has the code and the state; no module may log it. */
static void hide_query(akc_request_t *request)
{
    request_rec *first = request->first;

    if (!first->args || !akc_addresses_is_callback(request->server, akc_request_path(request)))
        return;
    request->query = first->args;
    first->args = NULL;
    first->parsed_uri.query = NULL;
    first->unparsed_uri = first->uri;
    first->the_request =
        apr_pstrcat(first->pool, first->method, " ", first->uri, " ", first->protocol, NULL);
}

/* httpd may reject a request before akc_export_scrub has seen it, for example when a header field
 * is too long. */
void akc_export_hide(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    if (request)
        hide_query(request);
}

int akc_export_scrub(request_rec *r)
{
    const akc_server_t *server = akc_config_server(r->server);
    akc_request_t *request = akc_request_get(r);
    int refused = OK;

    if (!server->guarded) /* the module is off in all servers */
        return DECLINED;
    if (request) {
        akc_forward_auth_watch(r);
        if (ap_is_initial_req(r) && akc_forward_auth_is_on(request))
            refused = akc_forward_auth_take(request, r);
        hide_query(request);
    }
    clean_upgrade(r);
    akc_interim_watch(r);
    akc_traces_behind_line(r);
    if (request)
        akc_traces_hide_token(request, r);
    if (r->prev)
        (void)akc_request_forget_anonymous(r->prev);
    remove_guarded(server, r->headers_in, r->pool);
    if (request && request->caller && server->conf->trace_context)
        akc_trace_context_begin(request, r);
    clean_connection(server, r);
    strip_cookies(server, r);
    return refused == OK ? DECLINED : refused;
}

/* A request with a bearer token keeps that token. When the session's token is not available, the
 * backend gets none. */
static void put_token(akc_request_t *request, request_rec *r)
{
    const char *name = request->server->conf->id_token_header;
    const char *token;

    if (!name)
        return;
    if (akc_request_is_bearer(request))
        token = kc_buf_copy(request->access.bearer.data, request->access.bearer.len, r->pool);
    else
        token = kc_session_tokens_id_token(&request->access.session, r->pool);
    if (token && strcasecmp(name, "Authorization") == 0)
        token = apr_pstrcat(r->pool, "Bearer ", token, NULL);
    if (token)
        apr_table_setn(r->headers_in, name, token);
}

enum { ISS, SUB, SID, EMAIL, VARIABLES };

static const char *const variables[VARIABLES] = {
    [ISS] = "KEYCLOAK_ISS",
    [SUB] = "KEYCLOAK_SUB",
    [SID] = "KEYCLOAK_SID",
    [EMAIL] = "KEYCLOAK_EMAIL",
};

/* Usually there are none, which a table tells by the first letter. Setting them one by one would
 * compare each with those before it. */
static void forget_variables(apr_table_t *env)
{
    size_t i;

    for (i = 0; i < VARIABLES; i++)
        apr_table_unset(env, variables[i]);
}

/* Values point into the session, whose memory belongs to the first request, which outlives this
 * one. */
void akc_export_identity(akc_request_t *request, request_rec *r)
{
    const kc_conf_t *conf = request->server->conf;
    const kc_session_t *session = &request->access.session;
    apr_table_t *env = r->subprocess_env;
    const char *value = NULL;
    int i;

    r->user = apr_pstrdup(r->pool, session->user);
    apr_table_setn(r->headers_in, conf->user_header, session->user);
    apr_table_setn(r->headers_in, conf->groups_header, session->groups);
    for (i = 0; conf->headers && i < conf->headers->nelts; i++) {
        value = kc_session_list_next(&session->headers, value);
        if (!value)
            break;
        if (*value)
            apr_table_setn(r->headers_in, APR_ARRAY_IDX(conf->headers, i, kc_conf_pair_t).name,
                           value);
    }
    put_token(request, r);
    forget_variables(env);
    apr_table_addn(env, variables[ISS], conf->issuer);
    apr_table_addn(env, variables[SUB], session->sub);
    if (*session->sid)
        apr_table_addn(env, variables[SID], session->sid);
    if (*session->email)
        apr_table_addn(env, variables[EMAIL], session->email);
}

void akc_export_withdraw(akc_request_t *request, request_rec *r)
{
    remove_guarded(request->server, r->headers_in, r->pool);
    forget_variables(r->subprocess_env);
}

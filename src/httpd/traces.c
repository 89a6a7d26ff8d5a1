/* Traces: what httpd itself would log at trace4 and trace5 of cookies and of a callback's query.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "mod_auth_keycloak.h"

APLOG_USE_MODULE(auth_keycloak);

/*
 * httpd's core writes the request line at trace5, before any module sees it, then its http_core the
 * headers that came and the headers that go at trace4. While such a line is written, the request
 * has a log configuration of its own, in which that module is a level quieter; the request line is
 * written again without a callback's query. The headers that came are without our cookies by then.
 * All this is done only where those levels are on.
 */

static int core_index, http_index;
static const char token_name[] = "Authorization";

void akc_traces_start(void)
{
    const module *core = ap_find_linked_module("core.c");
    const module *http = ap_find_linked_module("http_core.c");

    core_index = core ? core->module_index : APLOG_NO_MODULE;
    http_index = http ? http->module_index : APLOG_NO_MODULE;
}

static const struct ap_logconf *log_of(const request_rec *r)
{
    if (r->log)
        return r->log;
    return r->connection->log ? r->connection->log : &r->server->log;
}

static void quieten(request_rec *r, int index, int level)
{
    struct ap_logconf *quiet;

    if (index == APLOG_NO_MODULE || ap_get_request_module_loglevel(r, index) <= level)
        return;
    quiet = ap_new_log_config(r->pool, log_of(r));
    ap_set_module_loglevel(r->pool, quiet, index, level);
    r->log = quiet;
}

/* Which virtual host the request is for, nobody knows yet. */
void akc_traces_before_line(request_rec *r, conn_rec *c)
{
    (void)c;
    if (akc_config_server(r->server)->guarded)
        quieten(r, core_index, APLOG_TRACE4);
}

/* What was quieter so far is as loud as the administrator wants it. */
void akc_traces_behind_line(request_rec *r)
{
    if (!r->log || r->main || r->prev)
        return;
    r->log = NULL;
    if (r->the_request && ap_get_request_module_loglevel(r, core_index) >= APLOG_TRACE5)
        ap_log_rerror(APLOG_MARK, APLOG_TRACE5, 0, r, "Request received from client: %s",
                      ap_escape_logitem(r->pool, r->the_request));
}

void akc_traces_hide_answer(request_rec *r)
{
    quieten(r, http_index, APLOG_TRACE3);
}

/* The client's word may be a bearer token; it is back before anybody asks for it. */
void akc_traces_hide_token(akc_request_t *request, request_rec *r)
{
    if (ap_get_request_module_loglevel(r, http_index) < APLOG_TRACE4)
        return;
    request->hidden_token = apr_table_get(r->headers_in, token_name);
    if (request->hidden_token)
        apr_table_unset(r->headers_in, token_name);
}

int akc_traces_behind_headers(request_rec *r, int lookup)
{
    akc_request_t *request = akc_request_get(r);

    (void)lookup;
    if (request && request->hidden_token) {
        apr_table_setn(r->headers_in, token_name, request->hidden_token);
        request->hidden_token = NULL;
    }
    return DECLINED;
}

/* Traces: what httpd itself would log at trace4 and trace5 of cookies and of a callback's query.
 * SPDX-License-Identifier: Apache-2.0 */
#include "traces.h"

#include <apr_strings.h>
#include <string.h>

#include "config.h"
#include "request.h"

/*
 * httpd's core writes the request line at trace5, before any module sees it, then its http_core the
 * headers that came and the headers that go at trace4. While such a line is written, the request
 * has a log configuration of its own, in which that module is a level quieter; the request line is
 * written again without a callback's query. The headers that came are without our cookies by then.
 * All this is done only where those levels are on.
 */

static int http_index;
static const char token_name[] = "Authorization";

void akc_traces_start(void)
{
    const module *http = ap_find_linked_module("http_core.c");

    http_index = http ? http->module_index : AP_CORE_MODULE_INDEX;
}

static int level_of(const request_rec *r, int index)
{
    const struct ap_logconf *log = ap_get_request_logconf(r);

    return ap_get_module_loglevel(log, index);
}

static void quieten(request_rec *r, int index, int level)
{
    struct ap_logconf *quiet;

    if (level_of(r, index) <= level)
        return;
    quiet = ap_new_log_config(r->pool, ap_get_request_logconf(r));
    ap_set_module_loglevel(r->pool, quiet, index, level);
    r->log = quiet;
}

/* Which virtual host the request is for, nobody knows yet. */
void akc_traces_before_line(request_rec *r, conn_rec *c)
{
    (void)c;
    if (akc_config_server(r->server)->guarded)
        quieten(r, AP_CORE_MODULE_INDEX, APLOG_TRACE4);
}

/* What was quieter so far is as loud as the administrator wants it; the line is still core's. */
void akc_traces_behind_line(request_rec *r)
{
    if (!r->log || r->prev)
        return;
    r->log = NULL;
    if (r->the_request)
        ap_log_rerror(__FILE__, __LINE__, AP_CORE_MODULE_INDEX, APLOG_TRACE5, 0, r,
                      "Request received from client: %s",
                      ap_escape_logitem(r->pool, r->the_request));
}

void akc_traces_hide_answer(request_rec *r)
{
    quieten(r, http_index, APLOG_TRACE3);
}

/* The client's word may be a bearer token; it is back before anybody asks for it. */
void akc_traces_hide_token(akc_request_t *request, request_rec *r)
{
    if (level_of(r, http_index) < APLOG_TRACE4)
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

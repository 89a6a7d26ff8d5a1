/* Traces: keeps cookies and a callback's query out of httpd's own log lines at trace4 and trace5.
 * SPDX-License-Identifier: Apache-2.0 */
#include "traces.h"

#include <apr_strings.h>
#include <string.h>

#include "config.h"
#include "request.h"

/* httpd's core writes the request line at trace5, before any module sees it. Later its http_core
 * writes request and response headers at trace4. While such a line is written, the request has its
 * own log configuration, where that module is one level quieter. The request line is then written
 * again without a callback's query. By that time the request headers no longer have this module's
 * cookies. All this is done only where those levels are on. */

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

/* The request's virtual host is not known yet. */
void akc_traces_before_line(request_rec *r, conn_rec *c)
{
    (void)c;
    if (akc_config_server(r->server)->guarded)
        quieten(r, AP_CORE_MODULE_INDEX, APLOG_TRACE4);
}

/* Restores the level that the administrator wants; the line is still written as core's. */
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

/* Authorization may be a bearer token. It is put back before any module reads it. */
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

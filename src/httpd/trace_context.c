/* W3C Trace Context (KeycloakTraceContext): the trace that a request belongs to.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace_context.h"

#include <apr_strings.h>

#include "request.h"

#include "core/base/trace_context.h"
#include "core/crypto/crypto.h"

static const char parent_name[] = "traceparent", state_name[] = "tracestate";

static const char *line(const char *name, const char *value, apr_pool_t *pool)
{
    return apr_pstrcat(pool, name, ": ", value, NULL);
}

void akc_trace_context_begin(akc_request_t *request, request_rec *r)
{
    const int is_trusted = akc_request_is_trusted(request, r);
    const char *state = apr_table_get(r->headers_in, state_name);
    unsigned char random[KC_TRACE_CONTEXT_RANDOM];
    kc_trace_context_t *trace;

    if (request->caller->trace_id || kc_crypto_random(random, sizeof(random), NULL) != KC_OK)
        return;
    trace = apr_palloc(r->pool, sizeof(*trace));
    if (!kc_trace_context_make(is_trusted ? apr_table_get(r->headers_in, parent_name) : NULL,
                               random, trace) ||
        (state && !kc_trace_context_is_state(state)))
        state = NULL;
    apr_table_setn(r->headers_in, parent_name, trace->header);
    if (state)
        apr_table_setn(r->headers_in, state_name, state);
    else
        apr_table_unset(r->headers_in, state_name);
    apr_table_setn(r->notes, "keycloak-trace", trace->id);
    request->caller->lines[0] = line(parent_name, trace->header, r->pool);
    request->caller->lines[1] = state ? line(state_name, state, r->pool) : NULL;
    request->caller->trace_id = trace->id;
}

void akc_trace_context_answer(const akc_request_t *request, request_rec *r)
{
    const char *parent = apr_table_get(r->headers_in, parent_name);
    const char *state = apr_table_get(r->headers_in, state_name);

    /* another module may have taken it away, such as RequestHeader unset */
    if (!request->caller || !request->caller->trace_id || !parent)
        return;
    apr_table_setn(r->headers_out, parent_name, parent);
    if (state)
        apr_table_setn(r->headers_out, state_name, state);
}

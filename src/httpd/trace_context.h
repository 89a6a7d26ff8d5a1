/* W3C Trace Context (KeycloakTraceContext): the trace that a request belongs to.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_TRACE_CONTEXT_H
#define AKC_TRACE_CONTEXT_H

#include "module.h"

/* Takes the trace of a request from a KeycloakTrustedProxy, or makes a new one. Sets the headers
 * that backends get, the caller's (caller.h), and the note keycloak-trace. Once for each request of
 * a server with KeycloakTraceContext on, before any other module reads its headers. */
void akc_trace_context_begin(akc_request_t *request, request_rec *r);
/* Puts the headers into the answer to a gateway, which sends them to its backend. Does nothing
 * without a trace. */
void akc_trace_context_answer(const akc_request_t *request, request_rec *r);

#endif

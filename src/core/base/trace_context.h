/* W3C Trace Context: the headers traceparent and tracestate.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TRACE_CONTEXT_H
#define KC_TRACE_CONTEXT_H

#include "base/err.h"

enum {
    KC_TRACE_CONTEXT_ID = 32,     /* characters of a trace id */
    KC_TRACE_CONTEXT_SPAN = 16,   /* of a parent id */
    KC_TRACE_CONTEXT_HEADER = 55, /* of a whole traceparent of version 00 */
    KC_TRACE_CONTEXT_STATE_MAX = 512,
    KC_TRACE_CONTEXT_RANDOM = 24 /* bytes */
};

typedef struct kc_trace_context_t {
    char header[KC_TRACE_CONTEXT_HEADER + 1]; /* value of traceparent, of version 00 */
    char id[KC_TRACE_CONTEXT_ID + 1];         /* its trace id */
} kc_trace_context_t;

/* Makes the header that a request sends on (https://www.w3.org/TR/trace-context/ section 3.2).
 * came: the value that the request came with; NULL: none that counts. When it is well formed its
 * trace id and its flag "sampled" are kept; a later version is read as far as 00 goes. Otherwise
 * the trace is new and sampled. The parent id is always new. random: fresh bytes. Returns 1 when
 * the trace is that of came. Thread safe, like the next. */
int kc_trace_context_make(const char *came, const unsigned char random[KC_TRACE_CONTEXT_RANDOM],
                          kc_trace_context_t *out);
/* 1 for a tracestate that may be sent on: printable ASCII, up to KC_TRACE_CONTEXT_STATE_MAX bytes,
 * not empty. Its list is not read. */
int kc_trace_context_is_state(const char *state);

#endif

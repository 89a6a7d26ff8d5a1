/* An audit event as one line of JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_AUDIT_LINE_H
#define KC_AUDIT_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"

/* Bytes of a line with its newline, at most: PIPE_BUF of Linux. A pipe takes as much in one piece,
 * so that lines of several children never mix. */
enum { KC_AUDIT_LINE_MAX = 4096 };

/* Where an event comes from. Texts may be NULL or "": not known. */
typedef struct kc_audit_origin_t {
    int64_t time_ms; /* milliseconds since 1970 */
    const char *client;
    const char *issuer;
    const char *server;  /* the virtual host */
    const char *address; /* the browser's */
    const char *agent;
    const char *request;  /* its id, as in the error log */
    const char *trace;    /* trace id (W3C Trace Context) */
    unsigned int omitted; /* events that were not written before this one: by the rate */
    unsigned int lost;    /* and because the log did not take them */
} kc_audit_origin_t;

/* Writes the event as one JSON object (RFC 8259) and a newline. All fields are always there, in one
 * order; what is not known is null. Texts are UTF-8: bytes that are not become U+FFFD. Control
 * characters, line separators and marks that change the direction of writing are escaped. Each
 * text is cut to its bound, then ends with an ellipsis. Returns the length, at most
 * KC_AUDIT_LINE_MAX. Thread safe. */
size_t kc_audit_line_write(const kc_audit_event_t *event, const kc_audit_origin_t *origin,
                           char out[KC_AUDIT_LINE_MAX]);

#endif

/* httpd's own log lines, at levels that show a request's headers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_TRACES_H
#define AKC_TRACES_H

#include "module.h"

/* At start. */
void akc_traces_start(void);
/* A hook: before the request line is read. */
void akc_traces_before_line(request_rec *r, conn_rec *c);
/* After its headers are read, and a callback's query is removed. */
void akc_traces_behind_line(request_rec *r);
/* Removes Authorization from the request where httpd would log it; a hook puts it back. */
void akc_traces_hide_token(akc_request_t *request, request_rec *r);
int akc_traces_behind_headers(request_rec *r, int lookup);
/* The headers of this answer are not logged from here on. */
void akc_traces_hide_answer(request_rec *r);

#endif

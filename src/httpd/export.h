/* What a client may not send, and what the backend is told.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_EXPORT_H
#define AKC_EXPORT_H

#include "module.h"

/* At start: clients may not send this header to the server, however it is spelled. guarded is
 * there. */
void akc_export_guard(akc_server_t *server, const char *name, apr_pool_t *pool);
int akc_export_scrub(request_rec *r);
/* The hook for error pages: what no log is to show is taken out of a request that was refused
 * early.
 */
void akc_export_hide(request_rec *r);
void akc_export_identity(akc_request_t *request, request_rec *r);
/* Takes back what r has of it from the request that it was made for. */
void akc_export_withdraw(akc_request_t *request, request_rec *r);

#endif

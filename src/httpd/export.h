/* The headers that a client may not send, and those that the backend gets.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_EXPORT_H
#define AKC_EXPORT_H

#include "module.h"

/* At start: clients may not send this header to the server, in any spelling. guarded must exist. */
void akc_export_guard(akc_server_t *server, const char *name, apr_pool_t *pool);
int akc_export_scrub(request_rec *r);
/* The hook for error pages: removes what no log may show from a request that was refused early. */
void akc_export_hide(request_rec *r);
void akc_export_identity(akc_request_t *request, request_rec *r);
/* Removes from r what was set for another request. */
void akc_export_withdraw(akc_request_t *request, request_rec *r);

#endif

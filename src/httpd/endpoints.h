/* The module's own addresses, below KeycloakPrefix.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_ENDPOINTS_H
#define AKC_ENDPOINTS_H

#include "module.h"

int akc_endpoints_is_ours(const akc_server_t *server, const request_rec *r);
/* 1 where a session's cookie alone counts: what changes or begins sessions. */
int akc_endpoints_is_by_cookie(const akc_server_t *server, const char *path);
int akc_endpoints_is_callback(const akc_server_t *server, const char *path);
int akc_endpoints_translate(request_rec *r);
int akc_endpoints_map(request_rec *r);
/* What SetHandler says for the place, as far as it is one of ours; NULL: nothing. */
const char *akc_endpoints_configured(request_rec *r);
/* 1 when akc_endpoints_translate has taken it, by the server's own settings alone. */
int akc_endpoints_is_taken(const request_rec *r);
int akc_endpoints_handle(request_rec *r);
/* 405; allowed: the methods that it names in Allow. */
int akc_endpoints_refuse_method(akc_request_t *request, request_rec *r, const char *allowed);

#endif

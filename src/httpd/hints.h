/* Log lines about requests that show a mistake in the configuration. They are written once, and
 * limited, because any client can send such requests.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_HINTS_H
#define AKC_HINTS_H

#include "module.h"

/* Called when the browser's address is needed and the peer is not trusted to tell it. If the peer
 * has sent such headers, logs that (KC_ERR_FORWARDED_IGNORED), with the directive that would trust
 * it. Once for each peer and child; at most one a minute and KC_ONCE_NAMES in all. origin: what is
 * used instead. Thread safe. */
void akc_hints_forwarded(request_rec *r, const char *origin);

/* There is nothing at this address below KeycloakPrefix: logs (KC_ERR_NOT_FOUND) which addresses
 * there are, a list separated by commas. id: the request's. Limited in the same way, for each
 * address. */
void akc_hints_address(const akc_request_t *request, request_rec *r, const char *id,
                       const char *addresses);

#endif

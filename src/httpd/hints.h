/* Log lines about requests that hint at a mistake of the configuration: told once, and bounded, for
 * strangers can send such requests. SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_HINTS_H
#define AKC_HINTS_H

#include "module.h"

/* The browser's address is needed, and the peer is none that is believed about it: logs
 * (KC_ERR_FORWARDED_IGNORED) that it has sent such headers, if it has, with the directive that
 * would trust it. Once for each peer and child; at most one a minute and KC_ONCE_NAMES in all.
 * origin: what is used in their place. Thread safe. */
void akc_hints_forwarded(request_rec *r, const char *origin);

/* There is nothing at this address below KeycloakPrefix: logs (KC_ERR_NOT_FOUND) which addresses
 * there are, a list separated by commas. id: the request's. Bounded likewise, for each address. */
void akc_hints_address(const akc_request_t *request, request_rec *r, const char *id,
                       const char *addresses);

#endif

/* The check of the ways out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_LOGOUT_H
#define KC_CHECK_LOGOUT_H

#include "check/check_task.h"

/* Results:
 *   - logout.return: Keycloak sends browsers back to the redirect URI after a sign-out (OpenID
 *     Connect RP-Initiated Logout 1.0 section 3);
 *   - logout.backchannel: the address that Keycloak reports sign-outs to answers, as far as it is
 *     reached from here. */
void kc_check_logout_ask(const kc_check_t *check);
/* The address at which this site takes logout tokens; NULL: it is not known. */
const char *kc_check_logout_address(const kc_check_t *check);

#endif

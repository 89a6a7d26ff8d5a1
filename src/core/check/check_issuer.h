/* The comparison of an issuer with KeycloakIssuer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_ISSUER_H
#define KC_CHECK_ISSUER_H

#include "check/check_task.h"

/* Adds a result of this name (static): whether issuer, of a discovery document (NULL: it has none),
 * is KeycloakIssuer to the letter (OpenID Connect Discovery 1.0 section 4.3). Otherwise the result
 * shows both, and names what differs: scheme, host, port, realm, path, or only a slash at the end.
 * Returns 1 when they are equal. */
int kc_check_issuer_tell(const kc_check_t *check, const char *name, const char *issuer);

#endif

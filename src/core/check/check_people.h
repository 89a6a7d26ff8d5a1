/* Which of several issuers the user and the administrator of a check are for.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_PEOPLE_H
#define KC_CHECK_PEOPLE_H

#include "check/check_task.h"

/* Takes user and administrator, with their passwords, out of the check when they are not for its
 * issuer. named: the issuer that they are for, as KeycloakIssuer has it; NULL: not said. issuers:
 * those of all servers (const char *). Without a name they are for the only issuer, and for none
 * when there are several: a password is not sent to a Keycloak that it may not belong to. The
 * report says so. */
void kc_check_people_limit(kc_check_t *check, const char *named, const apr_array_header_t *issuers);

#endif

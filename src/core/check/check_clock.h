/* The check of Keycloak's clock.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_CLOCK_H
#define KC_CHECK_CLOCK_H

#include "check/check_task.h"

/* Keeps a time that Keycloak has just told, in seconds since 1970. The first one counts. */
void kc_check_clock_note(kc_check_t *check, int64_t seconds);
/* The same with the value of a Date header; NULL, or no date: does nothing. Keycloak itself sends
 * none, but many a proxy before it does. */
void kc_check_clock_read(kc_check_t *check, const char *date);
/* Adds issuer.clock: Keycloak's clock against this host's, and KeycloakClockSkew. */
void kc_check_clock_tell(const kc_check_t *check);

#endif

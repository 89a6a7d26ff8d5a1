/* The check that asks everybody: Keycloak, and what the settings name.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_H
#define KC_CHECK_H

#include "check/check_task.h"

/* Asks everybody that the settings name, and adds a result for each question to the report. Each
 * exchange takes KeycloakHTTPTimeout at most; when Keycloak does not answer, it is not asked again.
 * Nothing is changed at Keycloak or in a store, but Keycloak may log refused requests. */
void kc_check_run(kc_check_t *check);
/* The same for what does not depend on Keycloak: trusted proxies, cookies, keys and memcached. */
void kc_check_local(const kc_check_t *check);

#endif

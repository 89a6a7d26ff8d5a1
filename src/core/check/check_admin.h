/* The check of the client's registration, which only an administrator may read.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_ADMIN_H
#define KC_CHECK_ADMIN_H

#include "check/check_task.h"

/* Reads the client by Keycloak's admin API, as check->admin (of the realm master, or of the
 * client's own), else with check->access_token, where its service account may. Result:
 * logout.registered, whether Keycloak has the address that takes logout tokens. Changes nothing. */
void kc_check_admin_ask(const kc_check_t *check);

#endif

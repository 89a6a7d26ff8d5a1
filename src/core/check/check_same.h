/* Whether two servers would be asked the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_SAME_H
#define KC_CHECK_SAME_H

#include "check/check_task.h"

/* 1 when all settings of the two servers, secrets too, what their Require lines ask for, and the
 * public address are the same, so that every question about Keycloak and the stores is. */
int kc_check_same_is(const kc_check_t *one, const kc_check_t *other);

#endif

/* The check of the realm's keys.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_KEYS_H
#define KC_CHECK_KEYS_H

#include "check/check_task.h"

/* Fetches the key set. Results:
 *   - keys.set: it is there, and has keys that can verify signatures;
 *   - keys.algorithms: which algorithms its keys are for, and which of those KeycloakAlgorithms
 *     does not allow. */
void kc_check_keys_ask(const kc_check_t *check);

#endif

/* The check of the client's credentials.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_CLIENT_H
#define KC_CHECK_CLIENT_H

#include "check/check_task.h"

/* Sends a code that cannot exist to the token endpoint. Keycloak checks the client first: it
 * refuses either the client or the code (RFC 6749 section 5.2). Results:
 *   - client.credentials: Keycloak accepts the id with the secret, key or certificate;
 *   - client.confidential: it refuses the id alone.
 *
 * Keycloak logs both as failed events. Returns 0 when the client was not accepted. */
int kc_check_client_ask(const kc_check_t *check);

#endif

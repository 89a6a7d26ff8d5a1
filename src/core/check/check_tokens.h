/* The check of what the tokens of this client have.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_TOKENS_H
#define KC_CHECK_TOKENS_H

#include "check/check_task.h"

/* Asks for tokens of check->user, by name and password; without a user for those of the client's
 * service account. Looks at them as a sign-in does. Results:
 *   - tokens.user: tokens are given, and which name the user would have;
 *   - tokens.id, tokens.userinfo: the ID token is accepted, userinfo answers where it is needed;
 *   - tokens.email: the address is verified, where that is asked for;
 *   - tokens.groups, tokens.roles: the tokens have them;
 *   - tokens.claims: they have what KeycloakHeader and Require lines ask for;
 *   - tokens.audience: with KeycloakBearer, an access token of this client is accepted.
 *
 * Sets check->access_token of a service account, and ends the session at Keycloak that a user gets
 * by this. Tells check_clock.h when the tokens were made. */
void kc_check_tokens_ask(kc_check_t *check);

#endif

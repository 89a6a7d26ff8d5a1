/* The check of the authorization request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_AUTHORIZATION_H
#define KC_CHECK_AUTHORIZATION_H

#include "check/check_task.h"

/* Sends the authorization request of a sign-in, but with prompt=none, so that Keycloak answers
 * whether it would ask the user (OpenID Connect Core 1.0 section 3.1.2.1). Results:
 *   - client.id: the client is there and enabled, and so is the realm;
 *   - client.redirect_uri: the redirect URI is registered;
 *   - client.flow: the client may sign users in by a code, without a pushed request;
 *   - client.pkce: PKCE with S256 is accepted;
 *   - client.scope: KeycloakScope is; otherwise which word is not.
 *
 * Keycloak tells only the first fault that it meets; what comes after that is left out. Returns 0
 * when the client or the realm is not there, so that no other question makes sense. */
int kc_check_authorization_ask(kc_check_t *check);

#endif

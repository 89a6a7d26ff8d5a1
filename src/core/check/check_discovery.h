/* The check of the way to Keycloak, and of what it says of itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_DISCOVERY_H
#define KC_CHECK_DISCOVERY_H

#include "check/check_task.h"

/* Fetches the discovery document as requests would (KeycloakBackchannelURL). Results:
 *   - issuer.dns, issuer.tcp, issuer.tls (of https): how far the connection comes;
 *   - issuer.discovery: the document's status, form and time;
 *   - issuer.equal: whether its issuer is KeycloakIssuer; otherwise in what they differ;
 *   - issuer.endpoints: its endpoints, and what this configuration needs of it;
 *   - issuer.public: with KeycloakBackchannelURL, what browsers find at KeycloakIssuer.
 *
 * Sets check->provider when all that a sign-in needs is there. */
void kc_check_discovery_ask(kc_check_t *check);

#endif

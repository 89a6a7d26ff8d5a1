/* Userinfo: when it is requested, and how its answer, or its failure, is used.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_USERINFO_H
#define KC_USERINFO_H

#include "base/err.h"
#include "session/token_set.h"

/* After kc_token_set_verify: requests userinfo where that is configured, and merges its claims
 * under the ID token's (token_set->claims). The signature of a signed answer (OpenID Connect
 * Core 1.0 section 5.3.2) is verified like that of an ID token. Its iss and aud, where it has them,
 * must be the issuer and the client; its exp must not have passed.
 *
 * A failure is KC_OK with KeycloakUserInfo auto, when nothing that is needed is missing. Needed
 * are: the user name, its verified address, a KeycloakHeader, groups when a Require asks for them,
 * a claim that a Require keycloak-claim asks about, and what the session had from userinfo before a
 * renewal. Such a failure is logged, once an hour for each reason.
 *
 * An answer with another sub is always refused. Otherwise fails like kc_token_endpoint_userinfo; a
 * signed answer that cannot be verified is KC_REFUSED with KC_ERR_USERINFO. Thread safe. */
kc_rc_t kc_userinfo_add(kc_token_set_t *token_set, kc_err_t *err);

#endif

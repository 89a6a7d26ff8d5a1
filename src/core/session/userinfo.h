/* Userinfo: when it is asked for, and what is done with its answer or without one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_USERINFO_H
#define KC_USERINFO_H

#include "base/err.h"
#include "session/token_set.h"

/* After kc_token_set_verify: asks the userinfo endpoint where that is configured, and puts its
 * claims under the ID token's (grant->claims). A signed answer (OpenID Connect Core 1.0
 * section 5.3.2) is verified as an ID token's signature is; its iss and aud, where it has them, are
 * the issuer and the client, its exp has not passed. KC_OK also after a failure where nothing that
 * is needed would have come of it, with KeycloakUserInfo auto: the name, its verified address, a
 * KeycloakHeader, groups where a Require asks for them, a claim that a Require keycloak-claim asks
 * about, what a renewed session has got of it before. That is logged, once an hour for each reason.
 * An answer with another sub is refused always. Else fails as kc_token_endpoint_userinfo does, and
 * with KC_REFUSED and KC_ERR_USERINFO for a signed answer that does not verify. Thread safe. */
kc_rc_t kc_userinfo_add(kc_token_set_t *grant, kc_err_t *err);

#endif

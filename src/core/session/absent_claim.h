/* Claims that Require lines ask for, and that no token of a user has.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_ABSENT_CLAIM_H
#define KC_ABSENT_CLAIM_H

#include <apr_pools.h>

#include "base/json.h"
#include "rp.h"

struct kc_rp_t;

/* Logs through rp's env (KC_ERR_CLAIM_ABSENT) which claims that some Require asks for
 * (rp->asked_claims, asks_groups, asks_roles) are missing in the user's tokens, and which mapper
 * would add them: once for each claim and issuer in a process. When no role at all is known,
 * kc_unknown_report logs that instead. sub: the user's. claims: the ID token's with userinfo's,
 * or a bearer token's. access: those of the access token, or NULL. Thread safe; pool is for
 * scratch. */
void kc_absent_claim_report(const struct kc_rp_t *rp, const char *sub, const kc_json_t *claims,
                            const kc_json_t *access, apr_pool_t *pool);

#endif

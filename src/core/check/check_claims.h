/* The check of claims: what this configuration asks for, and what the tokens have.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_CLAIMS_H
#define KC_CHECK_CLAIMS_H

#include <apr_pools.h>

#include "base/json.h"
#include "check/check_task.h"
#include "crypto/jws.h"

typedef struct kc_check_claims_t {
    const kc_check_t *check; /* user NULL: the tokens are of a service account, which has no name */
    const kc_json_t *id;     /* the ID token's, with userinfo's */
    const kc_json_t *access; /* the access token's; NULL: it is opaque */
    const kc_jws_t *token;   /* the access token, verified; NULL: it is opaque */
} kc_check_claims_t;

/* Adds tokens.user or tokens.email, tokens.groups, tokens.roles, tokens.claims and tokens.audience.
 * pool is for scratch. */
void kc_check_claims_tell(const kc_check_claims_t *claims, apr_pool_t *pool);

#endif

/* Claims of two sources made one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CLAIMS_MERGE_H
#define KC_CLAIMS_MERGE_H

#include <apr_pools.h>

#include "base/json.h"

/* A fresh object: the members of userinfo put under those of id_token, whose members win; those
 * that are null are absent. userinfo's email_verified is left out when it is about another address
 * than id_token's. Thread safe. */
const kc_json_t *kc_claims_merge_userinfo(const kc_json_t *id_token, const kc_json_t *userinfo,
                                          apr_pool_t *pool);

#endif

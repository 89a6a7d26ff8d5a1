/* Claims: which texts and sizes are accepted, and how userinfo's claims are merged with a token's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CLAIMS_H
#define KC_CLAIMS_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

#include "base/json.h"

enum {
    KC_CLAIMS_TEXT_MAX = 255 /* bytes of sub, sid and the user name */,
    KC_CLAIMS_LIST_MAX = 5000,  /* groups, realm roles, client roles: of each list */
    KC_CLAIMS_HEADER_MAX = 8000 /* bytes of a prepared header value */
};

/* 1 for text that may be a sub or sid: within KC_CLAIMS_TEXT_MAX, without control characters. 0 for
 * NULL. Thread safe. */
int kc_claims_is_id_text(const char *text);

/* 1 for text with a control character: C0, DEL or C1 (U+0080 to U+009F). */
int kc_claims_has_control(const char *text);
/* 1 for text that a header carries unchanged: no control characters, no space at either end. */
int kc_claims_is_header_text(const char *text);

/* A new object with the members of both; those of id_token win over those of userinfo. Members that
 * are null count as absent. userinfo's email_verified is left out when it is about another address
 * than id_token's. Thread safe. */
const kc_json_t *kc_claims_merge_userinfo(const kc_json_t *id_token, const kc_json_t *userinfo,
                                          apr_pool_t *pool);

#endif

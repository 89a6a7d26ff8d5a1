/* Claims: the texts and sizes that are taken, and userinfo's claims beside a token's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CLAIMS_H
#define KC_CLAIMS_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

#include "base/json.h"

enum {
    KC_CLAIMS_TEXT_MAX = 255 /* bytes of sub, sid and the user's name */,
    KC_CLAIMS_LIST_MAX = 5000,  /* groups, realm roles, client roles: each */
    KC_CLAIMS_HEADER_MAX = 8000 /* bytes of a prepared header value */
};

/* 1 for text that may be a sub or sid: as above. NULL is none. Thread safe. */
int kc_claims_is_id_text(const char *text);

/* 1 for text with a control character: C0, DEL or C1 (U+0080 to U+009F). */
int kc_claims_has_control(const char *text);
/* 1 for text that arrives in a header as it is: no control characters, no space at an end. */
int kc_claims_is_header_text(const char *text);

/* A fresh object: the members of userinfo put under those of id_token, whose members win; those
 * that are null are absent. userinfo's email_verified is left out when it is about another address
 * than id_token's. Thread safe. */
const kc_json_t *kc_claims_merge_userinfo(const kc_json_t *id_token, const kc_json_t *userinfo,
                                          apr_pool_t *pool);

#endif

/* Who somebody is, made of the claims of their tokens.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_IDENTITY_H
#define KC_IDENTITY_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/err.h"
#include "base/json.h"
#include "conf/conf.h"
#include "session/groups_header.h"
#include "session/unknown.h"

/* Who somebody is, ready to be put into headers. Everything in the pool given to identity. */
typedef struct kc_identity_t {
    const char *sub;
    const char *sid;                     /* "" when the provider gave none */
    const char *user;                    /* transformed and prefixed */
    const char *email;                   /* "" when absent */
    const char *groups;                  /* header value, as KeycloakGroupsFilter says */
    kc_groups_header_t groups_header;    /* how that was made */
    apr_array_header_t *group_list;      /* const char *, without leading slash */
    apr_array_header_t *realm_role_list; /* const char * (KeycloakRolesClaim) */
    apr_array_header_t
        *client_role_list; /* const char *, client_role.h (resource_access.CLIENT.roles) */
    apr_array_header_t
        *header_list;     /* const char *, one for each of conf->headers, "" when absent */
    unsigned int unknown; /* lists that are cut, or that no token tells (unknown.h) */
} kc_identity_t;

/* 1 when a claim that conf wants (user, groups unless an empty list is there, headers,
 * email_verified when it counts) is missing in claims. */
int kc_identity_is_incomplete(const kc_conf_t *conf, const kc_json_t *claims);

/* Makes the identity. claims: the ID token's, with userinfo's merged in. access: verified claims of
 * the access token for roles, or NULL. KC_REFUSED: KC_ERR_USER_MISSING, KC_ERR_USER_FORM (control
 * characters, leading or trailing space, over KC_CLAIMS_TEXT_MAX, comma is fine),
 * KC_ERR_EMAIL_UNVERIFIED (user_claim is email, verified_email on, email_verified not true). Groups
 * with a comma or control character, header claims with control characters, or texts over
 * KC_CLAIMS_HEADER_MAX are left out; so are texts with a space at an end, which recipients would
 * trim, and elements of an array for which its header has no room; *dropped counts them (for one
 * log line). Groups that only their header lacks are counted by groups_header. A list of which
 * something was left out is unknown, as are groups without their claim, and roles of which neither
 * claims nor access tell: one that has realm roles or client roles tells of both. The claim of a
 * header may be a scalar or an array of scalars (joined by commas, elements with a comma left out).
 */
kc_rc_t kc_identity_make(const kc_conf_t *conf, const kc_json_t *claims, const kc_json_t *access,
                         apr_pool_t *pool, kc_identity_t *out, int *dropped, kc_err_t *err);

#endif

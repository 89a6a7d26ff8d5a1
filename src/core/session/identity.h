/* The identity of a user, made of the claims of the tokens.
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

/* An identity, ready to be put into headers. Everything is in the pool given to
 * kc_identity_make. */
typedef struct kc_identity_t {
    const char *sub;
    const char *sid;                     /* "" when the provider gave none */
    const char *user;                    /* transformed and prefixed */
    const char *email;                   /* "" when absent */
    const char *groups;                  /* header value, as KeycloakGroupsFilter says */
    kc_groups_header_t groups_header;    /* how the header value was made */
    apr_array_header_t *group_list;      /* const char *, without leading slash */
    apr_array_header_t *realm_role_list; /* const char * (KeycloakRolesClaim) */
    apr_array_header_t
        *client_role_list; /* const char *, client_role.h (resource_access.CLIENT.roles) */
    apr_array_header_t
        *header_list;     /* const char *, one for each of conf->headers, "" when absent */
    unsigned int unknown; /* lists that are cut, or that no token has (unknown.h) */
} kc_identity_t;

/* 1 when a claim that conf needs is missing in claims: the user name, groups (an empty list counts
 * as there), headers, or email_verified when it is checked. */
int kc_identity_is_incomplete(const kc_conf_t *conf, const kc_json_t *claims);

/* Makes the identity. claims: the ID token's, with userinfo's merged in. access: verified claims of
 * the access token for roles, or NULL.
 *
 * KC_REFUSED: KC_ERR_USER_MISSING; KC_ERR_USER_FORM (control characters, leading or trailing space,
 * over KC_CLAIMS_TEXT_MAX; a comma is allowed); KC_ERR_EMAIL_UNVERIFIED (user_claim is email,
 * verified_email is on, email_verified is not true).
 *
 * These are left out: groups with a comma or control character, header claims with control
 * characters, and texts over KC_CLAIMS_HEADER_MAX. So are texts with a space at an end, which
 * recipients would trim, and array elements for which their header has no room. *dropped counts
 * them, for one log line. Groups that are only missing in their header are counted by
 * groups_header.
 *
 * A list is marked as unknown when something was left out of it. Groups are unknown without their
 * claim. Roles are unknown when neither claims nor access have them; realm roles and client roles
 * are judged separately. The claim of a header may be a scalar, or an array of scalars (joined by
 * commas, elements with a comma are left out). */
kc_rc_t kc_identity_make(const kc_conf_t *conf, const kc_json_t *claims, const kc_json_t *access,
                         apr_pool_t *pool, kc_identity_t *out, int *dropped, kc_err_t *err);

#endif

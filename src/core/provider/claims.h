/* Claims: the checks of an ID token, and the identity that is made of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CLAIMS_H
#define KC_CLAIMS_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "conf/conf.h"
#include "crypto/jose.h"
#include "session/groups_header.h"
#include "session/unknown.h"

enum {
    KC_CLAIMS_TEXT_MAX = 255 /* bytes of sub, sid and the user's name */,
    KC_CLAIMS_LIST_MAX = 5000,  /* groups, realm roles, client roles: each */
    KC_CLAIMS_HEADER_MAX = 8000 /* bytes of a prepared header value */
};

/* What an ID token must agree with. */
typedef struct kc_claims_expect_t {
    const char *issuer;
    const char *client_id;
    const char *nonce; /* as sent; of a renewed token: the first one's, NULL when it had none */
    const char *access_token; /* for at_hash; NULL when none came */
    int64_t now;              /* seconds since 1970 */
    int64_t skew;             /* seconds */
    int is_renewed;           /* an ID token of a refresh: it need not have a nonce */
} kc_claims_expect_t;

/* Checks a token whose signature is verified already: OpenID Connect Core 1.0 with errata set 2,
 * section 3.1.3.7, RFC 8725. An ID token by its types (token_type.h); no events; iss exact; aud a
 * string or array of strings that has client_id; azp a string when there, and client_id when aud
 * has others too; exp, iat as kc_json_seconds reads them, exp > now - skew, iat and nbf <= now +
 * skew, exp > iat; sub 1..KC_CLAIMS_TEXT_MAX bytes without control characters; nonce a string,
 * equal in constant time; at_hash right when there; auth_time and sid well-formed when there.
 * KC_REFUSED with the KC_ERR_TOKEN_… that names it. */
kc_rc_t kc_claims_verify(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                         kc_err_t *err);

/* What of it every kind of token for this client must agree with: issuer, audience (and azp),
 * exp, iat and nbf as above; of expect issuer, client_id, now and skew count. */
kc_rc_t kc_claims_verify_origin(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                                kc_err_t *err);
/* What every bearer token must agree with, but for its type and audience: issuer, times, sub, sid
 * and auth_time as above; of expect issuer, now and skew count. */
kc_rc_t kc_claims_verify_bearer(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                                kc_err_t *err);
/* 1 for text that may be a sub or sid: as above. NULL is none. Thread safe. */
int kc_claims_is_id_text(const char *text);

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
int kc_claims_is_incomplete(const kc_conf_t *conf, const kc_json_t *claims);

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
kc_rc_t kc_claims_identity(const kc_conf_t *conf, const kc_json_t *claims, const kc_json_t *access,
                           apr_pool_t *pool, kc_identity_t *out, int *dropped, kc_err_t *err);

#endif

/* Claims that Require lines ask for, and that no token of a user has.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/absent_claim.h"

#include <apr_strings.h>

#include "crypto/once.h"
#include "rp.h"
#include "session/unknown.h"

static kc_once_t told = KC_ONCE_EMPTY;

typedef struct {
    const kc_rp_t *rp;
    const char *sub;
    const kc_json_t *claims;
    const kc_json_t *access;
    apr_pool_t *pool;
} user_t;

static int is_in(const kc_json_t *claims, const char *path)
{
    const kc_json_t *value = claims ? kc_json_path(claims, path) : NULL;

    return value && kc_json_type(value) != KC_JSON_NULL;
}

static void tell(const user_t *user, const char *line, const char *path, const char *cure)
{
    const kc_env_t *env = user->rp->env;

    if (!kc_once_is_first(&told, user->rp->conf->issuer, path, 0, env->now(env->context)))
        return;
    kc_env_log(env, KC_ERR_CLAIM_ABSENT,
               "%s: a Require %s asks for it, but no token of sub %s has the claim %.100s: %s",
               kc_err_row(KC_ERR_CLAIM_ABSENT)->slug, line, user->sub, path, cure);
}

/* Require keycloak-claim does not see claims that only the access token has. */
static void check_claim(const user_t *user, const char *path)
{
    if (is_in(user->claims, path))
        return;
    if (is_in(user->access, path))
        tell(user, "keycloak-claim", path,
             "the access token alone has it, which is not asked: turn on Add to ID token in its "
             "mapper");
    else
        tell(user, "keycloak-claim", path,
             "unless only this user lacks it, add a mapper for it to the client in Keycloak, "
             "with Add to ID token");
}

static void check_groups(const user_t *user)
{
    const char *path = user->rp->conf->groups_claim;

    if (path && !is_in(user->claims, path))
        tell(user, "keycloak-group", path,
             "add the mapper Group Membership with this Token Claim Name to the client in "
             "Keycloak, with Add to ID token");
}

/* When neither kind of role is known, kc_unknown_report logs both. */
static void check_roles(const user_t *user)
{
    const char *path = user->rp->conf->roles_claim;
    int has_realm = path && (is_in(user->access, path) || is_in(user->claims, path));
    int has_client =
        is_in(user->access, "resource_access") || is_in(user->claims, "resource_access");
    unsigned int asked = user->rp->asks_roles;

    if (path && !has_realm && has_client && (asked & KC_UNKNOWN_REALM_ROLES))
        tell(user, "keycloak-role", path,
             "unless this user has no role of the realm, add the mapper realm roles of the "
             "client scope roles, or name its claim in KeycloakRolesClaim");
    if (!has_client && has_realm && (asked & KC_UNKNOWN_CLIENT_ROLES))
        tell(user, "keycloak-client-role", "resource_access",
             "unless this user has no role of a client, add the mapper client roles of the "
             "client scope roles");
}

void kc_absent_claim_report(const kc_rp_t *rp, const char *sub, const kc_json_t *claims,
                            const kc_json_t *access, apr_pool_t *pool)
{
    const user_t user = {rp, sub, claims, access, pool};
    int i;

    for (i = 0; rp->asked_claims && i < rp->asked_claims->nelts; i++)
        check_claim(&user, APR_ARRAY_IDX(rp->asked_claims, i, const char *));
    if (rp->asks_groups)
        check_groups(&user);
    if (rp->asks_roles)
        check_roles(&user);
}

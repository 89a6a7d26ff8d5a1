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
} person_t;

static int is_in(const kc_json_t *claims, const char *path)
{
    const kc_json_t *value = claims ? kc_json_path(claims, path) : NULL;

    return value && kc_json_type(value) != KC_JSON_NULL;
}

static void tell(const person_t *person, const char *line, const char *path, const char *cure)
{
    const kc_err_row_t *row = kc_err_row(KC_ERR_CLAIM_ABSENT);
    const kc_env_t *env = person->rp->env;

    if (!kc_once_is_first(&told, person->rp->conf->issuer, path, 0, env->now(env->context)))
        return;
    env->log(env->context, KC_LOG_WARNING,
             apr_psprintf(person->pool,
                          "%s: %s: a Require %s asks for it, but no token of sub %s has the claim "
                          "%.100s: %s",
                          row->tag, row->slug, line, person->sub, path, cure));
}

/* Require keycloak-claim does not see claims that only the access token has. */
static void check_claim(const person_t *person, const char *path)
{
    if (is_in(person->claims, path))
        return;
    if (is_in(person->access, path))
        tell(person, "keycloak-claim", path,
             "the access token alone has it, which is not asked: turn on Add to ID token in its "
             "mapper");
    else
        tell(person, "keycloak-claim", path,
             "unless this person alone lacks it, add a mapper for it to the client in Keycloak, "
             "with Add to ID token");
}

static void check_groups(const person_t *person)
{
    const char *path = person->rp->conf->groups_claim;

    if (path && !is_in(person->claims, path))
        tell(person, "keycloak-group", path,
             "add the mapper Group Membership with this Token Claim Name to the client in "
             "Keycloak, with Add to ID token");
}

/* When neither kind of role is known, kc_unknown_report logs both. */
static void check_roles(const person_t *person)
{
    const char *path = person->rp->conf->roles_claim;
    int has_realm = path && (is_in(person->access, path) || is_in(person->claims, path));
    int has_client =
        is_in(person->access, "resource_access") || is_in(person->claims, "resource_access");
    unsigned int asked = person->rp->asks_roles;

    if (path && !has_realm && has_client && (asked & KC_UNKNOWN_REALM_ROLES))
        tell(person, "keycloak-role", path,
             "unless this person has no role of the realm, add the mapper realm roles of the "
             "client scope roles, or name its claim in KeycloakRolesClaim");
    if (!has_client && has_realm && (asked & KC_UNKNOWN_CLIENT_ROLES))
        tell(person, "keycloak-client-role", "resource_access",
             "unless this person has no role of a client, add the mapper client roles of the "
             "client scope roles");
}

void kc_absent_claim_report(const kc_rp_t *rp, const char *sub, const kc_json_t *claims,
                            const kc_json_t *access, apr_pool_t *pool)
{
    const person_t person = {rp, sub, claims, access, pool};
    int i;

    for (i = 0; rp->asked_claims && i < rp->asked_claims->nelts; i++)
        check_claim(&person, APR_ARRAY_IDX(rp->asked_claims, i, const char *));
    if (rp->asks_groups)
        check_groups(&person);
    if (rp->asks_roles)
        check_roles(&person);
}

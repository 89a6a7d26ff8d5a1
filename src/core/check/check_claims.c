/* The check of claims: what this configuration asks for, and what the tokens have.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_claims.h"

#include <apr_strings.h>

#include "access/bearer.h"
#include "session/identity.h"
#include "session/unknown.h"

static int has(const kc_json_t *claims, const char *path)
{
    const kc_json_t *value = claims ? kc_json_path(claims, path) : NULL;

    return value && kc_json_type(value) != KC_JSON_NULL;
}

static const char *joined(const apr_array_header_t *list, apr_pool_t *pool)
{
    return list && list->nelts ? apr_array_pstrcat(pool, list, ',') : "none";
}

/* --- the user --- */

static void tell_nameless(const kc_check_claims_t *claims, const kc_err_t *err)
{
    const kc_check_t *check = claims->check;
    kc_check_fault_t fault = {KC_CHECK_FAILED, "tokens.user", err->reason,
                              "complete the account, add a mapper for this claim to the client, "
                              "or name another claim in KeycloakUserClaim"};

    if (err->reason == KC_ERR_EMAIL_UNVERIFIED) {
        fault.name = "tokens.email";
        fault.cure = "verify the user's e-mail address in Keycloak (Email verified), and let the "
                     "client have the client scope email";
    }
    if (!check->user) {
        fault.outcome = KC_CHECK_UNKNOWN;
        fault.reason = KC_ERR_NONE;
        fault.cure = "name a user by KEYCLOAK_CHECK_USER: these tokens are those of the client's "
                     "service account";
    }
    kc_check_report_add(check->report, &fault, "no user name: %s", err->detail);
}

/* --- groups and roles --- */

static void tell_groups(const kc_check_claims_t *claims, const kc_identity_t *identity,
                        apr_pool_t *pool)
{
    const kc_check_t *check = claims->check;
    const char *path = check->rp->conf->groups_claim;
    kc_check_fault_t fault = {check->rp->asks_groups ? KC_CHECK_FAILED : KC_CHECK_WARNING,
                              "tokens.groups",
                              check->rp->asks_groups ? KC_ERR_CLAIM_ABSENT : KC_ERR_NONE,
                              "unless only this user is in no group, add the mapper Group "
                              "Membership with this Token Claim Name to the client in Keycloak, "
                              "with Add to ID token"};

    if (!path)
        return;
    if (!check->user) {
        fault.outcome = KC_CHECK_UNKNOWN;
        fault.reason = KC_ERR_NONE;
    }
    if (has(claims->id, path))
        kc_check_report_ok(check->report, fault.name, "groups: %s",
                           identity ? joined(identity->group_list, pool) : "they are told");
    else
        kc_check_report_add(check->report, &fault, "no token has the claim %s of groups%s", path,
                            check->rp->asks_groups ? ", and a Require asks for them" : "");
}

/* What the sign-in knows: identity.h has realm roles and client roles apart. */
static void tell_roles(const kc_check_claims_t *claims, const kc_identity_t *identity,
                       apr_pool_t *pool)
{
    const kc_check_t *check = claims->check;
    const unsigned int asked = check->rp->asks_roles & identity->unknown;
    const unsigned int all = KC_UNKNOWN_REALM_ROLES | KC_UNKNOWN_CLIENT_ROLES;
    const int has_none = (identity->unknown & all) == all;
    const kc_check_fault_t fault = {
        KC_CHECK_FAILED, "tokens.roles", KC_ERR_ROLES_UNKNOWN,
        apr_psprintf(pool,
                     "have the mappers of the client scope roles put them into the ID token (Add "
                     "to ID token), or into the access token (Add to lightweight access token), "
                     "and name their claim in KeycloakRolesClaim (now %s)",
                     check->rp->conf->roles_claim)};

    if (asked)
        kc_check_report_add(
            check->report, &fault, "the access token gives no %s%s",
            has_none                          ? "roles"
            : asked == KC_UNKNOWN_REALM_ROLES ? "realm roles"
                                              : "client roles",
            claims->access && !has(claims->access, "sub") ? ": it is a lightweight one" : "");
    else if (has_none)
        kc_check_report_ok(check->report, fault.name,
                           "the access token gives no roles, and no Require asks for them");
    else
        kc_check_report_ok(check->report, fault.name, "realm roles: %s; client roles: %s",
                           joined(identity->realm_role_list, pool),
                           joined(identity->client_role_list, pool));
}

/* --- other claims --- */

static int tell_header(const kc_check_claims_t *claims, const kc_conf_pair_t *header)
{
    const kc_check_fault_t fault = {
        KC_CHECK_WARNING, "tokens.claims", KC_ERR_NONE,
        "unless only this user lacks it, add a mapper for it to the client in Keycloak, with Add "
        "to ID token"};

    if (has(claims->id, header->value))
        return 0;
    kc_check_report_add(claims->check->report, &fault, "no token has the claim %s of the header %s",
                        header->value, header->name);
    return 1;
}

static int tell_required(const kc_check_claims_t *claims, const char *path)
{
    kc_check_fault_t fault = {KC_CHECK_FAILED, "tokens.claims", KC_ERR_CLAIM_ABSENT,
                              "unless only this user lacks it, add a mapper for it to the client "
                              "in Keycloak, with Add to ID token"};

    if (has(claims->id, path))
        return 0;
    if (has(claims->access, path))
        fault.cure = "turn on Add to ID token in its mapper: Require keycloak-claim does not look "
                     "at the access token";
    kc_check_report_add(claims->check->report, &fault, "a Require asks for the claim %s, which %s",
                        path,
                        has(claims->access, path) ? "the access token alone has" : "no token has");
    return 1;
}

static void tell_claims(const kc_check_claims_t *claims)
{
    const kc_check_t *check = claims->check;
    const apr_array_header_t *headers = check->rp->conf->headers;
    const apr_array_header_t *asked = check->rp->asked_claims;
    const int count = (headers ? headers->nelts : 0) + (asked ? asked->nelts : 0);
    int i, faults = 0;

    for (i = 0; headers && i < headers->nelts; i++)
        faults += tell_header(claims, &APR_ARRAY_IDX(headers, i, kc_conf_pair_t));
    for (i = 0; asked && i < asked->nelts; i++)
        faults += tell_required(claims, APR_ARRAY_IDX(asked, i, const char *));
    if (count && !faults)
        kc_check_report_ok(check->report, "tokens.claims",
                           "the tokens have all %d claims of KeycloakHeader and Require lines",
                           count);
}

/* --- bearer tokens --- */

static void tell_audience(const kc_check_claims_t *claims)
{
    const kc_check_t *check = claims->check;
    const kc_conf_t *conf = check->rp->conf;
    const kc_env_t *env = check->rp->env;
    kc_check_fault_t fault = {KC_CHECK_FAILED, "tokens.audience", KC_ERR_INVALID_TOKEN,
                              "look at KeycloakBearer, and at the client's access tokens in "
                              "Keycloak"};
    kc_err_t err = {0};

    if (conf->bearer == KC_BEARER_OFF || conf->bearer == KC_BEARER_ID)
        return;
    if (!claims->token) {
        kc_check_report_add(check->report, &fault, "the access token is opaque");
        return;
    }
    if (kc_bearer_verify(claims->token, conf, env->now(env->context), &err) == KC_OK) {
        kc_check_report_ok(check->report, fault.name,
                           "an access token of this client is accepted as a bearer token");
        return;
    }
    fault.reason = err.reason;
    if (err.reason == KC_ERR_TOKEN_AUDIENCE)
        fault.cure = "add the mapper Audience to the client whose tokens are sent, with one of "
                     "KeycloakAudience, or with this client's id where that is not set";
    kc_check_report_add(check->report, &fault,
                        "an access token of this client is no bearer token here: %s", err.detail);
}

void kc_check_claims_tell(const kc_check_claims_t *claims, apr_pool_t *pool)
{
    const kc_check_t *check = claims->check;
    kc_identity_t identity;
    kc_err_t err = {0};
    int dropped = 0;
    const int is_named = kc_identity_make(check->rp->conf, claims->id, claims->access, pool,
                                          &identity, &dropped, &err) == KC_OK;

    if (is_named)
        kc_check_report_ok(check->report, "tokens.user", "the user's name here is %s",
                           identity.user);
    else
        tell_nameless(claims, &err);
    tell_groups(claims, is_named ? &identity : NULL, pool);
    if (is_named)
        tell_roles(claims, &identity, pool);
    tell_claims(claims);
    tell_audience(claims);
}

/* The check of what the tokens of this client have.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_tokens.h"

#include <apr_strings.h>
#include <string.h>

#include "check/check_claims.h"
#include "check/check_clock.h"
#include "login/login_authorization.h"
#include "provider/token_endpoint.h"
#include "provider/token_signature.h"
#include "session/token_set.h"
#include "session/userinfo.h"

static const char name_user[] = "tokens.user";

/* --- tokens --- */

static void tell_user_refusal(const kc_check_t *check, const kc_token_endpoint_answer_t *answer,
                              const kc_err_t *err)
{
    const char *error = answer->error ? answer->error : "";
    kc_check_fault_t fault = {KC_CHECK_FAILED, name_user, KC_ERR_NONE,
                              "correct KEYCLOAK_CHECK_USER and KEYCLOAK_CHECK_PASSWORD, and see "
                              "that the account is enabled and has no required actions"};

    if (strcmp(error, "invalid_grant") != 0) {
        fault.outcome = KC_CHECK_UNKNOWN;
        fault.cure = "turn on Direct access grants of the client for the time of this check, or "
                     "sign in with a browser and look at whoami";
    }
    kc_check_report_add(check->report, &fault, "no tokens of the user %s: %s", check->user,
                        answer->description && *error ? answer->description : err->detail);
}

static void tell_no_tokens(const kc_check_t *check)
{
    const kc_check_fault_t fault = {
        KC_CHECK_UNKNOWN, name_user, KC_ERR_NONE,
        "name a user by KEYCLOAK_CHECK_USER and KEYCLOAK_CHECK_PASSWORD, with Direct access grants "
        "of the client turned on for the time of this check; or sign in and look at whoami"};

    kc_check_report_add(check->report, &fault,
                        "what mappers put into the tokens is not looked at, because there are "
                        "none: no user is named, and the client has no service account");
}

static int get_tokens(const kc_check_t *check, kc_token_set_t *set)
{
    const kc_conf_t *conf = check->rp->conf;
    const kc_token_endpoint_grant_t grant = {check->user, check->password ? check->password : "",
                                             kc_login_authorization_scope(conf, set->pool)};
    kc_err_t err = {0};

    if (kc_token_endpoint_grant(conf, check->rp->env, check->provider, &grant, set->pool,
                                &set->tokens, &err) == KC_OK)
        return 1;
    if (check->user)
        tell_user_refusal(check, &set->tokens, &err);
    else
        tell_no_tokens(check);
    return 0;
}

/* --- what they have --- */

static int tell_verified(kc_check_t *check, kc_token_set_t *set)
{
    kc_check_fault_t fault = {KC_CHECK_FAILED, "tokens.id", KC_ERR_NONE,
                              "the tag's row in doc/troubleshooting.md says more"};
    kc_err_t err = {0};
    kc_rc_t rc;

    if (!set->tokens.id_token) {
        fault.cure = "let the client have the scope openid";
        kc_check_report_add(check->report, &fault, "Keycloak gives no ID token");
        return 0;
    }
    rc = kc_metadata_get(check->rp->metadata, set->pool, &set->snapshot, &err);
    if (rc == KC_OK)
        rc = kc_token_set_verify(set, &err);
    if (set->id_token.claims)
        kc_check_clock_note(check, kc_json_member_seconds(set->id_token.claims, "iat"));
    if (rc == KC_OK) {
        kc_check_report_ok(check->report, fault.name, "the ID token is accepted, signed with %s",
                           set->id_token.alg);
        return 1;
    }
    fault.reason = err.reason;
    if (err.reason == KC_ERR_TOKEN_TIME) {
        fault.outcome = KC_CHECK_SKIPPED;
        fault.cure = "first mend issuer.clock";
    } else if (err.reason == KC_ERR_TOKEN_ALG) {
        fault.cure = "set the client's ID token signature algorithm in Keycloak to one of "
                     "KeycloakAlgorithms, such as RS256";
    }
    kc_check_report_add(check->report, &fault, "the ID token is refused: %s", err.detail);
    return 0;
}

static void tell_userinfo(const kc_check_t *check, kc_token_set_t *set)
{
    kc_check_fault_t fault = {KC_CHECK_FAILED, "tokens.userinfo", KC_ERR_NONE,
                              "put the claims into the ID token (Add to ID token of their "
                              "mappers), or see why Keycloak refuses userinfo; KeycloakUserInfo "
                              "off ends the question"};
    kc_err_t err = {0};

    if (kc_userinfo_add(set, &err) == KC_OK)
        return;
    fault.reason = err.reason;
    kc_check_report_add(check->report, &fault, "userinfo is of no use: %s", err.detail);
}

/* The access token's claims, as far as it is a token that can be read; else NULL. */
static const kc_json_t *read_access(kc_token_set_t *set, kc_jws_t *access)
{
    if (kc_token_signature_verify(set->rp->metadata, set->tokens.access_token, set->pool,
                                  &set->snapshot, access, NULL) != KC_OK)
        return NULL;
    return access->claims;
}

/* Keycloak has made a session for the user, which nobody will use. */
static void end_session(const kc_check_t *check, const kc_token_set_t *set)
{
    if (set->tokens.refresh_token)
        (void)kc_token_endpoint_revoke(check->rp->conf, check->rp->env, check->provider,
                                       set->tokens.refresh_token, set->pool, NULL);
}

static void look_at(kc_check_t *check, kc_token_set_t *set)
{
    kc_check_claims_t claims = {.check = check};
    kc_jws_t access;

    memset(&access, 0, sizeof(access));
    if (!check->user)
        check->access_token = apr_pstrdup(check->pool, set->tokens.access_token);
    if (!tell_verified(check, set))
        return;
    tell_userinfo(check, set);
    claims.id = set->claims;
    claims.access = read_access(set, &access);
    claims.token = claims.access ? &access : NULL;
    kc_check_claims_tell(&claims, set->pool);
}

void kc_check_tokens_ask(kc_check_t *check)
{
    kc_token_set_t set = {.rp = check->rp, .is_renewed = 1}; /* so that no nonce is expected */

    if (apr_pool_create(&set.pool, check->pool) != APR_SUCCESS)
        return;
    if (get_tokens(check, &set)) {
        look_at(check, &set);
        end_session(check, &set);
    }
    apr_pool_destroy(set.pool);
}

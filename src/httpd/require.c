/* Require keycloak-role, keycloak-client-role, keycloak-group, keycloak-claim.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <mod_auth.h>

#include "core/authz.h"
#include "mod_auth_keycloak.h"

static const char *name_of(kc_authz_kind_t kind)
{
    static const char *const names[] = {"keycloak-role", "keycloak-client-role", "keycloak-group",
                                        "keycloak-claim"};

    return names[kind];
}

static const char *parse(kc_authz_kind_t kind, cmd_parms *cmd, const char *line, const void **rule)
{
    const char **words = apr_pcalloc(cmd->temp_pool, (strlen(line) / 2 + 2) * sizeof(*words));
    const kc_authz_rule_t *parsed;
    kc_err_t err;
    int count = 0;

    while (*line)
        words[count++] = ap_getword_conf(cmd->pool, &line);
    if (kc_authz_parse(kind, count, words, cmd->pool, &parsed, &err) != KC_OK)
        return apr_pstrcat(cmd->pool, "Require ", name_of(kind), " ", err.detail, NULL);
    *rule = parsed;
    return NULL;
}

static authz_status check(request_rec *r, const char *line, const void *rule)
{
    akc_request_t *request = akc_request_get(r);

    (void)line;
    if (!r->user)
        return AUTHZ_DENIED_NO_USER;
    if (!request || !akc_request_is_signed_in(request, r))
        return AUTHZ_DENIED;
    return kc_authz_is_met(rule, &request->session, r->pool) ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

static const char *parse_realm_role(cmd_parms *cmd, const char *line, const void **rule)
{
    return parse(KC_AUTHZ_REALM_ROLE, cmd, line, rule);
}

static const char *parse_client_role(cmd_parms *cmd, const char *line, const void **rule)
{
    return parse(KC_AUTHZ_CLIENT_ROLE, cmd, line, rule);
}

static const char *parse_group(cmd_parms *cmd, const char *line, const void **rule)
{
    return parse(KC_AUTHZ_GROUP, cmd, line, rule);
}

/* Set while the configuration is read. A .htaccess may ask later; then the store has them. */
static int has_claim_rule;

int akc_require_asks_claims(void)
{
    return has_claim_rule;
}

static const char *parse_claim(cmd_parms *cmd, const char *line, const void **rule)
{
    has_claim_rule = 1;
    return parse(KC_AUTHZ_CLAIM, cmd, line, rule);
}

static const authz_provider realm_role = {check, parse_realm_role};
static const authz_provider client_role = {check, parse_client_role};
static const authz_provider group = {check, parse_group};
static const authz_provider claim = {check, parse_claim};

static void add(apr_pool_t *pool, kc_authz_kind_t kind, const authz_provider *provider)
{
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, name_of(kind), AUTHZ_PROVIDER_VERSION,
                              provider, AP_AUTH_INTERNAL_PER_URI);
}

void akc_require_register(apr_pool_t *pool)
{
    add(pool, KC_AUTHZ_REALM_ROLE, &realm_role);
    add(pool, KC_AUTHZ_CLIENT_ROLE, &client_role);
    add(pool, KC_AUTHZ_GROUP, &group);
    add(pool, KC_AUTHZ_CLAIM, &claim);
}

/* Require keycloak-role, keycloak-client-role, keycloak-group, keycloak-claim.
 * SPDX-License-Identifier: Apache-2.0 */
#include "require.h"

#include <apr_strings.h>
#include <mod_auth.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "request.h"

#include "core/access/access.h"
#include "core/access/authz.h"
#include "core/rp.h"
#include "core/session/step_up.h"
#include "core/session/unknown.h"

static const char *name_of(kc_authz_kind_t kind)
{
    static const char *const names[] = {KC_AUTHZ_KINDS(KC_AUTHZ_KIND_NAME)};

    return names[kind];
}

/* How an answer that is not known is treated. */
typedef enum {
    TAKEN_FOR_NO,  /* "met" would grant access */
    TAKEN_FOR_YES, /* "not met" would grant access, by negation */
    TAKEN_FOR_NEITHER
} doubt_t;

typedef struct line_t {
    const kc_authz_rule_t *rule;
    doubt_t doubt;
} line_t;

/* Set while the configuration is read. A .htaccess may ask later; then the store has the claims. */
static int has_claim_rule, has_negated_rule;

int akc_require_asks_claims(void)
{
    return has_claim_rule;
}

int akc_require_asks_negated(void)
{
    return has_negated_rule;
}

/* What the Require lines of each server ask about. */
typedef struct asked_t {
    server_rec *server;
    kc_authz_kind_t kind;
    const char *word; /* the first one; of a claim rule: its path */
} asked_t;

static apr_array_header_t *asked;

static apr_status_t forget_asked(void *unused)
{
    (void)unused;
    asked = NULL;
    return APR_SUCCESS;
}

/* A .htaccess is read by threads that serve requests. It does not change what is asked for at
 * the sign-in. */
static void record(kc_authz_kind_t kind, cmd_parms *cmd, const char *word)
{
    asked_t *entry;

    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_RUN_MPM)
        return;
    if (!asked) {
        apr_pool_t *pool = cmd->server->process->pconf;

        asked = apr_array_make(pool, 16, sizeof(*entry));
        apr_pool_cleanup_register(pool, NULL, forget_asked, apr_pool_cleanup_null);
    }
    entry = apr_array_push(asked);
    entry->server = cmd->server;
    entry->kind = kind;
    entry->word = apr_pstrdup(asked->pool, word);
}

/* The lines of the main server count in each virtual host. */
void akc_require_tell(const akc_server_t *config, apr_pool_t *pool)
{
    kc_rp_t *rp = config->rp;
    int i;

    rp->asked_claims = apr_array_make(pool, 4, sizeof(const char *));
    for (i = 0; asked && i < asked->nelts; i++) {
        const asked_t *entry = &APR_ARRAY_IDX(asked, i, asked_t);

        if (entry->server->is_virtual && akc_config_server(entry->server) != config)
            continue;
        if (entry->kind == KC_AUTHZ_CLAIM)
            APR_ARRAY_PUSH(rp->asked_claims, const char *) = apr_pstrdup(pool, entry->word);
        else if (entry->kind == KC_AUTHZ_GROUP)
            rp->asks_groups = 1;
        else
            rp->asks_roles |= entry->kind == KC_AUTHZ_REALM_ROLE ? KC_UNKNOWN_REALM_ROLES
                                                                 : KC_UNKNOWN_CLIENT_ROLES;
    }
}

static int is_not(cmd_parms *cmd)
{
    const char *arguments = cmd->directive->args;

    return strcasecmp(cmd->directive->directive, "Require") == 0 &&
           strcasecmp(ap_getword_conf(cmd->temp_pool, &arguments), "not") == 0;
}

/* httpd negates the answer of a provider, and so makes "not met" of "not known". The number of
 * negations tells which answer is the safe one: Require not is one, and so is each <RequireNone>
 * around the line. An alias may be used both ways. */
static doubt_t doubt_of(cmd_parms *cmd)
{
    const ap_directive_t *node;
    int negations = is_not(cmd);

    for (node = cmd->directive; node; node = node->parent) {
        if (strcasecmp(node->directive, "<AuthzProviderAlias") == 0)
            return TAKEN_FOR_NEITHER;
        negations += strcasecmp(node->directive, "<RequireNone") == 0;
    }
    return negations % 2 ? TAKEN_FOR_YES : TAKEN_FOR_NO;
}

static const char *parse(kc_authz_kind_t kind, cmd_parms *cmd, const char *line, const void **rule)
{
    const char **words = apr_pcalloc(cmd->temp_pool, (strlen(line) / 2 + 2) * sizeof(*words));
    line_t *parsed = apr_pcalloc(cmd->pool, sizeof(*parsed));
    kc_err_t err;
    int count = 0;

    while (*line)
        words[count++] = ap_getword_conf(cmd->pool, &line);
    if (kc_authz_parse(kind, count, words, cmd->pool, &parsed->rule, &err) != KC_OK)
        return apr_pstrcat(cmd->pool, "Require ", name_of(kind), " ", err.detail, NULL);
    parsed->doubt = doubt_of(cmd);
    record(kind, cmd, count ? words[0] : "");
    has_negated_rule |= parsed->doubt != TAKEN_FOR_NO;
    *rule = parsed;
    return NULL;
}

static authz_status resolve_unknown(request_rec *r, akc_request_t *request, const line_t *line)
{
    if (line->doubt == TAKEN_FOR_NO)
        return AUTHZ_DENIED;
    if (request)
        request->doubted = r;
    if (line->doubt == TAKEN_FOR_YES)
        return AUTHZ_GRANTED;
    AKC_LOG_REQUEST_AT(APLOG_ERR, r, KC_ERR_ROLES_UNKNOWN,
                       "an alias of a Require keycloak-... asks about what is not known of %s; "
                       "write it without <AuthzProviderAlias>",
                       ap_escape_logitem(r->pool, r->user));
    return AUTHZ_GENERAL_ERROR;
}

/* There has been no authentication yet. Negated, "no user" would grant access to everybody, and
 * httpd may find no other line that needs a user: see akc_require_force. */
static authz_status wait_for_user(request_rec *r, akc_request_t *request, const line_t *line)
{
    if (request && line->doubt != TAKEN_FOR_NO)
        request->unasked = r;
    return AUTHZ_DENIED_NO_USER;
}

static authz_status check(request_rec *r, const char *text, const void *parsed)
{
    akc_request_t *request = akc_request_get(r);
    const line_t *line = parsed;
    kc_authz_answer_t answer;
    kc_step_up_t step_up;

    (void)text;
    if (!r->user)
        return wait_for_user(r, request, line);
    step_up = kc_step_up_required(akc_config_dir(r));
    answer =
        kc_access_ask(request ? &request->access : NULL, &step_up, r->user, line->rule, r->pool);
    if (answer == KC_AUTHZ_UNKNOWN)
        return resolve_unknown(r, request, line);
    return answer == KC_AUTHZ_MET ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

/* Called where httpd would let a request in without authentication. */
int akc_require_force(request_rec *r)
{
    const akc_request_t *request = akc_request_get(r);

    return request && request->unasked == r && !akc_request_is_open(request, r) ? OK : DECLINED;
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

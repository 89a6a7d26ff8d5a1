/* The check of the authorization request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_authorization.h"

#include <apr_strings.h>
#include <string.h>

#include "base/query.h"
#include "base/url.h"
#include "check/check_call.h"
#include "check/check_page.h"
#include "login/login_authorization.h"

static const char name_id[] = "client.id", name_redirect[] = "client.redirect_uri",
                  name_flow[] = "client.flow", name_pkce[] = "client.pkce",
                  name_scope[] = "client.scope";

/* What Keycloak has answered. */
typedef struct {
    kc_rc_t rc;
    kc_err_t err;
    kc_http_response_t response;
    const char *url; /* that was asked, without its query */
    int is_ours;     /* it redirects to the redirect URI, with: */
    const char *error;
    const char *description;
} answer_t;

static const char *redirect_uri(const kc_check_t *check)
{
    return kc_rp_redirect_uri(check->rp, check->client, check->pool);
}

/* The query of a redirect to our redirect URI, else NULL. */
static const char *query_of(const kc_check_t *check, const char *location)
{
    const char *ours = redirect_uri(check);
    const size_t len = strlen(ours);

    if (!location || strncmp(location, ours, len) != 0 ||
        (location[len] != '?' && location[len] != '&'))
        return NULL;
    return location + len + 1;
}

static void read_location(const kc_check_t *check, answer_t *answer)
{
    const char *text = query_of(check, answer->response.location);
    const kc_query_t *query;

    if (!text || kc_query_parse_answer(text, check->pool, &query, NULL) != KC_OK)
        return;
    answer->is_ours = 1;
    if (kc_query_text(query, "error", &answer->error, NULL) != KC_OK)
        answer->error = "";
    if (kc_query_text(query, "error_description", &answer->description, NULL) != KC_OK)
        answer->description = "";
}

/* The verifier is of no use, because no code will come of this. */
static void ask(const kc_check_t *check, const kc_rp_t *rp, answer_t *answer)
{
    const kc_login_request_t request = {.return_url = "/", .is_silent = 1};
    kc_login_state_t state = {.text = "check", .nonce = "check", .return_url = "/"};
    const kc_login_authorization_t authorization = {rp, check->client, check->provider, &request,
                                                    &state};
    const char *url;

    memset(answer, 0, sizeof(*answer));
    memset(state.verifier, 'v', sizeof(state.verifier) - 1);
    answer->rc = kc_login_authorization_url(&authorization, check->pool, &url, &answer->err);
    if (answer->rc != KC_OK)
        return;
    url = kc_provider_from_here(rp->conf, url, check->pool);
    if (!url) {
        answer->rc = KC_FAIL(&answer->err, KC_REFUSED, KC_ERR_CONFIG, "its address is no URL");
        return;
    }
    answer->url = apr_pstrndup(check->pool, url, strcspn(url, "?"));
    answer->rc = kc_check_call_get(check, url, &answer->response, &answer->err);
    if (answer->rc == KC_OK)
        read_location(check, answer);
}

/* --- an error page --- */

static int tell_page(kc_check_t *check, const answer_t *answer)
{
    kc_check_fault_t fault = {KC_CHECK_FAILED, name_redirect, KC_ERR_EVENT_SIGN_IN_BEGINS, NULL};
    const char *page = kc_check_page_text(&answer->response, check->pool);
    const char *id = check->rp->conf->client_id;

    if (strstr(page, "Client not found")) {
        fault.name = name_id;
        fault.cure = apr_pstrcat(check->pool, "correct KeycloakClientID, or make the client ", id,
                                 " in this realm", NULL);
    } else if (strstr(page, "Client disabled")) {
        fault.name = name_id;
        fault.cure = apr_pstrcat(check->pool, "enable the client ", id, " in Keycloak", NULL);
    } else if (strstr(page, "Realm not enabled")) {
        fault.name = name_id;
        fault.cure = "enable the realm in Keycloak (realm settings)";
    } else if (strstr(page, "HTTPS required")) {
        fault.name = name_id;
        fault.cure = "use https for Keycloak, or change Require SSL in the realm's settings";
    } else if (strstr(page, "Bearer-only")) {
        fault.name = name_flow;
        fault.cure = apr_pstrcat(check->pool, "make ", id,
                                 " a client that users sign in at: it is bearer-only now", NULL);
    } else {
        fault.cure = apr_pstrcat(
            check->pool, "add ", redirect_uri(check), " to Valid redirect URIs of the client ", id,
            " in Keycloak; if another address is meant, set KeycloakPublicURL", NULL);
    }
    kc_check_report_add(check->report, &fault,
                        "Keycloak refuses the sign-in of client %s with redirect URI %s by status "
                        "%d%s%s",
                        id, redirect_uri(check), answer->response.status, *page ? ": " : "", page);
    check->is_redirect_refused = fault.name == name_redirect;
    return fault.name != name_id;
}

/* --- an answer at the redirect URI --- */

/* With each word alone, to name those that are not accepted. */
static const char *bad_scopes(const kc_check_t *check)
{
    const apr_array_header_t *words = check->rp->conf->scope;
    const char *bad = "";
    int i;

    for (i = 0; words && i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);
        apr_array_header_t *alone = apr_array_make(check->pool, 1, sizeof(const char *));
        kc_conf_t conf = *check->rp->conf;
        kc_rp_t rp = *check->rp;
        answer_t answer;

        APR_ARRAY_PUSH(alone, const char *) = word;
        conf.scope = alone;
        rp.conf = &conf;
        ask(check, &rp, &answer);
        if (answer.is_ours && strcmp(answer.error, "invalid_scope") == 0)
            bad = apr_pstrcat(check->pool, bad, *bad ? ", " : "", word, NULL);
    }
    return bad;
}

static void tell_scope(const kc_check_t *check, const answer_t *answer)
{
    const char *bad = bad_scopes(check);
    const kc_check_fault_t fault = {
        KC_CHECK_FAILED, name_scope, KC_ERR_PROVIDER_ERROR,
        apr_pstrcat(check->pool, "give the client the client scope ", *bad ? bad : "in question",
                    " (default or optional), or take it out of KeycloakScope", NULL)};

    kc_check_report_add(check->report, &fault, "Keycloak does not accept the scope %s: %s",
                        *bad ? bad : "of KeycloakScope", answer->description);
}

static int is_about_pkce(const answer_t *answer)
{
    return strstr(answer->description, "code_challenge") ||
           strstr(answer->description, "code challenge") || strstr(answer->description, "PKCE");
}

static void tell_refusal(const kc_check_t *check, const answer_t *answer)
{
    kc_check_fault_t fault = {KC_CHECK_FAILED, name_flow, KC_ERR_PROVIDER_ERROR,
                              "look at the client in Keycloak, and at Keycloak's log"};

    if (is_about_pkce(answer)) {
        fault.name = name_pkce;
        fault.cure = "set the client's PKCE method to S256, which the module uses (Proof Key for "
                     "Code Exchange Code Challenge Method), or leave it empty";
    } else if (strstr(answer->description, "Pushed Authorization")) {
        fault.cure = "turn off Pushed authorization request required of the client in Keycloak";
    } else if (strcmp(answer->error, "unauthorized_client") == 0) {
        fault.cure = "turn on Standard flow of the client in Keycloak";
    }
    kc_check_report_add(check->report, &fault, "Keycloak refuses with %s: %s", answer->error,
                        answer->description);
}

/* OpenID Connect Core 1.0 section 3.1.2.6; everything was accepted, but the user must be asked. */
static int is_asking(const char *error)
{
    return strcmp(error, "login_required") == 0 || strcmp(error, "interaction_required") == 0 ||
           strcmp(error, "consent_required") == 0 ||
           strcmp(error, "account_selection_required") == 0;
}

static void tell_answer(const kc_check_t *check, const answer_t *answer)
{
    kc_check_report_t *report = check->report;
    const int is_scope = strcmp(answer->error, "invalid_scope") == 0;

    kc_check_report_ok(report, name_id, "Keycloak knows the client %s", check->rp->conf->client_id);
    kc_check_report_ok(report, name_redirect, "%s is registered", redirect_uri(check));
    if (!is_asking(answer->error) && !is_scope) {
        tell_refusal(check, answer);
        return;
    }
    kc_check_report_ok(report, name_flow, "users may sign in by this client");
    if (is_scope) {
        tell_scope(check, answer);
        return;
    }
    kc_check_report_ok(report, name_pkce, "PKCE with S256 is accepted");
    kc_check_report_ok(report, name_scope, "the scope %s is accepted",
                       kc_login_authorization_scope(check->rp->conf, check->pool));
}

int kc_check_authorization_ask(kc_check_t *check)
{
    const kc_check_fault_t unknown = {
        KC_CHECK_UNKNOWN, name_redirect, KC_ERR_NONE,
        "sign in with a browser; Keycloak's log names what it refuses"};
    const kc_check_fault_t nameless = {KC_CHECK_UNKNOWN, name_redirect, KC_ERR_NONE,
                                       "set KeycloakPublicURL, or a ServerName"};
    answer_t answer;

    if (!check->client && !check->rp->conf->redirect_uri) {
        kc_check_report_add(check->report, &nameless,
                            "the configuration does not tell the address that browsers use");
        return 1;
    }
    ask(check, check->rp, &answer);
    if (answer.rc != KC_OK)
        kc_check_report_add(check->report, &unknown,
                            "the authorization endpoint is not reached from here: %s",
                            answer.err.detail);
    else if (answer.is_ours)
        tell_answer(check, &answer);
    else if (answer.response.status >= 400 && answer.response.status < 500)
        return tell_page(check, &answer);
    else
        kc_check_report_add(
            check->report, &unknown, "%s answers with status %d%s%.*s, which tells nothing",
            answer.url, answer.response.status, answer.response.location ? " to " : "",
            answer.response.location ? (int)strcspn(answer.response.location, "?") : 0,
            answer.response.location ? answer.response.location : "");
    return 1;
}

/* The check of the client's credentials.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_client.h"

#include <apr_strings.h>
#include <string.h>

#include "provider/token_endpoint.h"

static const char credentials[] = "client.credentials";

static kc_rc_t exchange(const kc_check_t *check, const kc_conf_t *conf,
                        kc_token_endpoint_answer_t *answer, kc_err_t *err)
{
    const char *uri = "https://example.com/";
    kc_env_t env = *check->rp->env;
    apr_pool_t *pool;
    kc_rc_t rc;

    if (check->client || conf->redirect_uri)
        uri = kc_rp_redirect_uri(check->rp, check->client, check->pool);
    /* its own pool: the time of a call begins with the first one of a pool */
    if (apr_pool_create(&pool, check->pool) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no memory");
    env.files = NULL; /* this conf, not the server's */
    rc = kc_token_endpoint_exchange(conf, &env, check->provider, "no-such-code", uri,
                                    "no-such-verifier-no-such-verifier-no-such-v", pool, answer,
                                    err);
    if (answer->error)
        answer->error = apr_pstrdup(check->pool, answer->error);
    answer->description = apr_pstrdup(check->pool, answer->description ? answer->description : "");
    apr_pool_destroy(pool);
    return rc;
}

/* What belongs to the id, by KeycloakClientAuth. */
static const char *proof_cure(const kc_check_t *check)
{
    switch (check->rp->conf->client_auth) {
    case KC_AUTH_PRIVATE_KEY_JWT:
        return "give the client the public key of KeycloakClientKey in Keycloak (Keys), and "
               "synchronise the clocks";
    case KC_AUTH_TLS:
        return "see that Keycloak's https port asks for client certificates, and that the "
               "client's Subject DN is that of KeycloakClientCert";
    case KC_AUTH_NONE:
        return "the client is confidential: set KeycloakClientSecret and KeycloakClientAuth, or "
               "turn off Client authentication of the client in Keycloak";
    case KC_AUTH_SECRET_JWT:
        return "copy the secret from the client's Credentials in Keycloak, set "
               "KeycloakClientAuthAlgorithm as there, and synchronise the clocks";
    default:
        return "copy the secret from the client's Credentials in Keycloak to where "
               "KeycloakClientSecret reads it";
    }
}

/* Keycloak says invalid_client of a client that is not there or disabled, and of a request without
 * what the client's authenticator looks for; unauthorized_client of a wrong proof. */
static const char *cure_of(const kc_check_t *check, const kc_token_endpoint_answer_t *answer)
{
    const char *said = answer->description;

    if (strstr(said, "client_assertion") || strstr(said, "certificate"))
        return "set KeycloakClientAuth to what the client's Client Authenticator in Keycloak "
               "(Credentials) is, or change that";
    if (strcmp(answer->error, "access_denied") == 0)
        return "enable the realm in Keycloak (realm settings)";
    if (strcmp(answer->error, "invalid_client") == 0)
        return apr_pstrcat(check->pool, "correct KeycloakClientID, or enable the client ",
                           check->rp->conf->client_id,
                           " in Keycloak; its Client Authenticator must be KeycloakClientAuth",
                           NULL);
    return apr_pstrcat(check->pool, proof_cure(check),
                       "; the client's Client Authenticator must be KeycloakClientAuth", NULL);
}

static int is_about_the_code(const kc_token_endpoint_answer_t *answer)
{
    return answer->error && strcmp(answer->error, "invalid_grant") == 0;
}

static void tell_refusal(const kc_check_t *check, const kc_token_endpoint_answer_t *answer,
                         const kc_err_t *err)
{
    kc_check_fault_t fault = {KC_CHECK_FAILED, credentials, err->reason,
                              "look at Keycloak's log, and at the token endpoint of the "
                              "discovery document"};

    if (!answer->error) {
        kc_check_report_add(check->report, &fault, "the token endpoint gives no answer of use: %s",
                            err->detail);
        return;
    }
    fault.cure = cure_of(check, answer);
    kc_check_report_add(check->report, &fault, "Keycloak refuses the client %s: %s%s%s%s",
                        check->rp->conf->client_id, answer->error, *answer->description ? " (" : "",
                        answer->description, *answer->description ? ")" : "");
}

/* Whether anybody who knows the id could take its place. */
static void ask_without(const kc_check_t *check)
{
    const kc_check_fault_t open = {
        KC_CHECK_WARNING, "client.confidential", KC_ERR_NONE,
        "turn on Client authentication of the client in Keycloak, and copy its secret again"};
    kc_token_endpoint_answer_t answer = {0};
    kc_conf_t conf = *check->rp->conf;
    kc_err_t err;

    if (conf.client_auth == KC_AUTH_NONE)
        return;
    conf.client_auth = KC_AUTH_NONE;
    if (exchange(check, &conf, &answer, &err) == KC_DOWN)
        return;
    if (is_about_the_code(&answer))
        kc_check_report_add(check->report, &open,
                            "the client is a public one in Keycloak: its secret is not looked at");
    else
        kc_check_report_ok(check->report, "client.confidential",
                           "Keycloak refuses the client's id without its proof");
}

int kc_check_client_ask(const kc_check_t *check)
{
    kc_token_endpoint_answer_t answer = {0};
    kc_err_t err = {0};

    (void)exchange(check, check->rp->conf, &answer, &err);
    if (!is_about_the_code(&answer)) {
        tell_refusal(check, &answer, &err);
        return 0;
    }
    kc_check_report_ok(check->report, credentials, "Keycloak accepts the client %s",
                       check->rp->conf->client_id);
    ask_without(check);
    return 1;
}

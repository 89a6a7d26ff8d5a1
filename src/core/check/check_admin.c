/* The check of the client's registration, which only an administrator may read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_admin.h"

#include <apr_strings.h>
#include <string.h>

#include "base/json.h"
#include "base/url.h"
#include "check/check_logout.h"
#include "provider/token_endpoint.h"

static const char name[] = "logout.registered";
static const char realms[] = "/realms/";

/* Keycloak's root and the name of the realm, of the token endpoint as this host calls it. */
typedef struct {
    const char *root;
    const char *realm; /* as it stands in URLs */
    const char *rest;  /* behind the realm */
} place_t;

static int find_place(const kc_check_t *check, place_t *place)
{
    const char *endpoint = check->provider->token_endpoint, *at = strstr(endpoint, realms),
               *name_at;

    if (!at)
        return 0;
    name_at = at + strlen(realms);
    place->root = apr_pstrndup(check->pool, endpoint, (apr_size_t)(at - endpoint));
    place->realm = apr_pstrndup(check->pool, name_at, strcspn(name_at, "/"));
    place->rest = name_at + strcspn(name_at, "/");
    return 1;
}

/* An administrator of one realm. */
typedef struct {
    kc_conf_t conf;
    kc_env_t env;
    kc_provider_t provider;
    kc_token_endpoint_answer_t tokens; /* access_token NULL: refused */
    apr_pool_t *pool;
} admin_t;

static void admin_begin(const kc_check_t *check, const place_t *place, const char *realm,
                        admin_t *admin, kc_err_t *err)
{
    const kc_token_endpoint_grant_t grant = {
        check->admin, check->admin_password ? check->admin_password : "", "openid"};
    const char *base = apr_pstrcat(check->pool, place->root, realms, realm, NULL);

    memset(admin, 0, sizeof(*admin));
    if (apr_pool_create(&admin->pool, check->pool) != APR_SUCCESS)
        return;
    admin->conf = *check->rp->conf;
    admin->conf.client_id = "admin-cli";
    admin->conf.client_auth = KC_AUTH_NONE;
    admin->env = *check->rp->env;
    admin->env.files = NULL; /* this conf, not the server's */
    admin->provider = *check->provider;
    admin->provider.token_endpoint = apr_pstrcat(admin->pool, base, place->rest, NULL);
    admin->provider.revocation_endpoint =
        apr_pstrcat(admin->pool, base, "/protocol/openid-connect/revoke", NULL);
    if (kc_token_endpoint_grant(&admin->conf, &admin->env, &admin->provider, &grant, admin->pool,
                                &admin->tokens, err) != KC_OK)
        admin->tokens.access_token = NULL;
}

/* Ends the session that the administrator got by this. */
static void admin_end(admin_t *admin)
{
    if (admin->tokens.access_token && admin->tokens.refresh_token)
        (void)kc_token_endpoint_revoke(&admin->conf, &admin->env, &admin->provider,
                                       admin->tokens.refresh_token, admin->pool, NULL);
}

/* The client's own record, or NULL, with the reason in err. */
static const kc_json_t *read_client(const kc_check_t *check, const place_t *place,
                                    const char *token, kc_err_t *err)
{
    kc_http_request_t request = {0};
    kc_http_response_t response;
    kc_http_t *http = check->rp->env->http;
    const kc_json_t *root, *client;

    request.url = apr_pstrcat(
        check->pool, place->root, "/admin", realms, place->realm,
        "/clients?clientId=", kc_url_escape(check->rp->conf->client_id, check->pool), NULL);
    request.authorization = apr_pstrcat(check->pool, "Bearer ", token, NULL);
    if (http->perform(http, &request, check->pool, &response, err) != KC_OK)
        return NULL;
    if (response.status != 200) {
        (void)KC_FAIL(err, KC_REFUSED, KC_ERR_PROVIDER_ERROR,
                      "the admin API answers with status %d", response.status);
        return NULL;
    }
    /* the answer is an array, and this parser reads objects */
    response.body = apr_pstrcat(check->pool, "{\"clients\":", response.body, "}", NULL);
    if (kc_json_parse(response.body, strlen(response.body), check->pool, &root, err) != KC_OK)
        return NULL;
    client = kc_json_at(kc_json_member(root, "clients"), 0);
    if (!client)
        (void)KC_FAIL(err, KC_MISS, KC_ERR_PROVIDER_ERROR, "the admin API shows no such client");
    return client;
}

/* --- the address --- */

static const char *path_of(const char *text, apr_pool_t *pool)
{
    kc_url_t url;

    return kc_url_parse(text, pool, &url, NULL) == KC_OK ? url.path : "";
}

static void tell_address(const kc_check_t *check, const kc_json_t *client)
{
    const char *ours = kc_check_logout_address(check);
    const char *theirs = kc_json_string(
        kc_json_member(kc_json_member(client, "attributes"), "backchannel.logout.url"));
    kc_check_fault_t fault = {KC_CHECK_WARNING, name, KC_ERR_NONE,
                              apr_pstrcat(check->pool, "write ", ours,
                                          ", or another address of it that Keycloak reaches, into "
                                          "Backchannel logout URL of the client",
                                          NULL)};

    if (!theirs || !*theirs) {
        kc_check_report_add(check->report, &fault,
                            "Keycloak has no Backchannel logout URL: sign-outs elsewhere are "
                            "noticed only when tokens are renewed");
        return;
    }
    if (strcmp(path_of(theirs, check->pool), path_of(ours, check->pool)) == 0) {
        kc_check_report_ok(check->report, name, "Keycloak sends logout tokens to %s", theirs);
        return;
    }
    fault.outcome = KC_CHECK_FAILED;
    kc_check_report_add(check->report, &fault, "Keycloak sends logout tokens to %s, not to %s",
                        theirs, ours);
}

static void tell_unknown(const kc_check_t *check, const char *why)
{
    const kc_check_fault_t fault = {
        KC_CHECK_UNKNOWN, name, KC_ERR_NONE,
        apr_pstrcat(check->pool, "see in Keycloak whether Backchannel logout URL of the client is ",
                    kc_check_logout_address(check),
                    ", or name an administrator by KEYCLOAK_CHECK_ADMIN and "
                    "KEYCLOAK_CHECK_ADMIN_PASSWORD",
                    NULL)};

    kc_check_report_add(check->report, &fault, "only an administrator sees what Keycloak has%s%s",
                        *why ? ": " : "", why);
}

void kc_check_admin_ask(const kc_check_t *check)
{
    const char *token = check->access_token;
    const kc_json_t *client = NULL;
    admin_t admin = {.pool = NULL};
    kc_err_t err = {0};
    place_t place;

    if (!check->client || !find_place(check, &place))
        return;
    if (check->admin) {
        admin_begin(check, &place, "master", &admin, &err);
        if (!admin.tokens.access_token)
            admin_begin(check, &place, place.realm, &admin, &err);
        token = admin.tokens.access_token;
    }
    if (token)
        client = read_client(check, &place, token, &err);
    if (client)
        tell_address(check, client);
    else
        tell_unknown(check, check->admin ? err.detail : "");
    admin_end(&admin);
}

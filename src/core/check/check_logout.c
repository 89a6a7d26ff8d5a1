/* The check of the ways out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_logout.h"

#include <apr_strings.h>
#include <string.h>

#include "base/buf.h"
#include "base/url.h"
#include "check/check_call.h"
#include "check/check_page.h"

enum { URL_MAX = 8192 };

static const char name_return[] = "logout.return", name_backchannel[] = "logout.backchannel";

/* --- after a sign-out --- */

static const char *end_session_url(const kc_check_t *check)
{
    const char *endpoint = check->provider->end_session_endpoint;
    kc_bytes_t url;
    kc_buf_t buf;

    endpoint = kc_provider_from_here(check->rp->conf, endpoint, check->pool);
    if (!endpoint)
        return NULL;
    kc_buf_init(&buf, URL_MAX, check->pool);
    kc_buf_put_text(&buf, endpoint);
    kc_url_put_parameter(&buf, "client_id", check->rp->conf->client_id);
    kc_url_put_parameter(&buf, "post_logout_redirect_uri",
                         kc_rp_redirect_uri(check->rp, check->client, check->pool));
    return kc_buf_bytes(&buf, &url) == KC_OK ? (const char *)url.data : NULL;
}

static void tell_return(const kc_check_t *check, const kc_http_response_t *response)
{
    const char *uri = kc_rp_redirect_uri(check->rp, check->client, check->pool);
    const char *page = kc_check_page_text(response, check->pool);
    const kc_check_fault_t refused = {
        KC_CHECK_FAILED, name_return, KC_ERR_LOGOUT_STATE,
        apr_pstrcat(check->pool, "add ", uri,
                    ", or +, to Valid post logout redirect URIs of the client in Keycloak", NULL)};
    const kc_check_fault_t unknown = {KC_CHECK_UNKNOWN, name_return, KC_ERR_NONE,
                                      "sign out with a browser, and see where it ends"};

    if (response->status == 200 || (response->status >= 300 && response->status < 400))
        kc_check_report_ok(check->report, name_return, "after a sign-out Keycloak returns to %s",
                           uri);
    else if (response->status == 400)
        kc_check_report_add(check->report, &refused,
                            "after a sign-out Keycloak does not return to %s%s%s", uri,
                            *page ? ": " : "", page);
    else
        kc_check_report_add(check->report, &unknown,
                            "Keycloak's end_session_endpoint answers with status %d",
                            response->status);
}

static void ask_return(const kc_check_t *check)
{
    const kc_check_fault_t absent = {KC_CHECK_WARNING, name_return, KC_ERR_NONE,
                                     "users stay signed in at the provider after a sign-out here"};
    const kc_check_fault_t unknown = {KC_CHECK_UNKNOWN, name_return, KC_ERR_NONE,
                                      "sign out with a browser, and see where it ends"};
    kc_http_response_t response;
    const char *url;
    kc_err_t err;

    if (!check->provider->end_session_endpoint) {
        kc_check_report_add(check->report, &absent, "the provider has no end_session_endpoint");
        return;
    }
    url = end_session_url(check);
    if (!url || kc_check_call_get(check, url, &response, &err) != KC_OK)
        kc_check_report_add(check->report, &unknown,
                            "the end_session_endpoint is not reached from here: %s",
                            url ? err.detail : "it is no URL");
    else
        tell_return(check, &response);
}

/* --- back-channel logout --- */

const char *kc_check_logout_address(const kc_check_t *check)
{
    if (!check->client)
        return NULL;
    return apr_pstrcat(check->pool, check->client->public_url, check->rp->conf->prefix,
                       "backchannel-logout", NULL);
}

/* A form without a logout token: the module refuses it with 400. */
static void ask_backchannel(const kc_check_t *check)
{
    const char *url = kc_check_logout_address(check);
    const kc_check_fault_t unknown = {
        KC_CHECK_UNKNOWN, name_backchannel, KC_ERR_NONE,
        "start httpd and check again, or ask from Keycloak's host: curl -i -X POST must give 400"};
    const kc_check_fault_t other = {
        KC_CHECK_FAILED, name_backchannel, KC_ERR_NONE,
        "let nothing before the module answer at this address, and nobody have to sign in there"};
    const kc_http_request_t request = {.url = url, .form = "check=1", .wants_head = 1};
    kc_http_t *http = check->rp->env->http;
    kc_http_response_t response;
    kc_err_t err;

    if (http->perform(http, &request, check->pool, &response, &err) != KC_OK)
        kc_check_report_add(check->report, &unknown, "%s is not reached from here now: %s", url,
                            err.detail);
    else if (response.status == 400)
        kc_check_report_ok(check->report, name_backchannel, "%s takes logout tokens", url);
    else
        kc_check_report_add(check->report, &other, "%s answers with status %d, not 400", url,
                            response.status);
}

void kc_check_logout_ask(const kc_check_t *check)
{
    if ((check->client || check->rp->conf->redirect_uri) && !check->is_redirect_refused)
        ask_return(check);
    if (check->client)
        ask_backchannel(check);
}

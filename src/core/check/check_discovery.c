/* The check of the way to Keycloak, and of what it says of itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_discovery.h"

#include <apr_strings.h>
#include <string.h>

#include "base/json.h"
#include "base/url.h"
#include "check/check_call.h"
#include "check/check_clock.h"
#include "check/check_issuer.h"

enum { SLOW_SHARE = 2 /* a warning, when an answer takes more than this part of the time */ };

static const char *setting_of(const kc_check_t *check)
{
    return check->rp->conf->backchannel_url ? "KeycloakBackchannelURL" : "KeycloakIssuer";
}

/* --- the connection --- */

static const char *connect_cure(const kc_check_t *check)
{
    const char *proxy = check->proxy;

    if (!proxy)
        proxy = "";
    return apr_psprintf(
        check->pool,
        "see that Keycloak runs and listens at this address (IPv4 and IPv6 count "
        "apart), that no firewall is between, and that %s names the right port%s%s%s",
        setting_of(check), *proxy ? "; the module uses no proxy, so " : "", proxy,
        *proxy ? " in the environment does not help: let this host reach Keycloak, "
                 "or name an address that it reaches in KeycloakBackchannelURL"
               : "");
}

static const char *tls_cure(const kc_check_t *check, const char *why)
{
    if (strstr(why, "wrong version number") || strstr(why, "packet length too long"))
        return apr_psprintf(check->pool,
                            "the server at this port speaks http, not https: write http://, or "
                            "the port for https, in %s",
                            setting_of(check));
    if (strstr(why, "alert") || strstr(why, "certificate required"))
        return "Keycloak refuses this client's handshake: look at KeycloakClientCert and "
               "KeycloakClientKey, and at the TLS versions that Keycloak accepts";
    return "make the certificate one that this host trusts: KeycloakCAFile names the authority "
           "that issued it, and its names must have the host of the URL";
}

/* Results up to the stage that was reached. */
static void tell_connection(const kc_check_t *check, const char *url,
                            const kc_http_response_t *response, const kc_err_t *err)
{
    const kc_http_stage_t stage = response->stage;
    const char *at = response->address ? response->address : "an address";
    kc_check_fault_t fault = {KC_CHECK_FAILED, "issuer.dns", err->reason, NULL};
    kc_url_t parsed;

    if (kc_url_parse(url, check->pool, &parsed, NULL) != KC_OK)
        return;
    if (stage == KC_HTTP_STAGE_NAME) {
        fault.cure = apr_psprintf(check->pool,
                                  "correct the host in %s, or this host's name service "
                                  "(/etc/hosts, /etc/resolv.conf)",
                                  setting_of(check));
        kc_check_report_add(check->report, &fault, "%s", err->detail);
        return;
    }
    kc_check_report_ok(check->report, "issuer.dns", "%s is known", parsed.host);
    if (stage == KC_HTTP_STAGE_CONNECT) {
        fault.name = "issuer.tcp";
        fault.cure = connect_cure(check);
        kc_check_report_add(check->report, &fault, "no connection to port %d: %s", parsed.port,
                            err->detail);
        return;
    }
    kc_check_report_ok(check->report, "issuer.tcp", "connected to %s, port %d", at, parsed.port);
    if (strcmp(parsed.scheme, "https") != 0)
        return;
    if (stage == KC_HTTP_STAGE_TLS) {
        fault.name = "issuer.tls";
        fault.cure = tls_cure(check, err->detail);
        kc_check_report_add(check->report, &fault, "%s", err->detail);
        return;
    }
    kc_check_report_ok(check->report, "issuer.tls", "the certificate of %s is trusted",
                       parsed.host);
}

/* --- the document --- */

static int answers_at(const kc_check_t *check, const char *url)
{
    kc_http_response_t response;
    kc_err_t err;

    return kc_check_call_get(check, url, &response, &err) == KC_OK && response.status == 200;
}

/* What is wrong with an address at which there is no document: looks for the realm that every
 * Keycloak has. */
static const char *absent_cure(const kc_check_t *check, const char *url)
{
    static const char master[] = "/realms/master";
    apr_pool_t *pool = check->pool;
    const char *realm = strstr(url, "/realms/"), *base, *other;
    size_t len;

    if (!realm)
        return "write KeycloakIssuer with its realm, such as https://HOST/realms/REALM";
    base = apr_pstrndup(pool, url, (apr_size_t)(realm - url));
    if (answers_at(check, apr_pstrcat(pool, base, master, NULL)))
        return "Keycloak answers there, but has no such realm, or it is disabled: correct the "
               "realm's name in KeycloakIssuer (upper and lower case differ), or enable the realm";
    len = strlen(base);
    other = len > 5 && !strcmp(base + len - 5, "/auth") ? apr_pstrndup(pool, base, len - 5)
                                                        : apr_pstrcat(pool, base, "/auth", NULL);
    if (answers_at(check, apr_pstrcat(pool, other, master, NULL)))
        return apr_pstrcat(pool, "Keycloak answers below ", other,
                           ": correct the path before /realms/ in ", setting_of(check), NULL);
    return apr_pstrcat(pool, "no Keycloak answers there: correct host, port and path of ",
                       setting_of(check), NULL);
}

static void tell_status(const kc_check_t *check, const char *url,
                        const kc_http_response_t *response)
{
    kc_check_fault_t fault = {KC_CHECK_FAILED, "issuer.discovery", KC_ERR_PROVIDER_DOWN,
                              "look at Keycloak's log"};

    if (response->status == 404) {
        fault.reason = KC_ERR_DISCOVERY;
        fault.cure = absent_cure(check, url);
    } else if (response->status >= 300 && response->status < 400) {
        fault.cure = apr_pstrcat(check->pool,
                                 "redirects are not followed: write the address to "
                                 "which it leads in ",
                                 setting_of(check), NULL);
    } else if (response->status == 403) {
        fault.cure = "Keycloak refuses: the realm may be disabled, or want https for this address "
                     "(realm settings, Require SSL)";
    } else if (response->status == 400) {
        fault.cure = apr_pstrcat(check->pool,
                                 "the server may expect https at this port: look at "
                                 "the scheme and the port of ",
                                 setting_of(check), NULL);
    }
    kc_check_report_add(check->report, &fault, "%s answers with status %d%s%s", url,
                        response->status, response->location ? ", to " : "",
                        response->location ? response->location : "");
}

static void tell_time(const kc_check_t *check, const char *url, int64_t taken)
{
    static const char text[] = "%s answers within %" APR_INT64_T_FMT " ms";
    const int64_t limit = check->rp->conf->http_timeout;
    const kc_check_fault_t slow = {KC_CHECK_WARNING, "issuer.discovery", KC_ERR_NONE,
                                   "see why Keycloak, or the way to it, is slow; "
                                   "KeycloakHTTPTimeout is how long requests wait"};

    if (taken > limit / SLOW_SHARE)
        kc_check_report_add(check->report, &slow, text, url, taken);
    else
        kc_check_report_ok(check->report, "issuer.discovery", text, url, taken);
}

/* What a sign-in needs: endpoints that are allowed, and what this client uses of them. */
static void tell_endpoints(kc_check_t *check, const kc_http_response_t *response)
{
    const kc_check_fault_t partial = {KC_CHECK_WARNING, "issuer.endpoints",
                                      KC_ERR_DISCOVERY_ENDPOINT,
                                      "name their origin in KeycloakEndpointOrigins, or correct "
                                      "Keycloak's hostname settings"};
    kc_check_fault_t fault = {KC_CHECK_FAILED, "issuer.endpoints", KC_ERR_NONE,
                              "correct Keycloak's hostname settings, or name the origin in "
                              "KeycloakEndpointOrigins"};
    kc_provider_t *provider;
    kc_err_t err;

    if (kc_provider_parse(check->rp->conf, response->body, response->body_len, check->pool,
                          &provider, &err) != KC_OK) {
        fault.reason = err.reason;
        if (err.reason != KC_ERR_DISCOVERY_ENDPOINT)
            fault.cure = "see that the address is a Keycloak's, and that Keycloak offers what "
                         "KeycloakClientAuth asks for";
        kc_check_report_add(check->report, &fault, "%s", err.detail);
        return;
    }
    check->provider = provider;
    if (*provider->left_out)
        kc_check_report_add(check->report, &partial, "not used: %s", provider->left_out);
    else
        kc_check_report_ok(check->report, "issuer.endpoints",
                           "the token endpoint is %s, browsers sign in at %s",
                           provider->token_endpoint, provider->authorization_endpoint);
}

static void tell_document(kc_check_t *check, const kc_http_response_t *response)
{
    const kc_check_fault_t malformed = {KC_CHECK_FAILED, "issuer.discovery", KC_ERR_DISCOVERY,
                                        "see that the address is Keycloak's, and that nothing "
                                        "before it, such as a proxy, answers in its place"};
    const kc_json_t *document;
    kc_err_t err;

    if (kc_json_parse(response->body, response->body_len, check->pool, &document, &err) != KC_OK) {
        kc_check_report_add(check->report, &malformed, "the answer is no discovery document: %s",
                            err.detail);
        return;
    }
    if (kc_check_issuer_tell(check, "issuer.equal", kc_json_member_string(document, "issuer")))
        tell_endpoints(check, response);
}

/* --- the public name --- */

/* With KeycloakBackchannelURL, browsers come to Keycloak by another way than this host. From here
 * that way may be closed, which says nothing. */
static void ask_public(const kc_check_t *check)
{
    const kc_check_fault_t unknown = {
        KC_CHECK_UNKNOWN, "issuer.public", KC_ERR_NONE,
        "open this address in a browser: it must show the same issuer"};
    kc_conf_t outside = *check->rp->conf;
    const kc_json_t *document;
    kc_http_response_t response;
    const char *url;
    kc_err_t err;

    if (!outside.backchannel_url)
        return;
    outside.backchannel_url = NULL;
    if (kc_provider_discovery_url(&outside, check->pool, &url, &err) != KC_OK)
        return;
    if (kc_check_call_get(check, url, &response, &err) != KC_OK)
        kc_check_report_add(check->report, &unknown, "%s is not reached from here: %s", url,
                            err.detail);
    else if (response.status != 200 ||
             kc_json_parse(response.body, response.body_len, check->pool, &document, &err) != KC_OK)
        kc_check_report_add(check->report, &unknown, "%s answers with status %d", url,
                            response.status);
    else
        (void)kc_check_issuer_tell(check, "issuer.public",
                                   kc_json_member_string(document, "issuer"));
}

void kc_check_discovery_ask(kc_check_t *check)
{
    const kc_env_t *env = check->rp->env;
    kc_check_fault_t fault = {KC_CHECK_FAILED, "issuer.discovery", KC_ERR_PROVIDER_DOWN,
                              "see in Keycloak's log why it does not answer, and that the port is "
                              "that of its http or https listener"};
    kc_http_response_t response = {0};
    int64_t begun = env->elapsed_ms(env->context);
    const char *url;
    kc_err_t err = {0};
    kc_rc_t rc = kc_provider_discovery_url(check->rp->conf, check->pool, &url, &err);

    if (rc != KC_OK) {
        fault.reason = err.reason;
        fault.cure = "correct KeycloakIssuer";
        kc_check_report_add(check->report, &fault, "%s", err.detail);
        return;
    }
    rc = kc_check_call_get(check, url, &response, &err);
    tell_connection(check, url, &response, &err);
    if (rc != KC_OK && response.stage == KC_HTTP_STAGE_ANSWER)
        kc_check_report_add(check->report, &fault, "%s", err.detail);
    if (rc != KC_OK)
        return;
    kc_check_clock_read(check, response.date);
    if (response.status != 200) {
        tell_status(check, url, &response);
        return;
    }
    tell_time(check, url, env->elapsed_ms(env->context) - begun);
    tell_document(check, &response);
    ask_public(check);
}

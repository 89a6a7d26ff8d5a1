/* The check of settings that nobody has to be asked about: trusted proxies and cookies.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_settings.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/url.h"

enum {
    EVERYONE_IPV4 = 7, /* bits, and less; no private network is as wide */
    EVERYONE_IPV6 = 6,
    WIDE_IPV4 = 15, /* of public addresses */
    WIDE_IPV6 = 31
};

/* ---------------------------------------------------------------- proxies */

/* RFC 1918, RFC 6598 and the loopback. */
static int is_private_ipv4(const char *text)
{
    int first = 0, second = 0;

    first = (int)strtol(text, NULL, 10);
    if (strchr(text, '.'))
        second = (int)strtol(strchr(text, '.') + 1, NULL, 10);
    return first == 10 || first == 127 || (first == 172 && second >= 16 && second < 32) ||
           (first == 192 && second == 168) || (first == 100 && second >= 64 && second < 128);
}

/* Unique local (RFC 4193) and link-local addresses. */
static int is_private_ipv6(const char *text)
{
    return (strchr("fF", text[0]) && strchr("cCdDeE", text[1])) || strncmp(text, "::1", 3) == 0;
}

/* The bits of a mask in dots, such as 255.255.0.0. */
static int bits_of_mask(const char *mask)
{
    int bits = 0;

    for (; mask; mask = strchr(mask, '.') ? strchr(mask, '.') + 1 : NULL) {
        long byte = strtol(mask, NULL, 10);

        for (; byte & 0x80; byte = byte << 1 & 0xff)
            bits++;
    }
    return bits;
}

kc_check_settings_width_t kc_check_settings_width(const char *network)
{
    const int is_ipv6 = strchr(network, ':') != NULL;
    const char *bits_text = strchr(network, '/');
    int bits;

    if (!bits_text)
        return KC_CHECK_SETTINGS_NARROW;
    bits =
        strchr(bits_text, '.') ? bits_of_mask(bits_text + 1) : (int)strtol(bits_text + 1, NULL, 10);
    if (bits <= (is_ipv6 ? EVERYONE_IPV6 : EVERYONE_IPV4))
        return KC_CHECK_SETTINGS_EVERYONE;
    if (bits > (is_ipv6 ? WIDE_IPV6 : WIDE_IPV4) ||
        (is_ipv6 ? is_private_ipv6(network) : is_private_ipv4(network)))
        return KC_CHECK_SETTINGS_NARROW;
    return KC_CHECK_SETTINGS_WIDE;
}

static int tell_width(const kc_check_t *check, const char *network)
{
    kc_check_fault_t fault = {KC_CHECK_FAILED, "proxies.width", KC_ERR_NONE,
                              "name only the addresses of your own load balancers in "
                              "KeycloakTrustedProxy"};
    const kc_check_settings_width_t width = kc_check_settings_width(network);

    if (width == KC_CHECK_SETTINGS_NARROW)
        return 1;
    if (width == KC_CHECK_SETTINGS_WIDE)
        fault.outcome = KC_CHECK_WARNING;
    kc_check_report_add(
        check->report, &fault,
        "KeycloakTrustedProxy %s: %s can say by X-Forwarded-For and "
        "X-Forwarded-Proto which address and scheme a request comes from",
        network, width == KC_CHECK_SETTINGS_WIDE ? "hosts of others in this network" : "everybody");
    return 0;
}

static int is_public_https(const kc_check_t *check)
{
    return check->client && check->client->public_url &&
           strncmp(check->client->public_url, "https:", 6) == 0;
}

static void tell_proxies(const kc_check_t *check)
{
    const apr_array_header_t *proxies = check->rp->conf->trusted_proxies;
    const kc_check_fault_t missing = {
        KC_CHECK_WARNING, "proxies.missing", KC_ERR_NONE,
        "name the proxy that ends TLS in KeycloakTrustedProxy, and let it send X-Forwarded-Proto "
        "and X-Forwarded-For; or turn TLS on here"};
    int i, is_well = 1;

    for (i = 0; proxies && i < proxies->nelts; i++)
        is_well &= tell_width(check, APR_ARRAY_IDX(proxies, i, const char *));
    if (proxies && is_well)
        kc_check_report_ok(check->report, "proxies.width",
                           "KeycloakTrustedProxy names no network "
                           "that is too wide");
    if (!proxies && is_public_https(check) && !check->has_tls)
        kc_check_report_add(check->report, &missing,
                            "browsers come to %s, but httpd listens without TLS and no "
                            "KeycloakTrustedProxy is set: X-Forwarded-* are ignored, so that "
                            "the audit log has the proxy's address for each browser, unless "
                            "mod_remoteip tells theirs",
                            check->client->public_url);
}

/* ---------------------------------------------------------------- cookies */

static void tell_cookie(const kc_check_t *check)
{
    const char *address = check->client ? check->client->public_url : NULL;
    kc_check_fault_t fault = {KC_CHECK_WARNING, "cookie.secure", KC_ERR_NONE, ""};
    kc_url_t url;

    if (!address || kc_url_parse(address, check->pool, &url, NULL) != KC_OK)
        return;
    if (is_public_https(check)) {
        kc_check_report_ok(check->report, "cookie.secure", "%s: session cookies are Secure",
                           address);
        return;
    }
    if (kc_url_is_loopback(&url)) {
        kc_check_report_ok(check->report, "cookie.secure",
                           "%s is on the loopback: session cookies need no Secure", address);
        return;
    }
    fault.cure =
        "serve https, or set KeycloakPublicURL https://HOST when a proxy before httpd does";
    if (check->has_tls) {
        fault.outcome = KC_CHECK_FAILED;
        kc_check_report_add(check->report, &fault,
                            "httpd has TLS here, but KeycloakPublicURL is %s: browsers are sent "
                            "back from Keycloak to http, without their cookies of https",
                            address);
        return;
    }
    kc_check_report_add(check->report, &fault,
                        "browsers come to %s: session cookies are not Secure, and everybody on "
                        "the way can take them",
                        address);
}

void kc_check_settings_tell(const kc_check_t *check)
{
    tell_proxies(check);
    tell_cookie(check);
}

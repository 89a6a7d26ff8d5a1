/* Checks of the configuration as a whole: those that the rows of conf.def name, and how they are
 * run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_check.h"

#include <string.h>
#include <strings.h>
#include <apr_lib.h>
#include <apr_network_io.h>
#include <apr_strings.h>

#include "base/path.h"
#include "base/syslog_target.h"
#include "base/url.h"
#include "conf/conf_audit.h"
#include "conf/conf_listing.h"
#include "conf/conf_own.h"
#include "conf/conf_parse.h"
#include "conf/conf_pem.h"
#include "conf/conf_secret.h"
#include "conf/cookie_names.h"
#include "conf/groups_filter.h"
#include "conf/login_names.h"
#include "store/store.h"
#include "store/store_memcached.h"

/* ---------------------------------------------------------------- addresses */

/* Tokens and the client's secret are sent there. */
static kc_rc_t check_transport(const kc_conf_t *conf, const kc_url_t *url, kc_err_t *err)
{
    if (!strcmp(url->scheme, "https") || conf->allow_http || kc_url_is_loopback(url))
        return KC_OK;
    return KC_CONF_REFUSE(
        err,
        "is http, and %.100s is not on the loopback, so that everybody on the way "
        "could read secrets: use https, or set KeycloakAllowHTTP on",
        url->host);
}

static kc_rc_t check_url(const kc_conf_t *conf, const char *text, apr_pool_t *pool, kc_url_t *url,
                         kc_err_t *err)
{
    kc_err_t why = {0};

    if (kc_url_parse(text, pool, url, &why) != KC_OK)
        return KC_CONF_REFUSE(err, "'%.80s' is not a whole URL: %.120s",
                              kc_conf_listing_plain(text, pool), why.detail);
    return check_transport(conf, url, err);
}

kc_rc_t kc_conf_check_issuer(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    kc_url_t url;
    kc_rc_t rc = check_url(conf, conf->issuer, pool, &url, err);

    if (rc == KC_OK && strstr(url.path, "/.well-known/"))
        rc = KC_CONF_REFUSE(err, "takes the issuer alone: leave out %.80s",
                            strstr(url.path, "/.well-known/"));
    if (rc == KC_OK && url.query)
        rc = KC_CONF_REFUSE(err, "must not have a query: an issuer is "
                                 "https://host/realms/NAME");
    return rc;
}

kc_rc_t kc_conf_check_backchannel(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    kc_url_t url;

    return conf->backchannel_url ? check_url(conf, conf->backchannel_url, pool, &url, err) : KC_OK;
}

kc_rc_t kc_conf_check_auth_url(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    kc_url_t url;

    if (conf->auth_url && kc_conf_own_name(conf, conf->auth_url, pool))
        return KC_CONF_REFUSE(err, "leads to this module itself, not to Keycloak: %.100s",
                              conf->auth_url);
    if (!conf->auth_url || *conf->auth_url == '/')
        return KC_OK;
    return check_url(conf, conf->auth_url, pool, &url, err);
}

kc_rc_t kc_conf_check_origins(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const apr_array_header_t *list = conf->endpoint_origins;

    for (int i = 0; list && i < list->nelts; i++) {
        const char *text = APR_ARRAY_IDX(list, i, const char *);
        kc_url_t url;
        kc_rc_t rc = check_url(conf, text, pool, &url, err);

        if (rc != KC_OK)
            return rc;
        if (strcmp(url.path, "/") != 0 || url.query)
            return KC_CONF_REFUSE(err, "takes scheme://host[:port] without a path, not '%.120s'",
                                  text);
    }
    return KC_OK;
}

/* 1 for another address of this module. */
static int is_other_address(const char *prefix, const char *path)
{
    static const char *const names[] = {
        "login",    "logout", "backchannel-logout", "frontchannel-logout", "whoami",
        "sessions", "verify"};
    size_t len = strlen(prefix);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strncmp(path, prefix, len) && !strcmp(path + len, names[i]))
            return 1;
    }
    return 0;
}

kc_rc_t kc_conf_check_redirect_uri(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    kc_url_t url, site;
    kc_rc_t rc = KC_OK;

    if (!conf->redirect_uri)
        return KC_OK;
    rc = kc_url_parse(conf->redirect_uri, pool, &url, err);
    if (rc != KC_OK)
        return rc;
    if (url.query || !strcmp(url.path, "/"))
        return KC_CONF_REFUSE(err, "needs a path of its own and no query, such as "
                                   "https://host/authservice/oidc/callback");
    if (is_other_address(conf->prefix, url.path))
        return KC_CONF_REFUSE(err, "has the path of another address of this module: %.100s",
                              url.path);
    if (!conf->public_url)
        return KC_OK;
    rc = kc_url_parse(conf->public_url, pool, &site, err);
    if (rc == KC_OK && !kc_url_is_same_origin(&url, &site))
        rc = KC_CONF_REFUSE(err, "is at %.80s, but KeycloakPublicURL is %.80s: they must agree",
                            kc_url_origin(&url, pool), conf->public_url);
    return rc;
}

kc_rc_t kc_conf_check_trusted_proxies(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const apr_array_header_t *list = conf->trusted_proxies;

    for (int i = 0; list && i < list->nelts; i++) {
        const char *text = APR_ARRAY_IDX(list, i, const char *);
        char *address = apr_pstrdup(pool, text);
        char *bits = strchr(address, '/');
        apr_ipsubnet_t *subnet;

        if (bits)
            *bits++ = '\0';
        if (apr_ipsubnet_create(&subnet, address, bits, pool) != APR_SUCCESS)
            return KC_CONF_REFUSE(
                err, "takes addresses such as 10.1.2.3, 10.0.0.0/8 or fd00::/8, not '%.80s'", text);
    }
    return KC_OK;
}

kc_rc_t kc_conf_check_judge_for(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    (void)pool;
    if (conf->judge_for == KC_JUDGE_ENVOY || conf->trusted_proxies)
        return KC_OK;
    return KC_CONF_REFUSE(err,
                          "needs KeycloakTrustedProxy: name the gateway, whose word on what it "
                          "asks about is believed");
}

/* ---------------------------------------------------------------- cookies */

static int begins(const char *text, const char *prefix)
{
    return !strncasecmp(text, prefix, strlen(prefix));
}

static int is_public_http(const kc_conf_t *conf)
{
    const char *url = conf->public_url ? conf->public_url : conf->redirect_uri;

    return url && begins(url, "http:");
}

kc_rc_t kc_conf_check_cookie(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const char *name = conf->cookie;

    (void)pool;
    if (!kc_conf_parse_is_token(name))
        return KC_CONF_REFUSE(err, "takes a cookie's name (letters, digits, - and _), not '%.80s'",
                              name);
    /* Browsers know these prefixes in any case, and reject a cookie that violates their rules. */
    if ((begins(name, "__Host-") || begins(name, "__Secure-")) && is_public_http(conf))
        return KC_CONF_REFUSE(err, "%.60s needs https, but browsers come to %.100s", name,
                              conf->public_url ? conf->public_url : conf->redirect_uri);
    if (begins(name, "__Host-") && conf->cookie_domain)
        return KC_CONF_REFUSE(err,
                              "%.60s and KeycloakCookieDomain exclude each other: a __Host- "
                              "cookie has no domain",
                              name);
    if (kc_cookie_names_is_taken(name))
        return KC_CONF_REFUSE(err, "%.60s is the name of another cookie of this module", name);
    return KC_OK;
}

kc_rc_t kc_conf_check_same_site(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    (void)pool;
    if (conf->cookie_same_site != KC_SAME_SITE_NONE)
        return KC_OK;
    if (conf->public_url && begins(conf->public_url, "https:"))
        return KC_OK;
    return KC_CONF_REFUSE(err, "None needs a KeycloakPublicURL with https: browsers refuse such "
                               "cookies over http");
}

static int is_domain(const char *text)
{
    char last = '.';

    for (const char *c = text; *c; c++) {
        if (!apr_isalnum(*c) && !strchr("-.", *c))
            return 0;
        if (*c == '.' && last == '.')
            return 0;
        last = *c;
    }
    return last != '.' && strlen(text) < 254;
}

kc_rc_t kc_conf_check_cookie_domain(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const char *domain = conf->cookie_domain;
    kc_url_t site;

    if (!domain)
        return KC_OK;
    if (!is_domain(domain))
        return KC_CONF_REFUSE(err,
                              "takes a domain such as example.com, without a leading dot; not "
                              "'%.100s'",
                              domain);
    if (!strchr(domain, '.') && strcasecmp(domain, "localhost") != 0)
        return KC_CONF_REFUSE(err,
                              "takes a domain with a dot, such as example.com, not '%.100s': "
                              "browsers would refuse the cookie",
                              domain);
    if (!conf->public_url || kc_url_parse(conf->public_url, pool, &site, NULL) != KC_OK)
        return KC_OK;
    if (kc_url_is_in_domain(site.host, domain))
        return KC_OK;
    return KC_CONF_REFUSE(err,
                          "%.80s is not a domain of KeycloakPublicURL's host %.80s: browsers "
                          "would refuse the cookie",
                          domain, site.host);
}

/* ---------------------------------------------------------------- servers and paths */

static kc_rc_t check_hosts(const apr_array_header_t *list, const char *example, apr_pool_t *pool,
                           kc_err_t *err)
{
    for (int i = 0; list && i < list->nelts; i++) {
        const char *text = APR_ARRAY_IDX(list, i, const char *);
        kc_url_t url;

        if (kc_url_parse(apr_pstrcat(pool, "http://", text, NULL), pool, &url, NULL) != KC_OK ||
            strpbrk(text, "/?"))
            return KC_CONF_REFUSE(err, "takes HOST or HOST:PORT, such as %s, not '%.100s'", example,
                                  kc_conf_listing_host(text, pool));
    }
    return KC_OK;
}

kc_rc_t kc_conf_check_memcached(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    if (conf->memcached && conf->memcached->nelts > KC_STORE_SERVERS_MAX)
        return KC_CONF_REFUSE(err, "takes up to %d servers, not %d", (int)KC_STORE_SERVERS_MAX,
                              conf->memcached->nelts);
    return check_hosts(conf->memcached, "memcached.example.com:11211", pool, err);
}

kc_rc_t kc_conf_check_memcached_user(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    (void)pool;
    if (conf->memcached_user && !conf->memcached_password.text)
        return KC_CONF_REFUSE(err, "needs KeycloakMemcachedPassword beside it");
    if (conf->memcached_user && !kc_store_memcached_can_sign_in())
        return KC_CONF_REFUSE(err, "cannot be used: this libmemcached was built without SASL");
    return KC_OK;
}

kc_rc_t kc_conf_check_memcached_password(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    (void)pool;
    if (conf->memcached_password.text && !conf->memcached_user)
        return KC_CONF_REFUSE(err, "needs KeycloakMemcachedUser beside it");
    return KC_OK;
}

kc_rc_t kc_conf_check_return_hosts(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    return check_hosts(conf->return_hosts, "portal.example.com", pool, err);
}

/* Public paths are compared with paths that httpd has decoded and normalised. A path in another
 * form would never match. */
static int is_public_path(const char *path)
{
    return *path == '/' && !strpbrk(path, "\\%;?#*") && !strstr(path, "//") &&
           !kc_path_has_dot_segment(path);
}

kc_rc_t kc_conf_check_public_paths(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const apr_array_header_t *list = conf->public_paths;

    (void)pool;
    for (int i = 0; list && i < list->nelts; i++) {
        const char *path = APR_ARRAY_IDX(list, i, const char *);

        if (!is_public_path(path))
            return KC_CONF_REFUSE(err,
                                  "takes plain paths that begin with / and have no escapes, "
                                  "wildcards, '//' or '..'; not '%.100s'",
                                  path);
    }
    return KC_OK;
}

kc_rc_t kc_conf_check_idle_ignore(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const apr_array_header_t *list = conf->idle_ignore;

    (void)pool;
    for (int i = 0; list && i < list->nelts; i++) {
        const char *path = APR_ARRAY_IDX(list, i, const char *);

        if (path[0] != '/' || !path[1] || strstr(path, "//") || strstr(path, "/.") ||
            path[strcspn(path, "?%[\\ ")])
            return KC_CONF_REFUSE(err,
                                  "takes paths below / that have no escapes, '//' or '/.', and no "
                                  "wildcard but *; not '%.100s'",
                                  path);
    }
    return KC_OK;
}

kc_rc_t kc_conf_check_login_parameters(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    (void)pool;
    return kc_login_names_check(conf->login_parameters, err);
}

kc_rc_t kc_conf_check_audit_log(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    kc_syslog_target_t target;
    kc_err_t why = {0};

    (void)pool;
    switch (kc_conf_audit_kind(conf)) {
    case KC_CONF_AUDIT_PROGRAM:
        return conf->audit_log[strspn(conf->audit_log, "|$ ")]
                   ? KC_OK
                   : KC_CONF_REFUSE(err, "names no program behind '|'");
    case KC_CONF_AUDIT_SYSLOG:
        return kc_syslog_target_read(kc_conf_audit_target(conf), &target, &why) == KC_OK
                   ? KC_OK
                   : KC_CONF_REFUSE(err, "%.200s", why.detail);
    default:
        return KC_OK;
    }
}

/* What httpd -t accepts must start: a file that will be read must be readable now. */
kc_rc_t kc_conf_check_row(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool,
                          kc_err_t *err)
{
    const kc_conf_row_t *row = kc_conf_table_row(index);
    const kc_conf_file_t *file = kc_conf_table_file(conf, row);
    const char *text;
    kc_rc_t rc = KC_OK;

    if (file)
        rc = kc_conf_secret_text(file, row->is_private, pool, &text, err);
    if (rc == KC_OK && file && row->has_certificates)
        rc = kc_conf_pem_check_certificates(file, pool, err);
    return rc == KC_OK && row->check ? row->check(conf, pool, err) : rc;
}

kc_rc_t kc_conf_check_all(const kc_conf_t *conf, kc_conf_index_t *index, apr_pool_t *pool,
                          kc_err_t *err)
{
    int i;

    for (i = 0; conf->issuer && i < KC_CONF_ROWS; i++) {
        kc_rc_t rc = kc_conf_check_row(conf, (kc_conf_index_t)i, pool, err);

        if (rc != KC_OK) {
            *index = (kc_conf_index_t)i;
            return rc;
        }
    }
    return KC_OK;
}

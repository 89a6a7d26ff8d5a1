/* Settings that lead to the module's own addresses.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_own.h"

#include <apr_escape.h>
#include <apr_strings.h>
#include <string.h>

#include "base/url.h"

static const char callback_name[] = "oidc/callback";

static int is_other_host(const kc_conf_t *conf, const kc_url_t *url, apr_pool_t *pool)
{
    kc_url_t site;

    return conf->public_url && kc_url_parse(conf->public_url, pool, &site, NULL) == KC_OK &&
           strcmp(site.host, url->host) != 0;
}

/* 1 for the callback's path when it is not below the prefix. */
static int is_callback(const kc_conf_t *conf, const char *path, apr_pool_t *pool)
{
    kc_url_t url;

    return conf->redirect_uri && kc_url_parse(conf->redirect_uri, pool, &url, NULL) == KC_OK &&
           strcmp(path, url.path) == 0;
}

const char *kc_conf_own_name(const kc_conf_t *conf, const char *location, apr_pool_t *pool)
{
    size_t len = strlen(conf->prefix);
    const char *path = location;
    kc_url_t url;

    if (!location)
        return NULL;
    if (location[0] != '/') {
        if (kc_url_parse(location, pool, &url, NULL) != KC_OK || is_other_host(conf, &url, pool))
            return NULL;
        path = url.path;
    }
    path = apr_punescape_url(pool, apr_pstrndup(pool, path, strcspn(path, "?#")), NULL, NULL, 0);
    if (!path)
        return NULL;
    if (is_callback(conf, path, pool))
        return callback_name;
    if (strncmp(path, conf->prefix, len) != 0 || strncmp(path + len, "site/", 5) == 0)
        return NULL;
    return path + len;
}

const char *kc_conf_own_after_logout(const kc_conf_t *conf, apr_pool_t *pool)
{
    const char *name = kc_conf_own_name(conf, conf->after_logout_url, pool);

    return name && strcmp(name, "login") != 0 ? name : NULL;
}

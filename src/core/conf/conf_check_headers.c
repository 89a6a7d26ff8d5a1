/* Checks of the names of identity headers: none that requests depend on, none twice.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_check_headers.h"

#include <apr_hash.h>
#include <string.h>
#include <strings.h>

#include "base/header_name.h"

/* Folded to letters and digits. An answer to a gateway has the identity headers too, so names that
 * decide how an answer is read are here as well. */
static const char *const names[] = {
    /* the message and its route */
    "", "host", "contentlength", "transferencoding", "te", "trailer", "trailers", "expect",
    "connection", "proxyconnection", "keepalive", "upgrade", "http2settings", "via", "contenttype",
    "contentencoding", "contentrange", "range", "acceptranges", "acceptencoding",
    /* identity by other means */
    "cookie", "cookie2", "authorization", "proxyauthorization", "setcookie", "setcookie2",
    "wwwauthenticate", "proxyauthenticate", "xkeycloaklogin",
    /* an answer */
    "status", "location", "date", "server", "age", "expires", "lastmodified", "etag",
    "cachecontrol", "pragma", "vary", "allow", "retryafter", "refresh", "link",
    /* what distinguishes pages from scripts, and who caused the request */
    "accept", "origin", "referer", "useragent", "xrequestedwith", "secfetchmode", "secfetchsite",
    "secfetchdest", "secpurpose",
    /* what proxies tell of the request */
    "forwarded", "xforwardedfor", "xforwardedproto", "xforwardedhost", "xforwardedport",
    "xforwardedserver", "xforwardedscheme", "xscheme", "xforwardedssl", "xforwardeduri",
    "xforwardedmethod", "xoriginaluri", "xoriginalmethod", "xoriginalurl"};

int kc_conf_check_headers_is_reserved(const char *folded)
{
    size_t i;

    if (strncmp(folded, "xenvoy", 6) == 0) /* the gateway's own headers, such as the list of headers
                                              to remove */
        return 1;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], folded) == 0)
            return 1;
    }
    return 0;
}

static kc_rc_t check_header_name(const char *name, apr_pool_t *pool, kc_err_t *err)
{
    if (!kc_conf_check_headers_is_reserved(kc_header_name_folded(name, pool)))
        return KC_OK;
    return KC_CONF_REFUSE(err, "cannot use the header %.80s: requests depend on it", name);
}

kc_rc_t kc_conf_check_headers_user(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    return check_header_name(conf->user_header, pool, err);
}

kc_rc_t kc_conf_check_headers_groups(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    if (!strcmp(kc_header_name_folded(conf->user_header, pool),
                kc_header_name_folded(conf->groups_header, pool)))
        return KC_CONF_REFUSE(err,
                              "%.60s is the header of KeycloakUserHeader already (letters and "
                              "digits alone tell headers apart)",
                              conf->groups_header);
    return check_header_name(conf->groups_header, pool, err);
}

/* Authorization is allowed, because backends look for a token there. */
kc_rc_t kc_conf_check_headers_token(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const char *name = conf->id_token_header;

    if (!name || strcasecmp(name, "Authorization") == 0)
        return KC_OK;
    if (!strcmp(kc_header_name_folded(conf->user_header, pool),
                kc_header_name_folded(name, pool)) ||
        !strcmp(kc_header_name_folded(conf->groups_header, pool),
                kc_header_name_folded(name, pool)))
        return KC_CONF_REFUSE(err,
                              "%.60s is the header of the user or the groups already (letters and "
                              "digits alone tell headers apart)",
                              name);
    return check_header_name(name, pool, err);
}

kc_rc_t kc_conf_check_headers_further(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    apr_hash_t *taken = apr_hash_make(pool);
    const apr_array_header_t *list = conf->headers;

    apr_hash_set(taken, kc_header_name_folded(conf->user_header, pool), APR_HASH_KEY_STRING, conf);
    apr_hash_set(taken, kc_header_name_folded(conf->groups_header, pool), APR_HASH_KEY_STRING,
                 conf);
    if (conf->id_token_header)
        apr_hash_set(taken, kc_header_name_folded(conf->id_token_header, pool), APR_HASH_KEY_STRING,
                     conf);
    for (int i = 0; list && i < list->nelts; i++) {
        const char *name = APR_ARRAY_IDX(list, i, kc_conf_pair_t).name;
        kc_rc_t rc = check_header_name(name, pool, err);

        if (rc != KC_OK)
            return rc;
        if (apr_hash_get(taken, kc_header_name_folded(name, pool), APR_HASH_KEY_STRING))
            return KC_CONF_REFUSE(err,
                                  "%.80s is set already (letters and digits alone tell headers "
                                  "apart): choose another name",
                                  name);
        apr_hash_set(taken, kc_header_name_folded(name, pool), APR_HASH_KEY_STRING, conf);
    }
    return KC_OK;
}

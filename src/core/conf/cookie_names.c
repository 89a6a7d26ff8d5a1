/* The names of this module's cookies: their prefixes over https, and the names that are taken.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/cookie_names.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

static const char host_prefix[] = "__Host-", secure_prefix[] = "__Secure-";

void kc_cookie_names_make(const kc_conf_t *conf, int is_https, apr_pool_t *pool,
                          kc_cookie_names_t *names)
{
    const char *prefix = !is_https ? "" : conf->cookie_domain ? secure_prefix : host_prefix;
    const char *host = is_https ? host_prefix : "";

    if (strncmp(conf->cookie, "__", 2) == 0)
        prefix = "";
    names->session = apr_pstrcat(pool, prefix, conf->cookie, NULL);
    names->session_len = strlen(names->session);
    names->login = apr_pstrcat(pool, host, KC_COOKIE_LOGIN "_", NULL);
    names->login_pattern = apr_pstrcat(pool, names->login, "*", NULL);
    names->rounds = apr_pstrcat(pool, host, KC_COOKIE_ROUNDS, NULL);
    names->logout = apr_pstrcat(pool, host, KC_COOKIE_LOGOUT, NULL);
}

/* The name after the prefix, if it has that prefix. */
static const char *skip(const char *name, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncasecmp(name, prefix, len) == 0 ? name + len : name;
}

int kc_cookie_names_is_taken(const char *name)
{
    static const char *const others[] = {KC_COOKIE_LOGIN, KC_COOKIE_ROUNDS, KC_COOKIE_LOGOUT};
    const char *rest = skip(name, host_prefix);
    size_t i;

    if (rest == name)
        rest = skip(name, secure_prefix);
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (skip(rest, others[i]) != rest)
            return 1;
    }
    return 0;
}

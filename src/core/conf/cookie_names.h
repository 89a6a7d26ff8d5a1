/* The names of this module's cookies.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_COOKIE_NAMES_H
#define KC_COOKIE_NAMES_H

#include <apr_pools.h>
#include <stddef.h>

#include "conf/conf_table.h"

/* Names for one scheme, http or https, of the browser. */
typedef struct kc_cookie_names_t {
    const char *session; /* with "__Host-" over https */
    size_t session_len;
    const char *login;         /* prefix of the login cookies, with "_" at its end */
    const char *login_pattern; /* the same with a star, for kc_cookie_strip */
    const char *rounds;        /* the counter of the loop guard */
    const char *logout;        /* of a pending logout */
} kc_cookie_names_t;

/* The names for browsers that use https, or http. The session cookie has KeycloakCookie's name.
 * Over https it gets a prefix, unless it has one already. In pool. */
void kc_cookie_names_make(const kc_conf_t *conf, int is_https, apr_pool_t *pool,
                          kc_cookie_names_t *names);
/* 1 when KeycloakCookie must not have this name: it equals or begins with the name of another
 * cookie of this module, with or without a prefix. Case is ignored: browsers distinguish it, but
 * people do not. Thread safe. */
int kc_cookie_names_is_taken(const char *name);

#endif

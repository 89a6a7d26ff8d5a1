/* The names of the cookies of this module.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_COOKIE_NAMES_H
#define KC_COOKIE_NAMES_H

#include <apr_pools.h>
#include <stddef.h>

#include "conf/conf_table.h"

/* Names that depend on the scheme which the browser uses. */
typedef struct kc_cookie_names_t {
    const char *session; /* "__Host-keycloak_session" */
    size_t session_len;
    const char *login;         /* prefix of the login cookies: "__Host-keycloak_login_" */
    const char *login_pattern; /* the same with a star, for kc_cookie_strip */
    const char *rounds;        /* the counter against loops */
    const char *logout;        /* of a sign-out under way */
} kc_cookie_names_t;

/* The names that browsers use which come by https, or by http. The session's is KeycloakCookie's,
 * with a prefix over https unless that has one already. In pool. */
void kc_cookie_names_make(const kc_conf_t *conf, int is_https, apr_pool_t *pool,
                          kc_cookie_names_t *names);
/* 1 when KeycloakCookie cannot have this name, because it is that of another cookie of this module,
 * or begins with one, with or without a prefix: browsers tell names apart by case, and people do
 * not. Thread safe. */
int kc_cookie_names_is_taken(const char *name);

#endif

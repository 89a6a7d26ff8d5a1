/* Settings that lead to the module's own addresses.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_OWN_H
#define KC_CONF_OWN_H

#include <apr_pools.h>

#include "conf/conf_table.h"

/* The own address that a location leads to. The location is a path, or a URL of KeycloakPublicURL's
 * host (of any host when that is not set). The result is the name below KeycloakPrefix, such as
 * "logout" ("" for the prefix itself), or "oidc/callback" for KeycloakRedirectURI's path. NULL:
 * none; also for site/, which has pages of the administrator. Escapes are decoded; query and
 * fragment are ignored. Thread safe; pool is for scratch and the result. */
const char *kc_conf_own_name(const kc_conf_t *conf, const char *location, apr_pool_t *pool);
/* The same for KeycloakAfterLogoutURL, except that login is allowed there: it makes no loop. */
const char *kc_conf_own_after_logout(const kc_conf_t *conf, apr_pool_t *pool);

#endif

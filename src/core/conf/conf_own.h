/* Settings that lead to the module's own addresses.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_OWN_H
#define KC_CONF_OWN_H

#include <apr_pools.h>

#include "conf/conf_table.h"

/* What of this module answers at a location (a path, or a URL of KeycloakPublicURL's host; of any
 * host where that is not set): its name behind KeycloakPrefix, such as "logout" ("" for the prefix
 * itself), or "oidc/callback" for KeycloakRedirectURI's path. NULL: nothing, also for site/, where
 * pages of the administrator's are. Escapes are undone, and query and fragment do not count. Thread
 * safe; pool is for scratch and the result. */
const char *kc_conf_own_name(const kc_conf_t *conf, const char *location, apr_pool_t *pool);
/* The same of KeycloakAfterLogoutURL, where the sign-in is no address that leads in circles. */
const char *kc_conf_own_after_logout(const kc_conf_t *conf, apr_pool_t *pool);

#endif

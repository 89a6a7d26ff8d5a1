/* Values that are allowed but probably a mistake.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_DOUBT_H
#define KC_CONF_DOUBT_H

#include "conf/conf_table.h"

/* A warning for the administrator about a value that is allowed but probably a mistake, such as a
 * KeycloakStoreTimeout of 50 (seconds). It includes the value in seconds. NULL: no warning. */
const char *kc_conf_doubt_tell(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool);

#endif

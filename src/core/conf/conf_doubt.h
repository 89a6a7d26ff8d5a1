/* Values that are allowed but hardly meant.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_DOUBT_H
#define KC_CONF_DOUBT_H

#include "conf/conf_table.h"

/* What an administrator should be told of a value that is allowed but hardly meant, such as a
 * KeycloakStoreTimeout of 50 (seconds); the value in seconds is part of it. NULL: nothing. */
const char *kc_conf_doubt_tell(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool);

#endif

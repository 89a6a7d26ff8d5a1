/* Inside the room conf: the table of checks of the whole configuration.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_CHECK_H
#define KC_CONF_CHECK_H

#include "conf/conf.h"

/* The table of checks behind kc_conf_check. */
kc_rc_t kc_conf_check_rows(const kc_conf_t *conf, kc_conf_index_t *index, apr_pool_t *pool,
                           kc_err_t *err);

#endif

/* The settings that determine what a session means, as bytes to be hashed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_MEANING_H
#define KC_CONF_MEANING_H

#include <apr_pools.h>

#include "base/buf.h"
#include "conf/conf_table.h"

/* Writes the settings whose rows have MEANING of a part up to last. These bytes must never change,
 * even when rows are added: otherwise an upgrade would end every session. pool is for scratch. */
void kc_conf_meaning_put(const kc_conf_t *conf, kc_conf_meaning_t last, apr_pool_t *pool,
                         kc_buf_t *buf);

#endif

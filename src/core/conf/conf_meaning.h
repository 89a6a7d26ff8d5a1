/* The settings that give a session its meaning, as bytes to be hashed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_MEANING_H
#define KC_CONF_MEANING_H

#include <apr_pools.h>

#include "base/buf.h"
#include "conf/conf_table.h"

/* Puts the settings whose rows have MEANING of a part up to last. Bytes once put stay what they
 * are, also when rows are added: with others every session would end at an upgrade. pool is for
 * scratch.
 */
void kc_conf_meaning_put(const kc_conf_t *conf, kc_conf_meaning_t last, apr_pool_t *pool,
                         kc_buf_t *buf);

#endif

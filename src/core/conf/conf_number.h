/* Durations and sizes, the types SECONDS, MILLIS and SIZE.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_NUMBER_H
#define KC_CONF_NUMBER_H

#include <apr_pools.h>
#include <stdint.h>

#include "conf/conf_table.h"

/* What a text of a row, such as the end of a range, means to a type: seconds, milliseconds or
 * bytes. Thread safe, as all here. */
int64_t kc_conf_number_value(kc_conf_type_t type, const char *text);
/* What an administrator has written for a row. KC_REFUSED with KC_ERR_CONFIG: it is no number with
 * a unit of the row's type, or out of its range; *out stays. */
kc_rc_t kc_conf_number_parse(const kc_conf_row_t *row, const char *text, int64_t *out,
                             kc_err_t *err);
/* The value in the largest unit that leaves no rest, as "10m"; in pool. */
const char *kc_conf_number_dump(kc_conf_type_t type, int64_t value, apr_pool_t *pool);

#endif

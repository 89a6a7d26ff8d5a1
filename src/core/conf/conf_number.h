/* Durations and sizes: the types SECONDS, MILLIS and SIZE.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_NUMBER_H
#define KC_CONF_NUMBER_H

#include <apr_pools.h>
#include <stdint.h>

#include "conf/conf_table.h"

/* The value of a text in a row, such as the end of a range: seconds, milliseconds or bytes, by the
 * type. Thread safe, like all functions here. */
int64_t kc_conf_number_value(kc_conf_type_t type, const char *text);
/* Parses what an administrator wrote for a row. KC_REFUSED with KC_ERR_CONFIG: it is not a number
 * with a unit of the row's type, or out of its range; *out is not changed. */
kc_rc_t kc_conf_number_parse(const kc_conf_row_t *row, const char *text, int64_t *out,
                             kc_err_t *err);
/* The value in the largest unit that divides it, such as "10m"; in pool. */
const char *kc_conf_number_dump(kc_conf_type_t type, int64_t value, apr_pool_t *pool);

#endif

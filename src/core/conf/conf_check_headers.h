/* Checks of the identity headers' names: the rows of conf.def that name them declare them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_CHECK_HEADERS_H
#define KC_CONF_CHECK_HEADERS_H

#include "conf/conf_table.h"

/* 1 when requests, or answers of a judge, depend on the header of this name, as
 * kc_header_name_folded makes it. Thread safe, pure. */
int kc_conf_check_headers_is_reserved(const char *folded);

#endif

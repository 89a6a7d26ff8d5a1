/* Checks of the names of identity headers. They are declared by the rows of conf.def that name
 * them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_CHECK_HEADERS_H
#define KC_CONF_CHECK_HEADERS_H

#include "conf/conf_table.h"

/* 1 when requests, or answers to a gateway, depend on the header of this name, in the form that
 * kc_header_name_folded makes. Thread safe, pure. */
int kc_conf_check_headers_is_reserved(const char *folded);

#endif

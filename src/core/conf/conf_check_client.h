/* Checks of the client's settings at Keycloak. They are declared by the rows of conf.def that name
 * them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_CHECK_CLIENT_H
#define KC_CONF_CHECK_CLIENT_H

#include "conf/conf_table.h"

#endif

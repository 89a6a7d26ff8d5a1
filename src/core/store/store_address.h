/* The configured address of a memcached server: host, host:port or [IPv6]:port.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_ADDRESS_H
#define KC_STORE_ADDRESS_H

#include <netinet/in.h>

#include "base/err.h"

enum { KC_STORE_ADDRESS_HOST_MAX = 255 /* bytes, without the closing NUL */ };

/* Splits text. host: KC_STORE_ADDRESS_HOST_MAX + 1 bytes, without brackets. *port: 11211 when text
 * has none. KC_FAULT with KC_ERR_CONFIG when text has another form. Thread safe. */
kc_rc_t kc_store_address_parse(const char *text, char *host, in_port_t *port, kc_err_t *err);

#endif

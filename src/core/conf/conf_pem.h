/* Certificates and keys in PEM, as far as they can be checked at start.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_PEM_H
#define KC_CONF_PEM_H

#include <apr_pools.h>

#include "base/err.h"
#include "conf/conf_table.h"

/* Only at start. KC_REFUSED with KC_ERR_CONFIG: the file cannot be read, has no certificate, or has
 * one that cannot be parsed. */
kc_rc_t kc_conf_pem_check_certificates(const kc_conf_file_t *file, apr_pool_t *pool, kc_err_t *err);
/* The same for KeycloakClientKey with the content text: it cannot be parsed, or is not the key of
 * KeycloakClientCert, when that can be read. */
kc_rc_t kc_conf_pem_check_key(const kc_conf_t *conf, const char *text, apr_pool_t *pool,
                              kc_err_t *err);

#endif

/* Checks of what this client is to Keycloak.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_CHECK_CLIENT_H
#define KC_CONF_CHECK_CLIENT_H

#include "conf/conf_table.h"

/* What kc_conf_check_all asks of each of these directives. At start alone: files are read. */
kc_rc_t kc_conf_check_client_id(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_client_secret(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_client_key(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_client_cert(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_client_ca_file(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_client_scope(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_client_algorithms(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_client_audience(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);

#endif

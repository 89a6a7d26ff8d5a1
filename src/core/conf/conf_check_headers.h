/* Checks of the identity headers' names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_CHECK_HEADERS_H
#define KC_CONF_CHECK_HEADERS_H

#include "conf/conf_table.h"

/* 1 when requests, or answers of a judge, depend on the header of this name, as
 * kc_conf_table_fold makes it. Thread safe, pure. */
int kc_conf_check_headers_is_reserved(const char *folded);
/* What kc_conf_check_all asks of each of these directives: user, groups and ID token header, and
 * KeycloakHeader. */
kc_rc_t kc_conf_check_headers_user(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_headers_groups(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_headers_token(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_conf_check_headers_further(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);

#endif

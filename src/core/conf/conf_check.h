/* Checks of the configuration as a whole.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_CHECK_H
#define KC_CONF_CHECK_H

#include "conf/conf_table.h"

/* Checks what no single directive can know. Client id and secret are there (as client_auth needs).
 * http is used only with consent (issuer, backchannel; loopback needs none). __Host- names, keys of
 * 32 characters, known and asymmetric algorithms, a redirect URI that fits the public URL,
 * well-formed memcached servers, and more. On KC_REFUSED *index is the row to blame (it may be
 * unset), and err says what to do. Does nothing when no issuer is set. */
kc_rc_t kc_conf_check_all(const kc_conf_t *conf, kc_conf_index_t *index, apr_pool_t *pool,
                          kc_err_t *err);
/* The checks of one row alone, with the files that it names. Files that conf has the content of are
 * not read. */
kc_rc_t kc_conf_check_row(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool,
                          kc_err_t *err);

#endif

/* What no directive can know by itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_CHECK_H
#define KC_CONF_CHECK_H

#include "conf/conf_table.h"

/* What no single directive can know: client id and secret are there (as client_auth needs), http
 * only with consent (issuer, backchannel; loopback needs none), __Host- names, keys of 32
 * characters, algorithms known and asymmetric, redirect URI consistent with the public URL,
 * memcached servers well-formed, … KC_REFUSED names in *index the row to blame (its place may be
 * unset) and tells in err what to do. Does nothing when no issuer is set. */
kc_rc_t kc_conf_check_all(const kc_conf_t *conf, kc_conf_index_t *index, apr_pool_t *pool,
                          kc_err_t *err);

#endif

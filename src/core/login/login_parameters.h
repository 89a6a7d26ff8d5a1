/* The parameters that a link to the login address may have.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_PARAMETERS_H
#define KC_LOGIN_PARAMETERS_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/err.h"
#include "login/login_state.h"
#include "rp.h"

enum {
    KC_LOGIN_PARAMETERS_VALUE_MAX = 200,  /* bytes of a value that is passed on */
    KC_LOGIN_PARAMETERS_VALUES_MAX = 1000 /* bytes of all values together, because the length of
                                             URLs is limited */
};

/* Reads a query (NULL: none) or form of the login address:
 *   - return, or target_link_uri instead: the page afterwards, checked when the sign-in begins;
 *   - iss, which must be the configured issuer (OpenID Connect Core 1.0 section 4; no other is
 *     ever used);
 *   - prompt=none, a silent sign-in (other values are ignored);
 *   - `demand`, a sealed step-up requirement. One that cannot be opened is ignored, because each
 *     location checks its own;
 *   - the parameters of KeycloakLoginParameters, without those that are empty.
 *
 * Everything else is ignored. KC_REFUSED with KC_ERR_FORM when one of these is there twice, a
 * value is too long, or the query is malformed: a link must be unambiguous. *out is in pool.
 * Thread safe. */
kc_rc_t kc_login_parameters_read(const kc_rp_t *rp, const char *query, apr_pool_t *pool,
                                 kc_login_request_t *out, kc_err_t *err);
/* The query that expresses a request, without its step-up requirement; in pool. */
const char *kc_login_parameters_query(const kc_login_request_t *request, apr_pool_t *pool);

#endif

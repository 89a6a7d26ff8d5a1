/* What a link to the login address may ask for.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_PARAMETERS_H
#define KC_LOGIN_PARAMETERS_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/err.h"
#include "login/login_state.h"
#include "rp.h"

enum {
    KC_LOGIN_PARAMETERS_VALUE_MAX = 200,  /* bytes of a value that goes on */
    KC_LOGIN_PARAMETERS_VALUES_MAX = 1000 /* bytes of all of them: addresses have an end */
};

/* Reads a query (NULL: none) or form of the login address: return, or target_link_uri in its place,
 * the page afterwards (judged when the sign-in begins); iss, which must be the configured issuer
 * (OpenID Connect Core 1.0 section 4: nothing is ever asked of another); prompt=none, a silent
 * sign-in (other values are not heeded); demand, sealed, of which one that does not open demands
 * nothing, as each place demands by itself; and the parameters of KeycloakLoginParameters, those
 * that are empty left out. Everything else is not heeded. KC_REFUSED with KC_ERR_FORM when one of
 * these is there twice, a value is too long, or the query is malformed: what a link means must be
 * beyond doubt. *out is in pool. Thread safe. */
kc_rc_t kc_login_parameters_read(const kc_rp_t *rp, const char *query, apr_pool_t *pool,
                                 kc_login_request_t *out, kc_err_t *err);
/* The query that says the same as a request, but for its demand; in pool. */
const char *kc_login_parameters_query(const kc_login_request_t *request, apr_pool_t *pool);

#endif

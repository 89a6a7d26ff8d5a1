/* The guard against sign-in loops: limits how many sign-ins a browser may finish within a minute.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_LOOP_H
#define KC_LOGIN_LOOP_H

#include <apr_tables.h>

#include "base/err.h"
#include "browser.h"
#include "login/login_state.h"
#include "rp.h"

/* Counts a sign-in that has just finished: adds the counting cookie's Set-Cookie value to cookies
 * (const char *, in pool). Thread safe, like all functions here. */
void kc_login_loop_count(const kc_rp_t *rp, const kc_browser_t *client,
                         const kc_login_state_t *state, apr_pool_t *pool,
                         apr_array_header_t *cookies);
/* Before a sign-in begins: sets request->finished. KC_REFUSED with KC_ERR_LOGIN_LOOP when
 * KC_LOGIN_ROUNDS_MAX sign-ins were finished within a minute, or KC_LOGIN_STEPS_MAX of a user that
 * was signed in already. */
kc_rc_t kc_login_loop_check(const kc_rp_t *rp, const kc_browser_t *client,
                            kc_login_request_t *request, kc_err_t *err);

#endif

/* Audit events of sign-ins.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_AUDIT_H
#define KC_LOGIN_AUDIT_H

#include "base/err.h"
#include "login/login_state.h"
#include "rp.h"
#include "session/session.h"

/* Tells that somebody has signed in, for what this state was made. act: who acts as the user, or
 * NULL. Thread safe, like the next. */
void kc_login_audit_success(const kc_rp_t *rp, const kc_login_state_t *state,
                            const kc_session_t *session, const char *act);
/* Tells that a sign-in was refused, and why. sub: of an ID token that was verified; act as above;
 * both NULL when they are not known. */
void kc_login_audit_refusal(const kc_rp_t *rp, const char *sub, const char *act,
                            const kc_err_t *err);

#endif

/* Audit events of sign-ins.
 * SPDX-License-Identifier: Apache-2.0 */
#include "login/login_audit.h"

#include "session/session_audit.h"

void kc_login_audit_success(const kc_rp_t *rp, const kc_login_state_t *state,
                            const kc_session_t *session, const char *act)
{
    const kc_audit_event_t event = {.kind = state->is_step_up ? KC_AUDIT_STEP_UP : KC_AUDIT_SIGN_IN,
                                    .reason = KC_ERR_EVENT_SIGN_IN,
                                    .act = act};

    kc_session_audit_tell(rp, session, &event);
}

void kc_login_audit_refusal(const kc_rp_t *rp, const char *sub, const char *act,
                            const kc_err_t *err)
{
    const kc_audit_event_t event = {.kind = KC_AUDIT_SIGN_IN_REFUSED,
                                    .reason = err ? err->reason : KC_ERR_INTERNAL,
                                    .sub = sub,
                                    .act = act};

    kc_audit_tell(rp->env, &event);
}

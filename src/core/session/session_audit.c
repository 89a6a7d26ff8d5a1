/* Audit events about sessions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_audit.h"

void kc_session_audit_hash(const kc_session_t *session, char out[KC_AUDIT_HASH_TEXT + 1])
{
    kc_audit_hash(session->key, out);
}

void kc_session_audit_tell(const kc_rp_t *rp, const kc_session_t *session,
                           const kc_audit_event_t *more)
{
    kc_audit_event_t event = *more;

    if (!rp->env->audit)
        return;
    event.user = session->user;
    event.sub = session->sub;
    event.acr = session->acr;
    event.sid = session->sid;
    kc_session_audit_hash(session, event.session);
    kc_audit_tell(rp->env, &event);
}

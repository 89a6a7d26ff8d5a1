/* Audit events about sessions.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_AUDIT_H
#define KC_SESSION_AUDIT_H

#include "audit/audit.h"
#include "rp.h"
#include "session/session_codec.h"

/* The short hash of a session: the same for all its requests on all nodes, and different for each
 * session. It tells nothing of the cookie or of keys in the store. A session of a bearer token has
 * one per host. Thread safe. */
void kc_session_audit_hash(const kc_session_t *session, char out[KC_AUDIT_HASH_TEXT + 1]);

/* Tells an event about a session and its user. more: kind, reason, cause and act of it; the rest is
 * filled in here. Does nothing without an audit log. Thread safe. */
void kc_session_audit_tell(const kc_rp_t *rp, const kc_session_t *session,
                           const kc_audit_event_t *more);

#endif

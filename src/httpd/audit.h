/* The audit log: opened at start, written for the core.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_AUDIT_H
#define AKC_AUDIT_H

#include "module.h"

#include "core/audit/audit.h"

/* Whether the folder of each file is there, which httpd -t asks of its own logs too: a restart with
 * a log that cannot be opened would end httpd. Opens nothing. KC_FAULT with KC_ERR_CONFIG:
 * *server's is not. */
kc_rc_t akc_audit_check(server_rec *main, apr_pool_t *ptemp, server_rec **server, kc_err_t *err);
/* Opens the audit logs of all servers, as httpd opens its own: in the parent, with its rights, once
 * for each name. They are closed with pconf. KC_FAULT with KC_ERR_CONFIG: *server's cannot be
 * opened. */
kc_rc_t akc_audit_start(server_rec *main, apr_pool_t *pconf, server_rec **server, kc_err_t *err);
/* kc_env_t.audit of a server that has an audit log; context is the server_rec. Takes the request
 * that this thread works for (caller.h). Thread safe. */
void akc_audit_write(void *context, const kc_audit_event_t *event);

#endif

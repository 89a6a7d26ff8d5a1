/* What was opened with a session is closed when the session ends.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_STREAMS_H
#define AKC_STREAMS_H

#include "module.h"

void akc_streams_register(apr_pool_t *pool);
/* In a child whose servers have KeycloakCloseStreams: starts the thread that looks after them, and
 * ends it with pchild. KC_FAULT: it cannot be started. */
kc_rc_t akc_streams_child(apr_pool_t *pchild, kc_err_t *err);
/* Not 0 once this child has waited in vain for the thread: its exchanges have to be given up. */
const apr_uint32_t *akc_streams_given_up(void);
/* A request goes on with its session, which nobody may change from now on. Once for each request of
 * the client's; cheap: every request with a session comes by. */
void akc_streams_enter(akc_request_t *request);

#endif

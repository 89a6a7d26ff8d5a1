/* Closes what was opened with a session when the session ends.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_STREAMS_H
#define AKC_STREAMS_H

#include "module.h"

void akc_streams_register(apr_pool_t *pool);
/* In a child whose servers have KeycloakCloseStreams: starts the thread that monitors the streams,
 * and ends it with pchild. KC_FAULT: it cannot be started. */
kc_rc_t akc_streams_child(apr_pool_t *pchild, kc_err_t *err);
/* In a child, before its threads: has the number of open streams written to this word
 * (kc_metrics_value). */
void akc_streams_show(uint64_t *word);
/* Not 0 when this child could not wait longer for the thread: its exchanges must be abandoned. */
const apr_uint32_t *akc_streams_given_up(void);
/* The request continues with its session, which must not change from now on. Once for each request
 * of the client. Cheap, because it runs for every request with a session. */
void akc_streams_enter(akc_request_t *request);

#endif

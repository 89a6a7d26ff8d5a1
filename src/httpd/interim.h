/* No backend sets our cookies by an interim answer (1xx) or an upgrade.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_INTERIM_H
#define AKC_INTERIM_H

#include "module.h"

/* From now on, until akc_interim_end or the request's end, takes cookies of ours out of what is
 * sent past the request's filters. Again for the same request, which may have become another one:
 * no harm. Cheap: every request comes by. */
void akc_interim_watch(request_rec *r);
/* Before the handler, for a request that is watched: the answer itself is sent past its filters. */
void akc_interim_watch_answer(request_rec *r);
/* The answer itself is there, or a protocol of its own. Cheap: every request comes by. */
void akc_interim_end(conn_rec *c);
/* Logs that a cookie named like ours was taken out of what is answered to the request. */
void akc_interim_log_cookie(request_rec *r);
void akc_interim_register(apr_pool_t *pool);

#endif

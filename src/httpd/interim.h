/* No backend sets this module's cookies by an interim answer (1xx) or an upgrade.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_INTERIM_H
#define AKC_INTERIM_H

#include "module.h"

/* From now on, until akc_interim_end or the request's end, removes this module's cookies from
 * everything that is sent past the request's filters. May be called again for the same request,
 * even after an internal redirect. Cheap, because it runs for every request. */
void akc_interim_watch(request_rec *r);
/* Before the handler, for a request that is watched: its answer too is sent past its filters. */
void akc_interim_watch_answer(request_rec *r);
/* The answer itself has begun, or a protocol of its own. Cheap, because it runs for every
 * request. */
void akc_interim_end(conn_rec *c);
/* Logs that a cookie with a name of this module was removed from the answer to the request. */
void akc_interim_log_cookie(request_rec *r);
void akc_interim_register(apr_pool_t *pool);

#endif

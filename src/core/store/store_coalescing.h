/* A store before another: threads that ask at the same time share one question.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_COALESCING_H
#define KC_STORE_COALESCING_H

#include "store/store.h"

/* A store before another, for the threads of one process: a get that comes while one is under way
 * waits for its end, but not longer than patience_ms milliseconds, and then shares one question
 * with all who have waited (up to KC_STORE_GET_MAX keys, equal ones once). Who is told of an outage
 * that may be another key's asks once more, alone. Everything else goes
 * straight on. inner must outlive it. */
kc_rc_t kc_store_coalescing_create(kc_store_t *inner, int64_t patience_ms, apr_pool_t *pool,
                                   kc_store_t **out, kc_err_t *err);

#endif

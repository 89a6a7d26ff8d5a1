/* A store in front of another: threads that ask at the same time share one request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_COALESCING_H
#define KC_STORE_COALESCING_H

#include "store/store.h"

/* For the threads of one process. A get that comes while another is in progress waits for its end,
 * at most wait_ms milliseconds. Then it shares one request with all threads that waited (up to
 * KC_STORE_GET_MAX keys, equal ones once). When a shared request fails, which may be due to another
 * caller's key, each caller asks once more by itself. Everything else is passed on directly. inner
 * must outlive it. */
kc_rc_t kc_store_coalescing_create(kc_store_t *inner, int64_t wait_ms, apr_pool_t *pool,
                                   kc_store_t **out, kc_err_t *err);

#endif

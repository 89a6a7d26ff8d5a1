/* The time that one request may wait for the provider in all.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_DEADLINE_H
#define KC_DEADLINE_H

#include <apr_pools.h>
#include <stdint.h>

#include "env.h"
#include "http/http.h"

/* The milliseconds left to the request that owns this pool or a pool above it; 0: none. The first
 * call starts the time, with total. pool NULL: no request, so always total. Two threads must not
 * use one pool. */
int64_t kc_deadline_left(const kc_env_t *env, apr_pool_t *pool, int64_t total);

/* Calls env->http->perform within what is left of total, as above. KC_DOWN with
 * KC_ERR_PROVIDER_BUSY: no time was left, and nothing was sent. */
kc_rc_t kc_deadline_perform(const kc_env_t *env, int64_t total, kc_http_request_t *request,
                            apr_pool_t *pool, kc_http_response_t *response, kc_err_t *err);

#endif

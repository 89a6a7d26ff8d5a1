/* The time that one request may wait for the provider in all.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/deadline.h"

#include <string.h>

#include "base/caller.h"

static const char name[] = "kc_deadline";

static const int64_t *find(apr_pool_t *pool)
{
    void *found = NULL;

    while (pool && !found) {
        (void)apr_pool_userdata_get(&found, name, pool);
        pool = apr_pool_parent_get(pool);
    }
    return found;
}

int64_t kc_deadline_left(const kc_env_t *env, apr_pool_t *pool, int64_t total)
{
    int64_t now = env->elapsed_ms(env->context), *end;
    const int64_t *found = find(pool);

    if (found)
        return *found > now ? *found - now : 0;
    if (pool) {
        end = apr_palloc(pool, sizeof(*end));
        *end = now + total;
        (void)apr_pool_userdata_setn(end, name, NULL, pool);
    }
    return total;
}

kc_rc_t kc_deadline_perform(const kc_env_t *env, int64_t total, kc_http_request_t *request,
                            apr_pool_t *pool, kc_http_response_t *response, kc_err_t *err)
{
    request->timeout_ms = kc_deadline_left(env, pool, total);
    if (request->timeout_ms) {
        const int64_t begun = kc_caller_begin();
        kc_rc_t rc = env->http->perform(env->http, request, pool, response, err);

        kc_caller_end(KC_CALLER_PROVIDER, begun);
        return rc;
    }
    memset(response, 0, sizeof(*response));
    return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY,
                   "the time that a request may wait for the provider is over");
}

/* How long a view of the first tier is valid.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_view.h"

int kc_session_view_is_fresh(const kc_conf_t *conf, const kc_view_cache_ticket_t *ticket,
                             const kc_view_cache_view_t *view, int64_t now_ms)
{
    int64_t ttl = conf->cache_ttl;
    int64_t age = now_ms - view->checked_ms;

    if (age < 0 || age >= ttl)
        return 0;
    return age < ttl - ttl / 10 || !kc_view_cache_claim(ticket, now_ms, ttl / 10 + 1);
}

int kc_session_view_is_within_grace(const kc_conf_t *conf, const kc_view_cache_view_t *view,
                                    int64_t now_ms)
{
    int64_t age = now_ms - view->checked_ms;

    return conf->cache_ttl && age >= 0 && age < conf->cache_ttl + conf->store_grace * 1000;
}

int64_t kc_session_view_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

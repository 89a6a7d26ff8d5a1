/* How long a view of the first tier is believed: a session's, or a bearer token's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_VIEW_H
#define KC_SESSION_VIEW_H

#include <stdint.h>

#include "conf/conf.h"
#include "store/view_cache.h"

/* What kc_view_cache_find has found, by the clock at now_ms, in milliseconds since 1970. Both are
 * thread safe and wait for nothing. */

/* 1 when the store need not be asked: the view was made or vouched for within KeycloakCacheTTL. Of
 * all requests that see it in the last tenth of that time one gets 0, and is to ask. */
int kc_session_view_is_fresh(const kc_conf_t *conf, const kc_view_cache_ticket_t *ticket,
                             const kc_view_cache_view_t *view, int64_t now_ms);
/* 1 while it is believed although the store does not answer (KeycloakStoreGrace); never when
 * KeycloakCacheTTL is 0, for then the store is to be asked on each request. */
int kc_session_view_is_within_grace(const kc_conf_t *conf, const kc_view_cache_view_t *view,
                                    int64_t now_ms);
/* The earlier of two times. */
int64_t kc_session_view_earlier(int64_t a, int64_t b);

#endif

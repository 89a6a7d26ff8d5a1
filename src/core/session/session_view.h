/* How long a view of the first tier is valid: of a session, or of a bearer token.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_VIEW_H
#define KC_SESSION_VIEW_H

#include <stdint.h>

#include "conf/conf.h"
#include "store/view_cache.h"

/* Both functions check a view that kc_view_cache_find has found, by the clock at now_ms, in
 * milliseconds since 1970. They are thread safe and do not block. */

/* 1 when the store need not be asked: the view was made or confirmed within KeycloakCacheTTL. Of
 * all requests that see it in the last tenth of that time, one gets 0 and must ask the store. */
int kc_session_view_is_fresh(const kc_conf_t *conf, const kc_view_cache_ticket_t *ticket,
                             const kc_view_cache_view_t *view, int64_t now_ms);
/* 1 while the view is valid although the store does not answer (KeycloakStoreGrace). Always 0 when
 * KeycloakCacheTTL is 0, because then each request must ask the store. */
int kc_session_view_is_within_grace(const kc_conf_t *conf, const kc_view_cache_view_t *view,
                                    int64_t now_ms);
/* The earlier of two times. */
int64_t kc_session_view_earlier(int64_t a, int64_t b);

#endif

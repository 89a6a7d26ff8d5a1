/* The decision table. Every cell is filled; test_flow.c visits each of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access/flow.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/url.h"

/* clang-format off */
static const kc_flow_action_t table[KC_FLOW_KINDS][KC_SESSION_STATES] = {
    /*                       no session           live         stale                ended                store down           weak                 refused */
    [KC_FLOW_NAVIGATION] = { KC_FLOW_LOGIN,       KC_FLOW_GO,  KC_FLOW_LOGIN,       KC_FLOW_LOGIN,       KC_FLOW_UNAVAILABLE, KC_FLOW_LOGIN,       KC_FLOW_DENY },
    [KC_FLOW_API]        = { KC_FLOW_DENY,        KC_FLOW_GO,  KC_FLOW_DENY,        KC_FLOW_DENY,        KC_FLOW_UNAVAILABLE, KC_FLOW_DENY,        KC_FLOW_DENY },
    [KC_FLOW_OPEN]       = { KC_FLOW_GO_NAMELESS, KC_FLOW_GO,  KC_FLOW_GO_NAMELESS, KC_FLOW_GO_NAMELESS, KC_FLOW_UNAVAILABLE, KC_FLOW_GO_NAMELESS, KC_FLOW_DENY },
    [KC_FLOW_CALLBACK]   = { KC_FLOW_LOGIN,       KC_FLOW_RETURN, KC_FLOW_LOGIN,    KC_FLOW_LOGIN,       KC_FLOW_UNAVAILABLE, KC_FLOW_LOGIN,       KC_FLOW_DENY },
    [KC_FLOW_LOGOUT]     = { KC_FLOW_LEAVE,       KC_FLOW_END, KC_FLOW_END,         KC_FLOW_LEAVE,       KC_FLOW_UNAVAILABLE, KC_FLOW_END,         KC_FLOW_DENY },
    [KC_FLOW_SUBREQUEST] = { KC_FLOW_DENY,        KC_FLOW_GO,  KC_FLOW_DENY,        KC_FLOW_DENY,        KC_FLOW_UNAVAILABLE, KC_FLOW_DENY,        KC_FLOW_DENY },
};
/* clang-format on */

kc_flow_action_t kc_flow_decide(kc_session_state_t state, kc_flow_kind_t kind)
{
    if ((unsigned int)state >= KC_SESSION_STATES || (unsigned int)kind >= KC_FLOW_KINDS)
        return KC_FLOW_UNAVAILABLE;
    return table[kind][state];
}

int kc_flow_is_settled(kc_session_state_t state)
{
    return state == KC_SESSION_LIVE;
}

/* 1 when the header's value has the word anywhere; media types are compared without case. */
static int mentions(const char *value, const char *word)
{
    size_t len = strlen(word);

    for (; *value; value++) {
        if (strncasecmp(value, word, len) == 0)
            return 1;
    }
    return 0;
}

kc_flow_kind_t kc_flow_kind(const kc_flow_signs_t *signs)
{
    if (strcmp(signs->method, "GET") != 0 && strcmp(signs->method, "HEAD") != 0)
        return KC_FLOW_API;
    if (signs->requested_with || signs->upgrade)
        return KC_FLOW_API;
    if (signs->fetch_mode && strcasecmp(signs->fetch_mode, "navigate") != 0)
        return KC_FLOW_API;
    if (signs->accept && !mentions(signs->accept, "text/html"))
        return KC_FLOW_API;
    return KC_FLOW_NAVIGATION;
}

/* The origin of a URL is a place that a sign-in could return to. */
static int is_own(const char *url, const char *public_origin, const apr_array_header_t *hosts,
                  apr_pool_t *pool)
{
    const char *authority = strstr(url, "://");
    const char *origin;

    if (!authority)
        return 0;
    authority += 3;
    origin = kc_buf_copy(url, (size_t)(authority - url) + strcspn(authority, "/?#"), pool);
    origin = apr_pstrcat(pool, origin, "/", NULL);
    return strcmp(kc_url_return(origin, public_origin, hosts, pool), "/") != 0;
}

kc_flow_source_t kc_flow_source(const kc_flow_traces_t *traces, const char *public_origin,
                                const apr_array_header_t *hosts, apr_pool_t *pool)
{
    const char *page = traces->origin ? traces->origin : traces->referer;
    /* when the browser itself says that it comes from elsewhere, a Referer of ours is stale */
    const char *own = traces->fetch_site ? NULL : public_origin;

    if (traces->fetch_site && (strcasecmp(traces->fetch_site, "same-origin") == 0 ||
                               strcasecmp(traces->fetch_site, "none") == 0))
        return KC_FLOW_OWN;
    if (page)
        return is_own(page, own, hosts, pool) ? KC_FLOW_OWN : KC_FLOW_FOREIGN;
    return traces->fetch_site ? KC_FLOW_FOREIGN : KC_FLOW_UNTOLD;
}

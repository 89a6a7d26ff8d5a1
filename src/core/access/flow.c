/* The decision table. Every cell is filled; test_flow.c visits each of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access/flow.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/glob.h"
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

static int has_dot_segment(const char *path)
{
    for (; (path = strchr(path, '/')); path++) {
        size_t dots = strspn(path + 1, ".");

        if (dots >= 1 && dots <= 2 && (path[1 + dots] == '/' || path[1 + dots] == '\0'))
            return 1;
    }
    return 0;
}

static int is_plain(const char *path, const char *raw)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~!$&'()*+,=:@/";
    size_t len = strcspn(raw, "?");

    return strlen(path) == len && strncmp(path, raw, len) == 0 && strspn(path, plain) == len &&
           !strstr(path, "//") && !has_dot_segment(path);
}

static int is_below(const char *path, const char *above)
{
    size_t len = strlen(above);

    if (!len || strncmp(path, above, len) != 0)
        return 0;
    return path[len] == '\0' || path[len] == '/' || above[len - 1] == '/';
}

int kc_flow_is_public(const char *path, const char *raw, const apr_array_header_t *paths)
{
    int i;

    if (!paths || !is_plain(path, raw))
        return 0;
    for (i = 0; i < paths->nelts; i++) {
        if (is_below(path, APR_ARRAY_IDX(paths, i, const char *)))
            return 1;
    }
    return 0;
}

/* A segment: of the text, up to its slash or end. */
static const char *segment_end(const char *from)
{
    return from + strcspn(from, "/");
}

/* The pattern may end where any segment of the path does. What lies behind is not looked at. */
static int is_pattern_met(const char *path, const char *pattern)
{
    for (;;) {
        const char *end = segment_end(path), *pattern_end = segment_end(pattern);

        if (!kc_glob_is_met(path, end, pattern, pattern_end))
            return 0;
        if (!*pattern_end)
            return 1;
        if (!*end)
            return 0;
        path = end + 1;
        pattern = pattern_end + 1;
    }
}

int kc_flow_is_matched(const char *path, const apr_array_header_t *patterns)
{
    int i;

    for (i = 0; i < patterns->nelts; i++) {
        const char *pattern = APR_ARRAY_IDX(patterns, i, const char *);

        if (is_below(path, pattern) || (strchr(pattern, '*') && is_pattern_met(path, pattern)))
            return 1;
    }
    return 0;
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

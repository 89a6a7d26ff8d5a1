/* The decision table. Every cell is filled; test_flow.c visits each of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "flow.h"

#include <string.h>
#include <strings.h>

/* clang-format off */
static const kc_flow_action_t table[KC_FLOW_KINDS][KC_SESSION_STATES] = {
    /*                       no session           live         stale                ended                store down */
    [KC_FLOW_NAVIGATION] = { KC_FLOW_LOGIN,       KC_FLOW_GO,  KC_FLOW_LOGIN,       KC_FLOW_LOGIN,       KC_FLOW_UNAVAILABLE },
    [KC_FLOW_API]        = { KC_FLOW_DENY,        KC_FLOW_GO,  KC_FLOW_DENY,        KC_FLOW_DENY,        KC_FLOW_UNAVAILABLE },
    [KC_FLOW_OPEN]       = { KC_FLOW_GO_NAMELESS, KC_FLOW_GO,  KC_FLOW_GO_NAMELESS, KC_FLOW_GO_NAMELESS, KC_FLOW_UNAVAILABLE },
    [KC_FLOW_CALLBACK]   = { KC_FLOW_LOGIN,       KC_FLOW_RETURN, KC_FLOW_LOGIN,    KC_FLOW_LOGIN,       KC_FLOW_UNAVAILABLE },
    [KC_FLOW_LOGOUT]     = { KC_FLOW_LEAVE,       KC_FLOW_END, KC_FLOW_END,         KC_FLOW_LEAVE,       KC_FLOW_UNAVAILABLE },
    [KC_FLOW_SUBREQUEST] = { KC_FLOW_DENY,        KC_FLOW_GO,  KC_FLOW_DENY,        KC_FLOW_DENY,        KC_FLOW_UNAVAILABLE },
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

/* Cache-Control: what an answer says about shared caches, and what it must say.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/cache_control.h"

#include <string.h>

#include <apr_strings.h>

static int is_named(const char *from, const char *end, const char *name)
{
    size_t len = strlen(name);

    return (size_t)(end - from) == len && strncasecmp(from, name, len) == 0;
}

/* The end of a directive: the next comma that is not in quotes. */
static const char *directive_end(const char *at)
{
    int is_quoted = 0;

    for (; *at && (is_quoted || *at != ','); at++) {
        if (*at == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && *at == '\\' && at[1])
            at++;
    }
    return at;
}

void kc_cache_control_read(const char *line, kc_cache_control_t *said)
{
    const char *end, *last;

    for (; line; line = *end ? end + 1 : NULL) {
        line += strspn(line, " \t");
        end = last = directive_end(line);
        while (last > line && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if (is_named(line, last, "public"))
            said->is_public = 1;
        else if (is_named(line, last, "private"))
            said->is_private = 1;
        else if (is_named(line, last, "no-store"))
            said->is_no_store = 1;
    }
}

int kc_cache_control_is_shared(const kc_cache_control_t *said)
{
    return said->is_public && !said->is_private && !said->is_no_store;
}

/* New directives come first, where a quote that is never closed cannot hide them. */
const char *kc_cache_control_limit(const char *line, const kc_cache_control_t *said,
                                   kc_cache_control_audience_t audience, apr_pool_t *pool)
{
    if (audience == KC_CACHE_CONTROL_NOBODY)
        return said->is_no_store ? line : "no-store";
    if (audience == KC_CACHE_CONTROL_ANYBODY || said->is_private || said->is_no_store ||
        (said->is_public && audience != KC_CACHE_CONTROL_PARTS))
        return line;
    return line && *line ? apr_pstrcat(pool, "private, ", line, NULL) : "private";
}

/* Paths of requests: which spellings are plain, which paths are public, which patterns match.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <string.h>

#include "base/glob.h"

/* How many characters here are a slash for some backends: 0, 1 or 3. */
static size_t slash_at(const char *at)
{
    if (*at == '/')
        return 1;
    return at[0] == '%' && at[1] == '2' && (at[2] | 0x20) == 'f' ? 3 : 0;
}

/* A dot, a backslash or a NUL in an escaped spelling. */
static int is_disguised(const char *at)
{
    int last = at[0] == '%' && at[1] ? at[2] | 0x20 : '\0';

    return (last == 'e' && at[1] == '2') || (last == 'c' && at[1] == '5') ||
           (last == '0' && at[1] == '0' && at[2] == '0');
}

/* 1 when a segment begins with one more slash, or is one or two dots, with or without
 * parameters. */
static int is_odd_segment(const char *at, const char *end)
{
    if (slash_at(at))
        return 1;
    if (*at != '.')
        return 0;
    at += at[1] == '.' ? 2 : 1;
    return at == end || *at == ';' || slash_at(at);
}

/* A proxy forwards the path that httpd has checked. A gateway forwards what the client wrote, which
 * backends may read in another way. So a path that httpd had to normalise is refused. */
int kc_path_is_plain(const char *uri)
{
    const char *end = uri + strcspn(uri, "?#"), *at;
    size_t slash;

    if (uri[0] != '/')
        return 0;
    for (at = uri; at < end; at++) {
        slash = slash_at(at);
        if (slash ? is_odd_segment(at + slash, end) : *at == '\\' || is_disguised(at))
            return 0;
    }
    return 1;
}

int kc_path_has_dot_segment(const char *path)
{
    const char *end = path + strcspn(path, "?"), *at;

    for (at = memchr(path, '/', (size_t)(end - path)); at;
         at = memchr(at + 1, '/', (size_t)(end - at - 1))) {
        size_t dots = strspn(at + 1, ".");

        if (dots >= 1 && dots <= 2 && (at[1 + dots] == '/' || at + 1 + dots == end))
            return 1;
    }
    return 0;
}

static int is_plainest(const char *path, const char *raw)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~!$&'()*+,=:@/";
    size_t len = strcspn(raw, "?");

    return strlen(path) == len && strncmp(path, raw, len) == 0 && strspn(path, plain) == len &&
           !strstr(path, "//") && !kc_path_has_dot_segment(path);
}

static int is_below(const char *path, const char *above)
{
    size_t len = strlen(above);

    if (!len || strncmp(path, above, len) != 0)
        return 0;
    return path[len] == '\0' || path[len] == '/' || above[len - 1] == '/';
}

int kc_path_is_public(const char *path, const char *raw, const apr_array_header_t *paths)
{
    int i;

    if (!paths || !is_plainest(path, raw))
        return 0;
    for (i = 0; i < paths->nelts; i++) {
        if (is_below(path, APR_ARRAY_IDX(paths, i, const char *)))
            return 1;
    }
    return 0;
}

/* The end of a segment: its slash, or the end of the text. */
static const char *segment_end(const char *from)
{
    return from + strcspn(from, "/");
}

/* The pattern may end at the end of any segment of the path. The rest of the path is not
 * compared. */
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

int kc_path_is_matched(const char *path, const apr_array_header_t *patterns)
{
    int i;

    for (i = 0; i < patterns->nelts; i++) {
        const char *pattern = APR_ARRAY_IDX(patterns, i, const char *);

        if (is_below(path, pattern) || (strchr(pattern, '*') && is_pattern_met(path, pattern)))
            return 1;
    }
    return 0;
}

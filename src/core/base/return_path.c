/* The path that a browser returns to: whether any software could read it as another host.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/return_path.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>

#include "base/buf.h"

enum { UNFOLDINGS_MAX = 8 /* times that escapes are decoded */ };

/* Characters that look like a slash, backslash or dot, or that some server converts to one. */
static const char *const look_alikes[] = {
    "\xe2\x80\xa4" /* U+2024 one dot leader */,
    "\xe2\x81\x84" /* U+2044 fraction slash */,
    "\xe2\x88\x95" /* U+2215 division slash */,
    "\xe2\x88\x96" /* U+2216 set minus */,
    "\xe2\xa7\xb5" /* U+29F5 reverse solidus */,
    "\xe2\xa7\xb8" /* U+29F8 big solidus */,
    "\xe2\xa7\xb9" /* U+29F9 big reverse solidus */,
    "\xe3\x80\x82" /* U+3002 full stop */,
    "\xef\xb9\x92" /* U+FE52 small full stop */,
    "\xef\xb9\xa8" /* U+FE68 small backslash */,
    "\xef\xbc\x8e" /* U+FF0E full stop */,
    "\xef\xbc\x8f" /* U+FF0F solidus */,
    "\xef\xbc\xbc" /* U+FF3C reverse solidus */,
    "\xef\xbd\xa1" /* U+FF61 full stop */,
    "\xc0\xae" /* overlong dot */,
    "\xc0\xaf" /* overlong slash */,
    "\xc1\x9c" /* overlong backslash */,
    "\xe0\x80\xae" /* and longer ones */,
    "\xe0\x80\xaf",
    "\xe0\x81\x9c",
    "\xf0\x80\x80\xae",
    "\xf0\x80\x80\xaf",
    "\xf0\x80\x81\x9c",
};

static int is_look_alike(const char *text)
{
    for (size_t i = 0; i < sizeof(look_alikes) / sizeof(look_alikes[0]); i++) {
        if (!strncmp(text, look_alikes[i], strlen(look_alikes[i])))
            return 1;
    }
    return 0;
}

static int is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

/* The number of dots, 1 or 2, when the segment consists of them. With path parameters behind them
 * ("..;x") too, because proxies and servlet engines treat it alike. 0: it is no dot segment. */
static size_t dots_of(const char *segment)
{
    size_t dots = strspn(segment, ".");

    return dots <= 2 && memchr("/\\;", segment[dots], 4) ? dots : 0;
}

/* 1 when the path, with its dot segments resolved, stays below its first slash, and what follows
 * that slash neither is nor looks like a second one. Otherwise the next text would be taken for a
 * host. To browsers a backslash is a slash. */
static int is_below_root(const char *path)
{
    int depth = 0;

    for (const char *at = path + 1;; at++) {
        size_t dots = dots_of(at), len = strcspn(at, "/\\");

        if (!*at)
            return 1;
        if (!dots && !depth && (*at == '/' || *at == '\\' || is_control(*at) || is_look_alike(at)))
            return 0;
        if (dots == 2 && depth-- == 0)
            return 0;
        if (!dots)
            depth++;
        at += len;
        if (!*at)
            return 1;
    }
}

/* The byte of the escape at text (which points at "%"); -1 when it is malformed. */
static int unescape_at(const char *text)
{
    char digits[3] = {text[1], 0, 0};

    if (!apr_isxdigit(text[1]) || !apr_isxdigit(text[2]))
        return -1;
    digits[1] = text[2];
    return (int)strtol(digits, NULL, 16);
}

/* Decodes the text's well-formed escapes once. 0 when it has none. */
static int unfold(char *text)
{
    char *out = text;
    int is_changed = 0;

    for (; *text; text++) {
        int byte = *text == '%' ? unescape_at(text) : -1;

        *out++ = (char)(byte > 0 ? byte : *text);
        text += byte > 0 ? 2 : 0;
        is_changed |= byte > 0;
    }
    *out = '\0';
    return is_changed;
}

static int is_well_formed(const char *path)
{
    for (; *path; path++) {
        int byte = *path == '%' ? unescape_at(path) : (unsigned char)*path;

        if (byte < ' ' || byte == 0x7f || *path == '\\')
            return 0;
    }
    return 1;
}

int kc_return_path_is_safe(const char *raw, size_t len, apr_pool_t *pool)
{
    char *path = kc_buf_copy(raw, len, pool);
    int i;

    if (path[0] != '/' || !is_well_formed(path))
        return 0;
    for (i = 0; i < UNFOLDINGS_MAX && unfold(path); i++) {
        if (!is_below_root(path))
            return 0;
    }
    return i > 0 || is_below_root(path);
}

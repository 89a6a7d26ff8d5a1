/* Header blocks of HTTP/1.1 as they are sent: where one ends, and how this module's cookies are
 * removed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/header_block.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cookie.h"

enum { FIRST_SIZE = 2048, STATUS_DIGITS = 3 };

static int is_end_of_line(char c)
{
    return c == '\r' || c == '\n';
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---------------------------------------------------------------- collecting */

static kc_rc_t append(kc_header_block_t *block, char c, apr_pool_t *pool)
{
    if (block->len >= KC_HEADER_BLOCK_MAX)
        return KC_REFUSED;
    if (block->len == block->size) {
        size_t size = block->size ? 2 * block->size : FIRST_SIZE;
        char *text = apr_palloc(pool, size);

        if (block->len)
            memcpy(text, block->text, block->len);
        block->text = text;
        block->size = size;
    }
    block->text[block->len++] = c;
    return KC_OK;
}

/* 1 when a line feed is followed by another one, with or without a carriage return before it. */
static int is_whole(const kc_header_block_t *block)
{
    const char *text = block->text;
    size_t len = block->len;

    if (len < 2 || text[len - 1] != '\n')
        return 0;
    return text[len - 2] == '\n' || (len >= 3 && text[len - 2] == '\r' && text[len - 3] == '\n');
}

/* Some clients take a carriage return without a line feed for the end of a line. */
static void blank_returns(kc_header_block_t *block)
{
    size_t i;

    for (i = 0; i + 1 < block->len; i++) {
        if (block->text[i] == '\r' && block->text[i + 1] != '\n')
            block->text[i] = ' ';
    }
}

kc_rc_t kc_header_block_put(kc_header_block_t *block, const char *data, size_t len, size_t *used,
                            apr_pool_t *pool)
{
    for (*used = 0; *used < len;) {
        char c = data[(*used)++];

        if (block->len == 0 && (is_end_of_line(c) || is_blank(c)))
            continue;
        if (append(block, c, pool) != KC_OK)
            return KC_REFUSED;
        if (is_whole(block)) {
            blank_returns(block);
            return KC_OK;
        }
    }
    return KC_MISS;
}

/* ---------------------------------------------------------------- reading */

static const char *next_line(const char *at, const char *end)
{
    const char *feed = memchr(at, '\n', (size_t)(end - at));

    return feed ? feed + 1 : end;
}

/* Clients ignore some bytes before the protocol's name. */
int kc_header_block_status(const kc_header_block_t *block)
{
    static const char protocol[] = "HTTP/";
    const size_t name_len = sizeof(protocol) - 1;
    const char *at = block->text, *end;
    int status = 0, digits;

    if (!block->len)
        return 0;
    end = next_line(at, at + block->len);
    while ((size_t)(end - at) >= name_len && strncasecmp(at, protocol, name_len) != 0)
        at++;
    if ((size_t)(end - at) < name_len)
        return 0;
    while (at < end && !is_blank(*at))
        at++;
    while (at < end && is_blank(*at))
        at++;
    for (digits = 0; at < end && *at >= '0' && *at <= '9' && digits <= STATUS_DIGITS; digits++)
        status = 10 * status + (*at++ - '0');
    return digits == STATUS_DIGITS ? status : 0;
}

/* The kinds of lines that are searched for. */
typedef enum { SETS_COOKIES, CLEARS_DATA, KINDS } kind_t;

/* The value of a line of that kind; NULL for any other line. */
static const char *value_of(const char *at, const char *end, kind_t kind)
{
    static const char *const names[KINDS] = {"Set-Cookie", "Clear-Site-Data"};
    const size_t name_len = strlen(names[kind]);

    while (at < end && is_blank(*at))
        at++;
    if ((size_t)(end - at) < name_len || strncasecmp(at, names[kind], name_len) != 0)
        return NULL;
    at += name_len;
    if (kind == SETS_COOKIES && at < end && *at == '2')
        at++;
    while (at < end && is_blank(*at))
        at++;
    return at < end && *at == ':' ? at + 1 : NULL;
}

/* Joins continuation lines with blanks. */
static const char *as_line(const char *value, const char *end, apr_pool_t *pool)
{
    char *line = kc_buf_copy(value, (size_t)(end - value), pool), *at;

    for (at = line; at < line + (end - value); at++) {
        if (!*at || is_end_of_line(*at))
            *at = ' ';
    }
    return line;
}

static int is_ours(const char *at, const char *end, const char *const *names, size_t count,
                   apr_pool_t *pool)
{
    const char *value = value_of(at, end, SETS_COOKIES), *line;

    if (value)
        return kc_cookie_is_set(as_line(value, end, pool), names, count);
    value = value_of(at, end, CLEARS_DATA);
    line = value ? as_line(value, end, pool) : NULL;
    return line && kc_cookie_keep_uncleared(line, pool) != line;
}

int kc_header_block_drop(kc_header_block_t *block, const char *const *names, size_t count,
                         apr_pool_t *pool)
{
    const char *end = block->text + block->len, *at = block->text;
    char *out = block->text;
    int dropped = 0, is_first = 1;

    while (at < end) {
        const char *next = next_line(at, end);
        while (!is_first && next < end && is_blank(*next))
            next = next_line(next, end);
        if (!is_first && is_ours(at, next, names, count, pool)) {
            dropped++;
        } else {
            memmove(out, at, (size_t)(next - at));
            out += next - at;
        }
        at = next;
        is_first = 0;
    }
    block->len = (size_t)(out - block->text);
    return dropped;
}

/* The lines of an answer's head that are kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/http_head.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* NULL when it is too long, or has control characters. */
static const char *value_of(const char *text, size_t len, apr_pool_t *pool)
{
    size_t i;

    while (len && is_space(text[0])) {
        text++;
        len--;
    }
    while (len && is_space(text[len - 1]))
        len--;
    if (len > KC_HTTP_HEAD_MAX)
        return NULL;
    for (i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return NULL;
    }
    return kc_buf_copy(text, len, pool);
}

void kc_http_head_take(kc_http_head_t *head, const char *line, size_t len, apr_pool_t *pool)
{
    static const char location[] = "location:", date[] = "date:";

    if (len >= sizeof(location) - 1 && !strncasecmp(line, location, sizeof(location) - 1)) {
        if (!head->location)
            head->location =
                value_of(line + sizeof(location) - 1, len - sizeof(location) + 1, pool);
    } else if (len >= sizeof(date) - 1 && !strncasecmp(line, date, sizeof(date) - 1)) {
        if (!head->date)
            head->date = value_of(line + sizeof(date) - 1, len - sizeof(date) + 1, pool);
    }
}

/* Spellings of a header's name that some backends take for the same name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/header_name.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

const char *kc_header_name_folded(const char *name, apr_pool_t *pool)
{
    char *folded = apr_pstrdup(pool, name);
    char *out = folded;

    for (; *name; name++) {
        char c = kc_header_name_fold(*name);

        if (c)
            *out++ = c;
    }
    *out = '\0';
    return folded;
}

int kc_header_name_is_same(const char *name, const char *end, const char *folded)
{
    for (; name != end && *name; name++) {
        char c = kc_header_name_fold(*name);

        if (c && c != *folded++)
            return 0;
    }
    return *folded == '\0';
}

const char *kc_header_name_add(const char *list, const char *name, apr_pool_t *pool)
{
    return apr_pstrcat(pool, list, *list ? "," : "", name, NULL);
}

enum { JOINTS_MAX = 6 /* separators between words that are varied: 64 spellings */ };

/* The name with one of two separators between its words: the second one where a bit is set. All
 * separators after the last bit use the last bit's. */
static const char *spell(const char *name, unsigned int bits, const char separators[2],
                         apr_pool_t *pool)
{
    char *other = apr_pstrdup(pool, name), *at;
    unsigned int joint = 0;

    for (at = other; *at; at++) {
        if (apr_isalnum(*at))
            continue;
        *at = separators[(bits >> joint) & 1];
        if (joint < JOINTS_MAX - 1)
            joint++;
    }
    return other;
}

static const char *add_spelling(const char *list, const char *name, const char *other,
                                apr_pool_t *pool)
{
    return strcmp(other, name) == 0 ? list : kc_header_name_add(list, other, pool);
}

const char *kc_header_name_add_spellings(const char *list, const char *name, apr_pool_t *pool)
{
    unsigned int joints = 0, bits;
    const char *at;

    for (at = name; *at && joints < JOINTS_MAX; at++)
        joints += !apr_isalnum(*at);
    for (bits = 0; bits < 1U << joints; bits++)
        list = add_spelling(list, name, spell(name, bits, "-_", pool), pool);
    for (at = ".!#$%&'*+^`|~"; *at; at++) {
        const char both[2] = {*at, *at};

        list = add_spelling(list, name, spell(name, 0, both, pool), pool);
    }
    return list;
}

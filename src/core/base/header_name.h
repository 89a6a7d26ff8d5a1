/* Spellings of a header's name that some backends take for the same name.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HEADER_NAME_H
#define KC_HEADER_NAME_H

#include <apr_pools.h>

/* A letter in lower case, a digit, or 0. Inline, because it runs for each header of each
 * request. */
static inline char kc_header_name_fold(char c)
{
    char lower = (char)(c | 0x20);

    if (lower >= 'a' && lower <= 'z')
        return lower;
    return c >= '0' && c <= '9' ? c : '\0';
}

/* A header's name as CGI and many backends see it: only letters and digits, in lower case. In pool.
 * Thread safe, like all functions here. */
const char *kc_header_name_folded(const char *name, apr_pool_t *pool);
/* 1 when name, up to end (NULL: to its NUL), is the folded name. Backends differ in which names are
 * the same (CGI folds `-` and `_` together). So spellings that differ only in characters other than
 * letters and digits are one name here. */
int kc_header_name_is_same(const char *name, const char *end, const char *folded);
/* Appends a name to a list that is separated by commas. In pool. */
const char *kc_header_name_add(const char *list, const char *name, apr_pool_t *pool);
/* Appends the other spellings of a name. A gateway compares names exactly. But some backends take
 * an underscore, or another character that may stand between the words of a name (RFC 9110 section
 * 5.6.2), for a hyphen. Only a client can have sent such spellings. Hyphens and underscores are
 * combined in all ways between up to six words: 64 spellings. Each other separator is used by
 * itself. In pool. */
const char *kc_header_name_add_spellings(const char *list, const char *name, apr_pool_t *pool);

#endif

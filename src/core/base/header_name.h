/* Spellings of a header's name that some backend takes for the same name.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_HEADER_NAME_H
#define KC_HEADER_NAME_H

#include <apr_pools.h>

/* A letter in lower case, a digit, or 0. Inline: each header of each request comes by here. */
static inline char kc_header_name_fold(char c)
{
    char lower = (char)(c | 0x20);

    if (lower >= 'a' && lower <= 'z')
        return lower;
    return c >= '0' && c <= '9' ? c : '\0';
}

/* A header's name as CGI and many backends know it: letters and digits alone, in lower case. In
 * pool. Thread safe, as all here. */
const char *kc_header_name_folded(const char *name, apr_pool_t *pool);
/* 1 when name, up to end (NULL: to its NUL), is the name that was folded: backends differ in what
 * they take for the same name (CGI folds `-` and `_` together), so spellings that differ in
 * anything but letters and digits are one name here. Thread safe, as all here. */
int kc_header_name_is_same(const char *name, const char *end, const char *folded);
/* Adds a name to a list that is parted by commas. In pool. */
const char *kc_header_name_add(const char *list, const char *name, apr_pool_t *pool);
/* Adds the other spellings of a name: a gateway knows headers by their names alone, and to some
 * backends an underscore, or whatever else a name may have between its words (RFC 9110 section
 * 5.6.2), is a hyphen: such spellings the client alone can have sent. Hyphens and underscores are
 * tried in every order between up to six words, 64 spellings, and each other separator by itself.
 * In pool. */
const char *kc_header_name_add_spellings(const char *list, const char *name, apr_pool_t *pool);

#endif

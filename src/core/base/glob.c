/* Patterns with stars.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/glob.h"

#include <stddef.h>

/* The text after a star decides whether the star matches more. Only the last star is ever retried,
 * so each character is compared at most once for each of the pattern. */
int kc_glob_is_met(const char *at, const char *end, const char *pattern, const char *pattern_end)
{
    const char *star = NULL, *retry = NULL;

    while (at < end || pattern < pattern_end) {
        if (pattern < pattern_end && *pattern == '*') {
            star = ++pattern;
            retry = at;
        } else if (at < end && pattern < pattern_end && *at == *pattern) {
            at++;
            pattern++;
        } else if (star && retry < end) {
            at = ++retry;
            pattern = star;
        } else {
            return 0;
        }
    }
    return 1;
}

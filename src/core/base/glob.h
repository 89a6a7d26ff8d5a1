/* Patterns with stars.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_GLOB_H
#define KC_GLOB_H

/* 1 when the pattern matches all of the text from `at` to `end`. Each * matches any characters, or
 * none; everything else matches itself. Takes at most len(text) times len(pattern) steps, for any
 * number of stars. Thread safe. */
int kc_glob_is_met(const char *at, const char *end, const char *pattern, const char *pattern_end);

#endif

/* Patterns with stars.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_GLOB_H
#define KC_GLOB_H

/* 1 when all of the text from `at` to `end` is met by the pattern, in which each * stands for any
 * characters, or none, and everything else for itself. Takes len(text) times len(pattern) steps at
 * most, however many stars there are. Thread safe. */
int kc_glob_is_met(const char *at, const char *end, const char *pattern, const char *pattern_end);

#endif

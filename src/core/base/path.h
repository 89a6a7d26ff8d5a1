/* Paths of requests: which spellings are plain, which paths are public, which patterns match.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PATH_H
#define KC_PATH_H

#include <apr_tables.h>

/* 1 when a segment of the path is one dot or two: unescaped, after a slash, before another one, the
 * query or the end. For paths that httpd has decoded, or that an administrator wrote. For paths of
 * clients use kc_path_is_plain, which finds the escaped spellings too. Thread safe, pure, like all
 * functions here. */
int kc_path_has_dot_segment(const char *path);

/* 1 when path and query, as the client wrote them, can be read in one way only. Needed because a
 * proxy forwards the path that httpd has checked, but a gateway forwards what the client wrote. */
int kc_path_is_plain(const char *uri);

/* 1 when path is one of paths, or below one (array of const char *, NULL: none), and was sent in
 * its plainest spelling. Backends decode escapes, dots and semicolons differently, so a path that
 * could be read in another way is not public. path: decoded and normalised. raw: as the client sent
 * it, maybe with a query. */
int kc_path_is_public(const char *path, const char *raw, const apr_array_header_t *paths);

/* 1 when path (decoded and normalised) matches one of patterns, or is below a match. patterns:
 * array of const char *; * stands for any characters except a slash; each begins with a slash and
 * has no other wildcard. Takes at most one step for each character of the path and each of the
 * patterns. */
int kc_path_is_matched(const char *path, const apr_array_header_t *patterns);

#endif

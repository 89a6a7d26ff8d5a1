/* Paths of requests: which spellings are plain, which paths are public, which patterns they meet.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_PATH_H
#define KC_PATH_H

#include <apr_tables.h>

/* 1 when path and query, as a client wrote them, can be read in one way only: a proxy hands on the
 * path that it has judged, a gateway what the client wrote. Thread safe, pure, as all here. */
int kc_path_is_plain(const char *uri);

/* 1 when path lies at or below one of paths (array of const char *, NULL: none) and was sent in its
 * plainest spelling: backends undo escapes, dots and semicolons each in their own way, so anything
 * that could be read otherwise is not public. path: decoded and normalised; raw: as the client sent
 * it, maybe with a query. */
int kc_path_is_public(const char *path, const char *raw, const apr_array_header_t *paths);

/* 1 when path (decoded and normalised) lies at or below one of patterns (array of const char *), in
 * which * stands for any characters but a slash, which begin with one, and have no other wildcard.
 * Costs at most a step for each character of the path and each of the patterns'. */
int kc_path_is_matched(const char *path, const apr_array_header_t *patterns);

#endif

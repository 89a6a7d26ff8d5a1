/* Tests of path.h: which spellings of a path are plain, which paths are public, which patterns
 * match.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_fnmatch.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/path.h"

Suite *kc_test_path(void);

static void start_apr(void)
{
    ck_assert_int_eq(apr_initialize(), APR_SUCCESS);
}

/* ---------------------------------------------------------------- plain spellings */

static const struct {
    const char *uri;
    int is_plain;
} spellings[] = {
    {"/", 1},
    {"/a/b.c/d", 1},
    {"/a/...", 1},
    {"/a/.well-known/x", 1},
    {"/a/..b/.c", 1},
    {"/a;v=1/b", 1},
    {"/a/%61%C3%A4", 1},
    {"/a?x=/../%2e%2f\\", 1},
    {"/a#/..", 1},
    {"", 0},
    {"a", 0},
    {"*", 0},
    {"http://host/a", 0},
    {"//", 0},
    {"/a//b", 0},
    {"/a/%2Fb", 0},
    {"/a%2f/b", 0},
    {"/a%2F%2fb", 0},
    {"/.", 0},
    {"/..", 0},
    {"/a/./b", 0},
    {"/a/../b", 0},
    {"/a/.;x/b", 0},
    {"/a/..;/b", 0},
    {"/a/..;", 0},
    {"/a%2f../b", 0},
    {"/a/..%2Fb", 0},
    {"/a/.%2fb", 0},
    {"/a/%2e/b", 0},
    {"/a/%2E%2e/b", 0},
    {"/a/b%2Ec", 0},
    {"/a\\b", 0},
    {"/a%5Cb", 0},
    {"/a%5cb", 0},
    {"/a%00b", 0},
    /* what only looks like an escape is none */
    {"/a%2", 1},
    {"/a%", 1},
    {"/a%2g", 1},
    {"/a%5", 1},
    {"/a%0", 1},
    {"/a%2f", 1},
    {"/a%2fb", 1},
};

START_TEST(what_can_be_read_in_one_way_only_is_plain)
{
    ck_assert_msg(kc_path_is_plain(spellings[_i].uri) == spellings[_i].is_plain, "%s",
                  spellings[_i].uri);
}
END_TEST

/* Each octet where a path may have it: only what the rule names is refused. */
START_TEST(no_other_octet_makes_a_path_odd)
{
    char uri[] = "/a?b";
    int is_odd = _i == '\\' || _i == '/'; /* one more slash behind the first */

    uri[1] = (char)_i;
    if (_i == '.')
        is_odd = 1; /* a dot segment up to the query */
    ck_assert_int_eq(kc_path_is_plain(uri), !is_odd);
}
END_TEST

/* ---------------------------------------------------------------- dot segments */

static const struct {
    const char *path;
    int has_dots;
} segments[] = {
    {"", 0},         {"/", 0},         {"/.", 1},       {"/..", 1},          {"/...", 0},
    {"/./", 1},      {"/../", 1},      {"/a/.", 1},     {"/a/..", 1},        {"/a/../b", 1},
    {"/a/./b", 1},   {"/a.", 0},       {"/a..", 0},     {"/.a", 0},          {"/..a", 0},
    {"/a/.b/c", 0},  {"/a//..", 1},    {"//", 0},       {"/a?/..", 0},       {"/a/..?b", 1},
    {"/a/.?b/c", 1}, {"/?/../b", 0},   {"?/..", 0},     {"..", 0},           {"../a", 0},
    {"/..;a/b", 0},  {"/%2e%2e/b", 0}, {"/a/..\\b", 0}, {"/well/.known", 0}, {"/a/...?/..", 0},
};

START_TEST(one_dot_or_two_are_a_dot_segment)
{
    ck_assert_msg(kc_path_has_dot_segment(segments[_i].path) == segments[_i].has_dots, "%s",
                  segments[_i].path);
}
END_TEST

/* ---------------------------------------------------------------- public paths */

static const struct {
    const char *path, *raw;
    int is_public;
} paths[] = {
    {"/public", "/public", 1},
    {"/public/", "/public/", 1},
    {"/public/a.b/c", "/public/a.b/c?d=%2e&e=../f", 1},
    {"/open/a", "/open/a", 1},
    {"/", "/", 0},
    {"/publicX", "/publicX", 0},
    {"/open", "/open", 0},
    {"/Public", "/Public", 0},
    {"/public/a", "/public/%61", 0},
    {"/public/a", "/x/../public/a", 0},
    {"/public/..", "/public/..", 0},
    {"/public/.", "/public/.", 0},
    {"/public/.well-known/...", "/public/.well-known/...", 1},
    {"/public/../a", "/public/../a", 0},
    {"/public/./a", "/public/./a", 0},
    {"/public//a", "/public//a", 0},
    {"/public/..;/a", "/public/..;/a", 0},
    {"/public/a;b", "/public/a;b", 0},
    {"/public/a\\b", "/public/a\\b", 0},
    {"/public/%2e", "/public/%2e", 0},
    {"/public/a#b", "/public/a#b", 0},
    {"/public/\xc3\xa4", "/public/\xc3\xa4", 0},
    {"/public/a", "http://host/public/a", 0},
    {"/secret", "/secret?/public", 0},
};

START_TEST(only_the_plainest_spelling_is_public)
{
    apr_array_header_t *list;
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    list = apr_array_make(pool, 2, sizeof(const char *));
    ck_assert_int_eq(kc_path_is_public(paths[_i].path, paths[_i].raw, NULL), 0);
    ck_assert_int_eq(kc_path_is_public(paths[_i].path, paths[_i].raw, list), 0);
    APR_ARRAY_PUSH(list, const char *) = "/public";
    APR_ARRAY_PUSH(list, const char *) = "/open/";
    ck_assert_int_eq(kc_path_is_public(paths[_i].path, paths[_i].raw, list), paths[_i].is_public);
    apr_pool_destroy(pool);
}
END_TEST

/* ---------------------------------------------------------------- patterns */

static const struct {
    const char *path;
    int is_matched;
} matches[] = {
    {"/poll", 1},
    {"/poll/deeper/still", 1},
    {"/polls", 0},
    {"/", 0},
    {"", 0},
    {"*", 0},
    {"/x/poll", 0},
    {"/notebook/ns/name/api", 1},
    {"/notebook/ns/name/api/kernels", 1},
    {"/notebook/ns/name/apis", 0},
    {"/notebook/ns/name/tree", 0},
    {"/notebook/ns/api", 0},
    {"/notebook/ns/a/b/api", 0},
    {"/notebook///api", 1},
};

START_TEST(a_pattern_covers_what_is_below_it)
{
    apr_array_header_t *list;
    apr_pool_t *pool;
    char *path;

    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    list = apr_array_make(pool, 2, sizeof(const char *));
    ck_assert_int_eq(kc_path_is_matched(matches[_i].path, list), 0);
    APR_ARRAY_PUSH(list, const char *) = "/poll";
    APR_ARRAY_PUSH(list, const char *) = "/notebook/*/*/api";
    ck_assert_int_eq(kc_path_is_matched(matches[_i].path, list), matches[_i].is_matched);
    path = apr_palloc(pool, 20001);
    memset(path, '/', 20000); /* a path without end costs nothing */
    path[20000] = '\0';
    ck_assert_int_eq(kc_path_is_matched(path, list), 0);
    apr_pool_destroy(pool);
}
END_TEST

/* The same said otherwise: one of the ends of the path's segments is an end of what the pattern of
 * a file's name stands for, or the pattern lies above it. */
static int is_below_or_globbed(const char *path, const char *pattern)
{
    size_t len = strlen(pattern);
    const char *end = path;
    char copy[64];

    if (!strncmp(path, pattern, len) && (!path[len] || path[len] == '/' || pattern[len - 1] == '/'))
        return 1;
    while (path[0] && strchr(pattern, '*') && end) {
        end = strchr(end + 1, '/');
        (void)apr_cpystrn(copy, path, (end ? (size_t)(end - path) : strlen(path)) + 1);
        if (apr_fnmatch(pattern, copy, APR_FNM_PATHNAME) == APR_SUCCESS)
            return 1;
    }
    return 0;
}

static void make_text(unsigned int *seed, const char *letters, size_t count, char *out)
{
    size_t len, i;

    *seed = *seed * 1103515245U + 12345U;
    len = 1 + (*seed >> 16) % 14;
    for (i = 0; i < len; i++) {
        *seed = *seed * 1103515245U + 12345U;
        out[i] = letters[(*seed >> 16) % count];
    }
    out[len] = '\0';
}

START_TEST(a_star_stands_for_what_it_does_in_names_of_files)
{
    unsigned int seed = 1, count = 0, i;
    apr_array_header_t *list;
    apr_pool_t *pool;
    char path[16], pattern[17];
    int is_met;

    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    list = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(list, const char *) = pattern;
    pattern[0] = '/';
    for (i = 0; i < 200000; i++) {
        make_text(&seed, "aab//", 5, path);
        make_text(&seed, "aab**//", 7, pattern + 1);
        if (path[0] != '/' && i % 8)
            path[0] = '/';
        if (strstr(pattern, "//")) /* which cannot be configured */
            continue;
        is_met = is_below_or_globbed(path, pattern);
        ck_assert_msg(kc_path_is_matched(path, list) == is_met, "%s %s %s", path,
                      is_met ? "is not met by" : "is met by", pattern);
        count += (unsigned int)is_met;
    }
    ck_assert_uint_gt(count, 1000);
    apr_pool_destroy(pool);
}
END_TEST

Suite *kc_test_path(void)
{
    Suite *suite = suite_create("path");
    TCase *plain = tcase_create("plain");
    TCase *lists = tcase_create("lists");

    tcase_add_loop_test(plain, what_can_be_read_in_one_way_only_is_plain, 0,
                        sizeof(spellings) / sizeof(spellings[0]));
    tcase_add_loop_test(plain, no_other_octet_makes_a_path_odd, 1, 256);
    tcase_add_loop_test(plain, one_dot_or_two_are_a_dot_segment, 0,
                        sizeof(segments) / sizeof(segments[0]));
    tcase_add_checked_fixture(lists, start_apr, apr_terminate);
    tcase_add_loop_test(lists, only_the_plainest_spelling_is_public, 0,
                        sizeof(paths) / sizeof(paths[0]));
    tcase_add_loop_test(lists, a_pattern_covers_what_is_below_it, 0,
                        sizeof(matches) / sizeof(matches[0]));
    tcase_add_test(lists, a_star_stands_for_what_it_does_in_names_of_files);
    suite_add_tcase(suite, plain);
    suite_add_tcase(suite, lists);
    return suite;
}

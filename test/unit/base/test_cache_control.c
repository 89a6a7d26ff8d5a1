/* Tests of cache_control.h: what Cache-Control says, and what it must say for an answer to one
 * user.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/cache_control.h"

static apr_pool_t *pool;

static void setup(void)
{
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* is: p for public, v for private, n for no-store. one: the line for one person. */
static const struct {
    const char *line, *is, *one;
} cases[] = {
    {NULL, "", "private"},
    {"", "", "private"},
    {" , ,", "", "private,  , ,"},
    {"max-age=60", "", "private, max-age=60"},
    {"public", "p", "public"},
    {"max-age=60,public", "p", "max-age=60,public"},
    {" PubLic\t, max-age=60", "p", " PubLic\t, max-age=60"},
    {"private", "v", "private"},
    {"no-store", "n", "no-store"},
    {"No-Store , PRIVATE,public", "pvn", "No-Store , PRIVATE,public"},
    {"no-cache", "", "private, no-cache"},
    {"s-maxage=60, must-revalidate, proxy-revalidate", "",
     "private, s-maxage=60, must-revalidate, proxy-revalidate"},
    {"public=1", "", "private, public=1"},
    {"publicx, xpublic, pub lic", "", "private, publicx, xpublic, pub lic"},
    {"private=\"a\"", "", "private, private=\"a\""},
    {"private=\"a, public, b\"", "", "private, private=\"a, public, b\""},
    {"x=\"a\\\", public, \", public", "p", "x=\"a\\\", public, \", public"},
    {"x=\"a\\\", public, b\"", "", "private, x=\"a\\\", public, b\""},
    {"public, x=\"a\\\", private, b\"", "p", "public, x=\"a\\\", private, b\""},
    {"x=\"a\\\\\", public", "p", "x=\"a\\\\\", public"},
    {"x=\"a, public", "", "private, x=\"a, public"},
    {"x=\"a\\", "", "private, x=\"a\\"},
    {"\"public\"", "", "private, \"public\""},
    {"x\\\", public", "", "private, x\\\", public"},
};

START_TEST(lines_are_read_and_limited)
{
    kc_cache_control_t said = {0, 0, 0};

    kc_cache_control_read(cases[_i].line, &said);
    ck_assert_int_eq(said.is_public, strchr(cases[_i].is, 'p') != NULL);
    ck_assert_int_eq(said.is_private, strchr(cases[_i].is, 'v') != NULL);
    ck_assert_int_eq(said.is_no_store, strchr(cases[_i].is, 'n') != NULL);
    ck_assert_int_eq(kc_cache_control_is_shared(&said), strcmp(cases[_i].is, "p") == 0);
    ck_assert_str_eq(kc_cache_control_limit(cases[_i].line, &said, KC_CACHE_CONTROL_ONE, pool),
                     cases[_i].one);
    ck_assert_ptr_eq(kc_cache_control_limit(cases[_i].line, &said, KC_CACHE_CONTROL_ANYBODY, pool),
                     cases[_i].line);
    ck_assert_str_eq(kc_cache_control_limit(cases[_i].line, &said, KC_CACHE_CONTROL_NOBODY, pool),
                     said.is_no_store ? cases[_i].line : "no-store");
}
END_TEST

/* Of whole and parts the more careful word counts. */
START_TEST(what_the_whole_says_is_not_said_of_its_parts)
{
    static const char *const lines[][2] = {
        {NULL, "private"},
        {"", "private"},
        {"max-age=60", "private, max-age=60"},
        {"public", "private, public"},
        {"max-age=60, PUBLIC", "private, max-age=60, PUBLIC"},
        {"public, private", "public, private"},
        {"public, no-store", "public, no-store"},
        {"private, max-age=60", "private, max-age=60"},
        {"public, private=\"a\"", "private, public, private=\"a\""},
    };
    kc_cache_control_t said = {0, 0, 0};
    const char *limited;

    kc_cache_control_read(lines[_i][0], &said);
    limited = kc_cache_control_limit(lines[_i][0], &said, KC_CACHE_CONTROL_PARTS, pool);
    ck_assert_str_eq(limited, lines[_i][1]);
    kc_cache_control_read(limited, &said);
    ck_assert(!kc_cache_control_is_shared(&said));
}
END_TEST

START_TEST(several_lines_add_up)
{
    kc_cache_control_t said = {0, 0, 0};

    kc_cache_control_read("max-age=60, public", &said);
    ck_assert(kc_cache_control_is_shared(&said));
    kc_cache_control_read("x=1", &said);
    ck_assert(kc_cache_control_is_shared(&said));
    kc_cache_control_read("private", &said);
    ck_assert(!kc_cache_control_is_shared(&said));
}
END_TEST

Suite *kc_test_cache_control(void)
{
    Suite *suite = suite_create("cache_control");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, lines_are_read_and_limited, 0, COUNT(cases));
    tcase_add_loop_test(tests, what_the_whole_says_is_not_said_of_its_parts, 0, 9);
    tcase_add_test(tests, several_lines_add_up);
    suite_add_tcase(suite, tests);
    return suite;
}

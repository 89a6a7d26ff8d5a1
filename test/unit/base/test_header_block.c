/* Tests of header_block.h: header blocks that arrive in pieces, and what is removed from them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include <apr_strings.h>

#include "base/buf.h"
#include "base/header_block.h"

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

static const char *const names[] = {"session", "login_*"};

#define FIRST "HTTP/1.1 101 Switching\r\n"
#define OURS "Set-Cookie: session=1\r\n"

static const struct {
    const char *whole;
    int status, dropped;
    const char *rest;
} cases[] = {
    {FIRST "\r\n", 101, 0, FIRST "\r\n"},
    {"HTTP/1.1 103\n\n", 103, 0, "HTTP/1.1 103\n\n"},
    {"\r\n \t\r\n" FIRST OURS "\r\n", 101, 1, FIRST "\r\n"},
    {FIRST OURS "A: b\r\n" OURS "\r\n", 101, 2, FIRST "A: b\r\n\r\n"},
    {FIRST "Set-Cookie: x=session\r\n\r\n", 101, 0, FIRST "Set-Cookie: x=session\r\n\r\n"},
    {FIRST "SET-COOKIE2:login_x=1\n\n", 101, 1, FIRST "\n"},
    {FIRST " Set-Cookie \t: session=1\r\n\r\n", 101, 1, FIRST "\r\n"},
    {FIRST "A: b\r\n Set-Cookie: session=1\r\n\r\n", 101, 0,
     FIRST "A: b\r\n Set-Cookie: session=1\r\n\r\n"},
    {FIRST "Set-Cookie:\r\n session=1\r\n\tx\r\nA: b\r\n\r\n", 101, 1, FIRST "A: b\r\n\r\n"},
    {FIRST "A: b\rSet-Cookie: session=1\r\n\r\n", 101, 0,
     FIRST "A: b Set-Cookie: session=1\r\n\r\n"},
    {"HTTP/1.1 101 x\rSet-Cookie: session=1\r\n\r\n", 101, 0,
     "HTTP/1.1 101 x Set-Cookie: session=1\r\n\r\n"},
    {"HTTP/1.1\r101\r\n\r\rA: b\r\r\n" OURS "\r\n", 101, 1, "HTTP/1.1 101\r\n  A: b \r\n\r\n"},
    {FIRST "Set-Cookie\r: a\r\n\rb=1, session=1\r\n\r\n", 101, 1, FIRST "\r\n"},
    {FIRST "Clear-Site-Data: \"cookies\"\r\nA: b\r\n\r\n", 101, 1, FIRST "A: b\r\n\r\n"},
    {FIRST "clear-site-data :\r\n \"cache\", \"*\"\r\n\r\n", 101, 1, FIRST "\r\n"},
    {FIRST "Clear-Site-Data: \"cache\"\r\n\r\n", 101, 0,
     FIRST "Clear-Site-Data: \"cache\"\r\n\r\n"},
    {FIRST "Clear-Site-Data2: \"cookies\"\r\n\r\n", 101, 0,
     FIRST "Clear-Site-Data2: \"cookies\"\r\n\r\n"},
    {FIRST "Set-Cookies: session=1\r\n\r\n", 101, 0, FIRST "Set-Cookies: session=1\r\n\r\n"},
    {FIRST "Set-Cookie session=1\r\n\r\n", 101, 0, FIRST "Set-Cookie session=1\r\n\r\n"},
    {FIRST "Set-Cookie xsession=1\r\n\r\n", 101, 0, FIRST "Set-Cookie xsession=1\r\n\r\n"},
    {FIRST "Connection: session=1\r\n\r\n", 101, 0, FIRST "Connection: session=1\r\n\r\n"},
    {FIRST "X-Others-A: session=1\r\n\r\n", 101, 0, FIRST "X-Others-A: session=1\r\n\r\n"},
    {"xyzHTTP/1.1 101 x\r\n" OURS "\r\n", 101, 1, "xyzHTTP/1.1 101 x\r\n\r\n"},
    {"http/1.0\t200\r\n\r\n", 200, 0, "http/1.0\t200\r\n\r\n"},
    {"HTTP/1.1 1011\r\n\r\n", 0, 0, "HTTP/1.1 1011\r\n\r\n"},
    {"HTTP/1.1 10\r\n\r\n", 0, 0, "HTTP/1.1 10\r\n\r\n"},
    {"HTTP/1.1\r\n 101\r\n\r\n", 0, 0, "HTTP/1.1\r\n 101\r\n\r\n"},
    {"hello\r\n" OURS "\r\n", 0, 1, "hello\r\n\r\n"},
    {"HTT\n\n", 0, 0, "HTT\n\n"},
    {"hello 101\r\n\r\n", 0, 0, "hello 101\r\n\r\n"},
    {"HTTP/1.1 199\r\n\r\n", 199, 0, "HTTP/1.1 199\r\n\r\n"},
};

/* Each piece as memory of its own, for the sanitizer to see its end. */
static void put_pieces(kc_header_block_t *block, const char *text, size_t len, size_t size)
{
    size_t at, used = 0;

    for (at = 0; at < len; at += used) {
        size_t piece = len - at < size ? len - at : size;
        const char *copy = apr_pmemdup(pool, text + at, piece);
        kc_rc_t rc = kc_header_block_put(block, copy, piece, &used, pool);

        ck_assert_int_eq(rc, at + used == len ? KC_OK : KC_MISS);
        ck_assert(used == piece);
    }
}

START_TEST(blocks_are_gathered_and_cleaned)
{
    size_t len = strlen(cases[_i].whole), size;

    for (size = 1; size <= len; size++) {
        kc_header_block_t block = {NULL, 0, 0};

        put_pieces(&block, cases[_i].whole, len, size);
        ck_assert_int_eq(kc_header_block_status(&block), cases[_i].status);
        ck_assert_int_eq(kc_header_block_drop(&block, names, 2, pool), cases[_i].dropped);
        ck_assert_str_eq(kc_buf_copy(block.text, block.len, pool), cases[_i].rest);
    }
}
END_TEST

START_TEST(what_is_behind_the_block_is_left)
{
    static const char text[] = FIRST "\r\nSet-Cookie: session=1\r\n\r\n";
    kc_header_block_t block = {NULL, 0, 0};
    size_t used;

    ck_assert_int_eq(kc_header_block_put(&block, text, strlen(text), &used, pool), KC_OK);
    ck_assert(used == strlen(FIRST) + 2);
    ck_assert(block.len == used);
}
END_TEST

START_TEST(a_nul_hides_nothing)
{
    static const char text[] = FIRST "Set-Cookie: a=1\0, session=1\r\nA: \0b\r\n\r\n";
    static const char rest[] = FIRST "A: \0b\r\n\r\n";
    kc_header_block_t block = {NULL, 0, 0};

    put_pieces(&block, text, sizeof(text) - 1, sizeof(text));
    ck_assert_int_eq(kc_header_block_drop(&block, names, 2, pool), 1);
    ck_assert(block.len == sizeof(rest) - 1 && memcmp(block.text, rest, block.len) == 0);
}
END_TEST

START_TEST(the_size_is_limited)
{
    kc_header_block_t block = {NULL, 0, 0}, none = {NULL, 0, 0};
    char *text = apr_palloc(pool, KC_HEADER_BLOCK_MAX + 1);
    size_t used;

    memset(text, 'x', KC_HEADER_BLOCK_MAX + 1);
    text[KC_HEADER_BLOCK_MAX - 2] = text[KC_HEADER_BLOCK_MAX - 1] = '\n';
    ck_assert_int_eq(kc_header_block_put(&block, text, KC_HEADER_BLOCK_MAX, &used, pool), KC_OK);
    text[KC_HEADER_BLOCK_MAX - 1] = 'x';
    block = none;
    ck_assert_int_eq(kc_header_block_put(&block, text, KC_HEADER_BLOCK_MAX, &used, pool), KC_MISS);
    ck_assert_int_eq(kc_header_block_put(&block, "\n", 1, &used, pool), KC_REFUSED);
    ck_assert_int_eq(kc_header_block_put(&none, NULL, 0, &used, pool), KC_MISS);
    ck_assert_int_eq(kc_header_block_status(&none), 0);
}
END_TEST

Suite *kc_test_header_block(void)
{
    Suite *suite = suite_create("header_block");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, blocks_are_gathered_and_cleaned, 0, COUNT(cases));
    tcase_add_test(tests, what_is_behind_the_block_is_left);
    tcase_add_test(tests, a_nul_hides_nothing);
    tcase_add_test(tests, the_size_is_limited);
    suite_add_tcase(suite, tests);
    return suite;
}

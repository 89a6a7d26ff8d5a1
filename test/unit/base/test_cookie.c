/* Tests of cookie.h: unusual Cookie headers, what is found in and removed from them, and
 * Set-Cookie.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "base/cookie.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define NAME "__Host-keycloak_session"

static apr_pool_t *pool;

static void setup(void)
{
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

static const char *text_of(kc_bytes_t bytes)
{
    return kc_buf_copy(bytes.data, bytes.len, pool);
}

/* ---------------------------------------------------------------- finding */

static const char *found(const char *header, const char *name)
{
    kc_bytes_t value = {NULL, 0};

    switch (kc_cookie_find(header, name, strlen(name), &value)) {
    case KC_OK:
        return text_of(value);
    case KC_MISS:
        return "(absent)";
    case KC_REFUSED:
        return "(refused)";
    default:
        return "(another answer)";
    }
}

typedef struct {
    const char *header, *value;
} find_case_t;

static const find_case_t finds[] = {
    {NULL, "(absent)"},
    {"", "(absent)"},
    {";", "(absent)"},
    {" ; ;; , ", "(absent)"},
    {"k=v", "v"},
    {"a=1; k=v; b=2", "v"},
    {"a=1;k=v;b=2", "v"},
    /* another host of the domain can set a cookie with such a value */
    {"a=1, k=v, b=2", "(absent)"},
    {"a=1, k=planted; k=v", "v"},
    {"  k=v  ", "v"},
    {"\tk = v\t; a=1", "v"},
    {"k=v=w==", "v=w=="},
    {"k=\"v\"", "\"v\""},
    /* quotes protect nothing: browsers end a value at the semicolon, too */
    {"a=\"x; k=v; y\"", "v"},
    /* a comma is part of a value */
    {"a=1,k=2; k=v", "v"},
    {"k=v,w", "v,w"},
    {"a=1,k=v", "(absent)"},
    /* 105: names without value, values without name, empty pieces */
    {"k", "(absent)"},
    {"k=", "(absent)"},
    {"k=;a=1", "(absent)"},
    {"=v; k", "(absent)"},
    {";;; k=v ;;;", "v"},
    {"k; k=v", "v"},
    /* names are exact */
    {"kk=v", "(absent)"},
    {"K=v", "(absent)"},
    {"ak=v; k2=w", "(absent)"},
    {"a=k; b=k=v", "(absent)"},
    {"$Version=1; k=v; $Path=/", "v"},
    /* 102: a name that is there twice */
    {"k=v; k=v", "(refused)"},
    {"k=v; a=1; k=w", "(refused)"},
    {"k=; k=v", "(refused)"},
    {"k=v; k=", "(refused)"},
    {"k=v, k=w", "v, k=w"},
    {"k=v;k =w", "(refused)"},
    {"k=a; k=b; k=c", "(refused)"},
};

START_TEST(one_cookie_is_found)
{
    ck_assert_msg(!strcmp(found(finds[_i].header, "k"), finds[_i].value), "'%s' gives '%s'",
                  finds[_i].header, found(finds[_i].header, "k"));
}
END_TEST

/* filler, then tail, len bytes in all. */
static const char *filled(char filler, size_t len, const char *tail)
{
    size_t tail_len = strlen(tail);
    char *text = apr_palloc(pool, len + 1);

    memset(text, filler, len);
    memcpy(text + len - tail_len, tail, tail_len + 1);
    return text;
}

/* 101: 16 KiB and more. */
START_TEST(long_headers_are_read_up_to_the_cap)
{
    ck_assert_str_eq(found(filled('a', 16384, "; k=v"), "k"), "v");
    ck_assert_str_eq(found(filled(';', 16384, "; k=v"), "k"), "v");
    ck_assert_str_eq(found(filled('=', 16384, "; k=v"), "k"), "v");
    ck_assert_str_eq(found(filled(',', 16384, "; k=v"), "k"), "v");
    ck_assert_str_eq(found(filled('a', KC_COOKIE_HEADER_MAX, "; k=v"), "k"), "v");
    ck_assert_str_eq(found(filled('a', KC_COOKIE_HEADER_MAX + 1, "; k=v"), "k"), "(refused)");
    ck_assert_uint_eq(kc_cookie_list(filled('a', KC_COOKIE_HEADER_MAX + 1, "; k=v"), "k", NULL, 0),
                      0);
}
END_TEST

/* ---------------------------------------------------------------- listing */

/* 104: fifty stale login cookies. */
START_TEST(cookies_are_listed)
{
    const char *header = "keycloak_session=s; keycloak_login=no; keycloak_login_";
    kc_cookie_item_t items[KC_COOKIE_LIST_MAX];

    for (int i = 0; i < 50; i++)
        header = apr_psprintf(pool, "%s; keycloak_login_%d=v%d", header, i, i);
    ck_assert_uint_eq(kc_cookie_list(header, "keycloak_login_", items, KC_COOKIE_LIST_MAX), 50);
    ck_assert_str_eq(text_of(items[0].name), "keycloak_login_0");
    ck_assert_str_eq(text_of(items[49].name), "keycloak_login_49");
    ck_assert_str_eq(text_of(items[49].value), "v49");
    ck_assert_uint_eq(kc_cookie_list(header, "keycloak_login_", items, 3), 50);
    ck_assert_uint_eq(kc_cookie_list(header, "keycloak_login_", NULL, 0), 50);
    ck_assert_uint_eq(kc_cookie_list(header, "other", items, 3), 0);
    ck_assert_uint_eq(kc_cookie_list(NULL, "k", items, 3), 0);
    ck_assert_uint_eq(kc_cookie_list("k=; ka=1; kb=2;k", "k", items, 3), 3);
    ck_assert_str_eq(text_of(items[2].value), "2");
}
END_TEST

/* ---------------------------------------------------------------- stripping */

static const char *const ours[] = {"session", "__Host-session", "login_*"};

static const char *stripped(const char *header)
{
    return kc_cookie_strip(header, ours, 3, pool);
}

typedef struct {
    const char *header, *rest;
} strip_case_t;

static const strip_case_t strips[] = {
    {"session=x", NULL},
    {" session=x ; ", NULL},
    {"session=x; __Host-session=y; login_1=z", NULL},
    {";;session=x;, ;", NULL},
    {"a=1; session=x", "a=1"},
    {"session=x; a=1", "a=1"},
    {"a=1; session=x; b=2", "a=1; b=2"},
    {"a=1;session=x;b=2", "a=1;b=2"},
    {"a=1, session=x, b=2", "a=1, b=2"},
    {"a=1; login_abc=x; login_=y; b=2", "a=1; b=2"},
    {"a=1; session=x; session=y; b=2", "a=1; b=2"},
    {"a=1 ;  session=x;  b = 2 ", "a=1 ;  b = 2 "},
    {"a=\"q\"; session=x;; c", "a=\"q\";; c"},
    {"a=1; session", "a=1"},
    {"a=1; session =x", "a=1"},
    {"a=1; \tsession\t=x", "a=1"},
    {"a=\"1; session=x; b=2\"", "a=\"1; b=2\""},
    {"session=x; a=1; b=2", "a=1; b=2"},
    {"session=x;\t a=1;b=2", "a=1;b=2"},
    {"session=x;  ; a=1", "a=1"},
    {"session=x;  ;  ", NULL},
    {"session=x, a=1, b=2", "a=1, b=2"},
    {"session=x,a=1, b=2", "b=2"},
    {"a=1, ", "a=1, "},
    {"session=x, ", NULL},
    {"session=x; =v", "=v"},
    {"session=x; a", "a"},
};

START_TEST(our_cookies_are_taken_out)
{
    ck_assert_pstr_eq(stripped(strips[_i].header), strips[_i].rest);
}
END_TEST

START_TEST(foreign_headers_are_not_copied)
{
    static const char *const foreign[] = {"",
                                          "a=1; b=2",
                                          "sessions=x; xsession=y; Session=z",
                                          "login=x;Login_1=y",
                                          "a=session; b=\"session=\"",
                                          "a=1,session=x",
                                          ";;,"};

    ck_assert_ptr_null(stripped(NULL));
    for (int i = 0; i < COUNT(foreign); i++)
        ck_assert_ptr_eq(stripped(foreign[i]), foreign[i]);
}
END_TEST

/* Memory that was somebody's before. */
START_TEST(what_is_left_ends_where_it_ends)
{
    apr_pool_t *used;
    const char *rest;

    ck_assert_int_eq(apr_pool_create(&used, pool), APR_SUCCESS);
    memset(apr_palloc(used, 4096), 'x', 4096);
    apr_pool_clear(used);
    rest = kc_cookie_strip("a=1; session=x", ours, 3, used);
    ck_assert_str_eq(rest, "a=1");
}
END_TEST

/* A header beyond the cap has no session, and still nothing of ours may reach the backend. */
START_TEST(no_header_is_too_long_to_strip)
{
    const char *rest = stripped(filled('a', KC_COOKIE_HEADER_MAX * 4, "; session=secret"));

    ck_assert_uint_eq(strlen(rest), KC_COOKIE_HEADER_MAX * 4 - strlen("; session=secret"));
    ck_assert_ptr_null(strstr(rest, "secret"));
}
END_TEST

/* What is stripped is not found any more, whatever was between the pieces. */
START_TEST(stripping_and_finding_agree)
{
    for (int i = 0; i < COUNT(finds); i++) {
        static const char *const name[] = {"k"};
        const char *rest = kc_cookie_strip(finds[i].header, name, 1, pool);

        ck_assert_str_eq(found(rest, "k"), "(absent)");
    }
}
END_TEST

/* 202: what a backend may not set. */
static const struct {
    const char *line;
    int is_set;
} sets[] = {
    {"session=x", 1},
    {"session=x; Path=/", 1},
    {" \tsession\t = x", 1},
    {"SESSION=x", 1},
    {"__host-Session=x", 1},
    {"session", 1},
    {"session;", 1},
    {"session=", 1},
    {"=session=x", 1},
    {" = \t=session=x", 1},
    {";;session=x", 1},
    {"a=1, session=x", 1},
    {"a=1,session=x", 1},
    {"a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT, session=x", 1},
    {"a=\"1, session=x\"", 1},
    {"login_=x", 1},
    {"LOGIN_abc=x", 1},
    {"login_*=x", 1},
    {"login_*x=x", 1},
    {"", 0},
    {" ,;= ", 0},
    {"a=1", 0},
    {"a=session", 0},
    {"a=b=session", 0},
    {"sessions=x", 0},
    {"asession=x", 0},
    {"a session=x", 0},
    {"login=x", 0},
    {"session*=x", 0},
    {"\v\fsession\x01=x", 1},
    {"a=1;\vsession=x", 1},
    {"\x7fsession\x1f=x", 1},
    {"a=1; Path=/session", 0},
    {"a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", 0},
};

START_TEST(our_cookies_are_set_by_nobody_else)
{
    ck_assert_msg(kc_cookie_is_set(sets[_i].line, ours, 3) == sets[_i].is_set, "'%s'",
                  sets[_i].line);
}
END_TEST

static const struct {
    const char *line, *kept; /* NULL: nothing */
} clears[] = {
    {"\"cache\"", "\"cache\""},
    {"", ""},
    {" , ", " , "},
    {"\"cache\",\"storage\" , \"executionContexts\"",
     "\"cache\",\"storage\" , \"executionContexts\""},
    {"\"clientHints\", \"prefetchCache\", \"prerenderCache\"",
     "\"clientHints\", \"prefetchCache\", \"prerenderCache\""},
    {"\"cookies\"", NULL},
    {"\"Cookies\"", NULL},
    {"cookies", NULL},
    {"\"cookies", NULL},
    {"\"c\\ookies\"", NULL},
    {"\"cookies\";x=1", NULL},
    {"\"cache, cookies\"", NULL},
    {"\"unheardOf\"", NULL},
    {"\"cookies\", \"cache\"", "\"cache\""},
    {"\"cache\",\"cookies\",\"cache\",\"storage\"", "\"cache\", \"storage\""},
    {"\"*\"", "\"cache\", \"storage\", \"executionContexts\""},
    {"\"clientHints\",\"*\"", "\"cache\", \"storage\", \"executionContexts\", \"clientHints\""},
    {"\t\"cookies\"\v", NULL},
};

START_TEST(cookies_are_cleared_by_nobody_else)
{
    const char *kept = kc_cookie_keep_uncleared(clears[_i].line, pool);

    if (!clears[_i].kept) {
        ck_assert_msg(!kept, "'%s': '%s'", clears[_i].line, kept);
        return;
    }
    ck_assert_str_eq(kept, clears[_i].kept);
    ck_assert_int_eq(kept == clears[_i].line, !strcmp(clears[_i].line, clears[_i].kept));
}
END_TEST

/* ---------------------------------------------------------------- setting */

START_TEST(set_cookie_has_every_attribute)
{
    kc_cookie_set_t cookie = {NAME, "v", NULL, NULL, "Lax", -1, 1};

    ck_assert_str_eq(kc_cookie_format(&cookie, pool),
                     NAME "=v; Path=/; Secure; HttpOnly; SameSite=Lax");
    cookie = (kc_cookie_set_t){"s", "v", "/a/", "a.example", "Strict", 600, 0};
    ck_assert_str_eq(kc_cookie_format(&cookie, pool),
                     "s=v; Path=/a/; Domain=a.example; Max-Age=600; HttpOnly; SameSite=Strict");
}
END_TEST

START_TEST(deleting_says_so_twice)
{
    kc_cookie_set_t cookie = {NAME, "", NULL, NULL, "None", 0, 1};

    ck_assert_str_eq(kc_cookie_format(&cookie, pool),
                     NAME "=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; "
                          "HttpOnly; SameSite=None");
}
END_TEST

Suite *kc_test_cookie(void)
{
    Suite *suite = suite_create("cookie");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_loop_test(all, one_cookie_is_found, 0, COUNT(finds));
    tcase_add_test(all, long_headers_are_read_up_to_the_cap);
    tcase_add_test(all, cookies_are_listed);
    tcase_add_loop_test(all, our_cookies_are_taken_out, 0, COUNT(strips));
    tcase_add_test(all, foreign_headers_are_not_copied);
    tcase_add_test(all, what_is_left_ends_where_it_ends);
    tcase_add_test(all, no_header_is_too_long_to_strip);
    tcase_add_test(all, stripping_and_finding_agree);
    tcase_add_loop_test(all, our_cookies_are_set_by_nobody_else, 0, COUNT(sets));
    tcase_add_loop_test(all, cookies_are_cleared_by_nobody_else, 0, COUNT(clears));
    tcase_add_test(all, set_cookie_has_every_attribute);
    tcase_add_test(all, deleting_says_so_twice);
    suite_add_tcase(suite, all);
    return suite;
}

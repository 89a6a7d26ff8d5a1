/* Tests of json.h: threats.md 152 and 153, and the readers on absent and foreign values.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/json.h"
#include "testlib.h"

Suite *kc_test_json(void);

static const kc_json_t *parse(const char *text)
{
    const kc_json_t *value;
    kc_err_t err = {0};

    ck_assert_msg(kc_json_parse(text, strlen(text), testlib_pool, &value, &err) == KC_OK,
                  "%s was refused: %s", text, err.detail);
    return value;
}

static kc_err_t refused(const char *text, size_t len)
{
    const kc_json_t *value = NULL;
    kc_err_t err = {0};

    ck_assert_msg(kc_json_parse(text, len, testlib_pool, &value, &err) == KC_REFUSED,
                  "%.60s was taken", text);
    ck_assert_ptr_null(value);
    ck_assert_int_eq(err.reason, KC_ERR_JSON);
    return err;
}

static const char *const bad[] = {
    "",
    " ",
    "null",
    "true",
    "1",
    "\"a\"",
    "[]",
    "[{}]",
    "{",
    "{}}",
    "{}x",
    "{} {}",
    "{,}",
    "{\"a\":1,}",
    "{\"a\"}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":{\"b\":1,\"b\":1}}",
    "{\"a\":1,\"\\u0061\":2}", /* the same name, spelt otherwise */
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xc0\x80\"}",     /* NUL, overlong */
    "{\"a\":\"\xed\xa0\x80\"}", /* half a surrogate pair */
    "{\"a\":\"\xf4\x90\x80\x80\"}",
    "{\"\xff\":1}",
    "{\"a\":\"\\u0000\"}",
    "{\"\\u0000\":1}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":1e999}",
    "{\"a\":-1e999}",
    "{\"a\":99999999999999999999}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":01}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "{\"a\":1.}",
    "{\"a\":0x1}",
    "/* */{}",
    "\xef\xbb\xbf{}",
};

START_TEST(malformed_texts_are_refused)
{
    refused(bad[_i], strlen(bad[_i]));
}
END_TEST

START_TEST(a_nul_is_refused_wherever_it_stands)
{
    refused("{\"a\":\"x\0y\"}", 11);
    refused("{}\0", 3);
    refused("\0{}", 3);
    refused(NULL, 0);
}
END_TEST

/* Nested lists or objects, depth of them, root included. */
static char *nested(int depth, const char *open, const char *close)
{
    char *text = apr_pstrdup(testlib_pool, "{\"a\":");
    int i;

    for (i = 1; i < depth; i++)
        text = apr_pstrcat(testlib_pool, text, open, NULL);
    text = apr_pstrcat(testlib_pool, text, "0", NULL);
    for (i = 1; i < depth; i++)
        text = apr_pstrcat(testlib_pool, text, close, NULL);
    return apr_pstrcat(testlib_pool, text, "}", NULL);
}

START_TEST(nesting_has_a_limit)
{
    char *text = nested(33, "[", "]");

    parse(nested(32, "[", "]"));
    parse(nested(32, "{\"a\":", "}"));
    ck_assert_ptr_nonnull(strstr(refused(text, strlen(text)).detail, "deeper than 32"));
    text = nested(33, "{\"a\":", "}");
    ck_assert_ptr_nonnull(strstr(refused(text, strlen(text)).detail, "deeper than 32"));
    text = nested(2000, "[", "]");
    ck_assert_ptr_nonnull(strstr(refused(text, strlen(text)).detail, "deeper than 32"));
    /* Closed before they nest, and brackets inside text, are not deep. */
    parse(apr_pstrcat(testlib_pool, "{\"a\":[",
                      "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]",
                      ",{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}",
                      NULL));
    parse("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{\\\\\",\"b\":[]}");
}
END_TEST

/* Scalars that are read wrongly would hide depth: a quote escaped, a backslash before the end. */
START_TEST(text_does_not_hide_nesting)
{
    char *text =
        apr_pstrcat(testlib_pool, "{\"b\":\"\\\\\",\"a\":", nested(32, "[", "]"), "}", NULL);

    ck_assert_ptr_nonnull(strstr(refused(text, strlen(text)).detail, "deeper than 32"));
    text = apr_pstrcat(testlib_pool, "{\"b\":\"\\\"\",\"a\":", nested(32, "[", "]"), "}", NULL);
    ck_assert_ptr_nonnull(strstr(refused(text, strlen(text)).detail, "deeper than 32"));
    refused("{\"a\":\"\\", 7);
}
END_TEST

START_TEST(size_has_a_limit)
{
    char *text = apr_palloc(testlib_pool, KC_JSON_TEXT_MAX + 1);
    const kc_json_t *value;

    memset(text, ' ', KC_JSON_TEXT_MAX + 1);
    text[0] = '{';
    text[1] = '}';
    ck_assert_int_eq(kc_json_parse(text, KC_JSON_TEXT_MAX, testlib_pool, &value, NULL), KC_OK);
    refused(text, KC_JSON_TEXT_MAX + 1);
}
END_TEST

/* The detail goes to the log: it must not quote the text. */
START_TEST(errors_quote_nothing)
{
    const char *text = "{\"token\":canary-canary}";
    kc_err_t err = refused(text, strlen(text));

    ck_assert_ptr_null(strstr(err.detail, "canary"));
    ck_assert_ptr_nonnull(strstr(err.detail, "syntax"));
    text = "{\"canary\":1,\"canary\":2}";
    err = refused(text, strlen(text));
    ck_assert_ptr_null(strstr(err.detail, "canary"));
    ck_assert_ptr_nonnull(strstr(err.detail, "twice"));
}
END_TEST

/* ---------------------------------------------------------------- reading */

START_TEST(types_are_told_apart)
{
    const kc_json_t *value = parse("{\"n\":null,\"t\":true,\"f\":false,\"i\":1,\"r\":1.5,"
                                   "\"s\":\"x\",\"a\":[1],\"o\":{\"k\":\"v\"}}");

    ck_assert_int_eq(kc_json_type(NULL), KC_JSON_NULL);
    ck_assert_int_eq(kc_json_type(value), KC_JSON_OBJECT);
    ck_assert_int_eq(kc_json_type(kc_json_member(value, "n")), KC_JSON_NULL);
    ck_assert_int_eq(kc_json_type(kc_json_member(value, "t")), KC_JSON_BOOLEAN);
    ck_assert_int_eq(kc_json_type(kc_json_member(value, "f")), KC_JSON_BOOLEAN);
    ck_assert_int_eq(kc_json_type(kc_json_member(value, "i")), KC_JSON_INTEGER);
    ck_assert_int_eq(kc_json_type(kc_json_member(value, "r")), KC_JSON_REAL);
    ck_assert_int_eq(kc_json_type(kc_json_member(value, "s")), KC_JSON_STRING);
    ck_assert_int_eq(kc_json_type(kc_json_member(value, "a")), KC_JSON_ARRAY);
    ck_assert_int_eq(kc_json_type(kc_json_member(value, "o")), KC_JSON_OBJECT);
    ck_assert(kc_json_is_true(kc_json_member(value, "t")));
    ck_assert(!kc_json_is_true(kc_json_member(value, "f")));
    ck_assert(!kc_json_is_true(kc_json_member(value, "i")));
    ck_assert_str_eq(kc_json_string(kc_json_member(value, "s")), "x");
    ck_assert_str_eq(kc_json_member_string(kc_json_member(value, "o"), "k"), "v");
    ck_assert_ptr_null(kc_json_member_string(value, "i"));
    ck_assert_uint_eq(kc_json_size(value), 8);
    ck_assert_uint_eq(kc_json_size(kc_json_member(value, "a")), 1);
    ck_assert_uint_eq(kc_json_size(kc_json_member(value, "s")), 0);
    ck_assert_ptr_nonnull(kc_json_at(kc_json_member(value, "a"), 0));
    ck_assert_ptr_null(kc_json_at(kc_json_member(value, "a"), 1));
    ck_assert_ptr_null(kc_json_at(value, 0));
}
END_TEST

static void unexpected(void *context, const char *name, const kc_json_t *value)
{
    (void)context;
    (void)value;
    ck_abort_msg("visited %s", name);
}

START_TEST(absent_values_are_read_as_nothing)
{
    int64_t number = 7;

    ck_assert_ptr_null(kc_json_member(NULL, "a"));
    ck_assert_ptr_null(kc_json_member(parse("{}"), NULL));
    ck_assert_ptr_null(kc_json_path(NULL, "a.b"));
    ck_assert_ptr_null(kc_json_path(parse("{}"), NULL));
    ck_assert(!kc_json_is_true(NULL));
    ck_assert_ptr_null(kc_json_string(NULL));
    ck_assert_ptr_null(kc_json_member_string(NULL, "a"));
    ck_assert(!kc_json_integer(NULL, &number));
    ck_assert_int_eq(number, 7);
    ck_assert_uint_eq(kc_json_size(NULL), 0);
    ck_assert_ptr_null(kc_json_at(NULL, 0));
    kc_json_each(NULL, unexpected, NULL);
    kc_json_each(kc_json_member(parse("{\"a\":[1]}"), "a"), unexpected, NULL);
    ck_assert_ptr_null(kc_json_scalar_text(NULL, testlib_pool));
    ck_assert_str_eq(kc_json_dump(NULL, testlib_pool), "null");
}
END_TEST

static const struct {
    const char *path, *found; /* found: the value as JSON, NULL: nowhere */
} paths[] = {
    {"a", "{\"b\":{\"c\":1},\"d.e\":2,\"\":5}"},
    {"a.b", "{\"c\":1}"},
    {"a.b.c", "1"},
    {"a.b.c.d", NULL},
    {"a.x", NULL},
    {"x.b", NULL},
    {"a.d.e", NULL},
    {"a.d\\.e", "2"},
    {"https://claims/x.y", "3"},
    {"p\\.q", "4"},
    {"p.q", "4"},
    {"a.", "5"},
    {".a", NULL},
    {"a..b", NULL},
    {"", NULL},
    {"l.0", NULL},
    {"both.way", "7"},
};

START_TEST(path_leads_to_a_value)
{
    const kc_json_t *value =
        kc_json_path(parse("{\"a\":{\"b\":{\"c\":1},\"d.e\":2,\"\":5},\"https://claims/x.y\":3,"
                           "\"p.q\":4,\"l\":[6],\"both.way\":7,\"both\":{\"way\":8}}"),
                     paths[_i].path);

    if (paths[_i].found)
        ck_assert_str_eq(kc_json_dump(value, testlib_pool), paths[_i].found);
    else
        ck_assert_ptr_null(value);
}
END_TEST

START_TEST(path_with_an_endless_name_leads_nowhere)
{
    char name[1000];
    const kc_json_t *value;

    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    value = parse(apr_psprintf(testlib_pool, "{\"%s\":{\"b\":1}}", name));
    ck_assert_ptr_nonnull(kc_json_path(value, name));
    ck_assert_ptr_null(kc_json_path(value, apr_pstrcat(testlib_pool, name, ".b", NULL)));
    name[255] = '\0';
    value = parse(apr_psprintf(testlib_pool, "{\"%s\":{\"b\":1}}", name));
    ck_assert_ptr_nonnull(kc_json_path(value, apr_pstrcat(testlib_pool, name, ".b", NULL)));
    name[255] = 'a';
    name[256] = '\0';
    value = parse(apr_psprintf(testlib_pool, "{\"%s\":{\"b\":1}}", name));
    ck_assert_ptr_null(kc_json_path(value, apr_pstrcat(testlib_pool, name, ".b", NULL)));
}
END_TEST

static const struct {
    const char *text;
    int is_integer;
    int64_t value;
} numbers[] = {
    {"0", 1, 0},
    {"-1", 1, -1},
    {"1700000000", 1, 1700000000},
    {"9223372036854775807", 1, INT64_MAX},
    {"-9223372036854775808", 1, INT64_MIN},
    {"1.7e9", 1, 1700000000},
    {"1700000000.0", 1, 1700000000},
    {"9007199254740992.0", 1, INT64_C(9007199254740992)},
    {"-9007199254740992.0", 1, INT64_C(-9007199254740992)},
    {"9007199254740994.0", 0, 0},
    {"1.5", 0, 0},
    {"-0.5", 0, 0},
    {"1e300", 0, 0},
    {"-1e300", 0, 0},
    {"\"1\"", 0, 0},
    {"true", 0, 0},
    {"null", 0, 0},
    {"[1]", 0, 0},
};

START_TEST(integers_are_read)
{
    const kc_json_t *value = parse(apr_psprintf(testlib_pool, "{\"a\":%s}", numbers[_i].text));
    int64_t out = 0;

    ck_assert_int_eq(kc_json_integer(kc_json_member(value, "a"), &out), numbers[_i].is_integer);
    ck_assert(out == numbers[_i].value);
}
END_TEST

/* RFC 7519 section 2: a NumericDate may have a fraction. */
static const struct {
    const char *text;
    int is_time;
    int64_t value;
} seconds[] = {
    {"0", 1, 0},
    {"-0.0", 1, 0},
    {"0.999", 1, 0},
    {"1700000000", 1, 1700000000},
    {"1700000000.5", 1, 1700000000},
    {"1.7000000009e9", 1, 1700000000},
    {"253402300799", 1, INT64_C(253402300799)},
    {"253402300799.9", 1, INT64_C(253402300799)},
    {"253402300800", 0, 0},
    {"253402300800.0", 0, 0},
    {"9223372036854775807", 0, 0},
    {"1e300", 0, 0},
    {"-1", 0, 0},
    {"-0.5", 0, 0},
    {"-1e300", 0, 0},
    {"\"1700000000\"", 0, 0},
    {"true", 0, 0},
    {"null", 0, 0},
    {"[1]", 0, 0},
};

START_TEST(seconds_are_read)
{
    const kc_json_t *value = parse(apr_psprintf(testlib_pool, "{\"a\":%s}", seconds[_i].text));
    int64_t out = 0;

    ck_assert_int_eq(kc_json_seconds(kc_json_member(value, "a"), &out), seconds[_i].is_time);
    ck_assert(out == seconds[_i].value);
}
END_TEST

START_TEST(null_is_absent)
{
    const kc_json_t *value = parse("{\"a\":null,\"b\":{\"c\":null},\"d\":[null]}");

    ck_assert_ptr_null(kc_json_member(value, "a"));
    ck_assert(kc_json_has(value, "a") && !kc_json_has(value, "c"));
    ck_assert_ptr_null(kc_json_path(value, "a"));
    ck_assert_ptr_null(kc_json_path(value, "b.c"));
    ck_assert_uint_eq(kc_json_size(kc_json_member(value, "d")), 1);
}
END_TEST

static void collect(void *context, const char *name, const kc_json_t *value)
{
    int64_t number = 0;

    ck_assert(kc_json_integer(value, &number));
    ck_assert_uint_eq(strlen(name), 1);
    ((int *)context)[name[0] - 'a'] = (int)number;
}

START_TEST(every_member_is_visited)
{
    int seen[3] = {0, 0, 0};

    kc_json_each(parse("{\"a\":1,\"b\":2,\"c\":3}"), collect, seen);
    ck_assert_int_eq(seen[0], 1);
    ck_assert_int_eq(seen[1], 2);
    ck_assert_int_eq(seen[2], 3);
}
END_TEST

START_TEST(scalars_become_text)
{
    static const char *const pairs[][2] = {
        {"\"a \\\"b\\\"\"", "a \"b\""},
        {"12", "12"},
        {"-3", "-3"},
        {"1.5", "1.5"},
        {"true", "true"},
        {"false", "false"},
        {"null", NULL},
        {"[1]", NULL},
        {"{}", NULL},
    };
    size_t i;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const kc_json_t *value = parse(apr_psprintf(testlib_pool, "{\"a\":%s}", pairs[i][0]));
        const char *text = kc_json_scalar_text(kc_json_member(value, "a"), testlib_pool);

        if (pairs[i][1])
            ck_assert_str_eq(text, pairs[i][1]);
        else
            ck_assert_ptr_null(text);
    }
}
END_TEST

/* ---------------------------------------------------------------- building */

START_TEST(built_objects_are_dumped_compactly)
{
    kc_json_t *object = kc_json_new_object(testlib_pool);
    const char *text;

    ck_assert_str_eq(kc_json_dump(object, testlib_pool), "{}");
    kc_json_set_string(object, "s", "x\"y\xc3\xa9");
    kc_json_set_string(object, "absent", NULL);
    kc_json_set_string(object, "bad", "\xff");
    kc_json_set_integer(object, "i", INT64_MIN);
    kc_json_set_value(object, "v", parse("{\"a\": [1, {\"b\": null}]}"));
    kc_json_set_value(object, "nothing", NULL);
    text = kc_json_dump(object, testlib_pool);
    ck_assert_str_eq(text, "{\"s\":\"x\\\"y\xc3\xa9\",\"bad\":\"?\",\"i\":-9223372036854775808,"
                           "\"v\":{\"a\":[1,{\"b\":null}]}}");
    ck_assert_str_eq(kc_json_dump(parse(text), testlib_pool), text);
}
END_TEST

START_TEST(arrays_are_built_in_place)
{
    kc_json_t *object = kc_json_new_object(testlib_pool);
    kc_json_t *array = kc_json_set_array(object, "a");
    kc_json_t *inner;

    kc_json_add_string(array, "x\"");
    kc_json_add_string(array, "\xff");
    inner = kc_json_add_object(array);
    kc_json_set_boolean(inner, "yes", 7);
    kc_json_set_boolean(inner, "no", 0);
    (void)kc_json_set_array(object, "none");
    ck_assert_str_eq(kc_json_dump(object, testlib_pool),
                     "{\"a\":[\"x\\\"\",\"?\",{\"yes\":true,\"no\":false}],\"none\":[]}");
}
END_TEST

START_TEST(copies_outlive_their_source)
{
    kc_json_t *object = kc_json_new_object(testlib_pool);
    const kc_json_t *source;
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, testlib_pool), APR_SUCCESS);
    ck_assert_int_eq(kc_json_parse("{\"a\":[1]}", 9, pool, &source, NULL), KC_OK);
    kc_json_set_value(object, "v", source);
    apr_pool_destroy(pool);
    ck_assert_str_eq(kc_json_dump(object, testlib_pool), "{\"v\":{\"a\":[1]}}");
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *kc_test_json(void)
{
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("json");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_loop_test(tests, malformed_texts_are_refused, 0, COUNT_OF(bad));
    tcase_add_test(tests, a_nul_is_refused_wherever_it_stands);
    tcase_add_test(tests, nesting_has_a_limit);
    tcase_add_test(tests, text_does_not_hide_nesting);
    tcase_add_test(tests, size_has_a_limit);
    tcase_add_test(tests, errors_quote_nothing);
    tcase_add_test(tests, types_are_told_apart);
    tcase_add_test(tests, absent_values_are_read_as_nothing);
    tcase_add_loop_test(tests, path_leads_to_a_value, 0, COUNT_OF(paths));
    tcase_add_test(tests, path_with_an_endless_name_leads_nowhere);
    tcase_add_loop_test(tests, seconds_are_read, 0, sizeof(seconds) / sizeof(seconds[0]));
    tcase_add_test(tests, null_is_absent);
    tcase_add_loop_test(tests, integers_are_read, 0, COUNT_OF(numbers));
    tcase_add_test(tests, every_member_is_visited);
    tcase_add_test(tests, scalars_become_text);
    tcase_add_test(tests, built_objects_are_dumped_compactly);
    tcase_add_test(tests, arrays_are_built_in_place);
    tcase_add_test(tests, copies_outlive_their_source);
    suite_add_tcase(suite, tests);
    return suite;
}

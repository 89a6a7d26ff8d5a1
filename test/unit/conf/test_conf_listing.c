/* Tests of conf_listing.h. SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_listing.h"

#include <apr_strings.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/conf.h"
#include "testlib.h"

Suite *kc_test_conf_listing(void);

#define CANARY "canary-4711-of-at-least-thirty-two-characters"

static const struct {
    const char *text, *plain;
} texts[] = {
    {"", ""},
    {"a b \"c\" \\1", "a b \"c\" \\1"},
    {"a\x1b[31m\n\t\x7f", "a\\x1b[31m\\x0a\\x09\\x7f"},
    {"gr\xc3\xb6\xc2\x9b", "gr\\xc3\\xb6\\xc2\\x9b"},
    {"http://a.test/b?c", "http://a.test/b?c"},
    {"http://user:" CANARY "@a.test/b@c", "http://...@a.test/b@c"},
    {"http://" CANARY "@a.test?b", "http://...@a.test?b"},
    {"http://a:b@" CANARY "@a.test#b@c", "http://...@a.test#b@c"},
    {"x http://u:" CANARY "@a.test, https://v:" CANARY "@b.test y@z",
     "x http://...@a.test, https://...@b.test y@z"},
    {"\"http://u:" CANARY "@a.test\" u@v", "\"http://...@a.test\" u@v"},
    {"http://a.test/?key=" CANARY "&b=" CANARY ";c=" CANARY "&d e=f",
     "http://a.test/?key=...&b=...;c=...&d e=f"},
    {"http://a.test/?a=" CANARY "#b=c d=e", "http://a.test/?a=...#b=c d=e"},
    {"http://a.test/?==" CANARY " ?x=y", "http://a.test/?=... ?x=y"},
    {"http://a.test://b:" CANARY "@c", "http://a.test://...@c"},
    {"^/?(a=b)$", "^/?(a=b)$"},
};

START_TEST(what_is_shown_has_no_secret_and_controls_no_terminal)
{
    ck_assert_str_eq(kc_conf_listing_plain(texts[_i].text, testlib_pool), texts[_i].plain);
}
END_TEST

static const struct {
    const char *arguments, *plain;
} requirements[] = {
    {"valid-user", "valid-user"},
    {"user alice \"bob b\"", "user alice \"bob b\""},
    {"keycloak-claim expr:x", "keycloak-claim expr:x"},
    {"expression x", "expression x"},
    {"expr %{HTTP:X-A} == '" CANARY "'", "expr ..."},
    {"not  EXPR %{HTTP:X-A} == '" CANARY "'", "not  EXPR ..."},
    {"\"expr\" \"%{HTTP:X-A} == '" CANARY "'\"", "\"expr ..."},
    {"not group\x1b", "not group\\x1b"},
};

START_TEST(require_lines_are_shown_without_expressions)
{
    ck_assert_str_eq(kc_conf_listing_require(requirements[_i].arguments, testlib_pool),
                     requirements[_i].plain);
}
END_TEST

static void set(void *conf, kc_conf_index_t index, const char *word, const char *file, int line)
{
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};

    ck_assert_msg(kc_conf_set(conf, index, 1, &word, file, line, testlib_pool, &err) == KC_OK, "%s",
                  err.detail);
}

static const char *secret_file(void)
{
    static char path[] = "/tmp/kc-listing-XXXXXX";
    static char template[] = "/tmp/kc-listing-XXXXXX";
    FILE *file;
    int handle;

    memcpy(path, template, sizeof(path));
    handle = mkstemp(path);
    ck_assert_int_ge(handle, 0);
    file = fdopen(handle, "w");
    ck_assert_ptr_nonnull(file);
    fputs(CANARY "\n", file);
    fclose(file);
    return path;
}

static const struct {
    const char *prefix; /* of what is written; @: the file's path */
    const char *shown;
    int is_for_keys;
} sources[] = {
    {CANARY, "(secret, written there)", 0},
    {"file:@", "(secret, file:@)", 1},
    {"env:KC_LISTING", "(secret, env:KC_LISTING)", 0},
    {"exec:/bin/echo " CANARY, "(secret, exec:/bin/echo)", 0},
};

static const char *with_path(const char *text, const char *path)
{
    const char *at = strchr(text, '@');

    return at ? apr_psprintf(testlib_pool, "%.*s%s%s", (int)(at - text), text, path, at + 1) : text;
}

/* Each directive that takes a secret, also one that is new. */
START_TEST(no_secret_is_shown)
{
    const kc_conf_row_t *row = kc_conf_table_row((kc_conf_index_t)_i);
    const char *path = secret_file();

    setenv("KC_LISTING", CANARY, 1);
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        kc_conf_t *conf = kc_conf_create(testlib_pool);
        const char *shown;

        if (row->type != KC_CONF_SECRET &&
            !(row->type == KC_CONF_KEYFILES && sources[i].is_for_keys))
            continue;
        ck_assert(!row->is_directory);
        set(conf, (kc_conf_index_t)_i, with_path(sources[i].prefix, path), "f", 1);
        shown = kc_conf_listing_value(conf, (kc_conf_index_t)_i, testlib_pool);
        ck_assert_str_eq(shown, with_path(sources[i].shown, path));
        shown =
            kc_conf_listing_value(kc_conf_merge(kc_conf_create(testlib_pool), conf, testlib_pool),
                                  (kc_conf_index_t)_i, testlib_pool);
        ck_assert_str_eq(shown, with_path(sources[i].shown, path));
    }
    unlink(path);
}
END_TEST

START_TEST(every_row_has_a_value_and_an_origin)
{
    const kc_conf_index_t index = (kc_conf_index_t)_i;
    const kc_conf_row_t *row = kc_conf_table_row(index);
    void *conf = row->is_directory ? (void *)kc_conf_dir_create(testlib_pool)
                                   : (void *)kc_conf_create(testlib_pool);
    const char *value = kc_conf_listing_value(conf, index, testlib_pool);

    ck_assert(*value);
    if (!row->fallback)
        ck_assert_str_eq(value, "(not set)");
    ck_assert_str_eq(kc_conf_listing_origin(conf, NULL, index, testlib_pool), "default");
    ck_assert_str_eq(kc_conf_listing_origin(conf, conf, index, testlib_pool), "default");
}
END_TEST

START_TEST(the_origin_says_whose_line_it_is)
{
    kc_conf_t *main = kc_conf_create(testlib_pool), *own = kc_conf_create(testlib_pool), *merged;

    set(main, KC_CONF_ROW_client_id, "a", "/etc/a.conf", 7);
    set(main, KC_CONF_ROW_cookie, "a", "/etc/a.conf", 8);
    set(own, KC_CONF_ROW_cookie, "b", "/etc/b\x1b.conf", 8);
    set(own, KC_CONF_ROW_auth_url, "/login?hint=" CANARY, "/etc/b.conf", 9);
    merged = kc_conf_merge(main, own, testlib_pool);
    ck_assert_str_eq(kc_conf_listing_origin(main, NULL, KC_CONF_ROW_client_id, testlib_pool),
                     "/etc/a.conf:7");
    ck_assert_str_eq(kc_conf_listing_origin(merged, main, KC_CONF_ROW_client_id, testlib_pool),
                     "/etc/a.conf:7, main server");
    ck_assert_str_eq(kc_conf_listing_origin(merged, main, KC_CONF_ROW_cookie, testlib_pool),
                     "/etc/b\\x1b.conf:8");
    ck_assert_str_eq(kc_conf_listing_value(merged, KC_CONF_ROW_auth_url, testlib_pool),
                     "/login?hint=...");
}
END_TEST

START_TEST(keys_of_several_lines_have_all_their_sources)
{
    const char *path = secret_file();
    kc_conf_t *conf = kc_conf_create(testlib_pool);
    const char *word = apr_pstrcat(testlib_pool, "file:", path, NULL);

    set(conf, KC_CONF_ROW_crypto_key, word, "f", 1);
    set(conf, KC_CONF_ROW_crypto_key, word, "f", 2);
    ck_assert_int_eq(conf->position[KC_CONF_ROW_crypto_key].sources->nelts,
                     conf->crypto_key->nelts);
    ck_assert_str_eq(kc_conf_listing_value(conf, KC_CONF_ROW_crypto_key, testlib_pool),
                     apr_psprintf(testlib_pool, "(secret, %s %s)", word, word));
    /* of one that is written again, the last counts */
    set(conf, KC_CONF_ROW_client_secret, word, "f", 3);
    set(conf, KC_CONF_ROW_client_secret, CANARY, "f", 4);
    ck_assert_str_eq(kc_conf_listing_value(conf, KC_CONF_ROW_client_secret, testlib_pool),
                     "(secret, written there)");
    unlink(path);
}
END_TEST

/* What httpd -t says of a mistake is put into tickets as well. */
START_TEST(no_refusal_repeats_a_password_in_an_address)
{
    static const struct {
        kc_conf_index_t index;
        const char *word;
        const char *shown;
    } rows[] = {
        {KC_CONF_ROW_memcached, "app:" CANARY "@mc:11211", "not '...@mc:11211'"},
        {KC_CONF_ROW_memcached, "memcached://app:" CANARY "@mc", "not 'memcached:"},
        {KC_CONF_ROW_return_hosts, "app:" CANARY "@host", "not '...@host'"},
        {KC_CONF_ROW_endpoint_origins, "https://app:" CANARY "@host", "'https://...@host'"},
        {KC_CONF_ROW_endpoint_origins, "ftp://app:" CANARY "@host", "'ftp://...@host'"},
    };
    kc_conf_t *conf = kc_conf_create(testlib_pool);
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};

    set(conf, rows[_i].index, rows[_i].word, "f", 1);
    ck_assert_int_eq(kc_conf_table_row(rows[_i].index)->check(conf, testlib_pool, &err),
                     KC_REFUSED);
    ck_assert_msg(strstr(err.detail, rows[_i].shown) != NULL, "%s", err.detail);
    ck_assert_msg(!strstr(err.detail, "canary"), "%s", err.detail);
}
END_TEST

START_TEST(of_a_program_only_the_path_is_shown)
{
    static const struct {
        const char *word, *shown;
    } rows[] = {{"|/bin/log --password " CANARY, "|/bin/log ..."},
                {"|$/bin/log " CANARY, "|$/bin/log ..."},
                {"|| /bin/log", "|| /bin/log"},
                {"logs/audit log", "logs/audit log"}};
    kc_conf_t *conf = kc_conf_create(testlib_pool);

    set(conf, KC_CONF_ROW_audit_log, rows[_i].word, "f", 1);
    ck_assert_str_eq(kc_conf_listing_value(conf, KC_CONF_ROW_audit_log, testlib_pool),
                     rows[_i].shown);
}
END_TEST

Suite *kc_test_conf_listing(void)
{
    Suite *suite = suite_create("conf_listing");
    TCase *tests = tcase_create("conf_listing");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, what_is_shown_has_no_secret_and_controls_no_terminal, 0,
                        (int)(sizeof(texts) / sizeof(texts[0])));
    tcase_add_loop_test(tests, require_lines_are_shown_without_expressions, 0,
                        (int)(sizeof(requirements) / sizeof(requirements[0])));
    tcase_add_loop_test(tests, no_secret_is_shown, 0, KC_CONF_ROWS);
    tcase_add_loop_test(tests, every_row_has_a_value_and_an_origin, 0, KC_CONF_ROWS);
    tcase_add_loop_test(tests, no_refusal_repeats_a_password_in_an_address, 0, 5);
    tcase_add_loop_test(tests, of_a_program_only_the_path_is_shown, 0, 4);
    tcase_add_test(tests, the_origin_says_whose_line_it_is);
    tcase_add_test(tests, keys_of_several_lines_have_all_their_sources);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Tests of check_memcached.h, with a real memcached. SPDX-License-Identifier: Apache-2.0 */
#include "check/check_memcached.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "conf/conf.h"
#include "fake_site.h"
#include "listener.h"
#include "memcached_server.h"
#include "testlib.h"

Suite *kc_test_check_memcached(void);

#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))
#define MB (1024 * 1024)

static kc_fake_site_t *site;
static kc_check_report_t report;
static kc_check_t check;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    kc_check_report_init(&report, testlib_pool);
    memset(&check, 0, sizeof(check));
    check.rp = site->rp;
    check.report = &report;
    check.threads = 400;
    check.pool = testlib_pool;
}

/* The names of what is not well, in their order, each with a blank behind it. */
static const char *ill(void)
{
    const char *names = "";

    for (int i = 0; i < report.results->nelts; i++) {
        const kc_check_result_t *result = &APR_ARRAY_IDX(report.results, i, kc_check_result_t);

        if (result->outcome != KC_CHECK_OK) {
            names = apr_pstrcat(testlib_pool, names, result->name, " ", NULL);
            ck_assert(*result->cure);
        }
    }
    return names;
}

static void ask(const char *text, const char *user)
{
    const char *words[] = {text, user};

    ck_assert_int_eq(
        kc_conf_set(site->conf, KC_CONF_ROW_memcached, 1, words, "f", 1, testlib_pool, NULL),
        KC_OK);
    site->conf->store_timeout = 5000;
    site->conf->memcached_user = user;
    site->conf->memcached_password.text = user;
    kc_check_memcached_ask(&check);
}

static const struct {
    kc_check_memcached_seen_t seen; /* its time: how far its clock is ahead */
    const char *ill, *text;
} servers[] = {
    {{0, 64 * MB, MB, 0, 1024, MB, 0, "1", 0}, "", ""},
    {{5, 64 * MB, MB, 0, 402, MB, 0, "1", 0}, "", ""},
    {{-5, -1, -1, -1, -1, -1, -1, "", 0}, "", ""},
    {{0, 63 * MB, MB, 0, 1024, MB, 0, "1", 0}, "memcached.memory ", "has 63 MB (-m)"},
    {{0, 64 * MB, 60 * MB, 0, 1024, MB, 0, "1", 0}, "memcached.memory ", "nearly full: 60 of 64"},
    {{0, 64 * MB, MB, 7, 1024, MB, 0, "1", 0}, "memcached.memory ", "thrown away 7 values"},
    {{0, 16 * MB, MB, 7, 1024, MB, 0, "1", 0}, "memcached.memory memcached.memory ", "16 MB"},
    {{0, 64 * MB, MB, 0, 401, MB, 0, "1", 0}, "memcached.connections ", "may open 402"},
    {{0, 64 * MB, MB, 0, 1024, MB, 3, "1", 0}, "memcached.connections ", "for one 3 times"},
    {{6, 64 * MB, MB, 0, 1024, MB, 0, "1", 0}, "memcached.clock ", "6 s ahead of"},
    {{-6, 64 * MB, MB, 0, 1024, MB, 0, "1", 0}, "memcached.clock ", "6 s behind"},
};

START_TEST(limits_and_clocks_are_judged)
{
    kc_check_memcached_seen_t seen = servers[_i].seen;

    seen.time += site->rp->env->now(site->rp->env->context);
    kc_check_memcached_tell(&check, "mc:1", &seen);
    ck_assert_str_eq(ill(), servers[_i].ill);
    ck_assert_msg(strstr(kc_check_report_text(&report, testlib_pool), servers[_i].text) != NULL,
                  "%s", kc_check_report_text(&report, testlib_pool));
}
END_TEST

START_TEST(what_is_not_said_is_not_judged)
{
    kc_check_memcached_seen_t seen = {0, -1, -1, -1, 10, -1, -1, "", 0};

    check.threads = 0;
    kc_check_memcached_tell(&check, "mc:1", &seen);
    ck_assert_int_eq(report.results->nelts, 0);
}
END_TEST

/* The fake clock is not that of the real memcached. */
START_TEST(a_real_server_is_asked)
{
    memcached_server_t server;

    memcached_server_start(&server, listener_free_port());
    ask(server.text, NULL);
    memcached_server_end(&server);
    ck_assert_str_eq(ill(), "memcached.memory memcached.clock ");
    ck_assert_ptr_nonnull(
        strstr(kc_check_report_text(&report, testlib_pool), "values are written and read back"));
}
END_TEST

START_TEST(a_server_that_is_not_there_is_named)
{
    memcached_server_t server;

    memcached_server_start(&server, listener_free_port());
    memcached_server_end(&server);
    ask(server.text, NULL);
    ck_assert_str_eq(ill(), "memcached.connect ");
    ck_assert_ptr_nonnull(strstr(kc_check_report_text(&report, testlib_pool), "start memcached"));
}
END_TEST

START_TEST(a_server_without_sasl_is_told_from_a_wrong_port)
{
    memcached_server_t server;

    memcached_server_start(&server, listener_free_port());
    ask(server.text, "somebody");
    memcached_server_end(&server);
    ck_assert_str_eq(ill(), "memcached.connect ");
    ck_assert_ptr_nonnull(strstr(kc_check_report_text(&report, testlib_pool), "without -S"));
}
END_TEST

START_TEST(a_name_that_nobody_knows_is_named)
{
    ask("memcached.invalid:11211", NULL);
    ck_assert_str_eq(ill(), "memcached.dns ");
}
END_TEST

START_TEST(without_memcached_nobody_is_asked)
{
    kc_check_memcached_ask(&check);
    ck_assert_int_eq(report.results->nelts, 0);
}
END_TEST

Suite *kc_test_check_memcached(void)
{
    Suite *suite = suite_create("check_memcached");
    TCase *tests = tcase_create("check_memcached");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, limits_and_clocks_are_judged, 0, ROWS(servers));
    tcase_add_test(tests, what_is_not_said_is_not_judged);
    tcase_add_test(tests, a_real_server_is_asked);
    tcase_add_test(tests, a_server_that_is_not_there_is_named);
    tcase_add_test(tests, a_server_without_sasl_is_told_from_a_wrong_port);
    tcase_add_test(tests, a_name_that_nobody_knows_is_named);
    tcase_add_test(tests, without_memcached_nobody_is_asked);
    suite_add_tcase(suite, tests);
    return suite;
}

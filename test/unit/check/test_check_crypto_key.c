/* Tests of check_crypto_key.h. SPDX-License-Identifier: Apache-2.0 */
#include "check/check_crypto_key.h"

#include <apr_strings.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "fake_site.h"
#include "testlib.h"

Suite *kc_test_check_crypto_key(void);

#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))
#define GOOD "q3Zx0b7TfV9wLk2mN5sJc8RyHd4GuPe1"
#define OTHER "MWJtYWRlIG9mIG90aGVyIHJhbmRvbSBi"

static const struct {
    const char *key, *weakness; /* NULL: none */
} keys[] = {
    {"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "few different characters"},
    {"0000000000000000000000000000000000000001", "few different characters"},
    {"passwordpasswordpasswordpassword", "few different characters"},
    {"kubeflow-2024kubeflow-2024kubeflow-2024", "repeats a short text"},
    {"0123456789abcdef0123456789abcdef", "repeats a short text"},
    {"abcdefghijklmnopqrstuvwxyzABCDEFGHIJ", "sequence"},
    {"zyxwvutsrqponmlkjihgfedcba9876543210", "sequence"},
    {"acegikmoqsuwyACEGIKMOQSUWY02468acegi", "sequence"},
    {GOOD, NULL},
    {OTHER, NULL},
    {"9f86d081884c7d659a2feaa0c55ad015", NULL},
    {"74839201659382017465920183746592", NULL},
};

START_TEST(keys_that_can_be_guessed_are_found)
{
    const char *weakness = kc_check_crypto_key_weakness(keys[_i].key);

    if (!keys[_i].weakness)
        ck_assert_msg(!weakness, "%s %s", keys[_i].key, weakness);
    else
        ck_assert_msg(weakness && strstr(weakness, keys[_i].weakness), "%s", keys[_i].key);
}
END_TEST

static kc_fake_site_t *site;
static kc_check_report_t report;
static kc_check_t check;
static char path[] = "/tmp/kc-crypto-key-XXXXXX";

static void setup(void)
{
    int handle;

    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    kc_check_report_init(&report, testlib_pool);
    memset(&check, 0, sizeof(check));
    check.rp = site->rp;
    check.report = &report;
    check.pool = testlib_pool;
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    handle = mkstemp(path);
    ck_assert_int_ge(handle, 0);
    (void)close(handle);
}

static void teardown(void)
{
    (void)unlink(path);
    testlib_teardown();
}

/* Settings with these keys, all of the same file; text NULL: no key. */
static void give(const char *first, const char *second)
{
    const char *texts[] = {first, second};
    apr_array_header_t *list = apr_array_make(testlib_pool, 2, sizeof(kc_conf_file_t));

    for (int i = 0; i < 2; i++) {
        if (texts[i])
            APR_ARRAY_PUSH(list, kc_conf_file_t) = (kc_conf_file_t){.path = path, .text = texts[i]};
    }
    site->conf->crypto_key = first ? list : NULL;
}

static void give_memcached(const char *first, const char *second)
{
    const char *words[] = {first, second};

    ck_assert_int_eq(kc_conf_set(site->conf, KC_CONF_ROW_memcached, second ? 2 : 1, words, "f", 1,
                                 testlib_pool, NULL),
                     KC_OK);
}

static const kc_check_result_t *find(const char *name)
{
    for (int i = 0; i < report.results->nelts; i++) {
        const kc_check_result_t *result = &APR_ARRAY_IDX(report.results, i, kc_check_result_t);

        if (strcmp(result->name, name) == 0)
            return result;
    }
    ck_abort_msg("no %s in:\n%s", name, kc_check_report_text(&report, testlib_pool));
    return NULL;
}

START_TEST(good_keys_are_well_and_have_fingerprints)
{
    give(GOOD, OTHER);
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(kc_check_report_count(&report, KC_CHECK_OK), report.results->nelts);
    ck_assert_ptr_nonnull(strstr(find("crypto_key.strength")->sentence, "keys: 2"));
    ck_assert_uint_eq(strlen(find("crypto_key.fingerprint")->sentence), 33);
    ck_assert_ptr_null(strstr(kc_check_report_text(&report, testlib_pool), GOOD));
    ck_assert_ptr_nonnull(strstr(find("crypto_key.readers")->sentence, path));
}
END_TEST

START_TEST(a_weak_key_is_named_by_its_file)
{
    give(GOOD, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk");
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(find("crypto_key.strength")->outcome, KC_CHECK_FAILED);
    ck_assert_ptr_nonnull(strstr(find("crypto_key.strength")->sentence, path));
    ck_assert_ptr_nonnull(strstr(find("crypto_key.strength")->cure, "openssl rand"));
}
END_TEST

/* An ordinary user needs its group's right; root does not. Only root can give a file away. */
START_TEST(who_may_read_a_key_is_said)
{
    give(GOOD, NULL);
    ck_assert_int_eq(chmod(path, 0640), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(path, 0, 65534), 0);
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(find("crypto_key.readers")->outcome,
                     geteuid() == 0 ? KC_CHECK_WARNING : KC_CHECK_OK);
    ck_assert_ptr_nonnull(strstr(find("crypto_key.readers")->sentence, "group"));
    if (geteuid() != 0)
        return;
    report.results->nelts = 0;
    ck_assert_int_eq(chown(path, 65534, 0), 0);
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(find("crypto_key.readers")->outcome, KC_CHECK_WARNING);
    ck_assert_ptr_nonnull(strstr(find("crypto_key.readers")->sentence, "can change it"));
}
END_TEST

START_TEST(a_file_that_has_gone_is_passed_over)
{
    give(GOOD, NULL);
    ck_assert_int_eq(unlink(path), 0);
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(kc_check_report_count(&report, KC_CHECK_OK), report.results->nelts);
}
END_TEST

static const char *print_of(const char *first, const char *second)
{
    const char *print;

    give(first, second);
    report.results->nelts = 0;
    check.fingerprints = NULL;
    kc_check_crypto_key_tell(&check);
    print = find("crypto_key.fingerprint")->sentence;
    report.results->nelts = 0;
    return print;
}

START_TEST(keys_of_two_nodes_are_compared)
{
    static const struct {
        const char *first, *second; /* here */
        kc_check_outcome_t outcome;
        const char *text;
    } rows[] = {{GOOD, OTHER, KC_CHECK_OK, "same keys"},
                {GOOD, NULL, KC_CHECK_WARNING, "lists of keys differ"},
                {OTHER, GOOD, KC_CHECK_WARNING, "lists of keys differ"},
                {OTHER, NULL, KC_CHECK_FAILED, "another key"},
                {GOOD "x", OTHER, KC_CHECK_FAILED, "another key"},
                {GOOD "x", GOOD, KC_CHECK_FAILED, "another key"}};
    const char *there = print_of(GOOD, OTHER);

    give(rows[_i].first, rows[_i].second);
    check.fingerprints = apr_pstrcat(testlib_pool, " ,", there, " ", NULL);
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(find("crypto_key.equal")->outcome, rows[_i].outcome);
    ck_assert_msg(strstr(find("crypto_key.equal")->sentence, rows[_i].text) != NULL, "%s",
                  find("crypto_key.equal")->sentence);
}
END_TEST

START_TEST(no_key_is_judged_by_who_else_needs_it)
{
    give(NULL, NULL);
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(find("crypto_key.missing")->outcome, KC_CHECK_OK);
    report.results->nelts = 0;
    give_memcached("127.0.0.1:11211", NULL);
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(find("crypto_key.missing")->outcome, KC_CHECK_WARNING);
    report.results->nelts = 0;
    check.fingerprints = "0123456789abcdef";
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(find("crypto_key.missing")->outcome, KC_CHECK_FAILED);
    check.fingerprints = NULL;
    report.results->nelts = 0;
    give_memcached("mc-1.example.com:11211", NULL);
    kc_check_crypto_key_tell(&check);
    ck_assert_int_eq(find("crypto_key.missing")->outcome, KC_CHECK_FAILED);
    ck_assert_str_eq(find("crypto_key.missing")->tag, "KC0621");
}
END_TEST

Suite *kc_test_check_crypto_key(void)
{
    Suite *suite = suite_create("check_crypto_key");
    TCase *tests = tcase_create("check_crypto_key");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, keys_that_can_be_guessed_are_found, 0, ROWS(keys));
    tcase_add_test(tests, good_keys_are_well_and_have_fingerprints);
    tcase_add_test(tests, a_weak_key_is_named_by_its_file);
    tcase_add_test(tests, who_may_read_a_key_is_said);
    tcase_add_test(tests, a_file_that_has_gone_is_passed_over);
    tcase_add_loop_test(tests, keys_of_two_nodes_are_compared, 0, 6);
    tcase_add_test(tests, no_key_is_judged_by_who_else_needs_it);
    suite_add_tcase(suite, tests);
    return suite;
}

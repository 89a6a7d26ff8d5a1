/* Tests of syslog_target.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/syslog_target.h"

#include <check.h>
#include <syslog.h>

#include "testlib.h"

Suite *kc_test_syslog_target(void);

typedef struct {
    const char *text;
    int facility; /* -1: refused */
    const char *tag;
} sample_t;

static const sample_t samples[] = {
    {"", LOG_LOCAL7, "keycloak"},
    {"user", LOG_USER, "keycloak"},
    {"LOCAL0", LOG_LOCAL0, "keycloak"},
    {"auth:gate.1", LOG_AUTH, "gate.1"},
    {":gate", LOG_LOCAL7, "gate"},
    {"daemon:", LOG_DAEMON, "keycloak"},
    {"local8", -1, NULL},
    {"us", -1, NULL},
    {"user:a b", -1, NULL},
    {"user:a:b", -1, NULL},
    {"user:a[1]", -1, NULL},
    {"user:\xc3\xa9", -1, NULL},
    {"user:abcdefghijklmnopqrstuvwxyz012345", LOG_USER, "abcdefghijklmnopqrstuvwxyz012345"},
    {"user:abcdefghijklmnopqrstuvwxyz0123456", -1, NULL},
};

START_TEST(facility_and_tag_are_read)
{
    const sample_t *sample = &samples[_i];
    kc_syslog_target_t target;
    kc_err_t err;

    if (sample->facility < 0) {
        ck_assert_int_eq(kc_syslog_target_read(sample->text, &target, &err), KC_REFUSED);
        ck_assert_int_eq((int)err.reason, KC_ERR_CONFIG);
        return;
    }
    ck_assert_int_eq(kc_syslog_target_read(sample->text, &target, NULL), KC_OK);
    ck_assert_int_eq(target.facility, sample->facility);
    ck_assert_str_eq(target.tag, sample->tag);
}
END_TEST

Suite *kc_test_syslog_target(void)
{
    Suite *suite = suite_create("syslog_target");
    TCase *tests = tcase_create("syslog_target");

    tcase_add_loop_test(tests, facility_and_tag_are_read, 0, sizeof(samples) / sizeof(samples[0]));
    suite_add_tcase(suite, tests);
    return suite;
}

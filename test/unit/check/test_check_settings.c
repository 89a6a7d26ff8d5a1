/* Tests of check_settings.h. SPDX-License-Identifier: Apache-2.0 */
#include "check/check_settings.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "conf/conf.h"
#include "fake_site.h"
#include "testlib.h"

Suite *kc_test_check_settings(void);

#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))

static const struct {
    const char *network;
    kc_check_settings_width_t width;
} networks[] = {
    {"10.0.0.1", KC_CHECK_SETTINGS_NARROW},
    {"::1", KC_CHECK_SETTINGS_NARROW},
    {"10.0.0.0/8", KC_CHECK_SETTINGS_NARROW},
    {"10.0.0.0/255.0.0.0", KC_CHECK_SETTINGS_NARROW},
    {"127.0.0.0/8", KC_CHECK_SETTINGS_NARROW},
    {"172.16.0.0/12", KC_CHECK_SETTINGS_NARROW},
    {"192.168.0.0/15", KC_CHECK_SETTINGS_NARROW},
    {"100.64.0.0/10", KC_CHECK_SETTINGS_NARROW},
    {"203.0.113.0/24", KC_CHECK_SETTINGS_NARROW},
    {"203.0.0.0/16", KC_CHECK_SETTINGS_NARROW},
    {"fd00::/8", KC_CHECK_SETTINGS_NARROW},
    {"FC00::/7", KC_CHECK_SETTINGS_NARROW},
    {"fe80::/10", KC_CHECK_SETTINGS_NARROW},
    {"2001:db8::/32", KC_CHECK_SETTINGS_NARROW},
    {"::1/20", KC_CHECK_SETTINGS_NARROW},
    {"11.0.0.0/8", KC_CHECK_SETTINGS_WIDE},
    {"172.32.0.0/12", KC_CHECK_SETTINGS_WIDE},
    {"172.15.0.0/12", KC_CHECK_SETTINGS_WIDE},
    {"192.0.0.0/8", KC_CHECK_SETTINGS_WIDE},
    {"100.0.0.0/8", KC_CHECK_SETTINGS_WIDE},
    {"100.128.0.0/9", KC_CHECK_SETTINGS_WIDE},
    {"11/8", KC_CHECK_SETTINGS_WIDE},
    {"203.0.0.0/255.254.0.0", KC_CHECK_SETTINGS_WIDE},
    {"2000::/16", KC_CHECK_SETTINGS_WIDE},
    {"0.0.0.0/0", KC_CHECK_SETTINGS_EVERYONE},
    {"10.0.0.0/7", KC_CHECK_SETTINGS_EVERYONE},
    {"0.0.0.0/0.0.0.0", KC_CHECK_SETTINGS_EVERYONE},
    {"0.0.0.0/128.0.0.0", KC_CHECK_SETTINGS_EVERYONE},
    {"::/0", KC_CHECK_SETTINGS_EVERYONE},
    {"2000::/3", KC_CHECK_SETTINGS_EVERYONE},
};

START_TEST(networks_are_as_wide_as_what_is_in_them)
{
    ck_assert_msg(kc_check_settings_width(networks[_i].network) == networks[_i].width, "%s",
                  networks[_i].network);
}
END_TEST

static const struct {
    const char *address; /* of browsers, or NULL */
    const char *proxies; /* or NULL */
    int has_tls;
    const char *ill; /* names of what is not well, in their order */
    const char *cure;
} sites[] = {
    {NULL, NULL, 0, "", ""},
    {"https://site.test", NULL, 1, "", ""},
    {"https://site.test", "10.0.0.7", 0, "", ""},
    {"https://site.test", NULL, 0, "proxies.missing ", "KeycloakTrustedProxy"},
    {"http://localhost:8080", NULL, 0, "", ""},
    {"http://127.0.0.1", NULL, 0, "", ""},
    {"http://site.test", NULL, 0, "cookie.secure ", "serve https"},
    {"http://site.test", NULL, 1, "cookie.secure ", "KeycloakPublicURL https://HOST"},
    {"https://site.test", "0.0.0.0/1", 0, "proxies.width ", "your own load balancers"},
    {"https://site.test", "11.0.0.0/8", 0, "proxies.width ", "your own load balancers"},
    {"https://[", NULL, 1, "", ""},
};

START_TEST(the_settings_are_judged_by_the_public_address)
{
    kc_fake_site_t *site = kc_fake_site_make(testlib_pool);
    kc_browser_t client = site->client;
    kc_check_report_t report;
    kc_check_t check;
    const char *ill = "";

    if (sites[_i].proxies)
        ck_assert_int_eq(kc_conf_set(site->conf, KC_CONF_ROW_trusted_proxies, 1, &sites[_i].proxies,
                                     "f", 1, testlib_pool, NULL),
                         KC_OK);
    kc_check_report_init(&report, testlib_pool);
    memset(&check, 0, sizeof(check));
    client.public_url = sites[_i].address;
    check.rp = site->rp;
    check.report = &report;
    check.client = sites[_i].address ? &client : NULL;
    check.has_tls = sites[_i].has_tls;
    check.pool = testlib_pool;
    kc_check_settings_tell(&check);
    for (int i = 0; i < report.results->nelts; i++) {
        const kc_check_result_t *result = &APR_ARRAY_IDX(report.results, i, kc_check_result_t);

        if (result->outcome == KC_CHECK_OK)
            continue;
        ill = apr_pstrcat(testlib_pool, ill, result->name, " ", NULL);
        ck_assert_msg(strstr(result->cure, sites[_i].cure) != NULL, "%s", result->cure);
    }
    ck_assert_str_eq(ill, sites[_i].ill);
}
END_TEST

Suite *kc_test_check_settings(void)
{
    Suite *suite = suite_create("check_settings");
    TCase *tests = tcase_create("check_settings");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_loop_test(tests, networks_are_as_wide_as_what_is_in_them, 0, ROWS(networks));
    tcase_add_loop_test(tests, the_settings_are_judged_by_the_public_address, 0, ROWS(sites));
    suite_add_tcase(suite, tests);
    return suite;
}

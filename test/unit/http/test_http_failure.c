/* Tests of http_failure.h: what an administrator can do about a refused connection or certificate.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "http/http_failure.h"
#include "testlib.h"

Suite *kc_test_http_failure(void);

static const struct {
    const char *reason;
    const char *cure;
} certificates[] = {
    {"SSL certificate problem: unable to get local issuer certificate", "into KeycloakCAFile"},
    {"SSL certificate problem: unable to get issuer certificate", "into KeycloakCAFile"},
    {"SSL certificate problem: self-signed certificate in certificate chain",
     "into KeycloakCAFile"},
    {"SSL certificate problem: self signed certificate", "into KeycloakCAFile"},
    {"SSL certificate problem: certificate has expired", "renew"},
    {"SSL certificate problem: certificate is not yet valid", "clock"},
    {"SSL: no alternative certificate subject name matches target host name 'a'", "KeycloakIssuer"},
    {"SSL: certificate subject name 'b' does not match target hostname 'a'", "KeycloakIssuer"},
    {"SSL certificate problem: EE certificate key too weak", "checked against KeycloakCAFile"},
    {"", "checked against KeycloakCAFile"},
};

START_TEST(certificate_is_told_with_the_directive)
{
    const char *text = kc_http_failure_certificate(certificates[_i].reason, testlib_pool);

    ck_assert_msg(!strncmp(text, certificates[_i].reason, strlen(certificates[_i].reason)), "%s",
                  text);
    ck_assert_msg(strstr(text, certificates[_i].cure) != NULL, "%s", text);
}
END_TEST

START_TEST(what_this_host_forbids_is_told)
{
    static const int numbers[] = {EACCES, EPERM, 0, ECONNREFUSED, ENETUNREACH};
    const char *text = kc_http_failure_connection("no connection", numbers[_i], testlib_pool);

    ck_assert_str_eq(_i < 2 ? "" : "no connection", _i < 2 ? "" : text);
    ck_assert_msg(!strstr(text, "httpd_can_network_connect") == (_i >= 2), "%s", text);
}
END_TEST

Suite *kc_test_http_failure(void)
{
    Suite *suite = suite_create("http_failure");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, testlib_setup, testlib_teardown);
    tcase_add_loop_test(all, certificate_is_told_with_the_directive, 0,
                        sizeof(certificates) / sizeof(certificates[0]));
    tcase_add_loop_test(all, what_this_host_forbids_is_told, 0, 5);
    suite_add_tcase(suite, all);
    return suite;
}

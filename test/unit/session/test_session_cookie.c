/* Tests of session_cookie.h. SPDX-License-Identifier: Apache-2.0 */
#include "session/session_cookie.h"

#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "testlib.h"

Suite *kc_test_session_cookie(void);

static kc_fake_site_t *site;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
}

static const struct {
    const char *header, *value; /* NULL: none */
} headers[] = {
    {NULL, NULL},
    {"", NULL},
    {"a=1; __Host-keycloak_session=x; b=2", "x"},
    {"__Host-keycloak_session=x; __Host-keycloak_session=y", NULL},
    {"__Host-keycloak_session=x; __Host-keycloak_session=x", NULL},
    {"__Host-keycloak_session=", NULL},
    {"__Host-keycloak_session", NULL},
    {"keycloak_session=x", NULL},
    {"__Host-keycloak_sessions=x", NULL},
};

START_TEST(the_cookie_is_found_where_it_is_there_once)
{
    kc_bytes_t value = kc_session_cookie_find(site->rp, 1, headers[_i].header);

    if (!headers[_i].value) {
        ck_assert_ptr_null(value.data);
        ck_assert_uint_eq(value.len, 0);
        return;
    }
    ck_assert_uint_eq(value.len, strlen(headers[_i].value));
    ck_assert_mem_eq(value.data, headers[_i].value, value.len);
}
END_TEST

START_TEST(without_https_it_has_another_name)
{
    const char *header = "keycloak_session=x";

    ck_assert_uint_eq(kc_session_cookie_find(site->rp, 0, header).len, 1);
    ck_assert_str_eq(kc_session_cookie_describe(site->rp, 0).name, "keycloak_session");
    ck_assert_int_eq(kc_session_cookie_describe(site->rp, 0).is_secure, 0);
    ck_assert_int_eq(kc_session_cookie_describe(site->rp, 1).is_secure, 1);
}
END_TEST

/* The count of sign-ins is this host's alone, whatever the session's cookie is. A browser deletes
 * only what has the domain that it was set with. */
START_TEST(both_are_deleted_with_what_they_were_set_with)
{
    apr_array_header_t *cookies = apr_array_make(testlib_pool, 2, sizeof(const char *));
    const char *session, *rounds;

    site->conf->cookie_domain = "example.com";
    site->conf->cookie_same_site = KC_SAME_SITE_NONE;
    kc_fake_site_renew(site);
    kc_session_cookie_forget(site->rp, 1, testlib_pool, cookies);
    ck_assert_int_eq(cookies->nelts, 2);
    session = APR_ARRAY_IDX(cookies, 0, const char *);
    rounds = APR_ARRAY_IDX(cookies, 1, const char *);
    ck_assert_msg(
        strncmp(session, site->rp->names[1].session, strlen(site->rp->names[1].session)) == 0, "%s",
        session);
    ck_assert_ptr_nonnull(strstr(session, "; Domain=example.com;"));
    ck_assert_ptr_nonnull(strstr(session, "; Max-Age=0;"));
    ck_assert_ptr_nonnull(strstr(session, "SameSite=None"));
    ck_assert_msg(strncmp(rounds, site->rp->names[1].rounds, strlen(site->rp->names[1].rounds)) ==
                      0,
                  "%s", rounds);
    ck_assert_ptr_null(strstr(rounds, "Domain="));
    ck_assert_ptr_nonnull(strstr(rounds, "; Max-Age=0;"));
    ck_assert_ptr_nonnull(strstr(rounds, "SameSite=Lax"));
}
END_TEST

Suite *kc_test_session_cookie(void)
{
    Suite *suite = suite_create("session_cookie");
    TCase *tests = tcase_create("session_cookie");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_loop_test(tests, the_cookie_is_found_where_it_is_there_once, 0,
                        (int)(sizeof(headers) / sizeof(headers[0])));
    tcase_add_test(tests, without_https_it_has_another_name);
    tcase_add_test(tests, both_are_deleted_with_what_they_were_set_with);
    suite_add_tcase(suite, tests);
    return suite;
}

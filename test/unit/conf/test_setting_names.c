/* Tests of setting_names.h. SPDX-License-Identifier: Apache-2.0 */
#include "conf/setting_names.h"

#include <check.h>
#include <string.h>

#include "conf/conf_table.h"
#include "testlib.h"

Suite *kc_test_setting_names(void);

static const apr_array_header_t *list(const char *const *words, int count)
{
    apr_array_header_t *names = apr_array_make(testlib_pool, count, sizeof(const char *));
    int i;

    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(names, const char *) = words[i];
    return names;
}

static const char *const some[] = {"KeycloakIssuer=OIDC_PROVIDER", "KeycloakCookie=COOKIE",
                                   "KeycloakSessionMax=SESSION_MAX_AGE"};

static const struct {
    const char *text, *named;
} texts[] = {
    {"", ""},
    {"KeycloakIssuer", "OIDC_PROVIDER"},
    {"no server has KeycloakIssuer", "no server has OIDC_PROVIDER"},
    {"(KeycloakIssuer)KeycloakSessionMax: 5", "(OIDC_PROVIDER)SESSION_MAX_AGE: 5"},
    {"KeycloakCookie, KeycloakCookieDomain", "COOKIE, KeycloakCookieDomain"},
    {"KeycloakMemcached and Keycloak", "KeycloakMemcached and Keycloak"},
    {"xKeycloakIssuer KeycloakIssuers keycloakissuer KeycloakIssuer_x",
     "xKeycloakIssuer KeycloakIssuers keycloakissuer KeycloakIssuer_x"},
    {"KeycloakIssuer=x \xc3\xa9KeycloakIssuer", "OIDC_PROVIDER=x \xc3\xa9OIDC_PROVIDER"},
};

START_TEST(directives_have_their_other_names)
{
    char out[200], small[200];
    size_t size, len = strlen(texts[_i].named);

    kc_setting_names_apply(list(some, 3), texts[_i].text, out, sizeof(out));
    ck_assert_str_eq(out, texts[_i].named);
    kc_setting_names_apply(NULL, texts[_i].text, out, sizeof(out));
    ck_assert_str_eq(out, texts[_i].text);
    for (size = 1; size <= len + 1; size++) {
        memset(small, 'x', sizeof(small));
        kc_setting_names_apply(list(some, 3), texts[_i].text, small, size);
        ck_assert_int_eq(strncmp(small, texts[_i].named, size - 1), 0);
        ck_assert_uint_eq(strlen(small), size - 1);
        ck_assert_int_eq(small[size], 'x');
    }
}
END_TEST

static const struct {
    const char *word;
    kc_rc_t rc;
} words[] = {
    {"KeycloakIssuer=OIDC_PROVIDER", KC_OK},
    {"KeycloakUnauth=A-b_9", KC_OK},
    {"KeycloakIssuer", KC_REFUSED},
    {"KeycloakIssuer=", KC_REFUSED},
    {"KeycloakIssuer=a b", KC_REFUSED},
    {"KeycloakIssuer=\n", KC_REFUSED},
    {"=OIDC_PROVIDER", KC_REFUSED},
    {"Keycloak=x", KC_REFUSED},
    {"KeycloakIssuers=x", KC_REFUSED},
    {"keycloakissuer=x", KC_REFUSED},
    {"ServerName=x", KC_REFUSED},
};

START_TEST(only_directives_of_the_module_are_named)
{
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_conf_t conf;

    memset(&conf, 0, sizeof(conf));
    ck_assert_int_eq(kc_setting_names_check(&conf, testlib_pool, &err), KC_OK);
    conf.setting_names = list(&words[_i].word, 1);
    ck_assert_int_eq(kc_setting_names_check(&conf, testlib_pool, &err), words[_i].rc);
    if (words[_i].rc != KC_OK)
        ck_assert_int_eq((int)err.reason, KC_ERR_CONFIG);
}
END_TEST

Suite *kc_test_setting_names(void)
{
    Suite *suite = suite_create("setting_names");
    TCase *tests = tcase_create("setting_names");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_loop_test(tests, directives_have_their_other_names, 0,
                        sizeof(texts) / sizeof(texts[0]));
    tcase_add_loop_test(tests, only_directives_of_the_module_are_named, 0,
                        sizeof(words) / sizeof(words[0]));
    suite_add_tcase(suite, tests);
    return suite;
}

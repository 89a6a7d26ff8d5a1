/* Tests of rp.h: names of cookies, the callback's path, the fingerprint, keys, and store keys.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "conf/transform.h"
#include "fake_site.h"
#include "rp.h"
#include "testlib.h"

Suite *kc_test_rp(void);

static kc_fake_site_t *site;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
}

START_TEST(cookies_are_named_for_their_scheme)
{
    const kc_cookie_names_t *http = &site->rp->names[0], *https = &site->rp->names[1];

    ck_assert_str_eq(http->session, "keycloak_session");
    ck_assert_uint_eq(http->session_len, strlen("keycloak_session"));
    ck_assert_str_eq(http->login, "keycloak_login_");
    ck_assert_str_eq(http->login_pattern, "keycloak_login_*");
    ck_assert_str_eq(http->rounds, "keycloak_rounds");
    ck_assert_str_eq(https->session, "__Host-keycloak_session");
    ck_assert_uint_eq(https->session_len, strlen("__Host-keycloak_session"));
    ck_assert_str_eq(https->login, "__Host-keycloak_login_");
    ck_assert_str_eq(https->login_pattern, "__Host-keycloak_login_*");
    ck_assert_str_eq(https->rounds, "__Host-keycloak_rounds");
}
END_TEST

START_TEST(a_domain_makes_the_session_cookie_secure_instead_of_host_only)
{
    site->conf->cookie_domain = "example.com";
    kc_fake_site_renew(site);
    ck_assert_str_eq(site->rp->names[0].session, "keycloak_session");
    ck_assert_str_eq(site->rp->names[1].session, "__Secure-keycloak_session");
    ck_assert_str_eq(site->rp->names[1].login, "__Host-keycloak_login_");
}
END_TEST

START_TEST(a_prefix_that_was_configured_is_not_doubled)
{
    site->conf->cookie = "__Host-mine";
    kc_fake_site_renew(site);
    ck_assert_str_eq(site->rp->names[1].session, "__Host-mine");
}
END_TEST

START_TEST(the_callback_is_under_the_prefix_or_where_the_redirect_uri_says)
{
    ck_assert_str_eq(site->rp->callback_path, "/authservice/oidc/callback");
    site->conf->prefix = "/auth/";
    kc_fake_site_renew(site);
    ck_assert_str_eq(site->rp->callback_path, "/auth/oidc/callback");
    site->conf->redirect_uri = "https://kubeflow.example.com/elsewhere/back";
    kc_fake_site_renew(site);
    ck_assert_str_eq(site->rp->callback_path, "/elsewhere/back");
}
END_TEST

START_TEST(a_redirect_uri_that_is_none_is_refused)
{
    kc_rp_t *rp;
    kc_err_t err;

    site->conf->redirect_uri = "kubeflow.example.com/back";
    ck_assert_int_eq(kc_rp_create(site->conf, site->keys, testlib_pool, &rp, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
}
END_TEST

static void add_header(const char *name, const char *claim)
{
    apr_array_header_t *pairs = apr_array_make(testlib_pool, 1, sizeof(kc_conf_pair_t));
    kc_conf_pair_t pair = {name, claim};

    APR_ARRAY_PUSH(pairs, kc_conf_pair_t) = pair;
    site->conf->headers = pairs;
}

/* Behind those that are there. */
static void add_transform(const char *pattern, const char *replacement)
{
    const apr_array_header_t *before = site->conf->user_transforms;
    apr_array_header_t *list = before
                                   ? apr_array_copy(testlib_pool, before)
                                   : apr_array_make(testlib_pool, 1, (int)sizeof(kc_transform_t));
    kc_transform_t transform = {pattern, replacement, NULL};

    APR_ARRAY_PUSH(list, kc_transform_t) = transform;
    site->conf->user_transforms = list;
}

static void change(int which)
{
    switch (which) {
    case 0:
        break;
    case 1:
        site->conf->issuer = "https://keycloak.example.com/realms/other";
        break;
    case 2:
        site->conf->client_id = "another";
        break;
    case 3:
        site->conf->user_claim = "sub";
        break;
    case 4:
        site->conf->user_prefix = "x:";
        break;
    case 5:
        add_transform(NULL, "");
        break;
    case 6:
        add_transform("@.*", "");
        break;
    case 7:
        site->conf->groups_claim = "roles";
        break;
    case 8:
        site->conf->verified_email = 0;
        break;
    case 9:
        add_header("X-Name", "name");
        break;
    case 10:
        add_header("X-Name", "given_name");
        break;
    case 11: /* the same letters, otherwise divided */
        site->conf->issuer = KC_FAKE_ISSUER "k";
        site->conf->client_id = "ubeflow-oidc-authservice";
        break;
    case 12:
        add_transform("@.*", "");
        add_transform(NULL, "");
        break;
    case 13:
        add_transform("^x", "y");
        add_transform("@.*", "");
        break;
    case 14: /* the same two, the other way round */
        add_transform("@.*", "");
        add_transform("^x", "y");
        break;
    case 15: /* a header that looks like a further transform, and the transform */
        add_transform("@.*", "");
        add_header("X-Name", "name");
        break;
    case 16:
        add_transform("@.*", "");
        add_transform("X-Name", "name");
        break;
    case 17: /* another name for the same claim */
        add_header("X-Other", "name");
        break;
    case 18:
        site->conf->roles_claim = "roles";
        break;
    default:
        break;
    }
}

enum { CHANGES = 19 };

START_TEST(each_setting_that_gives_a_session_its_meaning_changes_the_fingerprint)
{
    unsigned char id[CHANGES][KC_RP_ID_SIZE];
    kc_conf_t before = *site->conf;
    int i, j;

    for (i = 0; i < CHANGES; i++) {
        *site->conf = before;
        change(i);
        kc_fake_site_renew(site);
        memcpy(id[i], site->rp->id, KC_RP_ID_SIZE);
        for (j = 0; j < i; j++)
            ck_assert_msg(memcmp(id[i], id[j], KC_RP_ID_SIZE) != 0, "%d and %d", i, j);
    }
}
END_TEST

/* The fingerprint of these fields, each with its length before it; @ stands for the byte 1. */
static void assert_id(const char *const *fields)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];
    kc_bytes_t bytes;
    kc_buf_t buf;

    kc_buf_init(&buf, 4096, testlib_pool);
    for (; *fields; fields++) {
        if (**fields == '@')
            kc_buf_put_u8(&buf, 1);
        else
            kc_buf_put_block(&buf, kc_buf_text(*fields));
    }
    ck_assert_int_eq(kc_buf_bytes(&buf, &bytes), KC_OK);
    ck_assert_int_eq(kc_crypto_sha256(bytes, digest, NULL), KC_OK);
    kc_fake_site_renew(site);
    ck_assert_mem_eq(site->rp->id, digest, KC_RP_ID_SIZE);
}

/* Another way to take it would end every session at the next upgrade. */
START_TEST(the_fingerprint_stays_what_it_is)
{
    static const char *const plain[] = {KC_FAKE_ISSUER,
                                        "kubeflow-oidc-authservice",
                                        "email",
                                        "",
                                        "none",
                                        "none",
                                        "groups",
                                        "@",
                                        NULL};
    static const char *const one[] = {KC_FAKE_ISSUER,
                                      "kubeflow-oidc-authservice",
                                      "email",
                                      "",
                                      "^x",
                                      "y",
                                      "groups",
                                      "@",
                                      "X-Name",
                                      "name",
                                      NULL};
    static const char *const two[] = {KC_FAKE_ISSUER,
                                      "kubeflow-oidc-authservice",
                                      "email",
                                      "",
                                      "^x",
                                      "y",
                                      "groups",
                                      "@",
                                      "X-Name",
                                      "name",
                                      "",
                                      "z.*",
                                      "",
                                      NULL};

    ck_assert_str_eq(site->conf->issuer, KC_FAKE_ISSUER);
    assert_id(plain);
    site->conf->user_transforms = apr_array_make(testlib_pool, 1, (int)sizeof(kc_transform_t));
    site->conf->headers = apr_array_make(testlib_pool, 1, (int)sizeof(kc_conf_pair_t));
    assert_id(plain);
    add_transform("^x", "y");
    add_header("X-Name", "name");
    assert_id(one);
    add_transform("z.*", "");
    assert_id(two);
}
END_TEST

/* The same in bytes, taken once and for all: what makes them may be written in another way, and
 * must give these. */
START_TEST(fingerprints_are_the_bytes_that_they_have_been)
{
    char hex[2 * KC_RP_ID_SIZE + 1];

    kc_buf_hex_to(site->rp->id, KC_RP_ID_SIZE, hex);
    ck_assert_str_eq(hex, "4a1e30e3d833121d56ba257dec896824");
    kc_buf_hex_to(site->rp->realm, KC_RP_ID_SIZE, hex);
    ck_assert_str_eq(hex, "89445fddf63115cbebae4fa3e05f5b11");
    kc_buf_hex_to(site->rp->naming, KC_RP_ID_SIZE, hex);
    ck_assert_str_eq(hex, "a99758c74cf7200c1cb3514a79f72cd2");
    site->conf->user_claim = "preferred_username";
    site->conf->user_prefix = "corp:";
    site->conf->groups_claim = "roles";
    site->conf->roles_claim = "resource_access.app.roles";
    site->conf->verified_email = 0;
    add_transform("@.*", "");
    add_transform(NULL, "");
    add_header("X-Name", "name");
    kc_fake_site_renew(site);
    kc_buf_hex_to(site->rp->id, KC_RP_ID_SIZE, hex);
    ck_assert_str_eq(hex, "ad66bd6c34d80c18ba41c9df11677a01");
    kc_buf_hex_to(site->rp->realm, KC_RP_ID_SIZE, hex);
    ck_assert_str_eq(hex, "89445fddf63115cbebae4fa3e05f5b11");
    kc_buf_hex_to(site->rp->naming, KC_RP_ID_SIZE, hex);
    ck_assert_str_eq(hex, "2e92bf6a7d3b23db1932ab39c0dd6a27");
}
END_TEST

/* Issuer and client, and nothing else: a logout is for all hosts that have both. */
START_TEST(the_realm_is_issuer_and_client)
{
    unsigned char realm[CHANGES][KC_RP_ID_SIZE];
    kc_conf_t before = *site->conf;
    int i;

    for (i = 0; i < CHANGES; i++) {
        *site->conf = before;
        change(i);
        kc_fake_site_renew(site);
        memcpy(realm[i], site->rp->realm, KC_RP_ID_SIZE);
        if (i == 1 || i == 2 || i == 11)
            ck_assert_msg(memcmp(realm[i], realm[0], KC_RP_ID_SIZE) != 0, "%d", i);
        else
            ck_assert_mem_eq(realm[i], realm[0], KC_RP_ID_SIZE);
    }
    ck_assert(memcmp(realm[1], realm[2], KC_RP_ID_SIZE) != 0);
    ck_assert(memcmp(realm[1], realm[11], KC_RP_ID_SIZE) != 0);
    ck_assert(memcmp(realm[2], realm[11], KC_RP_ID_SIZE) != 0);
}
END_TEST

/* Each key has its part in the scope, derived under the whole of what the keys before gave. */
START_TEST(the_scope_of_views_is_of_all_keys)
{
    unsigned char bytes[KC_CRYPTO_KEY_SIZE];
    kc_bytes_t context = {site->rp->id, KC_RP_ID_SIZE};
    size_t i;

    site->keys = kc_fake_site_keys(site, "the newest key, of 32 characters",
                                   "the older key, of 32 characters");
    kc_fake_site_renew(site);
    ck_assert_uint_eq(site->keys->count, 2);
    context.data = site->rp->id;
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(kc_crypto_derive(site->keys->key[i], "scope", context, bytes, NULL),
                         KC_OK);
        context.data = bytes;
        context.len = sizeof(bytes);
    }
    ck_assert_mem_eq(site->rp->scope, bytes, sizeof(site->rp->scope));
}
END_TEST

START_TEST(settings_without_a_say_in_it_leave_the_fingerprint)
{
    unsigned char id[KC_RP_ID_SIZE];

    memcpy(id, site->rp->id, KC_RP_ID_SIZE);
    site->conf->session_max = 60;
    site->conf->client_secret.text = "rotated";
    site->conf->user_header = "x-user";
    site->conf->public_url = "https://other.example.com";
    kc_fake_site_renew(site);
    ck_assert_mem_eq(site->rp->id, id, KC_RP_ID_SIZE);
}
END_TEST

/* What ends a session of one has to last as long as it could live at the other. */
START_TEST(who_shares_issuer_and_client_shares_the_longest_life)
{
    kc_conf_t confs[4] = {*site->conf, *site->conf, *site->conf, *site->conf};
    kc_rp_t *rps[4];
    size_t i, k;

    confs[0].session_max = 300;
    confs[1].session_max = 100;
    confs[2].session_max = 200;
    confs[3].session_max = 1000;
    confs[3].client_id = "another";
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(kc_rp_create(&confs[i], site->keys, testlib_pool, &rps[i], NULL), KC_OK);
        ck_assert_int_eq(rps[i]->longest, confs[i].session_max);
    }
    for (i = 0; i < 4; i++) {
        for (k = i + 1; k < 4; k++)
            kc_rp_meet(rps[i], rps[k]);
    }
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(rps[i]->longest, 300);
    ck_assert_int_eq(rps[3]->longest, 1000);
}
END_TEST

static const char *place(const char *purpose, const char *name)
{
    char *key = apr_palloc(testlib_pool, KC_STORE_KEY_LEN + 1);

    ck_assert_int_eq(
        kc_rp_store_key(site->rp, site->keys->key[0], purpose, kc_buf_text(name), key, NULL),
        KC_OK);
    return key;
}

START_TEST(places_in_a_store_are_hex_and_apart)
{
    const char *first = place("a", "name");

    ck_assert_uint_eq(strlen(first), KC_STORE_KEY_LEN);
    ck_assert_uint_eq(strspn(first, "0123456789abcdef"), KC_STORE_KEY_LEN);
    ck_assert_str_eq(first, place("a", "name"));
    ck_assert_str_ne(first, place("b", "name"));
    ck_assert_str_ne(first, place("a", "names"));
    site->conf->client_id = "another";
    kc_fake_site_renew(site);
    ck_assert_str_ne(first, place("a", "name"));
    site->keys = kc_fake_site_keys(site, "ffffffffffffffffffffffffffffffff", NULL);
    site->conf->client_id = "kubeflow-oidc-authservice";
    kc_fake_site_renew(site);
    ck_assert_str_ne(first, place("a", "name"));
}
END_TEST

START_TEST(a_name_that_is_too_long_has_no_place)
{
    unsigned char name[KC_RP_STORE_NAME_MAX + 1] = {0};
    char key[KC_STORE_KEY_LEN + 1];
    kc_bytes_t bytes = {name, KC_RP_STORE_NAME_MAX};
    kc_err_t err;

    ck_assert_int_eq(kc_rp_store_key(site->rp, site->keys->key[0], "a", bytes, key, &err), KC_OK);
    bytes.len++;
    ck_assert_int_eq(kc_rp_store_key(site->rp, site->keys->key[0], "a", bytes, key, &err),
                     KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_INTERNAL);
}
END_TEST

START_TEST(one_to_eight_keys_are_taken)
{
    apr_array_header_t *secrets = apr_array_make(testlib_pool, 8, sizeof(kc_conf_file_t));
    kc_seal_keys_t *keys;
    kc_err_t err;
    int i;

    ck_assert_int_eq(kc_rp_keys_make(secrets, testlib_pool, &keys, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
    for (i = 1; i <= KC_SEAL_KEYS_MAX; i++) {
        APR_ARRAY_PUSH(secrets, kc_conf_file_t) =
            (kc_conf_file_t){.text = apr_psprintf(testlib_pool, "%032d", i)};
        ck_assert_int_eq(kc_rp_keys_make(secrets, testlib_pool, &keys, &err), KC_OK);
        ck_assert_uint_eq(keys->count, (size_t)i);
    }
    APR_ARRAY_PUSH(secrets, kc_conf_file_t) = (kc_conf_file_t){.text = "one too many"};
    ck_assert_int_eq(kc_rp_keys_make(secrets, testlib_pool, &keys, &err), KC_REFUSED);
}
END_TEST

Suite *kc_test_rp(void)
{
    Suite *suite = suite_create("rp");
    TCase *tests = tcase_create("rp");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, cookies_are_named_for_their_scheme);
    tcase_add_test(tests, a_domain_makes_the_session_cookie_secure_instead_of_host_only);
    tcase_add_test(tests, a_prefix_that_was_configured_is_not_doubled);
    tcase_add_test(tests, the_callback_is_under_the_prefix_or_where_the_redirect_uri_says);
    tcase_add_test(tests, a_redirect_uri_that_is_none_is_refused);
    tcase_add_test(tests, each_setting_that_gives_a_session_its_meaning_changes_the_fingerprint);
    tcase_add_test(tests, the_fingerprint_stays_what_it_is);
    tcase_add_test(tests, fingerprints_are_the_bytes_that_they_have_been);
    tcase_add_test(tests, the_realm_is_issuer_and_client);
    tcase_add_test(tests, the_scope_of_views_is_of_all_keys);
    tcase_add_test(tests, settings_without_a_say_in_it_leave_the_fingerprint);
    tcase_add_test(tests, places_in_a_store_are_hex_and_apart);
    tcase_add_test(tests, who_shares_issuer_and_client_shares_the_longest_life);
    tcase_add_test(tests, a_name_that_is_too_long_has_no_place);
    tcase_add_test(tests, one_to_eight_keys_are_taken);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Tests of conf_watch.h: files that change, together and one after the other, and what is taken.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_watch.h"

#include <check.h>
#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "conf/conf.h"
#include "testlib.h"

Suite *kc_test_conf_watch(void);

#define KEY_A "first-key-of-thirty-two-characters-or-more"
#define KEY_B "second-key-of-exactly-32-letters"

static char folder[512]; /* "": there is none */
static char *told;       /* the news of the last look, a line each */
static kc_conf_t *conf;
static kc_conf_watch_t *watch;

/* Also at the exit of a test that fails, which has no teardown. */
static void remove_folder(void)
{
    DIR *dir = folder[0] ? opendir(folder) : NULL;
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    (void)rmdir(folder);
    folder[0] = '\0';
}

static void setup(void)
{
    const char *parent = getenv("TMPDIR");

    testlib_setup();
    apr_snprintf(folder, sizeof(folder), "%s/kc-test-watch-XXXXXX",
                 parent && *parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(atexit(remove_folder), 0);
    conf = kc_conf_create(testlib_pool);
}

static void teardown(void)
{
    remove_folder();
    testlib_teardown();
}

static const char *path_of(const char *name)
{
    return apr_pstrcat(testlib_pool, folder, "/", name, NULL);
}

/* As an editor or Kubernetes does it: another file takes the name. */
static void put(const char *name, const char *text)
{
    const char *path = path_of(name), *next = path_of("next");
    FILE *file = fopen(next, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(next, 0600), 0);
    ck_assert_int_eq(rename(next, path), 0);
}

/* The same file is written anew. */
static void write_over(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    ck_assert_int_eq(fclose(file), 0);
}

static void set(kc_conf_index_t index, const char *value)
{
    kc_err_t err = {0};

    ck_assert_msg(kc_conf_set(conf, index, 1, &value, NULL, 1, testlib_pool, &err) == KC_OK, "%s",
                  err.detail);
}

static void set_file(kc_conf_index_t index, const char *name)
{
    set(index, apr_pstrcat(testlib_pool, "file:", path_of(name), NULL));
}

static void start(void)
{
    kc_conf_index_t index;
    kc_err_t err = {0};

    set(KC_CONF_ROW_issuer, "https://keycloak.example.com/realms/a");
    ck_assert_msg(kc_conf_load(conf, &index, testlib_pool, &err) == KC_OK, "%s", err.detail);
    ck_assert_int_eq(kc_conf_watch_create(conf, testlib_pool, &watch, &err), KC_OK);
}

static void note(void *context, const kc_conf_watch_news_t *news)
{
    static const char *const kinds[] = {"taken", "refused", "restart", "unseen"};

    ck_assert_ptr_eq(context, folder);
    told = apr_pstrcat(testlib_pool, told, kinds[news->kind], " ",
                       kc_conf_table_row(news->index)->name, news->is_first ? " first" : "", "\n",
                       NULL);
    ck_assert_ptr_nonnull(strstr(news->path, folder));
    ck_assert_int_eq(news->detail[0] != '\0',
                     news->kind == KC_CONF_WATCH_REFUSED || news->kind == KC_CONF_WATCH_UNSEEN);
}

static const char *look(void)
{
    told = "";
    kc_conf_watch_look(watch, note, folder);
    return told;
}

/* One look sees the change, the next one takes it. */
static const char *look_twice(void)
{
    ck_assert_str_eq(look(), "");
    return look();
}

static const kc_conf_t *now(void)
{
    return kc_conf_watch_hold(watch, conf, testlib_pool);
}

static const char *pem_key(testlib_key_t which)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    const char *copy;
    long len;

    ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, testlib_key(which), NULL, NULL, 0, NULL, NULL),
                     1);
    len = BIO_get_mem_data(bio, &text);
    copy = apr_pstrndup(testlib_pool, text, (size_t)len);
    BIO_free(bio);
    return copy;
}

static const char *pem_certificate(testlib_key_t which)
{
    X509 *certificate = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    const char *copy;
    long len;

    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    ck_assert_int_eq(X509_set_pubkey(certificate, testlib_key(which)), 1);
    ck_assert_int_gt(X509_sign(certificate, testlib_key(which), EVP_sha256()), 0);
    ck_assert_int_eq(PEM_write_bio_X509(bio, certificate), 1);
    len = BIO_get_mem_data(bio, &text);
    copy = apr_pstrndup(testlib_pool, text, (size_t)len);
    BIO_free(bio);
    X509_free(certificate);
    return copy;
}

static void start_with_secret(void)
{
    put("secret", "one\n");
    set_file(KC_CONF_ROW_client_secret, "secret");
    start();
    ck_assert_str_eq(look(), "");
}

static void start_with_pair(void)
{
    put("key", pem_key(TESTLIB_P256));
    put("cert", pem_certificate(TESTLIB_P256));
    set(KC_CONF_ROW_client_auth, "tls_client_auth");
    set_file(KC_CONF_ROW_client_key, "key");
    set_file(KC_CONF_ROW_client_cert, "cert");
    start();
    ck_assert_str_eq(look(), "");
}

/* ---------------------------------------------------------------- what can be taken */

START_TEST(a_new_secret_is_taken_when_two_looks_see_it)
{
    const kc_conf_t *before;
    apr_pool_t *request;

    start_with_secret();
    ck_assert_int_eq(apr_pool_create(&request, testlib_pool), APR_SUCCESS);
    before = kc_conf_watch_hold(watch, conf, request);
    put("secret", "two\n");
    ck_assert_str_eq(look(), "");
    ck_assert_str_eq(now()->client_secret.text, "one");
    ck_assert_str_eq(look(), "taken KeycloakClientSecret\n");
    ck_assert_str_eq(now()->client_secret.text, "two");
    ck_assert_str_eq(before->client_secret.text, "one");
    ck_assert_uint_eq(kc_conf_watch_changes(watch), 1);
    put("secret", "three");
    ck_assert_str_eq(look_twice(), "taken KeycloakClientSecret\n");
    apr_pool_destroy(request);
    ck_assert_str_eq(now()->client_secret.text, "three");
    ck_assert_uint_eq(kc_conf_watch_changes(watch), 2);
    ck_assert_uint_eq(kc_conf_watch_waiting(watch), 0);
    ck_assert_str_eq(look(), "");
}
END_TEST

START_TEST(a_file_that_is_written_anew_is_taken_too)
{
    start_with_secret();
    write_over("secret", "the next");
    ck_assert_str_eq(look_twice(), "taken KeycloakClientSecret\n");
    ck_assert_str_eq(now()->client_secret.text, "the next");
}
END_TEST

START_TEST(a_file_that_changes_at_each_look_is_not_read)
{
    start_with_secret();
    for (int i = 0; i < 5; i++) {
        put("secret", apr_psprintf(testlib_pool, "unfinished %d", i));
        ck_assert_str_eq(look(), "");
    }
    ck_assert_str_eq(now()->client_secret.text, "one");
    ck_assert_str_eq(look(), "taken KeycloakClientSecret\n");
}
END_TEST

START_TEST(the_same_content_is_no_news)
{
    start_with_secret();
    put("secret", "one\n");
    ck_assert_str_eq(look_twice(), "");
    put("secret", "one\nwith a second line");
    ck_assert_str_eq(look_twice(), "");
    ck_assert_uint_eq(kc_conf_watch_changes(watch), 0);
}
END_TEST

START_TEST(a_child_that_starts_later_takes_it_at_once)
{
    put("secret", "one");
    set_file(KC_CONF_ROW_client_secret, "secret");
    start();
    put("secret", "two");
    ck_assert_str_eq(look(), "taken KeycloakClientSecret first\n");
    ck_assert_str_eq(now()->client_secret.text, "two");
}
END_TEST

/* What a secret's file holds then; "": it is removed. */
static const char *const faulty_secrets[] = {"", "\n", "a\001b\n"};

START_TEST(a_faulty_file_is_told_once_and_the_former_content_stays)
{
    start_with_secret();
    if (faulty_secrets[_i][0])
        put("secret", faulty_secrets[_i]);
    else
        ck_assert_int_eq(unlink(path_of("secret")), 0);
    ck_assert_str_eq(look_twice(), "refused KeycloakClientSecret\n");
    ck_assert_uint_eq(kc_conf_watch_waiting(watch), 1);
    ck_assert_str_eq(look_twice(), "");
    ck_assert_str_eq(now()->client_secret.text, "one");
    put("secret", "two");
    ck_assert_str_eq(look_twice(), "taken KeycloakClientSecret\n");
    ck_assert_uint_eq(kc_conf_watch_waiting(watch), 0);
}
END_TEST

START_TEST(a_secret_that_others_can_read_is_refused)
{
    start_with_secret();
    put("secret", "two");
    ck_assert_int_eq(chmod(path_of("secret"), 0604), 0);
    ck_assert_str_eq(look_twice(), "refused KeycloakClientSecret\n");
    ck_assert_int_eq(chmod(path_of("secret"), 0600), 0);
    ck_assert_str_eq(look_twice(), "taken KeycloakClientSecret\n");
}
END_TEST

START_TEST(a_certificate_and_its_key_are_taken_together)
{
    start_with_pair();
    put("key", pem_key(TESTLIB_RSA));
    put("cert", pem_certificate(TESTLIB_RSA));
    ck_assert_str_eq(look_twice(), "taken KeycloakClientKey\ntaken KeycloakClientCert\n");
    ck_assert_str_eq(now()->client_key.text, pem_key(TESTLIB_RSA));
    ck_assert_uint_eq(kc_conf_watch_changes(watch), 1);
}
END_TEST

START_TEST(one_of_a_pair_waits_for_the_other)
{
    const char *key;

    start_with_pair();
    key = now()->client_key.text;
    put("cert", pem_certificate(TESTLIB_RSA));
    ck_assert_str_eq(look_twice(), "refused KeycloakClientKey\n");
    ck_assert_str_eq(now()->client_key.text, key);
    ck_assert_str_ne(now()->client_cert.text, pem_certificate(TESTLIB_RSA));
    put("key", pem_key(TESTLIB_RSA));
    ck_assert_str_eq(look_twice(), "taken KeycloakClientKey\ntaken KeycloakClientCert\n");
    ck_assert_uint_eq(kc_conf_watch_waiting(watch), 0);
}
END_TEST

START_TEST(other_trusted_certificates_are_taken)
{
    const char *last = pem_certificate(TESTLIB_P384);

    put("ca", pem_certificate(TESTLIB_RSA));
    set_file(KC_CONF_ROW_ca_file, "ca");
    set(KC_CONF_ROW_client_secret, "written in the configuration");
    start();
    ck_assert_str_eq(look(), "");
    put("ca", "no certificate at all\n");
    ck_assert_str_eq(look_twice(), "refused KeycloakCAFile\n");
    put("ca", pem_certificate(TESTLIB_P256));
    ck_assert_str_eq(look_twice(), "taken KeycloakCAFile\n");
    put("ca", last);
    ck_assert_str_eq(look_twice(), "taken KeycloakCAFile\n");
    ck_assert_str_eq(now()->ca_file.text, last);
    ck_assert_str_eq(now()->client_secret.text, "written in the configuration");
}
END_TEST

START_TEST(another_jwk_is_taken)
{
    put("jwk", testlib_private_jwk(TESTLIB_P256, ""));
    set(KC_CONF_ROW_client_auth, "private_key_jwt");
    set_file(KC_CONF_ROW_client_key, "jwk");
    start();
    ck_assert_str_eq(look(), "");
    put("jwk", testlib_jwk(TESTLIB_P384, ""));
    ck_assert_str_eq(look_twice(), "refused KeycloakClientKey\n");
    put("jwk", testlib_private_jwk(TESTLIB_P384, ""));
    ck_assert_str_eq(look_twice(), "taken KeycloakClientKey\n");
}
END_TEST

/* ---------------------------------------------------------------- what only a restart takes */

START_TEST(a_crypto_key_waits_for_a_restart)
{
    put("current", KEY_A "\n");
    put("older", KEY_B "\n");
    set_file(KC_CONF_ROW_crypto_key, "current");
    set_file(KC_CONF_ROW_crypto_key, "older");
    start();
    ck_assert_str_eq(look(), "");
    put("older", KEY_B "\n"); /* nothing has changed */
    ck_assert_str_eq(look_twice(), "");
    put("older", KEY_A "\n");
    ck_assert_str_eq(look_twice(), "restart KeycloakCryptoKey\n");
    put("current", "a third key, of more than 32 characters");
    ck_assert_str_eq(look_twice(), "restart KeycloakCryptoKey\n");
    ck_assert_uint_eq(kc_conf_watch_waiting(watch), 2);
    ck_assert_str_eq(look_twice(), "");
    put("older", KEY_B "\n");
    ck_assert_str_eq(look_twice(), "");
    ck_assert_uint_eq(kc_conf_watch_waiting(watch), 1);
    ck_assert_uint_eq(kc_conf_watch_changes(watch), 0);
}
END_TEST

START_TEST(memcacheds_password_waits_for_a_restart)
{
    put("password", "one");
    set_file(KC_CONF_ROW_memcached_password, "password");
    start();
    ck_assert_str_eq(look(), "");
    ck_assert_int_eq(unlink(path_of("password")), 0);
    ck_assert_str_eq(look_twice(), "restart KeycloakMemcachedPassword\n");
    put("password", "one");
    ck_assert_str_eq(look_twice(), "");
    ck_assert_uint_eq(kc_conf_watch_waiting(watch), 0);
}
END_TEST

START_TEST(a_file_that_cannot_be_looked_at_is_told_at_the_first_look)
{
    put("secret", "one");
    set_file(KC_CONF_ROW_client_secret, "secret");
    start();
    ck_assert_int_eq(unlink(path_of("secret")), 0);
    ck_assert_str_eq(look(), "unseen KeycloakClientSecret first\n");
    ck_assert_str_eq(look_twice(), "");
    ck_assert_uint_eq(kc_conf_watch_waiting(watch), 0);
    put("secret", "two");
    ck_assert_str_eq(look_twice(), "taken KeycloakClientSecret\n");
}
END_TEST

START_TEST(what_is_not_in_a_file_is_not_watched)
{
    set(KC_CONF_ROW_client_secret, "one");
    start();
    ck_assert_str_eq(look_twice(), "");
    ck_assert_str_eq(now()->client_secret.text, "one");
    ck_assert_ptr_eq(kc_conf_watch_hold(NULL, conf, testlib_pool), conf);
    ck_assert_uint_eq(kc_conf_watch_changes(NULL), 0);
    ck_assert_uint_eq(kc_conf_watch_waiting(NULL), 0);
}
END_TEST

Suite *kc_test_conf_watch(void)
{
    Suite *suite = suite_create("conf_watch");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_new_secret_is_taken_when_two_looks_see_it);
    tcase_add_test(tcase, a_file_that_is_written_anew_is_taken_too);
    tcase_add_test(tcase, a_file_that_changes_at_each_look_is_not_read);
    tcase_add_test(tcase, the_same_content_is_no_news);
    tcase_add_test(tcase, a_child_that_starts_later_takes_it_at_once);
    tcase_add_loop_test(tcase, a_faulty_file_is_told_once_and_the_former_content_stays, 0,
                        sizeof(faulty_secrets) / sizeof(faulty_secrets[0]));
    tcase_add_test(tcase, a_secret_that_others_can_read_is_refused);
    tcase_add_test(tcase, a_certificate_and_its_key_are_taken_together);
    tcase_add_test(tcase, one_of_a_pair_waits_for_the_other);
    tcase_add_test(tcase, other_trusted_certificates_are_taken);
    tcase_add_test(tcase, another_jwk_is_taken);
    tcase_add_test(tcase, a_crypto_key_waits_for_a_restart);
    tcase_add_test(tcase, memcacheds_password_waits_for_a_restart);
    tcase_add_test(tcase, a_file_that_cannot_be_looked_at_is_told_at_the_first_look);
    tcase_add_test(tcase, what_is_not_in_a_file_is_not_watched);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* Tests of jwks.h: threats.md 65 to 67: keys that cannot be used, ambiguous keys, and useless key
 * sets.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <stdarg.h>
#include <string.h>

#include "crypto/jwks.h"
#include "crypto/jws.h"
#include "testlib.h"

Suite *kc_test_jwks(void);

/* A set of the given keys (JSON texts, NULL ends). */
static const char *set_of(const char *first, ...)
{
    const char *text = "{\"keys\":[", *separator = "", *key;
    va_list arguments;

    va_start(arguments, first);
    for (key = first; key; key = va_arg(arguments, const char *)) {
        text = apr_pstrcat(testlib_pool, text, separator, key, NULL);
        separator = ",";
    }
    va_end(arguments);
    return apr_pstrcat(testlib_pool, text, "]}", NULL);
}

/* A key with a kid. */
static const char *named(testlib_key_t which, const char *kid)
{
    return testlib_jwk(which, apr_psprintf(testlib_pool, ",\"kid\":\"%s\"", kid));
}

static kc_jwks_t *parse(const char *text)
{
    kc_jwks_t *keys;
    kc_err_t err = {0};

    ck_assert_msg(kc_jwks_parse(text, strlen(text), testlib_pool, &keys, &err) == KC_OK, "%s",
                  err.detail);
    return keys;
}

static void assert_refused(const char *text)
{
    kc_jwks_t *keys;
    kc_err_t err = {0};

    ck_assert_msg(kc_jwks_parse(text, strlen(text), testlib_pool, &keys, &err) == KC_REFUSED,
                  "%.100s was taken", text);
    ck_assert_ptr_null(keys);
    ck_assert_int_eq(err.reason, KC_ERR_KEYS);
}

/* What asking gives: a key or none, and why none. */
static kc_rc_t ask(const kc_jwks_t *keys, const char *alg, const char *kid, kc_reason_t *reason)
{
    const kc_jose_key_t *key;
    kc_err_t err = {0};
    kc_rc_t rc = kc_jwks_select(keys, alg, kid, &key, &err);

    ck_assert_int_eq(rc == KC_OK, key != NULL);
    *reason = err.reason;
    return rc;
}

static void assert_found(const kc_jwks_t *keys, const char *alg, const char *kid)
{
    kc_reason_t reason;

    ck_assert_msg(ask(keys, alg, kid, &reason) == KC_OK, "%s %s", alg, kid ? kid : "-");
}

static void assert_not_found(const kc_jwks_t *keys, const char *alg, const char *kid, kc_rc_t rc)
{
    kc_reason_t reason;

    ck_assert_msg(ask(keys, alg, kid, &reason) == rc, "%s %s", alg, kid ? kid : "-");
    ck_assert_int_eq(reason, KC_ERR_TOKEN_KEY);
}

START_TEST(the_key_of_a_kid)
{
    kc_jwks_t *keys = parse(set_of(named(TESTLIB_RSA, "a"), named(TESTLIB_RSA_OTHER, "b"),
                                   named(TESTLIB_P256, "c"), NULL));
    const char *compact =
        testlib_sign(TESTLIB_RSA_OTHER, "RS256", "{\"alg\":\"RS256\",\"kid\":\"b\"}", "{}");
    const kc_jose_key_t *key;
    kc_jws_t token;

    ck_assert_uint_eq(kc_jwks_count(keys), 3);
    ck_assert_int_eq(kc_jwks_select(keys, "RS256", "b", &key, NULL), KC_OK);
    ck_assert_str_eq(kc_jose_key_kid(key), "b");
    ck_assert_int_eq(kc_jws_parse(compact, strlen(compact), testlib_pool, &token, NULL), KC_OK);
    ck_assert_int_eq(kc_jose_verify(&token, key, NULL), KC_OK);
    assert_found(keys, "ES256", "c");
    assert_not_found(keys, "RS256", "c", KC_MISS);
    assert_not_found(keys, "ES256", "a", KC_MISS);
    assert_not_found(keys, "ES384", "c", KC_MISS);
    assert_not_found(keys, "RS256", "A", KC_MISS);
    assert_not_found(keys, "RS256", "", KC_MISS);
    assert_not_found(keys, "RS256", "ab", KC_MISS);
}
END_TEST

START_TEST(no_kid_needs_a_single_fitting_key)
{
    kc_jwks_t *keys = parse(set_of(named(TESTLIB_RSA, "a"), named(TESTLIB_P256, "c"), NULL));

    assert_found(keys, "RS256", NULL);
    assert_found(keys, "ES256", NULL);
    assert_not_found(keys, "ES512", NULL, KC_MISS);
    keys = parse(set_of(named(TESTLIB_RSA, "a"), named(TESTLIB_RSA_OTHER, "b"), NULL));
    assert_not_found(keys, "RS256", NULL, KC_REFUSED);
    /* Only one of them is for PS256. */
    keys = parse(set_of(named(TESTLIB_RSA, "a"),
                        testlib_jwk(TESTLIB_RSA_OTHER, ",\"alg\":\"RS256\""), NULL));
    assert_found(keys, "PS256", NULL);
}
END_TEST

START_TEST(the_only_fitting_key_needs_no_name)
{
    kc_jwks_t *keys = parse(set_of(testlib_jwk(TESTLIB_RSA, ""), NULL));

    assert_found(keys, "RS256", NULL);
    assert_found(keys, "RS256", "a");
    keys = parse(set_of(testlib_jwk(TESTLIB_RSA, ""), named(TESTLIB_P256, "b"), NULL));
    assert_found(keys, "RS256", "a");
    assert_not_found(keys, "ES256", "a", KC_MISS);
    keys = parse(set_of(testlib_jwk(TESTLIB_RSA, ""), named(TESTLIB_RSA_OTHER, "b"), NULL));
    assert_not_found(keys, "RS256", "a", KC_MISS);
    assert_found(keys, "RS256", "b");
    keys = parse(set_of(testlib_jwk(TESTLIB_RSA, ""), testlib_jwk(TESTLIB_RSA_OTHER, ""), NULL));
    assert_not_found(keys, "RS256", "a", KC_MISS);
    assert_not_found(keys, "RS256", NULL, KC_REFUSED);
}
END_TEST

/* Keycloak's exports of old have a key of use enc under the kid of one of use sig; others say of
 * the one alone what it is for. */
START_TEST(of_two_under_one_kid_the_one_for_signatures_counts)
{
    const kc_jose_key_t *key, *wanted;
    kc_jwks_t *keys = parse(set_of(testlib_jwk(TESTLIB_RSA, ",\"kid\":\"a\",\"use\":\"sig\""),
                                   testlib_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"a\",\"use\":\"enc\""),
                                   named(TESTLIB_RSA_OTHER, "b"), NULL));

    assert_found(keys, "RS256", "a");
    ck_assert_int_eq(kc_jwks_select(keys, "RS256", "b", &wanted, NULL), KC_OK);
    keys = parse(set_of(named(TESTLIB_RSA, "a"),
                        testlib_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"a\",\"use\":\"sig\""), NULL));
    ck_assert_int_eq(kc_jwks_select(keys, "RS256", "a", &key, NULL), KC_OK);
    ck_assert(kc_jose_key_is_same(key, wanted));
    keys = parse(set_of(testlib_jwk(TESTLIB_RSA, ",\"kid\":\"a\",\"use\":\"sig\""),
                        testlib_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"a\",\"use\":\"sig\""), NULL));
    assert_not_found(keys, "RS256", "a", KC_REFUSED);
}
END_TEST

START_TEST(what_was_left_out_is_told)
{
    kc_jwks_t *keys = parse(set_of(named(TESTLIB_RSA, "good"), NULL));
    const char *text;
    int is_odd = 1;

    ck_assert_str_eq(kc_jwks_left_out(keys, &is_odd), "");
    ck_assert_int_eq(is_odd, 0);
    keys = parse(set_of(named(TESTLIB_RSA, "good"),
                        testlib_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"e\",\"use\":\"enc\""), NULL));
    ck_assert_str_eq(kc_jwks_left_out(keys, &is_odd), "key e: its use is not sig");
    ck_assert_int_eq(is_odd, 0);
    keys = parse(set_of(named(TESTLIB_RSA, "good"), named(TESTLIB_RSA_SMALL, "s"), "7", "null",
                        "{\"kty\":\"OKP\",\"kid\":\"o\"}", "{\"kid\":\"n\"}", NULL));
    text = kc_jwks_left_out(keys, &is_odd);
    ck_assert_int_eq(is_odd, 1);
    ck_assert_msg(strstr(text, "key s: RSA of 1024 bits") && strstr(text, "key without kid: ") &&
                      strstr(text, "key o: its kty is neither RSA nor EC") &&
                      strstr(text, "key n: it has no kty"),
                  "%s", text);
    ck_assert_uint_eq(kc_jwks_count(keys), 1);
}
END_TEST

/* 66 */
START_TEST(a_kid_that_appears_twice_is_refused)
{
    kc_jwks_t *keys = parse(set_of(named(TESTLIB_RSA, "a"), named(TESTLIB_RSA_OTHER, "a"), NULL));

    assert_not_found(keys, "RS256", "a", KC_REFUSED);
    /* One key twice is one, whatever else the two entries say, or without a kid. */
    keys = parse(set_of(named(TESTLIB_RSA, "a"), named(TESTLIB_RSA, "a"), NULL));
    assert_found(keys, "RS256", "a");
    assert_found(keys, "RS256", NULL);
    keys =
        parse(set_of(testlib_jwk(TESTLIB_P256, ",\"kid\":\"a\",\"alg\":\"ES256\",\"use\":\"sig\""),
                     named(TESTLIB_P256, "a"), named(TESTLIB_P256, "b"), NULL));
    assert_found(keys, "ES256", "a");
    assert_found(keys, "ES256", NULL);
    /* Keys of different kinds may share one: the token's alg tells them apart. */
    keys = parse(set_of(named(TESTLIB_RSA, "a"), named(TESTLIB_P256, "a"), NULL));
    assert_found(keys, "RS256", "a");
    assert_found(keys, "ES256", "a");
}
END_TEST

/* 65 */
START_TEST(keys_that_are_not_ours_are_left_out)
{
    kc_jwks_t *keys = parse(set_of(
        testlib_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"a\",\"use\":\"enc\""),
        "{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"c2VjcmV0\"}",
        "{\"kty\":\"OKP\",\"kid\":\"a\",\"crv\":\"Ed25519\",\"x\":\"AA\"}",
        testlib_private_jwk(TESTLIB_RSA_OTHER, ",\"kid\":\"a\""), named(TESTLIB_RSA_SMALL, "a"),
        "{}", "{\"kty\":\"RSA\",\"kid\":\"a\"}", named(TESTLIB_RSA, "a"), NULL));

    ck_assert_uint_eq(kc_jwks_count(keys), 1);
    assert_found(keys, "RS256", "a");
    assert_not_found(keys, "ES256", "a", KC_MISS);
}
END_TEST

START_TEST(unknown_algorithms_are_not_worth_a_fetch)
{
    static const char *const algs[] = {"none", "HS256", "", "rs256"};
    kc_jwks_t *keys = parse(set_of(named(TESTLIB_RSA, "a"), NULL));
    kc_reason_t reason;
    size_t i;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        ck_assert_int_eq(ask(keys, algs[i], "a", &reason), KC_REFUSED);
        ck_assert_int_eq(reason, KC_ERR_TOKEN_ALG);
        ck_assert_int_eq(ask(keys, algs[i], "unknown", &reason), KC_REFUSED);
        ck_assert_int_eq(reason, KC_ERR_TOKEN_ALG);
    }
}
END_TEST

/* 67: sets that are no use are refused, so that the last good one is kept. */
START_TEST(useless_sets_are_refused)
{
    assert_refused("");
    assert_refused("x");
    assert_refused("[]");
    assert_refused("{}");
    assert_refused("{\"keys\":null}");
    assert_refused("{\"keys\":{}}");
    assert_refused("{\"keys\":[]}");
    assert_refused("{\"keys\":[1]}");
    assert_refused(set_of("[]", NULL));
    assert_refused(set_of("{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}", NULL));
    assert_refused(set_of(testlib_jwk(TESTLIB_RSA, ",\"use\":\"enc\""), NULL));
    assert_refused(apr_pstrcat(testlib_pool, "{\"keys\":[],",
                               set_of(named(TESTLIB_RSA, "a"), NULL) + 1, NULL));
    assert_refused(apr_pstrcat(testlib_pool, set_of(named(TESTLIB_RSA, "a"), NULL), "x", NULL));
}
END_TEST

static const char *set_of_many(int count)
{
    const char *text = named(TESTLIB_P256, "0");
    int i;

    for (i = 1; i < count; i++)
        text = apr_pstrcat(testlib_pool, text, ",", named(TESTLIB_P256, apr_itoa(testlib_pool, i)),
                           NULL);
    return apr_pstrcat(testlib_pool, "{\"keys\":[", text, "]}", NULL);
}

START_TEST(sets_have_a_limit)
{
    kc_jwks_t *keys = parse(set_of_many(KC_JWKS_KEYS_MAX));
    char *large;

    ck_assert_uint_eq(kc_jwks_count(keys), KC_JWKS_KEYS_MAX);
    assert_found(keys, "ES256", "99");
    assert_refused(set_of_many(KC_JWKS_KEYS_MAX + 1));
    assert_refused(set_of_many(500));
    large = apr_palloc(testlib_pool, 1024 * 1024 + 1);
    memset(large, ' ', 1024 * 1024);
    large[1024 * 1024] = '\0';
    memcpy(large, set_of(named(TESTLIB_P256, "a"), NULL),
           strlen(set_of(named(TESTLIB_P256, "a"), NULL)));
    assert_refused(large);
    large[KC_JSON_TEXT_MAX] = '\0';
    parse(large);
}
END_TEST

/* Keys live in their pool, not off the text or document. */
START_TEST(a_set_outlives_its_text)
{
    const char *text = set_of(named(TESTLIB_P256, "a"), NULL);
    char *copy = apr_pstrdup(testlib_pool, text);
    kc_jwks_t *keys = parse(copy);

    memset(copy, 'x', strlen(copy));
    assert_found(keys, "ES256", "a");
}
END_TEST

static void make_keys(void)
{
    int which;

    for (which = 0; which < TESTLIB_KEYS; which++)
        (void)testlib_key((testlib_key_t)which);
}

Suite *kc_test_jwks(void)
{
    Suite *suite = suite_create("jwks");
    TCase *tests = tcase_create("jwks");

    tcase_add_unchecked_fixture(tests, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_test(tests, the_key_of_a_kid);
    tcase_add_test(tests, no_kid_needs_a_single_fitting_key);
    tcase_add_test(tests, the_only_fitting_key_needs_no_name);
    tcase_add_test(tests, of_two_under_one_kid_the_one_for_signatures_counts);
    tcase_add_test(tests, what_was_left_out_is_told);
    tcase_add_test(tests, a_kid_that_appears_twice_is_refused);
    tcase_add_test(tests, keys_that_are_not_ours_are_left_out);
    tcase_add_test(tests, unknown_algorithms_are_not_worth_a_fetch);
    tcase_add_test(tests, useless_sets_are_refused);
    tcase_add_test(tests, sets_have_a_limit);
    tcase_add_test(tests, a_set_outlives_its_text);
    suite_add_tcase(suite, tests);
    return suite;
}

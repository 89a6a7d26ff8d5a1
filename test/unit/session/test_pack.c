/* Tests of pack.h: what is packed is unpacked unchanged, and everything else is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "session/pack.h"
#include "testlib.h"

Suite *kc_test_pack(void);

#define ISSUER "https://keycloak.example.com/realms/kubeflow"
#define SUB "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define SID "6d1c63f2-9f51-4a0e-8c38-5a5a1d3b7a11"
#define PERSON                                                                             \
    "\"email_verified\":true,\"name\":\"Alice Example\",\"preferred_username\":\"alice\"," \
    "\"given_name\":\"Alice\",\"family_name\":\"Example\",\"email\":\"alice@example.com\"}"

static const char small[] = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmN2YzIn0.c2lnbmF0dXJl";

/* A token with a signature of random bytes. */
static const char *token(const char *header, const char *payload, size_t signature_len)
{
    unsigned char *signature = apr_palloc(testlib_pool, signature_len);
    kc_bytes_t bytes = {signature, signature_len};

    ck_assert_int_eq(kc_crypto_random(signature, signature_len, NULL), KC_OK);
    return testlib_compact(header, payload, bytes);
}

/* The three tokens of a default realm of Keycloak 26, as it writes them. */
static kc_pack_t realistic(void)
{
    static const char rs256[] = "{\"alg\":\"RS256\",\"typ\" : \"JWT\",\"kid\" : "
                                "\"Vn0XVQ3zT9nL2dE5sYwJm8uK1rP4bC7hG6oA0fIxSgM\"}";
    static const char hs512[] = "{\"alg\":\"HS512\",\"typ\" : \"JWT\",\"kid\" : "
                                "\"3a1c5e7b-0d2f-4b6a-8c9e-1f3a5b7d9e0c\"}";
    kc_pack_t contents = {NULL, NULL, NULL, {NULL, 0}};

    contents.id_token =
        token(rs256,
              "{\"exp\":1764000300,\"iat\":1764000000,\"auth_time\":1764000000,"
              "\"jti\":\"8c4a7d3e-6f5b-4a39-9e1d-2b7c8f0a1d23\",\"iss\":\"" ISSUER "\","
              "\"aud\":\"kubeflow-oidc-authservice\",\"sub\":\"" SUB "\",\"typ\":\"ID\","
              "\"azp\":\"kubeflow-oidc-authservice\",\"nonce\":\"k3Jx0Qz8b1Yw5Nn2Vt7Rm4\","
              "\"sid\":\"" SID "\",\"at_hash\":\"k1r1kPYpNPQ7TMRrNu3Wcg\",\"acr\":\"1\"," PERSON,
              256);
    contents.access_token = token(
        rs256,
        "{\"exp\":1764000300,\"iat\":1764000000,\"auth_time\":1764000000,"
        "\"jti\":\"onrtac:d1b7c9e2-4a6f-4c3d-b5e8-7f9a0c2d4e61\",\"iss\":\"" ISSUER "\","
        "\"aud\":\"account\",\"sub\":\"" SUB "\",\"typ\":\"Bearer\","
        "\"azp\":\"kubeflow-oidc-authservice\",\"sid\":\"" SID "\",\"acr\":\"1\","
        "\"allowed-origins\":[\"https://kubeflow.example.com\"],\"realm_access\":{\"roles\":["
        "\"default-roles-kubeflow\",\"offline_access\",\"uma_authorization\"]},"
        "\"resource_access\":{\"account\":{\"roles\":[\"manage-account\","
        "\"manage-account-links\",\"view-profile\"]}},\"scope\":\"openid email profile\"," PERSON,
        256);
    contents.refresh_token = token(
        hs512,
        "{\"exp\":1764001800,\"iat\":1764000000,"
        "\"jti\":\"b0e4d8f6-1c3a-4e5b-9d7f-2a6c8e0b4d93\",\"iss\":\"" ISSUER "\",\"aud\":\"" ISSUER
        "\",\"sub\":\"" SUB "\",\"typ\":\"Refresh\",\"azp\":\"kubeflow-oidc-authservice\","
        "\"sid\":\"" SID "\",\"scope\":\"openid web-origins email basic acr profile roles\"}",
        64);
    return contents;
}

static kc_bytes_t close_all(const kc_pack_t *contents)
{
    kc_bytes_t packed;

    ck_assert_int_eq(kc_pack_close(contents, testlib_pool, &packed, NULL), KC_OK);
    return packed;
}

static void assert_same(const char *a, const char *b)
{
    if (a && b)
        ck_assert_str_eq(a, b);
    else
        ck_assert_ptr_eq(a, b);
}

static size_t assert_comes_back(const kc_pack_t *contents)
{
    kc_bytes_t packed = close_all(contents);
    kc_pack_t back;

    ck_assert_int_eq(kc_pack_open(packed, testlib_pool, &back, NULL), KC_OK);
    assert_same(back.id_token, contents->id_token);
    assert_same(back.access_token, contents->access_token);
    assert_same(back.refresh_token, contents->refresh_token);
    ck_assert_uint_eq(back.claims.len, contents->claims.len);
    if (back.claims.len)
        ck_assert_mem_eq(back.claims.data, contents->claims.data, back.claims.len);
    return packed.len;
}

START_TEST(every_combination_comes_back)
{
    static const char *const texts[] = {NULL,
                                        "",
                                        ".",
                                        "..",
                                        "a",
                                        small,
                                        "opaque",
                                        "e30.e30.e30",
                                        "e30.e30",
                                        "e30.e30.e30.e30",
                                        "e30=.e30.e30" /* padded */,
                                        "e31.e30.e30" /* bits that no byte takes */,
                                        "e30.e30.e3 "};
    static const char *const claims[] = {"", "{\"sub\":\"a\"}"};
    enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
    size_t i, j, k, l;

    for (i = 0; i < TEXTS; i++)
        for (j = 0; j < TEXTS; j++)
            for (k = 0; k < TEXTS; k++)
                for (l = 0; l < 2; l++) {
                    kc_pack_t contents = {texts[i], texts[j], texts[k], kc_buf_text(claims[l])};

                    (void)assert_comes_back(&contents);
                    apr_pool_clear(testlib_pool);
                }
}
END_TEST

START_TEST(nothing_is_packed_into_nothing)
{
    const kc_pack_t nothing = {NULL, NULL, NULL, {NULL, 0}};

    ck_assert_uint_eq(assert_comes_back(&nothing), 0);
}
END_TEST

START_TEST(a_token_of_any_vschar_is_kept)
{
    kc_pack_t contents = {small, "a b~", " a b.c d.e f ", {NULL, 0}}, read;
    kc_bytes_t packed;

    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &packed, NULL), KC_OK);
    ck_assert_int_eq(kc_pack_open(packed, testlib_pool, &read, NULL), KC_OK);
    ck_assert_str_eq(read.refresh_token, contents.refresh_token);
    ck_assert_str_eq(read.access_token, contents.access_token);
}
END_TEST

START_TEST(three_tokens_of_keycloak_are_small)
{
    kc_pack_t contents = realistic();
    size_t len = assert_comes_back(&contents);
    size_t text =
        strlen(contents.id_token) + strlen(contents.access_token) + strlen(contents.refresh_token);

    printf("three tokens of %zu bytes are packed into %zu\n", text, len);
    ck_assert_uint_ge(text, 2700);
    ck_assert_uint_le(len, 1150);
}
END_TEST

/* Changing the dictionary would make every pack of before unreadable: then VERSION must change. */
START_TEST(packs_of_before_can_be_opened)
{
    static const char before[] =
        "01010009000000020000000000447369676e617475726563e0478da05a060606be6a6818a599"
        "a7198345d8f20b120b4b53abb13aa81600";
    kc_pack_t back;

    ck_assert_int_eq(kc_pack_open(testlib_unhex(before), testlib_pool, &back, NULL), KC_OK);
    assert_same(back.id_token, small);
    assert_same(back.access_token, NULL);
    assert_same(back.refresh_token, "opaque");
    ck_assert_mem_eq(back.claims.data, "{\"email_verified\":true}", 23);
}
END_TEST

/* What stands beside a pack is not in it once more, and nothing else opens it. */
START_TEST(a_pack_beside_other_text_is_smaller)
{
    enum { MANY = 60 };
    kc_pack_t contents = realistic(), back;
    kc_bytes_t known, other, alone, beside;
    const char *text = "\"groups\":[";
    int i;

    for (i = 0; i < MANY; i++)
        text = apr_psprintf(testlib_pool, "%s\"/department-%d/team-%d\",", text, i * 7919 % 100,
                            i * 104729 % 1000);
    contents.claims = kc_buf_text(apr_pstrcat(testlib_pool, text, "\"\"]", NULL));
    known = contents.claims;
    other = kc_buf_text("something else");
    alone = close_all(&contents);
    ck_assert_int_eq(kc_pack_close_beside(&contents, known, testlib_pool, &beside, NULL), KC_OK);
    ck_assert_uint_lt(beside.len + 250, alone.len);
    ck_assert_int_eq(kc_pack_open_beside(beside, known, testlib_pool, &back, NULL), KC_OK);
    assert_same(back.id_token, contents.id_token);
    assert_same(back.access_token, contents.access_token);
    assert_same(back.refresh_token, contents.refresh_token);
    ck_assert_uint_eq(back.claims.len, contents.claims.len);
    ck_assert_mem_eq(back.claims.data, contents.claims.data, back.claims.len);
    ck_assert_int_eq(kc_pack_open_beside(beside, other, testlib_pool, &back, NULL), KC_REFUSED);
    ck_assert_int_eq(kc_pack_open(beside, testlib_pool, &back, NULL), KC_REFUSED);
    ck_assert_int_eq(kc_pack_open_beside(alone, other, testlib_pool, &back, NULL), KC_OK);
    assert_same(back.id_token, contents.id_token);
}
END_TEST

/* More than a window of it, whose beginning is of no use. */
START_TEST(much_text_beside_a_pack_does_no_harm)
{
    enum { LEN = 100000 };
    kc_pack_t contents = realistic(), back;
    unsigned char *text = apr_palloc(testlib_pool, LEN);
    kc_bytes_t known = {text, LEN}, beside;
    size_t i;

    for (i = 0; i < LEN; i++)
        text[i] = (unsigned char)(i * i >> 7);
    ck_assert_int_eq(kc_pack_close_beside(&contents, known, testlib_pool, &beside, NULL), KC_OK);
    ck_assert_int_eq(kc_pack_open_beside(beside, known, testlib_pool, &back, NULL), KC_OK);
    assert_same(back.refresh_token, contents.refresh_token);
}
END_TEST

START_TEST(what_is_too_large_is_refused)
{
    char *text = apr_palloc(testlib_pool, KC_PACK_MAX + 1);
    kc_pack_t contents = {text, NULL, NULL, {NULL, 0}};
    kc_bytes_t packed;
    kc_err_t err;

    memset(text, '!', KC_PACK_MAX);
    text[KC_PACK_MAX] = '\0';
    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &packed, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_VALUE);
    text[KC_PACK_MAX - 10] = '\0';
    (void)assert_comes_back(&contents);
}
END_TEST

/* In memory of exactly their size, so that reading past the end is seen. */
static kc_rc_t open_exactly(const unsigned char *data, size_t len, kc_pack_t *back)
{
    kc_bytes_t bytes = {NULL, len};
    unsigned char *copy = malloc(len ? len : 1);
    kc_rc_t rc;

    memcpy(copy, data, len);
    bytes.data = copy;
    rc = kc_pack_open(bytes, testlib_pool, back, NULL);
    free(copy);
    return rc;
}

START_TEST(every_truncation_and_every_addition_is_refused)
{
    kc_pack_t contents = realistic(), back;
    kc_bytes_t packed = close_all(&contents);
    unsigned char *longer = apr_palloc(testlib_pool, packed.len + 1);
    size_t len;

    for (len = 1; len < packed.len; len++) {
        ck_assert_int_eq(open_exactly(packed.data, len, &back), KC_REFUSED);
        assert_same(back.id_token, NULL);
    }
    memcpy(longer, packed.data, packed.len);
    longer[packed.len] = 0;
    ck_assert_int_eq(open_exactly(longer, packed.len + 1, &back), KC_REFUSED);
}
END_TEST

START_TEST(no_changed_bit_leads_outside)
{
    kc_pack_t contents = realistic(), back;
    kc_bytes_t packed = close_all(&contents);
    unsigned char *bytes = apr_pmemdup(testlib_pool, packed.data, packed.len);
    apr_pool_t *all = testlib_pool;
    size_t i;

    for (i = 0; i < packed.len * 8; i++) {
        ck_assert_int_eq(apr_pool_create(&testlib_pool, all), APR_SUCCESS);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        if (open_exactly(bytes, packed.len, &back) == KC_OK && i < 8)
            ck_abort_msg("another version was opened");
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        apr_pool_destroy(testlib_pool);
    }
    testlib_pool = all;
}
END_TEST

/* A small pack that says it is large, and one that is larger than it says. */
START_TEST(bombs_are_refused)
{
    char *text = apr_palloc(testlib_pool, 200001);
    kc_pack_t contents = {NULL, NULL, NULL, {NULL, 0}}, back;
    unsigned char *bytes;
    kc_bytes_t packed;

    memset(text, 'x', 200000);
    text[200000] = '\0';
    contents.claims = kc_buf_text(text);
    packed = close_all(&contents);
    ck_assert_uint_lt(packed.len, 1000);
    bytes = apr_pmemdup(testlib_pool, packed.data, packed.len);
    bytes[10] = 0xff; /* the length of the plain text */
    ck_assert_int_eq(open_exactly(bytes, packed.len, &back), KC_REFUSED);
    memset(bytes + 10, 0, 4);
    bytes[13] = 10;
    ck_assert_int_eq(open_exactly(bytes, packed.len, &back), KC_REFUSED);
}
END_TEST

Suite *kc_test_pack(void)
{
    Suite *suite = suite_create("pack");
    TCase *tests = tcase_create("pack");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_test(tests, every_combination_comes_back);
    tcase_add_test(tests, nothing_is_packed_into_nothing);
    tcase_add_test(tests, a_token_of_any_vschar_is_kept);
    tcase_add_test(tests, three_tokens_of_keycloak_are_small);
    tcase_add_test(tests, packs_of_before_can_be_opened);
    tcase_add_test(tests, a_pack_beside_other_text_is_smaller);
    tcase_add_test(tests, much_text_beside_a_pack_does_no_harm);
    tcase_add_test(tests, what_is_too_large_is_refused);
    tcase_add_test(tests, every_truncation_and_every_addition_is_refused);
    tcase_add_test(tests, no_changed_bit_leads_outside);
    tcase_add_test(tests, bombs_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Tests of jose.h: threats.md 36 to 48 and 55, as far as form, header, algorithm, keys and
 * signatures go. SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "crypto/jose.h"
#include "crypto/jws.h"
#include "testlib.h"

Suite *kc_test_jose(void);

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define CLAIMS "{\"sub\":\"alice\"}"

static const kc_bytes_t some_signature = {(const unsigned char *)"signature", 9};

/* A header with alg and further members. */
static const char *header_of(const char *alg, const char *more)
{
    return apr_psprintf(testlib_pool, "{\"alg\":\"%s\"%s}", alg, more);
}

static kc_jws_t parse(const char *compact)
{
    kc_jws_t token;
    kc_err_t err = {0};

    ck_assert_msg(kc_jws_parse(compact, strlen(compact), testlib_pool, &token, &err) == KC_OK,
                  "%.60s was refused: %s", compact, err.detail);
    return token;
}

static void assert_refused(const char *compact, kc_reason_t reason)
{
    kc_jws_t token;
    kc_err_t err = {0};

    ck_assert_msg(kc_jws_parse(compact, strlen(compact), testlib_pool, &token, &err) == KC_REFUSED,
                  "%.200s was taken", compact);
    ck_assert_msg(err.reason == reason, "%.200s: %s", compact, err.detail);
}

static const kc_json_t *json(const char *text)
{
    const kc_json_t *value;
    kc_err_t err = {0};

    ck_assert_msg(kc_json_parse(text, strlen(text), testlib_pool, &value, &err) == KC_OK, "%s: %s",
                  text, err.detail);
    return value;
}

static kc_rc_t import(const char *jwk, kc_jose_key_t **key)
{
    kc_err_t err = {0};
    kc_rc_t rc = kc_jose_key_import(json(jwk), testlib_pool, key, &err);

    if (rc != KC_OK) {
        ck_assert_ptr_null(*key);
        ck_assert_int_eq(err.reason, KC_ERR_KEYS);
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
    return rc;
}

static kc_jose_key_t *key_of(testlib_key_t which)
{
    kc_jose_key_t *key;

    ck_assert_int_eq(import(testlib_jwk(which, ""), &key), KC_OK);
    return key;
}

/* The reason why a token does not verify; KC_ERR_NONE when it does. */
static kc_reason_t verified(const char *compact, const kc_jose_key_t *key)
{
    kc_jws_t token = parse(compact);
    kc_err_t err = {0};
    kc_rc_t rc = kc_jose_verify(&token, key, &err);

    ck_assert(rc == KC_OK || rc == KC_REFUSED);
    ck_assert_int_eq(rc == KC_OK, err.reason == KC_ERR_NONE);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return err.reason;
}

/* ---------------------------------------------------------------- form and header */

START_TEST(a_token_is_taken_apart)
{
    const char *compact = testlib_compact(
        "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\",\"x5t\":\"t\",\"other\":[1]}", CLAIMS,
        some_signature);
    kc_jws_t token = parse(compact);

    ck_assert_str_eq(token.alg, "RS256");
    ck_assert_str_eq(token.kid, "k1");
    ck_assert_str_eq(token.typ, "JWT");
    ck_assert_ptr_eq(token.compact, compact);
    ck_assert_uint_eq(token.compact_len, strlen(compact));
    ck_assert_int_eq(memcmp(token.signature.data, "signature", 9), 0);
    ck_assert_uint_eq(token.payload.len, strlen(CLAIMS));
    ck_assert_int_eq(kc_jws_read_claims(&token, testlib_pool, NULL), KC_OK);
    ck_assert_str_eq(kc_json_member_string(token.claims, "sub"), "alice");
    token = parse(testlib_compact("{\"alg\":\"x\"}", "{}", some_signature));
    ck_assert_ptr_null(token.kid);
    ck_assert_ptr_null(token.typ);
}
END_TEST

/* 40: what brings a key along is noted, and nothing of it used. */
START_TEST(keys_in_a_header_are_never_used)
{
    static const char *const members[] = {"jwk", "jku", "x5u", "x5c"};
    const char *jwk = testlib_jwk(TESTLIB_RSA_OTHER, "");
    const char *header = apr_psprintf(testlib_pool, "{\"alg\":\"RS256\",\"jwk\":%s}", jwk);
    kc_jws_t token = parse(testlib_sign(TESTLIB_RSA_OTHER, "RS256", header, "{}"));
    kc_jose_key_t *key;
    size_t i;

    ck_assert_int_eq(import(testlib_jwk(TESTLIB_RSA, ""), &key), KC_OK);
    ck_assert_str_eq(token.brought_key, "jwk");
    ck_assert_int_eq(kc_jose_verify(&token, key, NULL), KC_REFUSED);
    token = parse(testlib_sign(TESTLIB_RSA, "RS256", header, "{}"));
    ck_assert_int_eq(kc_jose_verify(&token, key, NULL), KC_OK);
    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        header = apr_psprintf(testlib_pool, "{\"alg\":\"RS256\",\"%s\":\"https://a.example/\"}",
                              members[i]);
        token = parse(testlib_sign(TESTLIB_RSA, "RS256", header, "{}"));
        ck_assert_str_eq(token.brought_key, members[i]);
        ck_assert_int_eq(kc_jose_verify(&token, key, NULL), KC_OK);
    }
    token = parse(testlib_sign(TESTLIB_RSA, "RS256", "{\"alg\":\"RS256\",\"x5t\":\"t\"}", "{}"));
    ck_assert_ptr_null(token.brought_key);
}
END_TEST

/* null is absent, also of members that would be refused, and of a key's. */
START_TEST(null_members_are_absent)
{
    static const char *const names[] = {"kid", "typ", "cty",  "jwk", "jku", "x5u",
                                        "x5c", "zip", "crit", "enc", "b64"};
    static const char *const of_keys[] = {"d", "k", "oth", "use", "alg", "kid", "key_ops"};
    kc_jose_key_t *key;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)parse(
            testlib_compact(apr_psprintf(testlib_pool, "{\"alg\":\"RS256\",\"%s\":null}", names[i]),
                            CLAIMS, some_signature));
    for (i = 0; i < sizeof(of_keys) / sizeof(of_keys[0]); i++)
        ck_assert_int_eq(import(testlib_jwk(TESTLIB_P256,
                                            apr_psprintf(testlib_pool, ",\"%s\":null", of_keys[i])),
                                &key),
                         KC_OK);
}
END_TEST

/* 44, 45, 55: segments missing, empty, too many (five: encrypted), padded, in another alphabet. */
static const char *const malformed[] = {
    "",
    ".",
    "..",
    "...",
    "....",
    "eyJhbGciOiJ4In0",
    "eyJhbGciOiJ4In0.e30",
    "eyJhbGciOiJ4In0.e30.",
    ".e30.AAAA",
    "eyJhbGciOiJ4In0..AAAA",
    "eyJhbGciOiJ4In0.e30.AAAA.",
    "eyJhbGciOiJ4In0.e30.AAAA.AAAA",
    "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AAAA.AAAA.AAAA.AAAA",
    "eyJhbGciOiJ4In0.e30.AAAA.AAAA.AAAA.AAAA",
    "eyJhbGciOiJ4In0=.e30.AAAA",
    "eyJhbGciOiJ4In0.e30=.AAAA",
    "eyJhbGciOiJ4In0.e30.AA==",
    "eyJhbGciOiJ4In1.e30.AAAA",
    "eyJhbGciOiJ4In0.e31.AAAA",
    "eyJhbGciOiJ4In0.e30.AB",
    "eyJhbGciOiJ4In0.e30.A",
    " eyJhbGciOiJ4In0.e30.AAAA",
    "eyJhbGciOiJ4In0.e30.AAAA\n",
    "eyJhbGciOiJ4In0.e30.AA+/",
    "eyJhbGciOiJ4In0 .e30.AAAA",
};

START_TEST(malformed_tokens_are_refused)
{
    assert_refused(malformed[_i], KC_ERR_TOKEN_FORM);
}
END_TEST

START_TEST(the_pattern_of_the_malformed_is_well_formed)
{
    ck_assert_str_eq(parse("eyJhbGciOiJ4In0.e30.AAAA").alg, "x");
}
END_TEST

START_TEST(a_nul_in_a_token_is_refused)
{
    kc_jws_t token;
    kc_err_t err;

    ck_assert_int_eq(kc_jws_parse("eyJhbGciOiJ4In0.e30.AAAA\0", 25, testlib_pool, &token, &err),
                     KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_TOKEN_FORM);
    ck_assert_int_eq(kc_jws_parse(NULL, 0, testlib_pool, &token, &err), KC_REFUSED);
}
END_TEST

/* 46 */
START_TEST(tokens_have_at_most_128_kib)
{
    kc_bytes_t signature = {apr_pcalloc(testlib_pool, KC_JWS_MAX), 0};
    const char *compact;
    size_t base = strlen("eyJhbGciOiJ4In0.e30.");

    signature.len = (KC_JWS_MAX - base) / 4 * 3;
    compact = testlib_compact("{\"alg\":\"x\"}", "{}", signature);
    ck_assert_uint_eq(strlen(compact), KC_JWS_MAX);
    parse(compact);
    signature.len++;
    assert_refused(testlib_compact("{\"alg\":\"x\"}", "{}", signature), KC_ERR_TOKEN_SIZE);
}
END_TEST

/* 40 to 43, and members of the wrong type. */
static const struct {
    const char *header;
    kc_reason_t reason;
} bad_headers[] = {
    {"{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"crit\":[]}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"b64\":false}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"b64\":true}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"zip\":\"DEF\"}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"dir\",\"enc\":\"A256GCM\"}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"kid\":1}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"kid\":\"a\\u001fb\"}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"kid\":\"a\\nb\"}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"kid\":\"a\\u007fb\"}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"typ\":[\"JWT\"]}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":\"RS256\",\"cty\":1}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":[\"RS256\"]}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":1}", KC_ERR_TOKEN_HEADER},
    {"{\"alg\":null}", KC_ERR_TOKEN_ALG},
    {"{}", KC_ERR_TOKEN_ALG},
    {"{\"typ\":\"JWT\"}", KC_ERR_TOKEN_ALG},
    {"{\"ALG\":\"RS256\"}", KC_ERR_TOKEN_ALG},
    {"{\"alg\":\"RS256\",\"alg\":\"none\"}", KC_ERR_TOKEN_FORM},
    {"{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}", KC_ERR_TOKEN_FORM},
    {"{\"alg\":\"RS256\",\"kid\":\"a\",\"kid\":\"b\"}", KC_ERR_TOKEN_FORM},
    {"{\"alg\":\"RS256\"}x", KC_ERR_TOKEN_FORM},
    {"{\"alg\":\"RS256\\u0000\"}", KC_ERR_TOKEN_FORM},
    {"[\"RS256\"]", KC_ERR_TOKEN_FORM},
    {"RS256", KC_ERR_TOKEN_FORM},
};

START_TEST(headers_that_are_not_allowed)
{
    assert_refused(testlib_compact(bad_headers[_i].header, CLAIMS, some_signature),
                   bad_headers[_i].reason);
}
END_TEST

START_TEST(kid_has_at_most_255_bytes)
{
    char kid[257];

    memset(kid, 'k', sizeof(kid));
    kid[255] = '\0';
    ck_assert_str_eq(parse(testlib_compact(header_of("RS256", apr_psprintf(testlib_pool,
                                                                           ",\"kid\":\"%s\"", kid)),
                                           CLAIMS, some_signature))
                         .kid,
                     kid);
    kid[255] = 'k';
    kid[256] = '\0';
    assert_refused(
        testlib_compact(header_of("RS256", apr_psprintf(testlib_pool, ",\"kid\":\"%s\"", kid)),
                        CLAIMS, some_signature),
        KC_ERR_TOKEN_HEADER);
}
END_TEST

START_TEST(the_header_has_at_most_4_kib)
{
    enum { JSON_MAX = KC_JWS_HEADER_MAX / 4 * 3 };
    char *header = apr_psprintf(testlib_pool, "{\"alg\":\"x\"%*s}", JSON_MAX - 11, "");

    ck_assert_uint_eq(strlen(header), JSON_MAX);
    ck_assert_str_eq(parse(testlib_compact(header, CLAIMS, some_signature)).alg, "x");
    assert_refused(
        testlib_compact(apr_pstrcat(testlib_pool, header, " ", NULL), CLAIMS, some_signature),
        KC_ERR_TOKEN_HEADER);
}
END_TEST

/* 43: the payload is read as strictly as the header. */
static const char *const bad_payloads[] = {
    "[]",
    "\"text\"",
    "null",
    "x",
    "{\"sub\":\"alice\",\"sub\":\"bob\"}",
    "{\"a\":{\"b\":1,\"b\":2}}",
    "{\"sub\":\"\\u0000\"}",
    "{\"sub\":\"\xff\"}",
    "{\"exp\":1e999}",
    "{\"sub\":\"alice\"}{}",
    "eyJhbGciOiJ4In0.e30.AAAA",
    "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
};

START_TEST(payloads_are_read_strictly)
{
    kc_jws_t token =
        parse(testlib_compact("{\"alg\":\"RS256\"}", bad_payloads[_i], some_signature));
    kc_err_t err = {0};

    ck_assert_ptr_null(token.claims);
    ck_assert_int_eq(kc_jws_read_claims(&token, testlib_pool, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_TOKEN_FORM);
    ck_assert_ptr_null(token.claims);
}
END_TEST

START_TEST(errors_quote_nothing_of_the_token)
{
    const char *compact =
        testlib_compact("{\"alg\":\"RS256\"}", "{\"sub\":canary}", some_signature);
    kc_jws_t token = parse(compact);
    kc_err_t err = {0};

    ck_assert_int_eq(kc_jws_read_claims(&token, testlib_pool, &err), KC_REFUSED);
    ck_assert_ptr_null(strstr(err.detail, "canary"));
    ck_assert_ptr_nonnull(strstr(err.detail, "payload"));
}
END_TEST

/* ---------------------------------------------------------------- algorithms and signatures */

static const struct {
    const char *alg;
    testlib_key_t key, other; /* other: of the same kind where there is one */
} signing[] = {
    {"RS256", TESTLIB_RSA, TESTLIB_RSA_OTHER},   {"RS384", TESTLIB_RSA, TESTLIB_RSA_OTHER},
    {"RS512", TESTLIB_RSA, TESTLIB_RSA_OTHER},   {"PS256", TESTLIB_RSA, TESTLIB_RSA_OTHER},
    {"PS384", TESTLIB_RSA, TESTLIB_RSA_OTHER},   {"PS512", TESTLIB_RSA, TESTLIB_RSA_OTHER},
    {"ES256", TESTLIB_P256, TESTLIB_P256_OTHER}, {"ES384", TESTLIB_P384, TESTLIB_P256},
    {"ES512", TESTLIB_P521, TESTLIB_P384},
};

START_TEST(each_algorithm_verifies)
{
    const char *alg = signing[_i].alg;
    const char *compact =
        testlib_sign(signing[_i].key, alg, header_of(alg, ",\"kid\":\"a\""), CLAIMS);

    ck_assert(kc_jose_is_alg_known(alg));
    ck_assert_int_eq(verified(compact, key_of(signing[_i].key)), KC_ERR_NONE);
    ck_assert_int_ne(verified(compact, key_of(signing[_i].other)), KC_ERR_NONE);
}
END_TEST

/* A key is verified with more than once and by what it says, not by what was verified before. */
START_TEST(a_key_is_used_again)
{
    const kc_jose_key_t *key = key_of(TESTLIB_P256);
    const char *good = testlib_sign(TESTLIB_P256, "ES256", header_of("ES256", ""), CLAIMS);
    const char *bad = testlib_sign(TESTLIB_P256_OTHER, "ES256", header_of("ES256", ""), CLAIMS);
    int i;

    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(verified(good, key), KC_ERR_NONE);
        ck_assert_int_eq(verified(bad, key), KC_ERR_TOKEN_SIGNATURE);
    }
}
END_TEST

START_TEST(what_was_signed_cannot_change)
{
    const char *alg = signing[_i].alg, *header = header_of(alg, ",\"kid\":\"a\"");
    const kc_jose_key_t *key = key_of(signing[_i].key);
    kc_jws_t token = parse(testlib_sign(signing[_i].key, alg, header, CLAIMS));
    unsigned char *bytes = (unsigned char *)(uintptr_t)token.signature.data;
    size_t i;

    ck_assert_int_eq(verified(testlib_compact(header, CLAIMS, token.signature), key), KC_ERR_NONE);
    ck_assert_int_eq(verified(testlib_compact(header, "{\"sub\":\"bob\"}", token.signature), key),
                     KC_ERR_TOKEN_SIGNATURE);
    ck_assert_int_eq(
        verified(testlib_compact(header_of(alg, ",\"kid\":\"b\""), CLAIMS, token.signature), key),
        KC_ERR_TOKEN_SIGNATURE);
    for (i = 0; i < token.signature.len; i += 7) {
        bytes[i] ^= 0x10;
        ck_assert_int_eq(verified(testlib_compact(header, CLAIMS, token.signature), key),
                         KC_ERR_TOKEN_SIGNATURE);
        bytes[i] ^= 0x10;
    }
}
END_TEST

START_TEST(signatures_have_their_exact_size)
{
    const char *alg = signing[_i].alg, *header = header_of(alg, "");
    const kc_jose_key_t *key = key_of(signing[_i].key);
    kc_jws_t token = parse(testlib_sign(signing[_i].key, alg, header, CLAIMS));
    unsigned char *longer = apr_pcalloc(testlib_pool, token.signature.len + 1);
    kc_bytes_t changed = {longer, token.signature.len + 1};

    memcpy(longer, token.signature.data, token.signature.len);
    ck_assert_int_eq(verified(testlib_compact(header, CLAIMS, changed), key),
                     KC_ERR_TOKEN_SIGNATURE);
    /* A zero in front changes no number. */
    memmove(longer + 1, longer, token.signature.len);
    longer[0] = 0;
    ck_assert_int_eq(verified(testlib_compact(header, CLAIMS, changed), key),
                     KC_ERR_TOKEN_SIGNATURE);
    changed = token.signature;
    changed.len--;
    ck_assert_int_eq(verified(testlib_compact(header, CLAIMS, changed), key),
                     KC_ERR_TOKEN_SIGNATURE);
    changed.len = 1;
    ck_assert_int_eq(verified(testlib_compact(header, CLAIMS, changed), key),
                     KC_ERR_TOKEN_SIGNATURE);
}
END_TEST

/* 36, 37, 39: names that no key fits, whatever the spelling. */
static const char *const unknown_algs[] = {
    "none", "None", "NONE",   "nOnE",   "",      "HS256",    "HS384",  "HS512", "rs256", "RS256 ",
    "RS1",  "RS25", "RS2566", "ES256K", "EdDSA", "RSA-OAEP", "A128KW", "dir",   "PS1",   "ES521"};

START_TEST(unknown_algorithms_fit_no_key)
{
    const char *alg = unknown_algs[_i];
    int which;

    ck_assert(!kc_jose_is_alg_known(alg));
    for (which = TESTLIB_RSA; which < TESTLIB_KEYS; which++) {
        const kc_jose_key_t *key;

        if (which == TESTLIB_RSA_SMALL)
            continue;
        key = key_of((testlib_key_t)which);
        ck_assert(!kc_jose_key_fits(key, alg));
        ck_assert_int_eq(verified(testlib_compact(header_of(alg, ""), CLAIMS, some_signature), key),
                         KC_ERR_TOKEN_ALG);
    }
}
END_TEST

START_TEST(no_algorithm_at_all)
{
    ck_assert(!kc_jose_is_alg_known(NULL));
    ck_assert(!kc_jose_key_fits(key_of(TESTLIB_RSA), NULL));
}
END_TEST

/* 37: the public key, in every form an attacker has it, as the secret of HS256. */
START_TEST(hs256_with_the_public_key)
{
    const kc_jose_key_t *key = key_of(TESTLIB_RSA);
    BIO *pem = BIO_new(BIO_s_mem());
    kc_bytes_t forms[3];
    char *text = NULL;
    size_t i;

    ck_assert_int_eq(PEM_write_bio_PUBKEY(pem, testlib_key(TESTLIB_RSA)), 1);
    forms[0].len = (size_t)BIO_get_mem_data(pem, &text);
    forms[0].data = (unsigned char *)text;
    forms[1] = testlib_number(TESTLIB_RSA, "n");
    forms[2] = kc_buf_text(testlib_jwk(TESTLIB_RSA, ""));
    for (i = 0; i < 3; i++) {
        const char *header = header_of("HS256", "");

        ck_assert_int_eq(verified(testlib_sign_hmac(forms[i], header, CLAIMS), key),
                         KC_ERR_TOKEN_ALG);
        header = header_of("RS256", "");
        ck_assert_int_eq(verified(testlib_sign_hmac(forms[i], header, CLAIMS), key),
                         KC_ERR_TOKEN_SIGNATURE);
    }
    BIO_free(pem);
}
END_TEST

/* 38: an algorithm of another family, curve, or padding than the key's. */
START_TEST(algorithms_fit_their_keys_alone)
{
    static const testlib_key_t which[] = {TESTLIB_RSA, TESTLIB_P256, TESTLIB_P384, TESTLIB_P521};
    static const char *const fitting[] = {"RS256RS384RS512PS256PS384PS512", "ES256", "ES384",
                                          "ES512"};
    int i, j;

    for (i = 0; i < COUNT_OF(which); i++) {
        const kc_jose_key_t *key = key_of(which[i]);

        for (j = 0; j < COUNT_OF(signing); j++) {
            const char *alg = signing[j].alg;
            int is_fit = strstr(fitting[i], alg) != NULL;

            ck_assert_int_eq(kc_jose_key_fits(key, alg), is_fit);
            if (!is_fit)
                ck_assert_int_eq(
                    verified(testlib_compact(header_of(alg, ""), CLAIMS, some_signature), key),
                    KC_ERR_TOKEN_ALG);
        }
    }
}
END_TEST

START_TEST(signatures_do_not_cross_algorithms)
{
    const kc_jose_key_t *key = key_of(TESTLIB_RSA);

    ck_assert_int_eq(
        verified(testlib_sign(TESTLIB_RSA, "RS256", header_of("PS256", ""), CLAIMS), key),
        KC_ERR_TOKEN_SIGNATURE);
    ck_assert_int_eq(
        verified(testlib_sign(TESTLIB_RSA, "PS256", header_of("RS256", ""), CLAIMS), key),
        KC_ERR_TOKEN_SIGNATURE);
    ck_assert_int_eq(
        verified(testlib_sign(TESTLIB_RSA, "RS256", header_of("RS512", ""), CLAIMS), key),
        KC_ERR_TOKEN_SIGNATURE);
    ck_assert_int_eq(verified(testlib_sign(TESTLIB_P256, "ES384", header_of("ES256", ""), CLAIMS),
                              key_of(TESTLIB_P256)),
                     KC_ERR_TOKEN_SIGNATURE);
}
END_TEST

/* 47: r = s = 0, one of them 0, r or s the curve's order, DER. */
static const char order_p256[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

START_TEST(ecdsa_numbers_out_of_range)
{
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const char one[] = "0000000000000000000000000000000000000000000000000000000000000001";
    static const char most[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    const char *const numbers[] = {zero, one, order_p256, most};
    const kc_jose_key_t *key = key_of(TESTLIB_P256);
    int i, j;

    for (i = 0; i < 4; i++) {
        for (j = 0; j < 4; j++) {
            kc_bytes_t signature =
                testlib_unhex(apr_pstrcat(testlib_pool, numbers[i], numbers[j], NULL));

            ck_assert_int_eq(
                verified(testlib_compact(header_of("ES256", ""), CLAIMS, signature), key),
                KC_ERR_TOKEN_SIGNATURE);
        }
    }
}
END_TEST

START_TEST(ecdsa_in_der_form)
{
    const char *header = header_of("ES256", "");
    kc_jws_t token = parse(testlib_sign(TESTLIB_P256, "ES256", header, CLAIMS));
    unsigned char der[72] = {0x30, 70, 0x02, 33, 0};
    kc_bytes_t signature = {der, 72};

    memcpy(der + 5, token.signature.data, 32);
    der[37] = 0x02;
    der[38] = 33;
    memcpy(der + 40, token.signature.data + 32, 32);
    ck_assert_int_eq(verified(testlib_compact(header, CLAIMS, signature), key_of(TESTLIB_P256)),
                     KC_ERR_TOKEN_SIGNATURE);
}
END_TEST

START_TEST(rsa_numbers_out_of_range)
{
    const kc_jose_key_t *key = key_of(TESTLIB_RSA);
    unsigned char all[256];
    kc_bytes_t signature = {all, sizeof(all)};
    static const unsigned char fills[] = {0x00, 0xff};
    size_t i;

    for (i = 0; i < sizeof(fills); i++) {
        memset(all, fills[i], sizeof(all));
        ck_assert_int_eq(verified(testlib_compact(header_of("RS256", ""), CLAIMS, signature), key),
                         KC_ERR_TOKEN_SIGNATURE);
        ck_assert_int_eq(verified(testlib_compact(header_of("PS256", ""), CLAIMS, signature), key),
                         KC_ERR_TOKEN_SIGNATURE);
    }
    signature = testlib_number(TESTLIB_RSA, "n");
    ck_assert_int_eq(verified(testlib_compact(header_of("RS256", ""), CLAIMS, signature), key),
                     KC_ERR_TOKEN_SIGNATURE);
}
END_TEST

/* ---------------------------------------------------------------- keys */

START_TEST(keys_keep_what_they_say)
{
    kc_jose_key_t *key;
    apr_pool_t *pool;
    const kc_json_t *jwk;
    const char *text = testlib_jwk(
        TESTLIB_RSA, ",\"kid\":\"k1\",\"alg\":\"PS256\",\"use\":\"sig\",\"key_ops\":[\"sign\","
                     "\"verify\"],\"x5c\":[\"MII\"],\"x5t\":\"t\"");

    ck_assert_int_eq(apr_pool_create(&pool, testlib_pool), APR_SUCCESS);
    ck_assert_int_eq(kc_json_parse(text, strlen(text), pool, &jwk, NULL), KC_OK);
    ck_assert_int_eq(kc_jose_key_import(jwk, testlib_pool, &key, NULL), KC_OK);
    apr_pool_destroy(pool); /* the key does not live off the document */
    ck_assert_str_eq(kc_jose_key_kid(key), "k1");
    ck_assert(kc_jose_key_fits(key, "PS256"));
    ck_assert(!kc_jose_key_fits(key, "RS256"));
    ck_assert(!kc_jose_key_fits(key, "PS384"));
    ck_assert_ptr_null(kc_jose_key_kid(key_of(TESTLIB_P256)));
}
END_TEST

/* 65: keys that are not ours are left out. */
/* Keys whose x or y begins with a zero: without it, with it, and with one more, as a signed number
 * has it. Each with a token that it has signed. */
static const struct {
    const char *x, *y, *compact;
} coordinates[] = {
    {"wlHj8uHbZJ_HKAucuWqILMW0h_vRms8kM9gbxIRxpw", "4p0afKiQq5kqf3xvGKFROYDCZ3FyoWcLg3jYnLBOKMg",
     "eyJhbGciOiJFUzI1NiJ9.e30.7NsWUwwZfIInwlRkrgvhy3JAAJyyp8a5dkYHwlTFxSAT8sta7n_BAnBLoktj0HDNPQ7_"
     "H9rRST8P0b_Ni52hoQ"},
    {"AMJR4_Lh22SfxygLnLlqiCzFtIf70ZrPJDPYG8SEcac", "4p0afKiQq5kqf3xvGKFROYDCZ3FyoWcLg3jYnLBOKMg",
     "eyJhbGciOiJFUzI1NiJ9.e30.7NsWUwwZfIInwlRkrgvhy3JAAJyyp8a5dkYHwlTFxSAT8sta7n_BAnBLoktj0HDNPQ7_"
     "H9rRST8P0b_Ni52hoQ"},
    {"AADCUePy4dtkn8coC5y5aogsxbSH-9GazyQz2BvEhHGn", "AOKdGnyokKuZKn98bxihUTmAwmdxcqFnC4N42JywTijI",
     "eyJhbGciOiJFUzI1NiJ9.e30.7NsWUwwZfIInwlRkrgvhy3JAAJyyp8a5dkYHwlTFxSAT8sta7n_BAnBLoktj0HDNPQ7_"
     "H9rRST8P0b_Ni52hoQ"},
    {"DSOoeBUdev1dT1muHDvQsXrcfMbllA9cOvTinyAuz2E", "FGwu1Ka-45NJj4PtKVsRgctu45wL3XL_pAs3KyNkZw",
     "eyJhbGciOiJFUzI1NiJ9.e30.32iVS4Pf1iq7JBk8zBZgUZVg5ZEFeePTcfWR1Ii_"
     "zE3UQMJzN7mXFPhljXSuiiTLtB00PCxmcQI30G6G3YDDIA"},
    {"DSOoeBUdev1dT1muHDvQsXrcfMbllA9cOvTinyAuz2E", "ABRsLtSmvuOTSY-D7SlbEYHLbuOcC91y_6QLNysjZGc",
     "eyJhbGciOiJFUzI1NiJ9.e30.32iVS4Pf1iq7JBk8zBZgUZVg5ZEFeePTcfWR1Ii_"
     "zE3UQMJzN7mXFPhljXSuiiTLtB00PCxmcQI30G6G3YDDIA"},
    {"AA0jqHgVHXr9XU9Zrhw70LF63HzG5ZQPXDr04p8gLs9h", "AAAUbC7Upr7jk0mPg-0pWxGBy27jnAvdcv-kCzcrI2Rn",
     "eyJhbGciOiJFUzI1NiJ9.e30.32iVS4Pf1iq7JBk8zBZgUZVg5ZEFeePTcfWR1Ii_"
     "zE3UQMJzN7mXFPhljXSuiiTLtB00PCxmcQI30G6G3YDDIA"},
};

START_TEST(coordinates_may_lack_leading_zeros)
{
    const char *compact = coordinates[_i].compact;
    kc_jws_t token;
    kc_jose_key_t *key;

    ck_assert_int_eq(import(apr_psprintf(testlib_pool,
                                         "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\","
                                         "\"y\":\"%s\"}",
                                         coordinates[_i].x, coordinates[_i].y),
                            &key),
                     KC_OK);
    ck_assert_int_eq(kc_jws_parse(compact, strlen(compact), testlib_pool, &token, NULL), KC_OK);
    ck_assert_int_eq(kc_jose_verify(&token, key, NULL), KC_OK);
}
END_TEST

static const struct {
    testlib_key_t key;
    const char *more;
} foreign[] = {
    {TESTLIB_RSA, ",\"use\":\"enc\""},
    {TESTLIB_RSA, ",\"use\":\"\""},
    {TESTLIB_P256, ",\"use\":\"SIG\""},
    {TESTLIB_RSA, ",\"key_ops\":[\"sign\"]"},
    {TESTLIB_RSA, ",\"key_ops\":[]"},
    {TESTLIB_RSA, ",\"alg\":\"RSA-OAEP\""},
    {TESTLIB_RSA, ",\"alg\":\"HS256\""},
    {TESTLIB_RSA, ",\"alg\":\"none\""},
    {TESTLIB_P256, ",\"alg\":\"ECDH-ES\""},
    {TESTLIB_RSA, ",\"d\":\"AQAB\""},
    {TESTLIB_RSA, ",\"p\":\"AQAB\""},
    {TESTLIB_RSA, ",\"q\":\"AQAB\""},
    {TESTLIB_RSA, ",\"dp\":\"AQAB\""},
    {TESTLIB_RSA, ",\"dq\":\"AQAB\""},
    {TESTLIB_RSA, ",\"qi\":\"AQAB\""},
    {TESTLIB_RSA, ",\"oth\":[]"},
    {TESTLIB_RSA, ",\"k\":\"AQAB\""},
    {TESTLIB_P256, ",\"d\":\"AQAB\""},
    {TESTLIB_RSA_SMALL, ""}, /* 48 */
};

START_TEST(foreign_keys_are_left_out)
{
    kc_jose_key_t *key;

    ck_assert_int_eq(import(testlib_jwk(foreign[_i].key, foreign[_i].more), &key), KC_MISS);
}
END_TEST

static const char *const foreign_kinds[] = {
    "{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
    "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-192\",\"x\":\"AA\",\"y\":\"AA\"}",
    "{\"kty\":\"rsa\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
    "{\"kty\":\"unheard\"}",
};

START_TEST(foreign_kinds_are_left_out)
{
    kc_jose_key_t *key;

    ck_assert_int_eq(import(foreign_kinds[_i], &key), KC_MISS);
}
END_TEST

static const struct {
    testlib_key_t key;
    const char *more;
} contradictory[] = {
    {TESTLIB_RSA, ",\"use\":1"},
    {TESTLIB_RSA, ",\"kid\":1"},
    {TESTLIB_RSA, ",\"kid\":\"a\\u0001\""},
    {TESTLIB_RSA, ",\"alg\":[]"},
    {TESTLIB_RSA, ",\"key_ops\":\"verify\""},
    {TESTLIB_RSA, ",\"key_ops\":[\"verify\",1]"},
    {TESTLIB_RSA, ",\"alg\":\"ES256\""},
    {TESTLIB_P256, ",\"alg\":\"RS256\""},
    {TESTLIB_P256, ",\"alg\":\"ES384\""},
};

START_TEST(contradictory_keys_are_refused)
{
    kc_jose_key_t *key;

    ck_assert_int_eq(import(testlib_jwk(contradictory[_i].key, contradictory[_i].more), &key),
                     KC_REFUSED);
}
END_TEST

static const char *const broken[] = {
    "{}",
    "{\"kty\":1}",
    "{\"kty\":\"RSA\"}",
    "{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
    "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}",
    "{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\"}",
    "{\"kty\":\"RSA\",\"n\":1,\"e\":\"AQAB\"}",
    "{\"kty\":\"RSA\",\"n\":\"AQAB=\",\"e\":\"AQAB\"}",
    "{\"kty\":\"EC\"}",
    "{\"kty\":\"EC\",\"crv\":1}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"=\",\"y\":\"=\"}",
};

START_TEST(broken_keys_are_refused)
{
    kc_jose_key_t *key;

    ck_assert_int_eq(import(broken[_i], &key), KC_REFUSED);
}
END_TEST

START_TEST(no_key_is_refused)
{
    kc_jose_key_t *key;

    ck_assert_int_eq(kc_jose_key_import(NULL, testlib_pool, &key, NULL), KC_REFUSED);
    ck_assert_int_eq(
        kc_jose_key_import(kc_json_member(json("{\"a\":\"kty\"}"), "a"), testlib_pool, &key, NULL),
        KC_REFUSED);
}
END_TEST

/* An RSA key of n (raw bytes) and e (hex). */
static kc_rc_t import_rsa(kc_bytes_t n, const char *e, kc_jose_key_t **key)
{
    return import(apr_psprintf(testlib_pool, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}",
                               kc_buf_base64url(n, testlib_pool),
                               kc_buf_base64url(testlib_unhex(e), testlib_pool)),
                  key);
}

START_TEST(rsa_exponents)
{
    kc_bytes_t n = testlib_number(TESTLIB_RSA, "n");
    static const char *const good[] = {"03", "11", "010001", "00010001", "ffffffff"};
    static const char *const wrong[] = {
        "", "00", "01", "02", "04", "010000", "0100000000", "0100000001", "01000000000001"};
    kc_jose_key_t *key;
    int i;

    for (i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(import_rsa(n, good[i], &key) == KC_OK, "e = %s", good[i]);
    for (i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_msg(import_rsa(n, wrong[i], &key) == KC_REFUSED, "e = %s", wrong[i]);
}
END_TEST

/* A number of so many bits, odd or even, with zeros in front. */
static kc_bytes_t modulus(size_t bits, int is_odd, size_t zeros)
{
    size_t len = (bits + 7) / 8;
    unsigned char *data = apr_pcalloc(testlib_pool, zeros + len);
    kc_bytes_t n = {data, zeros + len};

    data[zeros] = (unsigned char)(1u << (bits - 1) % 8);
    data[zeros + len - 1] |= (unsigned char)is_odd;
    return n;
}

/* 48: the bits are counted, not the bytes. */
START_TEST(rsa_sizes)
{
    kc_jose_key_t *key;

    ck_assert_int_eq(import_rsa(modulus(2048, 1, 0), "010001", &key), KC_OK);
    ck_assert_int_eq(import_rsa(modulus(2048, 1, 3), "010001", &key), KC_OK);
    ck_assert_int_eq(import_rsa(modulus(2047, 1, 0), "010001", &key), KC_MISS);
    ck_assert_int_eq(import_rsa(modulus(512, 1, 192), "010001", &key), KC_MISS);
    ck_assert_int_eq(import_rsa(modulus(8192, 1, 0), "010001", &key), KC_OK);
    ck_assert_int_eq(import_rsa(modulus(8193, 1, 0), "010001", &key), KC_MISS);
    ck_assert_int_eq(import_rsa(modulus(65536, 1, 0), "010001", &key), KC_MISS);
    ck_assert_int_eq(import_rsa(modulus(2048, 0, 0), "010001", &key), KC_REFUSED);
}
END_TEST

START_TEST(a_modulus_with_zeros_in_front_verifies)
{
    kc_bytes_t n = testlib_number(TESTLIB_RSA, "n");
    unsigned char *data = apr_pcalloc(testlib_pool, n.len + 2);
    kc_bytes_t padded = {data, n.len + 2};
    kc_jose_key_t *key;

    memcpy(data + 2, n.data, n.len);
    ck_assert_int_eq(import_rsa(padded, "010001", &key), KC_OK);
    ck_assert_int_eq(
        verified(testlib_sign(TESTLIB_RSA, "RS256", header_of("RS256", ""), CLAIMS), key),
        KC_ERR_NONE);
    ck_assert_int_eq(
        verified(testlib_sign(TESTLIB_RSA, "PS256", header_of("PS256", ""), CLAIMS), key),
        KC_ERR_NONE);
}
END_TEST

static kc_rc_t import_point(const char *crv, kc_bytes_t x, kc_bytes_t y)
{
    kc_jose_key_t *key;

    return import(
        apr_psprintf(testlib_pool, "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}", crv,
                     kc_buf_base64url(x, testlib_pool), kc_buf_base64url(y, testlib_pool)),
        &key);
}

START_TEST(points_are_on_their_curve)
{
    static const testlib_key_t which[] = {TESTLIB_P256, TESTLIB_P384, TESTLIB_P521};
    static const char *const names[] = {"P-256", "P-384", "P-521"};
    int i;

    for (i = 0; i < 3; i++) {
        kc_bytes_t x = testlib_number(which[i], "x"), y = testlib_number(which[i], "y");
        kc_bytes_t zero = {apr_pcalloc(testlib_pool, x.len), x.len};

        ck_assert_int_eq(import_point(names[i], x, y), KC_OK);
        ck_assert_int_eq(import_point(names[i], y, x), KC_REFUSED);
        ck_assert_int_eq(import_point(names[i], zero, zero), KC_REFUSED);
        ck_assert_int_eq(import_point(names[(i + 1) % 3], x, y), KC_REFUSED);
        ((unsigned char *)(uintptr_t)y.data)[y.len - 1] ^= 1;
        ck_assert_int_eq(import_point(names[i], x, y), KC_REFUSED);
        ((unsigned char *)(uintptr_t)y.data)[y.len - 1] ^= 1;
        x.len--;
        ck_assert_int_eq(import_point(names[i], x, y), KC_REFUSED);
    }
}
END_TEST

/* ---------------------------------------------------------------- signing */

START_TEST(client_secret_jwt)
{
    const char *secret = "a client's secret";
    kc_json_t *claims = kc_json_new_object(testlib_pool);
    kc_jws_t token;
    char *compact;

    kc_json_set_string(claims, "sub", "client");
    ck_assert_int_eq(kc_jose_sign_secret(claims, secret, "HS256", testlib_pool, &compact, NULL),
                     KC_OK);
    token = parse(compact);
    ck_assert_str_eq(token.alg, "HS256");
    ck_assert_str_eq(token.typ, "JWT");
    ck_assert_int_eq(kc_jws_read_claims(&token, testlib_pool, NULL), KC_OK);
    ck_assert_str_eq(kc_json_member_string(token.claims, "sub"), "client");
    ck_assert_str_eq(
        testlib_sign_hmac(kc_buf_text(secret),
                          kc_buf_copy(token.header.data, token.header.len, testlib_pool),
                          "{\"sub\":\"client\"}"),
        compact);
}
END_TEST

START_TEST(an_empty_secret_signs_nothing)
{
    kc_err_t err;
    char *compact;

    ck_assert_int_eq(kc_jose_sign_secret(json("{}"), "", "HS256", testlib_pool, &compact, &err),
                     KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
    ck_assert_ptr_null(compact);
}
END_TEST

static const struct {
    testlib_key_t key;
    const char *more, *alg, *kid;
} client_keys[] = {
    {TESTLIB_RSA, "", "RS256", NULL},
    {TESTLIB_RSA, ",\"kid\":\"mine\",\"alg\":\"PS384\"", "PS384", "mine"},
    {TESTLIB_P256, ",\"kid\":\"mine\"", "ES256", "mine"},
    {TESTLIB_P384, ",\"alg\":\"ES384\"", "ES384", NULL},
    {TESTLIB_P521, "", "ES512", NULL},
};

START_TEST(private_key_jwt)
{
    kc_jws_t token;
    char *compact = NULL;
    kc_err_t err = {0};

    ck_assert_msg(kc_jose_sign_jwk(json("{\"sub\":\"client\"}"),
                                   testlib_private_jwk(client_keys[_i].key, client_keys[_i].more),
                                   testlib_pool, &compact, &err) == KC_OK,
                  "%s", err.detail);
    token = parse(compact);
    ck_assert_str_eq(token.alg, client_keys[_i].alg);
    ck_assert_pstr_eq(token.kid, client_keys[_i].kid);
    ck_assert_int_eq(kc_jws_read_claims(&token, testlib_pool, NULL), KC_OK);
    ck_assert_str_eq(kc_json_member_string(token.claims, "sub"), "client");
    ck_assert_int_eq(verified(compact, key_of(client_keys[_i].key)), KC_ERR_NONE);
}
END_TEST

START_TEST(unfit_client_keys_sign_nothing)
{
    const char *const unfit[] = {
        "",
        "canary",
        "{}",
        "{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"d\":\"AA\"}",
        "{\"kty\":\"RSA\",\"d\":\"AA\"}",
        "{\"kty\":\"EC\",\"d\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AA\"}",
        testlib_jwk(TESTLIB_RSA, ""),
        testlib_jwk(TESTLIB_P256, ""),
        testlib_private_jwk(TESTLIB_RSA, ",\"alg\":\"ES256\""),
        testlib_private_jwk(TESTLIB_RSA, ",\"alg\":\"none\""),
        testlib_private_jwk(TESTLIB_P256, ",\"alg\":\"ES384\""),
        testlib_private_jwk(TESTLIB_RSA_SMALL, ""),
    };
    int i;

    for (i = 0; i < COUNT_OF(unfit); i++) {
        kc_err_t err = {0};
        char *compact;

        ck_assert_msg(kc_jose_sign_jwk(json("{}"), unfit[i], testlib_pool, &compact, &err) ==
                          KC_FAULT,
                      "%.60s signed", unfit[i]);
        ck_assert_ptr_null(compact);
        ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
        ck_assert_ptr_null(strstr(err.detail, "canary"));
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
}
END_TEST

static void make_keys(void)
{
    int which;

    for (which = 0; which < TESTLIB_KEYS; which++)
        (void)testlib_key((testlib_key_t)which);
}

static TCase *new_tests(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_unchecked_fixture(tests, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_form(TCase *tests)
{
    tcase_add_test(tests, a_token_is_taken_apart);
    tcase_add_test(tests, null_members_are_absent);
    tcase_add_loop_test(tests, malformed_tokens_are_refused, 0, COUNT_OF(malformed));
    tcase_add_test(tests, the_pattern_of_the_malformed_is_well_formed);
    tcase_add_test(tests, a_nul_in_a_token_is_refused);
    tcase_add_test(tests, tokens_have_at_most_128_kib);
    tcase_add_loop_test(tests, headers_that_are_not_allowed, 0, COUNT_OF(bad_headers));
    tcase_add_test(tests, kid_has_at_most_255_bytes);
    tcase_add_test(tests, the_header_has_at_most_4_kib);
    tcase_add_loop_test(tests, payloads_are_read_strictly, 0, COUNT_OF(bad_payloads));
    tcase_add_test(tests, errors_quote_nothing_of_the_token);
}

static void add_signatures(TCase *tests)
{
    tcase_add_loop_test(tests, each_algorithm_verifies, 0, COUNT_OF(signing));
    tcase_add_test(tests, a_key_is_used_again);
    tcase_add_loop_test(tests, what_was_signed_cannot_change, 0, COUNT_OF(signing));
    tcase_add_loop_test(tests, signatures_have_their_exact_size, 0, COUNT_OF(signing));
    tcase_add_loop_test(tests, unknown_algorithms_fit_no_key, 0, COUNT_OF(unknown_algs));
    tcase_add_test(tests, no_algorithm_at_all);
    tcase_add_test(tests, hs256_with_the_public_key);
    tcase_add_test(tests, algorithms_fit_their_keys_alone);
    tcase_add_test(tests, signatures_do_not_cross_algorithms);
    tcase_add_test(tests, ecdsa_numbers_out_of_range);
    tcase_add_test(tests, ecdsa_in_der_form);
    tcase_add_test(tests, rsa_numbers_out_of_range);
}

static void add_keys(TCase *tests)
{
    tcase_add_test(tests, keys_keep_what_they_say);
    tcase_add_loop_test(tests, coordinates_may_lack_leading_zeros, 0,
                        sizeof(coordinates) / sizeof(coordinates[0]));
    tcase_add_test(tests, keys_in_a_header_are_never_used);
    tcase_add_loop_test(tests, foreign_keys_are_left_out, 0, COUNT_OF(foreign));
    tcase_add_loop_test(tests, foreign_kinds_are_left_out, 0, COUNT_OF(foreign_kinds));
    tcase_add_loop_test(tests, contradictory_keys_are_refused, 0, COUNT_OF(contradictory));
    tcase_add_loop_test(tests, broken_keys_are_refused, 0, COUNT_OF(broken));
    tcase_add_test(tests, no_key_is_refused);
    tcase_add_test(tests, rsa_exponents);
    tcase_add_test(tests, rsa_sizes);
    tcase_add_test(tests, a_modulus_with_zeros_in_front_verifies);
    tcase_add_test(tests, points_are_on_their_curve);
}

Suite *kc_test_jose(void)
{
    Suite *suite = suite_create("jose");
    TCase *tests;

    add_form(new_tests(suite, "form"));
    add_signatures(new_tests(suite, "signatures"));
    add_keys(new_tests(suite, "keys"));
    tests = new_tests(suite, "signing");
    tcase_add_test(tests, client_secret_jwt);
    tcase_add_test(tests, an_empty_secret_signs_nothing);
    tcase_add_loop_test(tests, private_key_jwt, 0, COUNT_OF(client_keys));
    tcase_add_test(tests, unfit_client_keys_sign_nothing);
    return suite;
}

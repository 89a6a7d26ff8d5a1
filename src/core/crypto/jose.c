/* JOSE: keys, and signatures made and verified by cjose. The only user of cjose.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jose.h"

#include <apr_strings.h>
#include <cjose/header.h>
#include <cjose/jwk.h>
#include <cjose/jws.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/jwk.h"
#include "crypto/jws.h"

/* The algorithms that are verified. Symmetric ones and "none" are missing, so no key ever fits
 * them. */
typedef struct alg_t {
    const char *name;
    const char *curve; /* NULL: RSA */
} alg_t;

static const alg_t algs[] = {
    {"RS256", NULL}, {"RS384", NULL},    {"RS512", NULL},    {"PS256", NULL},    {"PS384", NULL},
    {"PS512", NULL}, {"ES256", "P-256"}, {"ES384", "P-384"}, {"ES512", "P-521"},
};

typedef struct curve_t {
    const char *name;
    const char *alg;
    size_t size; /* bytes of a coordinate, and of r and s each */
} curve_t;

static const curve_t curves[] = {
    {"P-256", "ES256", 32}, {"P-384", "ES384", 48}, {"P-521", "ES512", 66}};

struct kc_jose_key_t {
    cjose_jwk_t *jwk;      /* made of public members that were checked here */
    const curve_t *curve;  /* NULL: RSA */
    const char *kid;       /* NULL when absent */
    const char *alg;       /* the only algorithm it is for; NULL when it does not tell */
    size_t signature_size; /* bytes */
    int is_for_signing;    /* its use says so */
    unsigned char digest[KC_CRYPTO_SHA256_SIZE]; /* of its numbers: distinguishes keys */
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const alg_t *alg_of(const char *name)
{
    size_t i;

    for (i = 0; name && i < COUNT_OF(algs); i++) {
        if (strcmp(name, algs[i].name) == 0)
            return &algs[i];
    }
    return NULL;
}

static const curve_t *curve_of(const char *name)
{
    size_t i;

    for (i = 0; i < COUNT_OF(curves); i++) {
        if (strcmp(name, curves[i].name) == 0)
            return &curves[i];
    }
    return NULL;
}

int kc_jose_is_alg_known(const char *alg)
{
    return alg_of(alg) != NULL;
}

/* ---------------------------------------------------------------- keys */

static kc_rc_t malformed(const char *what, kc_err_t *err)
{
    return KC_FAIL(err, KC_REFUSED, KC_ERR_KEYS, "a key of the provider: %s", what);
}

static kc_rc_t not_ours(const char *why, kc_err_t *err)
{
    return KC_FAIL(err, KC_MISS, KC_ERR_KEYS, "a key of the provider is left out: %s", why);
}

static int has_private_member(const kc_json_t *jwk)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    size_t i;

    for (i = 0; i < COUNT_OF(names); i++) {
        if (kc_json_member(jwk, names[i]))
            return 1;
    }
    return 0;
}

/* RFC 7517 section 4.3: absent, or a list that has "verify". */
static kc_rc_t check_key_ops(const kc_json_t *jwk, kc_err_t *err)
{
    const kc_json_t *ops = kc_json_member(jwk, "key_ops");
    int is_for_verifying = !ops;
    size_t i;

    if (ops && kc_json_type(ops) != KC_JSON_ARRAY)
        return malformed("key_ops is not a list", err);
    for (i = 0; ops && i < kc_json_size(ops); i++) {
        const char *op = kc_json_string(kc_json_at(ops, i));

        if (!op)
            return malformed("key_ops holds something that is not a string", err);
        if (strcmp(op, "verify") == 0)
            is_for_verifying = 1;
    }
    return is_for_verifying ? KC_OK : not_ours("its key_ops lack verify", err);
}

/* Checks that do not depend on the numbers of a key; reads its kid and alg. */
static kc_rc_t check_purpose(const kc_json_t *jwk, kc_jose_key_t *key, kc_err_t *err)
{
    const char *kty = kc_json_member_string(jwk, "kty");
    const char *use;

    if (kc_json_type(jwk) != KC_JSON_OBJECT || !kty)
        return malformed("it has no kty", err);
    if (!kc_jws_is_text_or_absent(jwk, "use", &use) ||
        !kc_jws_is_text_or_absent(jwk, "alg", &key->alg) ||
        !kc_jws_is_text_or_absent(jwk, "kid", &key->kid))
        return malformed("use, alg or kid is not a string", err);
    if (key->kid && !kc_jws_is_kid(key->kid))
        return malformed("its kid is too long or has control characters", err);
    if (strcmp(kty, "RSA") != 0 && strcmp(kty, "EC") != 0)
        return not_ours("its kty is neither RSA nor EC", err);
    key->is_for_signing = use != NULL;
    if (use && strcmp(use, "sig") != 0)
        return not_ours("its use is not sig", err);
    if (has_private_member(jwk))
        return not_ours("it has private members", err);
    if (key->alg && !alg_of(key->alg))
        return not_ours("its alg is not one for signatures that we verify", err);
    return check_key_ops(jwk, err);
}

static kc_rc_t read_rsa(const kc_json_t *jwk, kc_json_t *clean, kc_jose_key_t *key,
                        apr_pool_t *pool, kc_err_t *err)
{
    kc_bytes_t n, e;
    size_t bits;

    if (kc_jwk_read_number(jwk, "n", pool, &n) != KC_OK ||
        kc_jwk_read_number(jwk, "e", pool, &e) != KC_OK)
        return malformed("n or e is not a number in base64url", err);
    bits = kc_jwk_bits(n);
    if (bits < KC_JOSE_RSA_MIN || KC_JOSE_RSA_MAX < bits)
        return KC_FAIL(err, KC_MISS, KC_ERR_KEYS,
                       "a key of the provider is left out: RSA of %" APR_SIZE_T_FMT " bits", bits);
    if (!kc_jwk_is_odd(n) || !kc_jwk_is_exponent(e))
        return malformed("n or e is no RSA modulus or exponent", err);
    kc_json_set_string(clean, "kty", "RSA");
    kc_json_set_string(clean, "n", kc_buf_base64url(n, pool));
    kc_json_set_string(clean, "e", kc_buf_base64url(e, pool));
    key->signature_size = n.len;
    return KC_OK;
}

/* OpenSSL checks that the point is on the curve when cjose sets its coordinates. */
static kc_rc_t read_ec(const kc_json_t *jwk, kc_json_t *clean, kc_jose_key_t *key, apr_pool_t *pool,
                       kc_err_t *err)
{
    const char *name = kc_json_member_string(jwk, "crv");
    const char *x, *y;

    if (!name)
        return malformed("it has no crv", err);
    key->curve = curve_of(name);
    if (!key->curve)
        return not_ours("its curve is none of P-256, P-384, P-521", err);
    x = kc_jwk_read_coordinate(jwk, "x", key->curve->size, pool);
    y = kc_jwk_read_coordinate(jwk, "y", key->curve->size, pool);
    if (!x || !y)
        return malformed("x or y is not a coordinate of its curve", err);
    kc_json_set_string(clean, "kty", "EC");
    kc_json_set_string(clean, "crv", name);
    kc_json_set_string(clean, "x", x);
    kc_json_set_string(clean, "y", y);
    key->signature_size = 2 * key->curve->size;
    return KC_OK;
}

static apr_status_t jwk_cleanup(void *data)
{
    (void)cjose_jwk_release(data);
    return APR_SUCCESS;
}

/* cjose parses a text made here, which has only the numbers checked above. */
static kc_rc_t load(const kc_json_t *clean, kc_jose_key_t *key, apr_pool_t *scratch,
                    apr_pool_t *pool, kc_err_t *err)
{
    const char *text = kc_json_dump(clean, scratch);

    if (kc_crypto_sha256(kc_buf_text(text), key->digest, err) != KC_OK)
        return KC_FAULT;
    key->jwk = cjose_jwk_import(text, strlen(text), NULL);
    if (!key->jwk) {
        kc_crypto_forget_errors();
        return malformed(key->curve ? "its point is not on its curve" : "RSA numbers", err);
    }
    apr_pool_cleanup_register(pool, key->jwk, jwk_cleanup, apr_pool_cleanup_null);
    return KC_OK;
}

static kc_rc_t import(const kc_json_t *jwk, kc_jose_key_t *key, apr_pool_t *scratch,
                      apr_pool_t *pool, kc_err_t *err)
{
    kc_json_t *clean = kc_json_new_object(scratch);
    kc_rc_t rc = check_purpose(jwk, key, err);

    if (rc != KC_OK)
        return rc;
    if (strcmp(kc_json_member_string(jwk, "kty"), "RSA") == 0)
        rc = read_rsa(jwk, clean, key, scratch, err);
    else
        rc = read_ec(jwk, clean, key, scratch, err);
    if (rc != KC_OK)
        return rc;
    key->kid = key->kid ? apr_pstrdup(pool, key->kid) : NULL;
    key->alg = key->alg ? apr_pstrdup(pool, key->alg) : NULL;
    if (key->alg && !kc_jose_key_fits(key, key->alg))
        return malformed("its alg is for keys of another kind", err);
    return load(clean, key, scratch, pool, err);
}

kc_rc_t kc_jose_key_import(const kc_json_t *jwk, apr_pool_t *pool, kc_jose_key_t **out,
                           kc_err_t *err)
{
    kc_jose_key_t *key = apr_pcalloc(pool, sizeof(*key));
    apr_pool_t *scratch;
    kc_rc_t rc;

    *out = NULL;
    if (apr_pool_create(&scratch, pool) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no memory for a key");
    rc = import(jwk, key, scratch, pool, err);
    apr_pool_destroy(scratch);
    if (rc == KC_OK)
        *out = key;
    return rc;
}

const char *kc_jose_key_kid(const kc_jose_key_t *key)
{
    return key->kid;
}

int kc_jose_key_is_for_signing(const kc_jose_key_t *key)
{
    return key->is_for_signing;
}

int kc_jose_key_is_same(const kc_jose_key_t *a, const kc_jose_key_t *b)
{
    return memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

int kc_jose_key_fits(const kc_jose_key_t *key, const char *alg)
{
    const alg_t *known = alg_of(alg);

    if (!known || (key->alg && strcmp(key->alg, alg) != 0))
        return 0;
    if (!key->curve || !known->curve)
        return !key->curve && !known->curve;
    return strcmp(key->curve->name, known->curve) == 0;
}

/* ---------------------------------------------------------------- verifying */

static int is_zero(const unsigned char *data, size_t len)
{
    unsigned char all = 0;

    while (len--)
        all |= *data++;
    return !all;
}

/* A signature must have the exact size of its algorithm, which excludes DER and cut ones. r and s
 * of ECDSA must not be zero. */
static int is_signature_fit(const kc_jose_key_t *key, kc_bytes_t signature)
{
    size_t half = signature.len / 2;

    if (signature.len != key->signature_size)
        return 0;
    return !key->curve || (!is_zero(signature.data, half) && !is_zero(signature.data + half, half));
}

kc_rc_t kc_jose_verify(const kc_jws_t *token, const kc_jose_key_t *key, kc_err_t *err)
{
    cjose_jws_t *jws;
    int is_genuine;

    if (!kc_jose_key_fits(key, token->alg))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ALG, "no key for the token's alg %.32s",
                       token->alg);
    if (!is_signature_fit(key, token->signature))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SIGNATURE,
                       "the token's signature has not the form of %.32s", token->alg);
    jws = cjose_jws_import(token->compact, token->compact_len, NULL);
    is_genuine = jws && cjose_jws_verify(jws, key->jwk, NULL);
    cjose_jws_release(jws);
    if (is_genuine)
        return KC_OK;
    kc_crypto_forget_errors();
    return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SIGNATURE, "the token's signature is wrong");
}

/* ---------------------------------------------------------------- signing */

static cjose_header_t *new_header(const char *alg, const char *kid)
{
    cjose_header_t *header = cjose_header_new(NULL);

    if (header && cjose_header_set(header, CJOSE_HDR_ALG, alg, NULL) &&
        cjose_header_set(header, "typ", "JWT", NULL) &&
        (!kid || cjose_header_set(header, CJOSE_HDR_KID, kid, NULL)))
        return header;
    if (header)
        cjose_header_release(header);
    return NULL;
}

static kc_rc_t sign(const kc_json_t *claims, const cjose_jwk_t *jwk, cjose_header_t *header,
                    apr_pool_t *pool, char **compact, kc_err_t *err)
{
    const char *payload = kc_json_dump(claims, pool);
    const char *text = NULL;
    cjose_jws_t *jws = cjose_jws_sign(jwk, header, (const uint8_t *)payload, strlen(payload), NULL);

    if (jws && cjose_jws_export(jws, &text, NULL) && text)
        *compact = apr_pstrdup(pool, text);
    cjose_jws_release(jws);
    if (*compact)
        return KC_OK;
    kc_crypto_forget_errors();
    return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "signing a client assertion failed");
}

/* Takes ownership of jwk, which may be NULL. */
static kc_rc_t sign_and_release(const kc_json_t *claims, cjose_jwk_t *jwk, const char *alg,
                                const char *kid, apr_pool_t *pool, char **compact, kc_err_t *err)
{
    cjose_header_t *header = new_header(alg, kid);
    kc_rc_t rc;

    if (jwk && header)
        rc = sign(claims, jwk, header, pool, compact, err);
    else
        rc = KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "the client's key or secret cannot be used");
    if (header)
        cjose_header_release(header);
    if (jwk)
        (void)cjose_jwk_release(jwk);
    kc_crypto_forget_errors();
    return rc;
}

kc_rc_t kc_jose_sign_secret(const kc_json_t *claims, const char *secret, const char *alg,
                            apr_pool_t *pool, char **compact, kc_err_t *err)
{
    cjose_jwk_t *jwk = NULL;

    *compact = NULL;
    if (*secret)
        jwk = cjose_jwk_create_oct_spec((const uint8_t *)secret, strlen(secret), NULL);
    return sign_and_release(claims, jwk, alg, NULL, pool, compact, err);
}

/* The algorithm that a private key signs with: its own, else the usual one of its type. NULL when
 * signing with it is not supported. */
static const char *signing_alg(const kc_json_t *jwk)
{
    const char *kty = kc_json_member_string(jwk, "kty");
    const char *crv = kc_json_member_string(jwk, "crv");
    const char *own = kc_json_member_string(jwk, "alg");
    const curve_t *curve;

    if (!kty || !kc_json_member_string(jwk, "d"))
        return NULL;
    if (strcmp(kty, "RSA") == 0)
        return !own ? "RS256" : alg_of(own) && !alg_of(own)->curve ? own : NULL;
    curve = strcmp(kty, "EC") == 0 && crv ? curve_of(crv) : NULL;
    return curve && (!own || strcmp(own, curve->alg) == 0) ? curve->alg : NULL;
}

kc_rc_t kc_jose_sign_jwk(const kc_json_t *claims, const char *private_jwk, apr_pool_t *pool,
                         char **compact, kc_err_t *err)
{
    const kc_json_t *jwk;
    cjose_jwk_t *key;
    const char *alg;

    *compact = NULL;
    if (kc_json_parse(private_jwk, strlen(private_jwk), pool, &jwk, err) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "the client's private JWK is not valid JSON");
    alg = signing_alg(jwk);
    if (!alg)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG,
                       "the client's private JWK is no private RSA or EC key for signatures");
    key = cjose_jwk_import(private_jwk, strlen(private_jwk), NULL);
    if (key && cjose_jwk_get_kty(key, NULL) == CJOSE_JWK_KTY_RSA &&
        cjose_jwk_get_keysize(key, NULL) < KC_JOSE_RSA_MIN) {
        (void)cjose_jwk_release(key);
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "the client's RSA key is under %d bits",
                       KC_JOSE_RSA_MIN);
    }
    return sign_and_release(claims, key, alg, kc_json_member_string(jwk, "kid"), pool, compact,
                            err);
}

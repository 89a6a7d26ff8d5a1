/* The checks of an ID token, one after the other.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/id_token.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "crypto/crypto.h"
#include "crypto/jws.h"
#include "provider/claims.h"
#include "provider/token_type.h"

typedef kc_rc_t (*check_t)(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                           kc_err_t *err);

/* A provider signs all its tokens with the same keys for the same issuer. Only the types
 * distinguish ID tokens from refresh, logout and access tokens. */
static kc_rc_t check_type(const kc_jws_t *token, const kc_id_token_expect_t *expect, kc_err_t *err)
{
    const kc_json_t *typ = kc_json_member(token->claims, "typ");
    const char *text = kc_json_string(typ);

    if (!kc_token_type_is_id(token, expect->issuer))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE,
                       "header typ %.60s and typ %.60s are no ID token's",
                       token->typ ? token->typ : "(none)",
                       text  ? text
                       : typ ? "that is no string"
                             : "(none)");
    if (kc_json_member(token->claims, "events"))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE, "it has events: a logout token");
    return KC_OK;
}

static kc_rc_t check_issuer(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                            kc_err_t *err)
{
    const char *issuer = kc_json_member_string(token->claims, "iss");

    if (!issuer)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ISSUER, "iss is absent or no string");
    if (strcmp(issuer, expect->issuer) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ISSUER, "iss is %.100s, not %.100s", issuer,
                       expect->issuer);
    return KC_OK;
}

/* 1 when aud is client_id, or an array of strings that has client_id. *is_alone: it has no other
 * value. */
static int is_for_client(const kc_json_t *audience, const char *client_id, int *is_alone)
{
    const char *text = kc_json_string(audience);
    size_t i;
    int is_found = 0;

    *is_alone = 1;
    if (text)
        return !strcmp(text, client_id);
    if (kc_json_type(audience) != KC_JSON_ARRAY)
        return 0;
    for (i = 0; i < kc_json_size(audience); i++) {
        text = kc_json_string(kc_json_at(audience, i));
        if (!text)
            return 0;
        *is_alone &= !strcmp(text, client_id);
        is_found |= !strcmp(text, client_id);
    }
    return is_found;
}

/* azp matters when the token is for others too, because these may not be trusted. OpenID Connect
 * Core 1.0 with errata set 2, section 3.1.3.7, items 3 and 4. */
static kc_rc_t check_audience(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                              kc_err_t *err)
{
    const kc_json_t *audience = kc_json_member(token->claims, "aud");
    const kc_json_t *party = kc_json_member(token->claims, "azp");
    const char *text = kc_json_string(party);
    int is_alone;

    if (!audience || !is_for_client(audience, expect->client_id, &is_alone))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_AUDIENCE, "aud does not hold %.100s",
                       expect->client_id);
    if (party && (!text || (!is_alone && strcmp(text, expect->client_id) != 0)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_AUDIENCE, "azp is %.100s, not %.100s",
                       text ? text : "no string", expect->client_id);
    return KC_OK;
}

static kc_rc_t read_time(const kc_json_t *claims, const char *name, int64_t *out, kc_err_t *err)
{
    const kc_json_t *value = kc_json_member(claims, name);

    if (!value)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "%s is absent", name);
    if (!kc_json_seconds(value, out))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "%s is no time in seconds", name);
    return KC_OK;
}

static kc_rc_t check_begin(const char *name, int64_t begin, const kc_id_token_expect_t *expect,
                           kc_err_t *err)
{
    if (begin > expect->now + expect->skew)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "%s is %lld s in the future", name,
                       (long long)(begin - expect->now));
    return KC_OK;
}

static kc_rc_t check_time(const kc_jws_t *token, const kc_id_token_expect_t *expect, kc_err_t *err)
{
    int64_t end = 0;
    int64_t begin = 0;

    if (read_time(token->claims, "exp", &end, err) != KC_OK ||
        read_time(token->claims, "iat", &begin, err) != KC_OK)
        return KC_REFUSED;
    if (end <= expect->now - expect->skew)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "exp is %lld s in the past",
                       (long long)(expect->now - end));
    if (end <= begin)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "exp is not after iat");
    return check_begin("iat", begin, expect, err);
}

static kc_rc_t check_not_before(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                                kc_err_t *err)
{
    int64_t begin = 0;

    if (!kc_json_member(token->claims, "nbf"))
        return KC_OK;
    if (read_time(token->claims, "nbf", &begin, err) != KC_OK)
        return KC_REFUSED;
    return check_begin("nbf", begin, expect, err);
}

static kc_rc_t check_subject(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                             kc_err_t *err)
{
    (void)expect;
    if (!kc_claims_is_id_text(kc_json_member_string(token->claims, "sub")))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SUBJECT,
                       "sub is absent, empty, no string, over %d bytes or has control characters",
                       KC_CLAIMS_TEXT_MAX);
    return KC_OK;
}

static kc_rc_t check_nonce(const kc_jws_t *token, const kc_id_token_expect_t *expect, kc_err_t *err)
{
    const char *nonce = kc_json_member_string(token->claims, "nonce");

    if (expect->is_renewed && (!kc_json_member(token->claims, "nonce") || !expect->nonce))
        return KC_OK;
    if (!nonce || !expect->nonce ||
        !kc_crypto_is_equal(nonce, strlen(nonce), expect->nonce, strlen(expect->nonce)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_NONCE, "nonce is %s",
                       nonce ? "another" : "absent or no string");
    return KC_OK;
}

/* The size in bits at the end of an algorithm's name; 0 for a name of another form. */
static int hash_bits(const char *alg)
{
    if (strlen(alg) != 5)
        return 0;
    if (!strcmp(alg + 2, "256"))
        return 256;
    if (!strcmp(alg + 2, "384"))
        return 384;
    return strcmp(alg + 2, "512") ? 0 : 512;
}

/* The left half of the access token's hash, in base64url (OpenID Connect Core 1.0 section
 * 3.1.3.6). */
static kc_rc_t half_hash(const char *alg, const char *access_token, char *out, kc_err_t *err)
{
    unsigned char hash[KC_CRYPTO_SHA_MAX];
    size_t len = 0;
    int bits = hash_bits(alg);
    kc_rc_t rc;

    if (!bits)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ALG, "%.20s names no hash for at_hash", alg);
    rc = kc_crypto_sha2(bits, kc_buf_text(access_token), hash, &len, err);
    if (rc == KC_OK)
        kc_buf_base64url_to(hash, len / 2, out);
    return rc;
}

static kc_rc_t check_access_hash(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                                 kc_err_t *err)
{
    const kc_json_t *member = kc_json_member(token->claims, "at_hash");
    const char *text = kc_json_string(member);
    char hash[(KC_CRYPTO_SHA_MAX / 2 * 4 + 2) / 3 + 1];
    kc_rc_t rc;

    if (!member || (text && !expect->access_token))
        return KC_OK;
    if (!text)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM, "at_hash is no string");
    rc = half_hash(token->alg, expect->access_token, hash, err);
    if (rc == KC_OK && !kc_crypto_is_equal(text, strlen(text), hash, strlen(hash)))
        rc = KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM,
                     "at_hash does not belong to the access token");
    return rc;
}

static kc_rc_t check_session(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                             kc_err_t *err)
{
    const kc_json_t *sid = kc_json_member(token->claims, "sid");
    int64_t auth_time;

    (void)expect;
    if (sid && !kc_claims_is_id_text(kc_json_string(sid)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM,
                       "sid is empty, no string, over %d bytes or has control characters",
                       KC_CLAIMS_TEXT_MAX);
    if (kc_json_member(token->claims, "auth_time") &&
        read_time(token->claims, "auth_time", &auth_time, NULL) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM, "auth_time is no time in seconds");
    return KC_OK;
}

static kc_rc_t check_all(const check_t *checks, size_t count, const kc_jws_t *token,
                         const kc_id_token_expect_t *expect, kc_err_t *err)
{
    size_t i;

    for (i = 0; i < count; i++) {
        kc_rc_t rc = checks[i](token, expect, err);

        if (rc != KC_OK)
            return rc;
    }
    return KC_OK;
}

/* The order here and below gives the most helpful reason first. So a foreign token is not reported
 * as an old one. */
static const check_t origin_checks[] = {
    check_issuer,
    check_audience,
    check_time,
    check_not_before,
};

kc_rc_t kc_id_token_verify_origin(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                                  kc_err_t *err)
{
    return check_all(origin_checks, sizeof(origin_checks) / sizeof(origin_checks[0]), token, expect,
                     err);
}

static const check_t bearer_checks[] = {
    check_issuer, check_time, check_not_before, check_subject, check_session,
};

kc_rc_t kc_id_token_verify_bearer(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                                  kc_err_t *err)
{
    return check_all(bearer_checks, sizeof(bearer_checks) / sizeof(bearer_checks[0]), token, expect,
                     err);
}

static const check_t checks[] = {
    check_type,  kc_id_token_verify_origin, check_subject,
    check_nonce, check_access_hash,         check_session,
};

kc_rc_t kc_id_token_verify(const kc_jws_t *token, const kc_id_token_expect_t *expect, kc_err_t *err)
{
    return check_all(checks, sizeof(checks) / sizeof(checks[0]), token, expect, err);
}

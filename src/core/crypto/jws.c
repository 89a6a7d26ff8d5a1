/* A strict parser of signed tokens in compact form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jws.h"

#include <apr_strings.h>
#include <string.h>

#include "base/buf.h"

enum {
    KID_MAX = 255 /* bytes; real ones have about 43 */
};

int kc_jws_is_kid(const char *kid)
{
    const unsigned char *letter = (const unsigned char *)kid;

    for (; *letter; letter++) {
        if (*letter < 0x20 || *letter == 0x7f)
            return 0;
    }
    return letter - (const unsigned char *)kid <= KID_MAX;
}

/* 1 when the member is absent or a string: *out is its text, or NULL. */
int kc_jws_is_text_or_absent(const kc_json_t *object, const char *name, const char **out)
{
    const kc_json_t *value = kc_json_member(object, name);

    *out = kc_json_string(value);
    return !value || *out;
}

static kc_rc_t read_segment(const char *start, const char *end, apr_pool_t *pool, kc_bytes_t *out,
                            kc_err_t *err)
{
    if (kc_buf_unbase64url(start, (size_t)(end - start), pool, out) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_FORM, "a segment is not base64url");
    return KC_OK;
}

/* Exactly three segments, none of them empty. */
static kc_rc_t split(kc_jws_t *token, apr_pool_t *pool, kc_err_t *err)
{
    const char *start = token->compact, *end = start + token->compact_len;
    const char *first = memchr(start, '.', token->compact_len);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    kc_rc_t rc;

    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_FORM, "the token has not three segments");
    if (first == start || second == first + 1 || end == second + 1)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_FORM, "a segment of the token is empty");
    if (first - start > KC_JWS_HEADER_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_HEADER, "the token's header is over %d bytes",
                       KC_JWS_HEADER_MAX);
    rc = read_segment(start, first, pool, &token->header, err);
    if (rc == KC_OK)
        rc = read_segment(first + 1, second, pool, &token->payload, err);
    if (rc == KC_OK)
        rc = read_segment(second + 1, end, pool, &token->signature, err);
    return rc;
}

static kc_rc_t read_object(const char *what, kc_bytes_t text, apr_pool_t *pool,
                           const kc_json_t **out, kc_err_t *err)
{
    kc_err_t json = {0};

    if (kc_json_parse((const char *)text.data, text.len, pool, out, &json) == KC_OK)
        return KC_OK;
    return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_FORM, "the token's %s: %s", what, json.detail);
}

/* Members that would change what is verified, or that this module does not implement. */
static const char *const forbidden[] = {"crit", "b64", "zip", "enc", NULL};
/* Members that may be ignored (RFC 7515 section 4.1): keys come only from the provider's key
 * set. */
static const char *const key_bringers[] = {"jwk", "jku", "x5u", "x5c", NULL};

/* The first of these names that the header has, or NULL. */
static const char *find_member(const kc_json_t *header, const char *const *names)
{
    for (; *names; names++) {
        if (kc_json_member(header, *names))
            return *names;
    }
    return NULL;
}

static kc_rc_t read_header(kc_jws_t *token, const kc_json_t *header, kc_err_t *err)
{
    const char *member = find_member(header, forbidden);
    const char *cty;

    token->brought_key = find_member(header, key_bringers);
    if (member)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_HEADER, "the token's header has a member %s",
                       member);
    if (!kc_jws_is_text_or_absent(header, "alg", &token->alg) ||
        !kc_jws_is_text_or_absent(header, "kid", &token->kid) ||
        !kc_jws_is_text_or_absent(header, "typ", &token->typ) ||
        !kc_jws_is_text_or_absent(header, "cty", &cty))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_HEADER,
                       "alg, kid, typ or cty in the token's header is not a string");
    if (token->kid && !kc_jws_is_kid(token->kid))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_HEADER,
                       "the token's kid is over %d bytes or has control characters", KID_MAX);
    if (!token->alg)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ALG, "the token's header has no alg");
    return KC_OK;
}

kc_rc_t kc_jws_parse(const char *compact, size_t len, apr_pool_t *pool, kc_jws_t *out,
                     kc_err_t *err)
{
    const kc_json_t *header = NULL;
    kc_rc_t rc;

    memset(out, 0, sizeof(*out));
    if (!compact || !len)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_FORM, "the token is empty");
    if (KC_JWS_MAX < len)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SIZE,
                       "the token has %" APR_SIZE_T_FMT " bytes, at most %d are allowed", len,
                       KC_JWS_MAX);
    out->compact = compact;
    out->compact_len = len;
    rc = split(out, pool, err);
    if (rc == KC_OK)
        rc = read_object("header", out->header, pool, &header, err);
    if (rc == KC_OK)
        rc = read_header(out, header, err);
    return rc;
}

kc_rc_t kc_jws_read_claims(kc_jws_t *token, apr_pool_t *pool, kc_err_t *err)
{
    return read_object("payload", token->payload, pool, &token->claims, err);
}

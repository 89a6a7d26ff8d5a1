/* A strict parser of signed tokens in compact form.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_JWS_H
#define KC_JWS_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

enum {
    KC_JWS_MAX = 128 * 1024, /* bytes: enough for a realm with thousands of groups */
    KC_JWS_HEADER_MAX = 4096 /* bytes of the first segment; real ones have about 150 */
};

/* A token in compact form, parsed but not yet verified. Everything is in the pool given to
 * parse. */
typedef struct kc_jws_t {
    const char *compact; /* the caller's text, which must outlive the token */
    size_t compact_len;
    const char *alg;         /* never NULL */
    const char *kid;         /* NULL when absent */
    const char *typ;         /* NULL when absent */
    const char *brought_key; /* the member of its header that brings a key along (jwk, jku, x5u,
                                x5c), which is never used; NULL: none does */
    kc_bytes_t header;
    kc_bytes_t payload;
    kc_bytes_t signature;
    const kc_json_t *claims; /* the payload, an object; NULL before kc_jws_read_claims */
} kc_jws_t;

/* Parses a JWS in compact form (RFC 7515 sections 3.1 and 5.2, RFC 8725). KC_REFUSED with:
 *   - KC_ERR_TOKEN_SIZE: over KC_JWS_MAX;
 *   - KC_ERR_TOKEN_FORM: not exactly three non-empty segments, padded or non-canonical base64url,
 *     or a header that json.h refuses;
 *   - KC_ERR_TOKEN_HEADER: over KC_JWS_HEADER_MAX; or it has crit, b64, zip, enc, or a member of
 *     the wrong type;
 *   - KC_ERR_TOKEN_ALG: alg is absent.
 *
 * The payload is decoded but not parsed yet, because any client may have sent it. */
kc_rc_t kc_jws_parse(const char *compact, size_t len, apr_pool_t *pool, kc_jws_t *out,
                     kc_err_t *err);
/* Parses the payload as JSON into token->claims, in pool. Call it after the signature has been
 * verified, or for a token that came from the provider itself. KC_REFUSED with KC_ERR_TOKEN_FORM:
 * it is no object, or json.h refuses it. */
kc_rc_t kc_jws_read_claims(kc_jws_t *token, apr_pool_t *pool, kc_err_t *err);

/* 1 when text can be the id of a key: up to 255 bytes, no control characters. */
int kc_jws_is_kid(const char *kid);
/* 1 when the member of object is absent or a string: *out is its text, or NULL. */
int kc_jws_is_text_or_absent(const kc_json_t *object, const char *name, const char **out);

#endif

/* Fuzz target: signed tokens, unchanged or as raw header, payload and signature on separate lines,
 * which bypass base64url.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/jose.h"
#include "crypto/jws.h"
#include "reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARSED, VERIFIED };

reach_t reach[] = {{"token parsed", 0}, {"signature verified", 0}, {NULL, 0}};

static const char *const jwks[] = {
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""
    "qnHS6w-_IJDmIFTf1uSuox4fC-xAYW6boC_HI_LGgXVH71EVpl6IP6N7tP2FpZzmKa24cjUFk_tfnymD"
    "hKZxAJOk62czor929h3EEGfIGOOh4iSUw8qQFlRZCrhIb0s7h1G1f8IetrSf4QtG-lHd7DpvjI8wWln5"
    "Mi1ZgdiDSEaYWvBGkTMucnENUvCqT4UXhoJoR_XfsFkQdBZ48Yo83dHNNYERqtFArqpdMsxPnchYIC3R"
    "uh3QfiddbaVkcTMDk5VINzv13LR9LJTYIATvY3I7U7KiFq1sJwqMOzu6kJ04FoTK3AD0g5DGdbAhLYZb"
    "380m80ruR1VO7BTcNnoVtQ"
    "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"YcC7u_j3irkwcisFnguowrSO32Jo7MuSvQGRB3g9DZ8\","
    "\"y\":\"xyd4i6_dETxzX8DqE7-RWCB7QxGMaQ0NAky1GtsH4Q8\"}",
};

static apr_pool_t *forever;
static kc_jose_key_t *keys[2];

/* APR maps its pools, so LeakSanitizer would not see that what they hold is still held. */
static void finish(void)
{
    apr_pool_destroy(forever);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const kc_json_t *jwk;
    size_t i;

    (void)argc;
    (void)argv;
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&forever, NULL) != APR_SUCCESS)
        abort();
    for (i = 0; i < 2; i++) {
        if (kc_json_parse(jwks[i], strlen(jwks[i]), forever, &jwk, NULL) != KC_OK ||
            kc_jose_key_import(jwk, forever, &keys[i], NULL) != KC_OK)
            abort();
    }
    /* Registered after OpenSSL's own, so it comes before that. */
    return atexit(finish);
}

static void check_token(const char *compact, size_t len, apr_pool_t *pool)
{
    kc_jws_t token;
    kc_err_t err = {0};
    size_t i;

    if (kc_jws_parse(compact, len, pool, &token, &err) != KC_OK) {
        if (err.reason != KC_ERR_TOKEN_FORM && err.reason != KC_ERR_TOKEN_HEADER &&
            err.reason != KC_ERR_TOKEN_ALG)
            abort();
        return;
    }
    reach_note(PARSED);
    if (!token.alg || token.claims)
        abort();
    if (kc_jws_read_claims(&token, pool, &err) != KC_OK) {
        if (err.reason != KC_ERR_TOKEN_FORM || token.claims)
            abort();
    } else if (!token.claims || kc_json_type(token.claims) != KC_JSON_OBJECT)
        abort();
    for (i = 0; i < 2; i++) {
        kc_rc_t rc = kc_jose_verify(&token, keys[i], &err);

        if (rc != KC_OK && rc != KC_REFUSED)
            abort();
        if (rc == KC_OK)
            reach_note(VERIFIED);
        if (rc == KC_OK && !kc_jose_key_fits(keys[i], token.alg))
            abort();
    }
}

/* The compact form of three lines; NULL when there are fewer. */
static const char *encode(const uint8_t *data, size_t size, apr_pool_t *pool)
{
    const uint8_t *first = memchr(data, '\n', size);
    const uint8_t *second =
        first ? memchr(first + 1, '\n', (size_t)(data + size - first - 1)) : NULL;
    kc_bytes_t header, payload, signature;

    if (!second)
        return NULL;
    header.data = data;
    header.len = (size_t)(first - data);
    payload.data = first + 1;
    payload.len = (size_t)(second - first - 1);
    signature.data = second + 1;
    signature.len = (size_t)(data + size - second - 1);
    return apr_pstrcat(pool, kc_buf_base64url(header, pool), ".", kc_buf_base64url(payload, pool),
                       ".", kc_buf_base64url(signature, pool), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    const char *compact;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        abort();
    check_token((const char *)data, size, pool);
    compact = size ? encode(data, size, pool) : NULL;
    if (compact)
        check_token(compact, strlen(compact), pool);
    apr_pool_destroy(pool);
    return 0;
}

/* The numbers of a JWK.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crypto/jwk.h"

#include <string.h>

enum { EXPONENT_BYTES = 5 /* holds 2^32, the largest accepted RSA exponent */ };

kc_rc_t kc_jwk_read_number(const kc_json_t *jwk, const char *name, apr_pool_t *pool,
                           kc_bytes_t *out)
{
    const char *text = kc_json_member_string(jwk, name);

    if (!text || kc_buf_unbase64url(text, strlen(text), pool, out) != KC_OK)
        return KC_REFUSED;
    while (out->len && !out->data[0]) {
        out->data++;
        out->len--;
    }
    return out->len ? KC_OK : KC_REFUSED;
}

size_t kc_jwk_bits(kc_bytes_t number)
{
    size_t bits = number.len * 8;
    unsigned int mask;

    for (mask = 0x80; mask && !(number.data[0] & mask); mask >>= 1)
        bits--;
    return bits;
}

int kc_jwk_is_odd(kc_bytes_t number)
{
    return number.data[number.len - 1] & 1;
}

int kc_jwk_is_exponent(kc_bytes_t number)
{
    uint64_t value = 0;
    size_t i;

    if (EXPONENT_BYTES < number.len)
        return 0;
    for (i = 0; i < number.len; i++)
        value = value << 8 | number.data[i];
    return 3 <= value && value <= (uint64_t)1 << 32 && kc_jwk_is_odd(number);
}

const char *kc_jwk_read_coordinate(const kc_json_t *jwk, const char *name, size_t size,
                                   apr_pool_t *pool)
{
    unsigned char *padded = apr_pcalloc(pool, size);
    kc_bytes_t number, whole = {padded, size};

    if (kc_jwk_read_number(jwk, name, pool, &number) != KC_OK || size < number.len)
        return NULL;
    memcpy(padded + size - number.len, number.data, number.len);
    return kc_buf_base64url(whole, pool);
}

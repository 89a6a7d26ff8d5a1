/* Bytes: a counted view, a bounded writer, a checked reader, base64url and hex.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <string.h>

enum {
    FIRST_SIZE = 128 /* bytes a buffer starts with, unless its limit is lower */
};

static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char mime_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---------------------------------------------------------------- writer */

void kc_buf_init(kc_buf_t *buf, size_t limit, apr_pool_t *pool)
{
    memset(buf, 0, sizeof(*buf));
    buf->pool = pool;
    /* One byte is reserved for the closing NUL. */
    buf->limit = limit < SIZE_MAX ? limit : SIZE_MAX - 1;
}

/* The next size that holds at least `wanted` bytes, which are within the limit. */
static size_t grown_size(const kc_buf_t *buf, size_t wanted)
{
    size_t size = buf->size < buf->limit / 2 ? buf->size * 2 : buf->limit;

    if (size < FIRST_SIZE)
        size = FIRST_SIZE;
    if (size < wanted)
        size = wanted;
    return size < buf->limit ? size : buf->limit;
}

/* Where len more bytes go; NULL when there is no space, now and from now on. */
static unsigned char *reserve(kc_buf_t *buf, size_t len)
{
    unsigned char *place;

    if (buf->is_overflown || buf->limit - buf->len < len) {
        buf->is_overflown = 1;
        return NULL;
    }
    if (!buf->data || buf->size - buf->len < len) {
        size_t size = grown_size(buf, buf->len + len);
        unsigned char *data = apr_palloc(buf->pool, size + 1);

        if (buf->len)
            memcpy(data, buf->data, buf->len);
        buf->data = data;
        buf->size = size;
    }
    place = buf->data + buf->len;
    buf->len += len;
    return place;
}

void kc_buf_put(kc_buf_t *buf, const void *data, size_t len)
{
    unsigned char *place = reserve(buf, len);

    if (place && len)
        memcpy(place, data, len);
}

void kc_buf_put_text(kc_buf_t *buf, const char *text)
{
    if (text)
        kc_buf_put(buf, text, strlen(text));
}

static void write_number(uint64_t value, size_t width, unsigned char *out)
{
    while (width--) {
        out[width] = (unsigned char)(value & 0xff);
        value >>= 8;
    }
}

void kc_buf_write_u64(uint64_t value, unsigned char out[KC_BUF_U64_SIZE])
{
    write_number(value, KC_BUF_U64_SIZE, out);
}

static void put_number(kc_buf_t *buf, uint64_t value, size_t width)
{
    unsigned char *place = reserve(buf, width);

    if (place)
        write_number(value, width, place);
}

void kc_buf_put_u8(kc_buf_t *buf, uint8_t value)
{
    put_number(buf, value, 1);
}

void kc_buf_put_u16(kc_buf_t *buf, uint16_t value)
{
    put_number(buf, value, 2);
}

void kc_buf_put_u32(kc_buf_t *buf, uint32_t value)
{
    put_number(buf, value, 4);
}

void kc_buf_put_u64(kc_buf_t *buf, uint64_t value)
{
    put_number(buf, value, KC_BUF_U64_SIZE);
}

void kc_buf_put_block(kc_buf_t *buf, kc_bytes_t block)
{
    if (UINT16_MAX < block.len) {
        buf->is_overflown = 1;
        return;
    }
    kc_buf_put_u16(buf, (uint16_t)block.len);
    kc_buf_put(buf, block.data, block.len);
}

kc_rc_t kc_buf_bytes(kc_buf_t *buf, kc_bytes_t *out)
{
    static const unsigned char nothing[1] = {0};

    out->data = nothing;
    out->len = 0;
    if (buf->is_overflown)
        return KC_REFUSED;
    if (!buf->data)
        return KC_OK;
    buf->data[buf->len] = 0;
    out->data = buf->data;
    out->len = buf->len;
    return KC_OK;
}

/* ---------------------------------------------------------------- reader */

void kc_buf_reader_init(kc_reader_t *reader, kc_bytes_t bytes)
{
    reader->rest = bytes;
    reader->is_short = 0;
}

kc_bytes_t kc_buf_read(kc_reader_t *reader, size_t len)
{
    kc_bytes_t view = {NULL, 0};

    if (reader->is_short || reader->rest.len < len) {
        reader->is_short = 1;
        return view;
    }
    view.data = reader->rest.data;
    view.len = len;
    if (len) {
        reader->rest.data += len;
        reader->rest.len -= len;
    }
    return view;
}

static uint64_t read_number(kc_reader_t *reader, size_t width)
{
    kc_bytes_t view = kc_buf_read(reader, width);
    uint64_t value = 0;
    size_t i;

    for (i = 0; i < view.len; i++)
        value = value << 8 | view.data[i];
    return value;
}

uint8_t kc_buf_read_u8(kc_reader_t *reader)
{
    return (uint8_t)read_number(reader, 1);
}

uint16_t kc_buf_read_u16(kc_reader_t *reader)
{
    return (uint16_t)read_number(reader, 2);
}

uint32_t kc_buf_read_u32(kc_reader_t *reader)
{
    return (uint32_t)read_number(reader, 4);
}

uint64_t kc_buf_read_u64(kc_reader_t *reader)
{
    return read_number(reader, 8);
}

kc_bytes_t kc_buf_read_block(kc_reader_t *reader)
{
    size_t len = kc_buf_read_u16(reader);

    return kc_buf_read(reader, len);
}

/* ---------------------------------------------------------------- text */

kc_bytes_t kc_buf_text(const char *text)
{
    kc_bytes_t bytes = {(const unsigned char *)text, text ? strlen(text) : 0};

    return bytes;
}

char *kc_buf_copy(const void *data, size_t len, apr_pool_t *pool)
{
    char *copy = apr_palloc(pool, len + 1);

    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

const char *kc_buf_dup_text(kc_bytes_t bytes, apr_pool_t *pool)
{
    if (!bytes.len)
        return "";
    if (memchr(bytes.data, 0, bytes.len))
        return NULL;
    return kc_buf_copy(bytes.data, bytes.len, pool);
}

/* ---------------------------------------------------------------- base64 and hex */

/* Writes the unpadded form and returns its end. */
static char *encode(const char *alphabet, const unsigned char *data, size_t len, char *out)
{
    for (; 3 <= len; data += 3, len -= 3) {
        *out++ = alphabet[data[0] >> 2];
        *out++ = alphabet[(data[0] & 3) << 4 | data[1] >> 4];
        *out++ = alphabet[(data[1] & 15) << 2 | data[2] >> 6];
        *out++ = alphabet[data[2] & 63];
    }
    if (len) {
        unsigned int second = 1 < len ? data[1] : 0;

        *out++ = alphabet[data[0] >> 2];
        *out++ = alphabet[(data[0] & 3u) << 4 | second >> 4];
        if (1 < len)
            *out++ = alphabet[(second & 15u) << 2];
    }
    return out;
}

void kc_buf_base64url_to(const unsigned char *data, size_t len, char *out)
{
    *encode(url_alphabet, data, len, out) = '\0';
}

/* Space for either form with padding and NUL. */
static char *encoding_space(size_t len, apr_pool_t *pool)
{
    return apr_palloc(pool, len / 3 * 4 + 5);
}

char *kc_buf_base64url(kc_bytes_t bytes, apr_pool_t *pool)
{
    char *text = encoding_space(bytes.len, pool);

    kc_buf_base64url_to(bytes.data, bytes.len, text);
    return text;
}

char *kc_buf_base64(kc_bytes_t bytes, apr_pool_t *pool)
{
    char *text = encoding_space(bytes.len, pool);
    char *end = encode(mime_alphabet, bytes.data, bytes.len, text);

    while ((end - text) % 4)
        *end++ = '=';
    *end = '\0';
    return text;
}

/* The six bits of each letter, with one more bit that is set only for letters of the alphabet. */
enum { IS_LETTER = 64 };

static const unsigned char
    sextets[256] = {['A'] = 64, 65,  66,          67,         68,  69,  70,         71,  72,  73,
                    74,         75,  76,          77,         78,  79,  80,         81,  82,  83,
                    84,         85,  86,          87,         88,  89,  ['a'] = 90, 91,  92,  93,
                    94,         95,  96,          97,         98,  99,  100,        101, 102, 103,
                    104,        105, 106,         107,        108, 109, 110,        111, 112, 113,
                    114,        115, ['0'] = 116, 117,        118, 119, 120,        121, 122, 123,
                    124,        125, ['-'] = 126, ['_'] = 127};

/* Four letters as one number of 24 bits. seen loses IS_LETTER when one is outside the alphabet.
 * Runs for each session cookie. */
static uint32_t read_four(const char *text, unsigned int *seen)
{
    const unsigned char *at = (const unsigned char *)text;
    uint32_t a = sextets[at[0]], b = sextets[at[1]], c = sextets[at[2]], d = sextets[at[3]];

    *seen &= a & b & c & d;
    /* subtracts the IS_LETTER bits of all four at once */
    return (a << 18) + (b << 12) + (c << 6) + d -
           ((IS_LETTER << 18) + (IS_LETTER << 12) + (IS_LETTER << 6) + IS_LETTER);
}

static void write_bytes(uint32_t bits, unsigned char *place)
{
    place[0] = (unsigned char)(bits >> 16);
    place[1] = (unsigned char)(bits >> 8);
    place[2] = (unsigned char)bits;
}

kc_rc_t kc_buf_unbase64url(const char *text, size_t len, apr_pool_t *pool, kc_bytes_t *out)
{
    unsigned char *data, *place;
    size_t rest = len % 4; /* letters of the last, incomplete group */
    const char *end = text + len - rest;
    const char zero = 'A';
    unsigned int seen = IS_LETTER;

    out->data = NULL;
    out->len = 0;
    if (rest == 1)
        return KC_REFUSED;
    place = data = apr_palloc(pool, len / 4 * 3 + 3);
    for (; text < end; text += 4, place += 3)
        write_bytes(read_four(text, &seen), place);
    *place = '\0';
    if (rest) {
        const char last[4] = {text[0], text[1], (char)(rest == 3 ? text[2] : zero), zero};
        uint32_t bits = read_four(last, &seen);

        /* Unused bits must be zero, because otherwise a value would have a second spelling. */
        if (bits & (rest == 2 ? 0xffff : 0xff))
            return KC_REFUSED;
        write_bytes(bits, place); /* the unused bytes are zero, and there is space */
    }
    if (!(seen & IS_LETTER))
        return KC_REFUSED;
    out->data = data;
    out->len = (size_t)(place - data) + (rest ? rest - 1 : 0);
    return KC_OK;
}

void kc_buf_hex_to(const unsigned char *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < len; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}

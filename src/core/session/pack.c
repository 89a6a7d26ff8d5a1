/* Packing: tokens split into parts, and deflated with a dictionary of their common text.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/pack.h"

#include <apr_strings.h>
#include <string.h>
#include <zlib.h>

/* Big endian: version (1), for each token its kind (1) and the length of its signature (2), the
 * length of the plain text (4), the signatures, and the plain text deflated (RFC 1951).
 *
 * The plain text has, of each signed token, the length of its header (2), the header, the length of
 * its payload (4), the payload. Of an opaque token it has the length (4) and the token. The claims
 * follow. Signatures are random bytes, which deflating would make longer.
 *
 * Version 2 is packed with a known text, which is put before the dictionary. A checksum of that
 * text (Adler-32, 4) follows its version, so that it is never unpacked with another text. */

enum {
    VERSION_ALONE = 1,
    VERSION_BESIDE = 2,
    TOKENS = 3,
    HEAD_SIZE = 1 + TOKENS * 3 + 4,
    WINDOW_BITS = 13, /* 8 KiB: a window for the dictionary and common sessions, with little
                         memory */
    WIDE_BITS = 15,   /* 32 KiB: a window for the known text as well */
    MEMORY_LEVEL = 7,
    SIGNATURE_MAX = 0xffff,
    HEADER_MAX = 0xffff
};

typedef enum { ABSENT, SIGNED, OPAQUE, KINDS } kind_t;

/* A token split into parts. */
typedef struct {
    kind_t kind;
    kc_bytes_t header; /* opaque: the whole text */
    kc_bytes_t payload;
    kc_bytes_t signature;
} token_t;

/* Text that Keycloak's tokens have in common, the most frequent at the end. It is part of the
 * format: if one letter is changed, no earlier pack can be opened. */
static const char dictionary[] =
    "offline_access\",\"uma_authorization\"]}\"allowed-origins\":[\"https://\"/*\"],"
    "\"realm_access\":{\"roles\":[\"default-roles-kubeflow\",\"offline_access\","
    "\"uma_authorization\"]},\"resource_access\":{\"account\":{\"roles\":[\"manage-account\","
    "\"manage-account-links\",\"view-profile\"]}},\"scope\":\"openid web-origins email basic acr "
    "profile roles\",\"typ\":\"Refresh\",\"reuse_id\":\"\"groups\":[\"/"
    "{\"alg\":\"HS512\",\"typ\" : \"JWT\",\"kid\" : \"{\"alg\":\"ES256\",\"typ\" : \"JWT\",\"kid\" "
    ": \"{\"alg\":\"RS256\",\"typ\" : \"JWT\",\"kid\" : \""
    "{\"exp\":17,\"iat\":17,\"auth_time\":17,\"jti\":\"onrtac:\",\"iss\":\"https://keycloak."
    ".com/realms/\",\"aud\":[\"\"account\"],\"sub\":\"\",\"typ\":\"Bearer\",\"azp\":\"\",\"typ\":"
    "\"ID\",\"azp\":\"kubeflow-oidc-authservice\",\"nonce\":\"\",\"session_state\":\"\",\"sid\":"
    "\"\",\"at_hash\":\"\",\"acr\":\"1\",\"scope\":\"openid email "
    "profile\",\"email_verified\":true,"
    "\"name\":\"\",\"preferred_username\":\"\",\"given_name\":\"\",\"family_name\":\"\",\"email\":"
    "\"@";

/* ---------------------------------------------------------------- zlib in a pool */

static voidpf take(voidpf pool, uInt count, uInt size)
{
    return apr_pcalloc(pool, (apr_size_t)count * size);
}

static void give(voidpf pool, voidpf memory)
{
    (void)pool;
    (void)memory;
}

static void stream_init(z_stream *stream, kc_bytes_t in, unsigned char *out, size_t size,
                        apr_pool_t *pool)
{
    memset(stream, 0, sizeof(*stream));
    stream->zalloc = take;
    stream->zfree = give;
    stream->opaque = pool;
    stream->next_in = (z_const Bytef *)(uintptr_t)in.data;
    stream->avail_in = (uInt)in.len;
    stream->next_out = out;
    stream->avail_out = (uInt)size;
}

/* The known text, then the dictionary without its closing NUL. */
static kc_bytes_t make_dictionary(kc_bytes_t known, apr_pool_t *pool)
{
    size_t len = sizeof(dictionary) - 1;
    kc_bytes_t all = {(const unsigned char *)dictionary, len};
    unsigned char *room;

    if (!known.len)
        return all;
    room = apr_palloc(pool, known.len + len);
    memcpy(room, known.data, known.len);
    memcpy(room + known.len, dictionary, len);
    all.data = room;
    all.len += known.len;
    return all;
}

static int window_bits(kc_bytes_t known)
{
    return known.len ? WIDE_BITS : WINDOW_BITS;
}

static uint32_t checksum(kc_bytes_t known)
{
    return (uint32_t)adler32(adler32(0, NULL, 0), known.data, (uInt)known.len);
}

/* ---------------------------------------------------------------- packing */

/* Splits a signed token whose three parts are canonical base64url. */
static int split(const char *text, apr_pool_t *pool, token_t *token)
{
    const char *first = strchr(text, '.');
    const char *second = first ? strchr(first + 1, '.') : NULL;

    return second &&
           kc_buf_unbase64url(text, (size_t)(first - text), pool, &token->header) == KC_OK &&
           kc_buf_unbase64url(first + 1, (size_t)(second - first - 1), pool, &token->payload) ==
               KC_OK &&
           kc_buf_unbase64url(second + 1, strlen(second + 1), pool, &token->signature) == KC_OK &&
           token->header.len <= HEADER_MAX && token->signature.len <= SIGNATURE_MAX;
}

static void take_apart(const char *text, apr_pool_t *pool, token_t *token)
{
    memset(token, 0, sizeof(*token));
    if (!text)
        return;
    token->kind = SIGNED;
    if (split(text, pool, token))
        return;
    memset(token, 0, sizeof(*token));
    token->kind = OPAQUE;
    token->header = kc_buf_text(text);
}

static void put_plain(kc_buf_t *buf, const token_t *token)
{
    if (token->kind == SIGNED) {
        kc_buf_put_u16(buf, (uint16_t)token->header.len);
        kc_buf_put(buf, token->header.data, token->header.len);
        kc_buf_put_u32(buf, (uint32_t)token->payload.len);
        kc_buf_put(buf, token->payload.data, token->payload.len);
    } else if (token->kind == OPAQUE) {
        kc_buf_put_u32(buf, (uint32_t)token->header.len);
        kc_buf_put(buf, token->header.data, token->header.len);
    }
}

static kc_rc_t deflate_all(kc_bytes_t plain, kc_bytes_t known, apr_pool_t *pool, kc_bytes_t *out,
                           kc_err_t *err)
{
    unsigned char *room;
    z_stream stream;
    kc_bytes_t words = make_dictionary(known, pool);
    uLong size;

    stream_init(&stream, plain, NULL, 0, pool);
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -window_bits(known), MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK ||
        deflateSetDictionary(&stream, words.data, (uInt)words.len) != Z_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "zlib cannot be used");
    size = deflateBound(&stream, (uLong)plain.len);
    room = apr_palloc(pool, size);
    stream.next_out = room;
    stream.avail_out = (uInt)size;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "zlib does not finish");
    out->data = room;
    out->len = (size_t)(size - stream.avail_out);
    (void)deflateEnd(&stream);
    return KC_OK;
}

static void put_head(kc_buf_t *out, kc_bytes_t known)
{
    kc_buf_put_u8(out, known.len ? VERSION_BESIDE : VERSION_ALONE);
    if (known.len)
        kc_buf_put_u32(out, checksum(known));
}

kc_rc_t kc_pack_close_beside(const kc_pack_t *contents, kc_bytes_t known, apr_pool_t *pool,
                             kc_bytes_t *packed, kc_err_t *err)
{
    const char *texts[TOKENS] = {contents->id_token, contents->access_token,
                                 contents->refresh_token};
    token_t tokens[TOKENS];
    kc_bytes_t plain, body = {NULL, 0};
    kc_buf_t buf, out;
    size_t i;

    packed->data = NULL;
    packed->len = 0;
    if (!texts[0] && !texts[1] && !texts[2] && !contents->claims.len)
        return KC_OK;
    kc_buf_init(&buf, KC_PACK_MAX, pool);
    kc_buf_init(&out, (size_t)2 * KC_PACK_MAX, pool);
    put_head(&out, known);
    for (i = 0; i < TOKENS; i++) {
        take_apart(texts[i], pool, &tokens[i]);
        put_plain(&buf, &tokens[i]);
        kc_buf_put_u8(&out, (uint8_t)tokens[i].kind);
        kc_buf_put_u16(&out, (uint16_t)tokens[i].signature.len);
    }
    kc_buf_put(&buf, contents->claims.data, contents->claims.len);
    if (kc_buf_bytes(&buf, &plain) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_STORE_VALUE, "tokens and claims are over %d bytes",
                       (int)KC_PACK_MAX);
    kc_buf_put_u32(&out, (uint32_t)plain.len);
    for (i = 0; i < TOKENS; i++)
        kc_buf_put(&out, tokens[i].signature.data, tokens[i].signature.len);
    if (deflate_all(plain, known, pool, &body, err) != KC_OK)
        return KC_FAULT;
    kc_buf_put(&out, body.data, body.len);
    return kc_buf_bytes(&out, packed);
}

kc_rc_t kc_pack_close(const kc_pack_t *contents, apr_pool_t *pool, kc_bytes_t *packed,
                      kc_err_t *err)
{
    const kc_bytes_t nothing = {NULL, 0};

    return kc_pack_close_beside(contents, nothing, pool, packed, err);
}

/* ---------------------------------------------------------------- unpacking */

static kc_rc_t refuse(kc_err_t *err)
{
    return KC_FAIL(err, KC_REFUSED, KC_ERR_SESSION_FORMAT, "tokens and claims cannot be unpacked");
}

/* 1 when body inflates to exactly len bytes. */
static int inflate_all(kc_bytes_t body, kc_bytes_t known, size_t len, apr_pool_t *pool,
                       kc_bytes_t *plain)
{
    unsigned char *room = apr_palloc(pool, len + 1);
    kc_bytes_t words = make_dictionary(known, pool);
    z_stream stream;
    int is_whole;

    stream_init(&stream, body, room, len, pool);
    if (inflateInit2(&stream, -window_bits(known)) != Z_OK)
        return 0;
    is_whole = inflateSetDictionary(&stream, words.data, (uInt)words.len) == Z_OK &&
               inflate(&stream, Z_FINISH) == Z_STREAM_END && !stream.avail_in && !stream.avail_out;
    (void)inflateEnd(&stream);
    plain->data = room;
    plain->len = len;
    return is_whole;
}

static const char *signed_text(const token_t *token, apr_pool_t *pool)
{
    return apr_pstrcat(pool, kc_buf_base64url(token->header, pool), ".",
                       kc_buf_base64url(token->payload, pool), ".",
                       kc_buf_base64url(token->signature, pool), NULL);
}

/* Rebuilds the next token from the plain text; NULL when there is none or it is broken. */
static const char *read_token(kc_reader_t *plain, token_t *token, apr_pool_t *pool)
{
    if (token->kind == OPAQUE)
        return kc_buf_dup_text(kc_buf_read(plain, kc_buf_read_u32(plain)), pool);
    if (token->kind == ABSENT)
        return NULL;
    token->header = kc_buf_read(plain, kc_buf_read_u16(plain));
    token->payload = kc_buf_read(plain, kc_buf_read_u32(plain));
    return signed_text(token, pool);
}

/* Sets *known to the text that the pack was made with: none in version 1. 0 when it was not made
 * with the text that is known now. */
static int read_version(kc_reader_t *reader, kc_bytes_t *known)
{
    switch (kc_buf_read_u8(reader)) {
    case VERSION_ALONE:
        known->len = 0;
        return 1;
    case VERSION_BESIDE:
        return kc_buf_read_u32(reader) == checksum(*known) && known->len;
    default:
        return 0;
    }
}

/* Kinds and signatures. *len: of the plain text. */
static int read_head(kc_reader_t *reader, token_t *tokens, size_t *len)
{
    size_t i;

    for (i = 0; i < TOKENS; i++) {
        uint8_t kind = kc_buf_read_u8(reader);

        if (kind >= KINDS)
            return 0;
        tokens[i].kind = (kind_t)kind;
        tokens[i].signature.len = kc_buf_read_u16(reader);
        if (tokens[i].signature.len && kind != SIGNED)
            return 0;
    }
    *len = kc_buf_read_u32(reader);
    for (i = 0; i < TOKENS; i++)
        tokens[i].signature = kc_buf_read(reader, tokens[i].signature.len);
    return !reader->is_short && *len <= KC_PACK_MAX;
}

kc_rc_t kc_pack_open_beside(kc_bytes_t packed, kc_bytes_t known, apr_pool_t *pool,
                            kc_pack_t *contents, kc_err_t *err)
{
    const char **texts[TOKENS] = {&contents->id_token, &contents->access_token,
                                  &contents->refresh_token};
    token_t tokens[TOKENS];
    kc_reader_t reader;
    kc_bytes_t plain;
    size_t len, i;

    memset(contents, 0, sizeof(*contents));
    if (!packed.len)
        return KC_OK;
    memset(tokens, 0, sizeof(tokens));
    kc_buf_reader_init(&reader, packed);
    if (!read_version(&reader, &known) || !read_head(&reader, tokens, &len) ||
        !inflate_all(reader.rest, known, len, pool, &plain))
        return refuse(err);
    kc_buf_reader_init(&reader, plain);
    for (i = 0; i < TOKENS; i++) {
        *texts[i] = read_token(&reader, &tokens[i], pool);
        if (reader.is_short || (tokens[i].kind != ABSENT && !*texts[i])) {
            memset(contents, 0, sizeof(*contents));
            return refuse(err);
        }
    }
    contents->claims = reader.rest;
    return KC_OK;
}

kc_rc_t kc_pack_open(kc_bytes_t packed, apr_pool_t *pool, kc_pack_t *contents, kc_err_t *err)
{
    const kc_bytes_t nothing = {NULL, 0};

    return kc_pack_open_beside(packed, nothing, pool, contents, err);
}

/* Bytes: a counted view, a bounded writer, a checked reader, base64url and hex.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_BUF_H
#define KC_BUF_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Bytes that belong to another owner. */
typedef struct kc_bytes_t {
    const unsigned char *data;
    size_t len; /* bytes */
} kc_bytes_t;

/* A growing buffer in a pool, with a mandatory size limit. After an overflow it ignores further
 * writes: write everything, then call kc_buf_bytes. Not thread safe. */
typedef struct kc_buf_t {
    apr_pool_t *pool;
    unsigned char *data;
    size_t len;
    size_t size;
    size_t limit;
    int is_overflown;
} kc_buf_t;

void kc_buf_init(kc_buf_t *buf, size_t limit, apr_pool_t *pool);
void kc_buf_put(kc_buf_t *buf, const void *data, size_t len);
void kc_buf_put_text(kc_buf_t *buf, const char *text);
void kc_buf_put_u8(kc_buf_t *buf, uint8_t value);
void kc_buf_put_u16(kc_buf_t *buf, uint16_t value); /* big endian, like all numbers here */
void kc_buf_put_u32(kc_buf_t *buf, uint32_t value);
void kc_buf_put_u64(kc_buf_t *buf, uint64_t value);
/* The same octets as of kc_buf_put_u64, without a buffer. Thread safe. */
enum { KC_BUF_U64_SIZE = 8 };
void kc_buf_write_u64(uint64_t value, unsigned char out[KC_BUF_U64_SIZE]);
/* Writes a u16 length and the bytes; more than 65,535 bytes overflow the buffer. */
void kc_buf_put_block(kc_buf_t *buf, kc_bytes_t block);
/* The bytes written, followed in memory by a NUL that is not counted. KC_REFUSED when the limit was
 * exceeded. */
kc_rc_t kc_buf_bytes(kc_buf_t *buf, kc_bytes_t *out);

/* A reader of bytes. After it has run short, every read returns zeros or no bytes. */
typedef struct kc_reader_t {
    kc_bytes_t rest;
    int is_short;
} kc_reader_t;

void kc_buf_reader_init(kc_reader_t *reader, kc_bytes_t bytes);
uint8_t kc_buf_read_u8(kc_reader_t *reader);
uint16_t kc_buf_read_u16(kc_reader_t *reader);
uint32_t kc_buf_read_u32(kc_reader_t *reader);
uint64_t kc_buf_read_u64(kc_reader_t *reader);
kc_bytes_t kc_buf_read(kc_reader_t *reader, size_t len); /* points into the source */
kc_bytes_t kc_buf_read_block(kc_reader_t *reader);       /* u16 length and bytes */

/* Bytes of NUL-terminated text, without the NUL; no bytes for NULL. */
kc_bytes_t kc_buf_text(const char *text);
/* A copy of len bytes in pool, followed by a NUL. Used instead of apr_pstrmemdup: APR's header
 * declares that it allocates only len bytes. Compilers believe that, and their sanitizers report a
 * read of the NUL as out of bounds. */
char *kc_buf_copy(const void *data, size_t len, apr_pool_t *pool);
/* A NUL-terminated copy in pool; NULL when the bytes contain a NUL. */
const char *kc_buf_dup_text(kc_bytes_t bytes, apr_pool_t *pool);

/* base64url without padding (RFC 4648 section 5, RFC 7515 section 2), NUL-terminated. */
char *kc_buf_base64url(kc_bytes_t bytes, apr_pool_t *pool);
/* Writes base64url of len bytes and a NUL to out, which has room for (len * 4 + 2) / 3 + 1 bytes.
 */
void kc_buf_base64url_to(const unsigned char *data, size_t len, char *out);
/* The strict inverse: KC_REFUSED for padding, white space, other alphabets, a length of 1 mod 4,
 * or unused bits that are not zero. So each value has one spelling. The result is followed by a
 * NUL. */
kc_rc_t kc_buf_unbase64url(const char *text, size_t len, apr_pool_t *pool, kc_bytes_t *out);
/* Standard base64 with padding (RFC 4648 section 4), for HTTP Basic. */
char *kc_buf_base64(kc_bytes_t bytes, apr_pool_t *pool);
/* Lower-case hex and a NUL to out, which has room for 2 * len + 1 bytes. */
void kc_buf_hex_to(const unsigned char *data, size_t len, char *out);

#endif

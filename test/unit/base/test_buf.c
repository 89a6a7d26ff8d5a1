/* Tests of buf.h: sizes and limits of writer and reader, and the canonical spelling of base64url.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/buf.h"
#include "testlib.h"

Suite *kc_test_buf(void);

static kc_bytes_t bytes_of(const void *data, size_t len)
{
    kc_bytes_t bytes = {data, len};

    return bytes;
}

START_TEST(writer_keeps_order_and_is_big_endian)
{
    kc_buf_t buf;
    kc_bytes_t out;

    kc_buf_init(&buf, 64, testlib_pool);
    kc_buf_put_u8(&buf, 0x01);
    kc_buf_put_u16(&buf, 0x0203);
    kc_buf_put_u32(&buf, 0x04050607);
    kc_buf_put_u64(&buf, UINT64_C(0x08090a0b0c0d0e0f));
    kc_buf_put_text(&buf, "ab");
    kc_buf_put_text(&buf, NULL);
    kc_buf_put(&buf, NULL, 0);
    kc_buf_put_block(&buf, kc_buf_text("xyz"));
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_OK);
    ck_assert_str_eq(testlib_hex(out.data, out.len),
                     "0102030405060708090a0b0c0d0e0f6162000378797a");
    ck_assert_uint_eq(out.data[out.len], 0);
}
END_TEST

START_TEST(writer_takes_exactly_its_limit)
{
    kc_buf_t buf;
    kc_bytes_t out;
    int i;

    kc_buf_init(&buf, 1000, testlib_pool);
    for (i = 0; i < 1000; i++)
        kc_buf_put_u8(&buf, (uint8_t)i);
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_OK);
    ck_assert_uint_eq(out.len, 1000);
    ck_assert_uint_eq(out.data[999], 999 & 0xff);
    ck_assert_uint_eq(out.data[1000], 0);
    kc_buf_put_u8(&buf, 1);
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_REFUSED);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(writer_stays_overflown)
{
    kc_buf_t buf;
    kc_bytes_t out;

    kc_buf_init(&buf, 4, testlib_pool);
    kc_buf_put_text(&buf, "abcde");
    kc_buf_put_text(&buf, "a");
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_REFUSED);
    kc_buf_init(&buf, 4, testlib_pool);
    kc_buf_put_text(&buf, "abc");
    kc_buf_put(&buf, "", SIZE_MAX);
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_REFUSED);
}
END_TEST

START_TEST(writer_without_bytes)
{
    kc_buf_t buf;
    kc_bytes_t out;

    kc_buf_init(&buf, 0, testlib_pool);
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_OK);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_uint_eq(out.data[0], 0);
    kc_buf_put_text(&buf, "");
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_OK);
    kc_buf_put_u8(&buf, 1);
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_REFUSED);
}
END_TEST

START_TEST(block_has_at_most_65535_bytes)
{
    kc_buf_t buf;
    kc_bytes_t out;
    char *large = apr_pcalloc(testlib_pool, 65536);

    kc_buf_init(&buf, SIZE_MAX, testlib_pool);
    kc_buf_put_block(&buf, bytes_of(large, 65535));
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_OK);
    ck_assert_uint_eq(out.len, 65537);
    kc_buf_put_block(&buf, bytes_of(large, 65536));
    ck_assert_int_eq(kc_buf_bytes(&buf, &out), KC_REFUSED);
}
END_TEST

START_TEST(reader_reads_what_the_writer_wrote)
{
    kc_reader_t reader;
    kc_bytes_t block;

    kc_buf_reader_init(&reader, testlib_unhex("0102030405060708090a0b0c0d0e0f000378797aff"));
    ck_assert_uint_eq(kc_buf_read_u8(&reader), 0x01);
    ck_assert_uint_eq(kc_buf_read_u16(&reader), 0x0203);
    ck_assert_uint_eq(kc_buf_read_u32(&reader), 0x04050607);
    ck_assert(kc_buf_read_u64(&reader) == UINT64_C(0x08090a0b0c0d0e0f));
    block = kc_buf_read_block(&reader);
    ck_assert_uint_eq(block.len, 3);
    ck_assert_int_eq(memcmp(block.data, "xyz", 3), 0);
    ck_assert_uint_eq(reader.rest.len, 1);
    ck_assert_int_eq(reader.is_short, 0);
    ck_assert_uint_eq(kc_buf_read_u8(&reader), 0xff);
    ck_assert_uint_eq(kc_buf_read(&reader, 0).len, 0);
    ck_assert_int_eq(reader.is_short, 0);
}
END_TEST

START_TEST(reader_stays_short)
{
    kc_reader_t reader;

    kc_buf_reader_init(&reader, testlib_unhex("0102"));
    ck_assert_uint_eq(kc_buf_read_u32(&reader), 0);
    ck_assert_int_eq(reader.is_short, 1);
    ck_assert_uint_eq(kc_buf_read_u8(&reader), 0);
    kc_buf_reader_init(&reader, testlib_unhex("0005616263"));
    ck_assert_uint_eq(kc_buf_read_block(&reader).len, 0);
    ck_assert_int_eq(reader.is_short, 1);
    kc_buf_reader_init(&reader, bytes_of(NULL, 0));
    ck_assert_uint_eq(kc_buf_read(&reader, SIZE_MAX).len, 0);
    ck_assert_int_eq(reader.is_short, 1);
}
END_TEST

START_TEST(text_and_bytes)
{
    ck_assert_uint_eq(kc_buf_text(NULL).len, 0);
    ck_assert_uint_eq(kc_buf_text("abc").len, 3);
    /* whatever follows them, and with their own NULs */
    ck_assert_mem_eq(kc_buf_copy("abcd", 3, testlib_pool), "abc", 4);
    ck_assert_mem_eq(kc_buf_copy("a\0bc", 3, testlib_pool), "a\0b", 4);
    ck_assert_mem_eq(kc_buf_copy("", 0, testlib_pool), "", 1);
    ck_assert_mem_eq(kc_buf_copy(NULL, 0, testlib_pool), "", 1);
    ck_assert_str_eq(kc_buf_dup_text(kc_buf_text("abc"), testlib_pool), "abc");
    ck_assert_str_eq(kc_buf_dup_text(bytes_of(NULL, 0), testlib_pool), "");
    ck_assert_ptr_null(kc_buf_dup_text(bytes_of("a\0b", 3), testlib_pool));
    ck_assert_ptr_null(kc_buf_dup_text(bytes_of("ab\0", 3), testlib_pool));
}
END_TEST

/* RFC 4648 section 10, and the letters in which the two alphabets differ. */
static const struct {
    const char *plain, *mime, *url;
} spellings[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xff\xef\xbe", "/+++", "_---"},
};

START_TEST(base64_of_rfc_4648)
{
    kc_bytes_t plain = kc_buf_text(spellings[_i].plain);
    const char *url = kc_buf_base64url(plain, testlib_pool);
    kc_bytes_t back;

    ck_assert_str_eq(kc_buf_base64(plain, testlib_pool), spellings[_i].mime);
    ck_assert_str_eq(url, spellings[_i].url);
    ck_assert_int_eq(kc_buf_unbase64url(url, strlen(url), testlib_pool, &back), KC_OK);
    ck_assert_uint_eq(back.len, plain.len);
    ck_assert_int_eq(memcmp(back.data, plain.data, plain.len), 0);
    ck_assert_uint_eq(back.data[back.len], 0);
}
END_TEST

START_TEST(base64url_of_every_byte)
{
    unsigned char all[256];
    char text[(256 * 4 + 2) / 3 + 1];
    kc_bytes_t back;
    size_t i;

    for (i = 0; i < sizeof(all); i++)
        all[i] = (unsigned char)i;
    for (i = 0; i <= sizeof(all); i++) {
        kc_buf_base64url_to(all, i, text);
        ck_assert_uint_eq(strlen(text), (i * 4 + 2) / 3);
        ck_assert_int_eq(kc_buf_unbase64url(text, strlen(text), testlib_pool, &back), KC_OK);
        ck_assert_uint_eq(back.len, i);
        ck_assert_int_eq(memcmp(back.data, all, i), 0);
    }
}
END_TEST

START_TEST(base64url_has_one_spelling)
{
    static const char *const bad[] = {
        "Zg==", "Zm8=", "Z",    "Zm9vY", "Zh",       "Zm9",  "Zm 9", "Zm9v\n",
        "Zm+v", "Zm/v", "Zm.v", "Zm9v=", "\xc3\xa9", "Zm9*", "A",    "AAAAA"};
    kc_bytes_t out;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(kc_buf_unbase64url(bad[i], strlen(bad[i]), testlib_pool, &out) == KC_REFUSED,
                      "%s was taken", bad[i]);
    ck_assert_int_eq(kc_buf_unbase64url("Zg\0A", 4, testlib_pool, &out), KC_REFUSED);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

/* Of all 64 last letters of a text of 2 mod 4, exactly four are canonical; of 3 mod 4, sixteen. */
START_TEST(base64url_counts_unused_bits)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    int two = 0, three = 0, i;
    kc_bytes_t out;

    for (i = 0; i < 64; i++) {
        char text[3] = {'A', letters[i], letters[i]};

        two += kc_buf_unbase64url(text, 2, testlib_pool, &out) == KC_OK;
        text[1] = 'A';
        three += kc_buf_unbase64url(text, 3, testlib_pool, &out) == KC_OK;
    }
    ck_assert_int_eq(two, 4);
    ck_assert_int_eq(three, 16);
}
END_TEST

START_TEST(hex_is_lower_case)
{
    static const unsigned char data[] = {0x00, 0x9a, 0xbc, 0xff};
    char text[9];

    kc_buf_hex_to(data, sizeof(data), text);
    ck_assert_str_eq(text, "009abcff");
    kc_buf_hex_to(data, 0, text);
    ck_assert_str_eq(text, "");
}
END_TEST

Suite *kc_test_buf(void)
{
    Suite *suite = suite_create("buf");
    TCase *tests = tcase_create("buf");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_test(tests, writer_keeps_order_and_is_big_endian);
    tcase_add_test(tests, writer_takes_exactly_its_limit);
    tcase_add_test(tests, writer_stays_overflown);
    tcase_add_test(tests, writer_without_bytes);
    tcase_add_test(tests, block_has_at_most_65535_bytes);
    tcase_add_test(tests, reader_reads_what_the_writer_wrote);
    tcase_add_test(tests, reader_stays_short);
    tcase_add_test(tests, text_and_bytes);
    tcase_add_loop_test(tests, base64_of_rfc_4648, 0,
                        (int)(sizeof(spellings) / sizeof(spellings[0])));
    tcase_add_test(tests, base64url_of_every_byte);
    tcase_add_test(tests, base64url_has_one_spelling);
    tcase_add_test(tests, base64url_counts_unused_bits);
    tcase_add_test(tests, hex_is_lower_case);
    suite_add_tcase(suite, tests);
    return suite;
}

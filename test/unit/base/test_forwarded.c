/* Tests of forwarded.h: which proxy is trusted to tell the browser's address.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/forwarded.h"
#include "testlib.h"

Suite *kc_test_forwarded(void);

/* Proxies of 10.0.0.0/8, and one of IPv6. */
static int is_trusted(void *context, const char *address)
{
    (*(int *)context)++;
    return !strncmp(address, "10.", 3) || !strcmp(address, "2001:db8::1");
}

static void same(const char *actual, const char *expected)
{
    if (expected)
        ck_assert_ptr_nonnull(actual);
    else
        ck_assert_msg(!actual, "%s", actual);
    if (expected)
        ck_assert_str_eq(actual, expected);
}

static kc_forwarded_t believed(const kc_forwarded_headers_t *headers)
{
    kc_forwarded_t said;
    int asked = 0;

    kc_forwarded_read(headers, is_trusted, &asked, testlib_pool, &said);
    ck_assert_int_le(asked, 32);
    return said;
}

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct {
    kc_forwarded_headers_t headers;
    const char *scheme, *host, *port;
    int is_told;
} cases[] = {
    {{.proto = NULL}, NULL, NULL, NULL, 0},
    /* one proxy */
    {{.proto = "https"}, "https", NULL, NULL, 1},
    {{.proto = " HTTPS\t"}, "https", NULL, NULL, 1},
    {{.proto = "http"}, "http", NULL, NULL, 1},
    {{.proto = "wss"}, "https", NULL, NULL, 1},
    {{.proto = "ws"}, "http", NULL, NULL, 1},
    {{.proto = "ftp"}, NULL, NULL, NULL, 1},
    {{.proto = ""}, NULL, NULL, NULL, 1},
    {{.scheme = "https"}, "https", NULL, NULL, 1},
    {{.x_scheme = "https"}, "https", NULL, NULL, 1},
    {{.ssl = "on"}, "https", NULL, NULL, 1},
    {{.ssl = "off"}, "http", NULL, NULL, 1},
    {{.proto = "http", .scheme = "https", .x_scheme = "https", .ssl = "on"}, "http", NULL, NULL, 1},
    {{.scheme = "http", .x_scheme = "https", .ssl = "on"}, "http", NULL, NULL, 1},
    {{.x_scheme = "http", .ssl = "on"}, "http", NULL, NULL, 1},
    {{.host = "a.example.com"}, NULL, "a.example.com", NULL, 1},
    {{.host = "a.example.com:8443"}, NULL, "a.example.com:8443", NULL, 1},
    {{.host = "[2001:db8::2]:8443"}, NULL, "[2001:db8::2]:8443", NULL, 1},
    {{.host = ""}, NULL, NULL, NULL, 0},
    {{.port = "8443"}, NULL, NULL, "8443", 0},
    {{.proto = "https", .port = "8443"}, "https", NULL, "8443", 1},
    {{.by_for = "10.0.0.5"}, NULL, NULL, NULL, 0},
    /* of a list the last one's value, where nobody else is believed */
    {{.proto = "http, https"}, "https", NULL, NULL, 1},
    {{.proto = "https,http"}, "http", NULL, NULL, 1},
    {{.host = "evil.example.com, a.example.com"}, NULL, "a.example.com", NULL, 1},
    {{.host = "evil.example.com,"}, NULL, NULL, NULL, 0},
    {{.host = ",,a.example.com"}, NULL, "a.example.com", NULL, 1},
    {{.by_for = "198.51.100.7", .host = "x, y"}, NULL, "y", NULL, 1},
    {{.by_for = "10.0.0.5, 198.51.100.7", .host = "x, y"}, NULL, "y", NULL, 1},
    /* two in a row, and three */
    {{.by_for = "198.51.100.7, 10.0.0.5", .host = "x, y", .proto = "https, http", .port = "1, 2"},
     "https",
     "x",
     "1",
     1},
    {{.by_for = "198.51.100.7,10.0.0.5", .host = "evil, x, y"}, NULL, "x", NULL, 1},
    {{.by_for = "198.51.100.7, 10.0.0.9, 10.0.0.5", .host = "evil, x, y, z"}, NULL, "x", NULL, 1},
    {{.by_for = "10.0.0.1, 198.51.100.7, 10.0.0.5", .host = "evil, x, y"}, NULL, "x", NULL, 1},
    {{.by_for = "198.51.100.7, 10.0.0.5:4711", .host = "x, y"}, NULL, "x", NULL, 1},
    {{.by_for = "198.51.100.7, 2001:db8::1", .host = "x, y"}, NULL, "x", NULL, 1},
    {{.by_for = "198.51.100.7, [2001:db8::1]:4711", .host = "x, y"}, NULL, "x", NULL, 1},
    {{.by_for = "198.51.100.7, [2001:db8::1", .host = "x, y"}, NULL, "x", NULL, 1},
    {{.by_for = "198.51.100.7, unknown", .host = "x, y"}, NULL, "y", NULL, 1},
    {{.by_for = "10.0.0.5, ", .host = "x, y"}, NULL, "y", NULL, 1},
    {{.by_for = "", .host = "x, y"}, NULL, "y", NULL, 1},
    /* a list that is shorter than the way */
    {{.by_for = "198.51.100.7, 10.0.0.9, 10.0.0.5", .host = "x, y"}, NULL, "x", NULL, 1},
    {{.by_for = "10.0.0.9, 10.0.0.5", .host = "x"}, NULL, "x", NULL, 1},
    /* a client's quotes take nothing from what a proxy puts behind them */
    {{.host = "\"evil.example.com, a.example.com"}, NULL, "a.example.com", NULL, 1},
    {{.proto = "\", https"}, "https", NULL, NULL, 1},
    {{.proto = "\"\\, https"}, "https", NULL, NULL, 1},
    {{.by_for = "\", 198.51.100.7, 10.0.0.5", .host = "x, y"}, NULL, "x", NULL, 1},
};

START_TEST(headers_are_read_as_promised)
{
    kc_forwarded_t said = believed(&cases[_i].headers);

    same(said.scheme, cases[_i].scheme);
    same(said.host, cases[_i].host);
    same(said.port, cases[_i].port);
    ck_assert_int_eq(said.is_told, cases[_i].is_told);
}
END_TEST

static const struct {
    const char *header, *scheme, *host;
} standard[] = {
    {"", NULL, NULL},
    {"for=198.51.100.7", NULL, NULL},
    {"proto=https", "https", NULL},
    {"Proto=HTTPS;Host=a.example.com", "https", "a.example.com"},
    {"for=\"[2001:db8::7]:1\";proto=https;host=\"a.example.com:8443\"", "https",
     "a.example.com:8443"},
    {"host=\"a\\.example.com\" ; proto=http", "http", "a.example.com"},
    {"host=\"x;proto=https\"", NULL, "x;proto=https"},
    {"protocol=https;xhost=a;host", NULL, NULL},
    {"host=\"\";proto=", NULL, NULL},
    /* of several elements, by their for */
    {"host=evil.example.com, for=198.51.100.7;host=a.example.com", NULL, "a.example.com"},
    {"host=evil, for=198.51.100.7;host=x, for=10.0.0.5;host=y", NULL, "x"},
    {"host=evil, for=198.51.100.7;host=x, for=\"[2001:db8::1]:9\";host=y", NULL, "x"},
    {"host=evil, for=198.51.100.7;host=x, for=_hidden;host=y", NULL, "y"},
    {"for=10.0.0.9;host=x, for=10.0.0.5;host=y", NULL, "x"},
    {"for=\"198.51.100.7, 10.0.0.5\";host=\"a,b\"", NULL, "a,b"},
    /* a client's quotes */
    {"for=x;host=evil.example.com;proto=\", for=198.51.100.7;host=a.example.com;proto=https",
     "https", "a.example.com"},
    {"host=evil;proto=\", for=\"[2001:db8::7]\";host=a.example.com", NULL, "a.example.com"},
    {"host=evil;proto=\"\\, for=198.51.100.7;host=a.example.com", NULL, "a.example.com"},
    {"host=\"evil\";x=\"y\", for=198.51.100.7;host=a.example.com", NULL, "a.example.com"},
};

START_TEST(the_standard_header_is_read_as_promised)
{
    const kc_forwarded_headers_t headers = {.standard = standard[_i].header};
    kc_forwarded_t said = believed(&headers);

    same(said.scheme, standard[_i].scheme);
    same(said.host, standard[_i].host);
    same(said.port, NULL);
    ck_assert_int_eq(said.is_told, standard[_i].scheme || standard[_i].host);
}
END_TEST

START_TEST(the_standard_header_counts_only_alone)
{
    kc_forwarded_headers_t headers = {.standard = "proto=https;host=evil.example.com"};
    const char **const others[] = {&headers.proto, &headers.scheme, &headers.x_scheme,
                                   &headers.ssl,   &headers.host,   &headers.port};

    ck_assert_int_eq(COUNT(others), 6);
    *others[_i] = "";
    same(believed(&headers).host, NULL);
    same(believed(&headers).scheme, NULL);
}
END_TEST

START_TEST(x_forwarded_for_does_not_hide_the_standard_header)
{
    const kc_forwarded_headers_t headers = {.standard = "proto=https", .by_for = "10.0.0.5"};

    same(believed(&headers).scheme, "https");
}
END_TEST

/* Whoever believes half of the internet asks 32 times at most. */
START_TEST(a_long_way_ends)
{
    kc_forwarded_headers_t headers = {0};
    char way[9 * 1000 + 1], hosts[2 * 1000 + 1];
    int i;

    for (i = 0; i < 1000; i++) {
        memcpy(way + i * 9, "10.0.0.5,", 10);
        memcpy(hosts + i * 2, "x,", 3);
    }
    hosts[2 * (1000 - 32)] = 'y';
    way[sizeof(way) - 2] = hosts[sizeof(hosts) - 2] = '\0';
    headers.by_for = way;
    headers.host = hosts;
    same(believed(&headers).host, "y");
}
END_TEST

Suite *kc_test_forwarded(void)
{
    Suite *suite = suite_create("forwarded");
    TCase *tests = tcase_create("read");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_loop_test(tests, headers_are_read_as_promised, 0, COUNT(cases));
    tcase_add_loop_test(tests, the_standard_header_is_read_as_promised, 0, COUNT(standard));
    tcase_add_loop_test(tests, the_standard_header_counts_only_alone, 0, 6);
    tcase_add_test(tests, x_forwarded_for_does_not_hide_the_standard_header);
    tcase_add_test(tests, a_long_way_ends);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Tests of url.h: malformed URLs, queries, and addresses that a sign-in must not return to.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "base/query.h"
#include "base/url.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static apr_pool_t *pool;

static void setup(void)
{
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

static kc_url_t parsed(const char *text)
{
    kc_url_t url = {0};
    kc_err_t err = {0};

    ck_assert_msg(kc_url_parse(text, pool, &url, &err) == KC_OK, "%s: %s", text, err.detail);
    return url;
}

/* len letters with begin in front of them. */
static const char *padded(const char *begin, size_t len)
{
    size_t begin_len = strlen(begin);
    char *text = apr_palloc(pool, len + 1);

    memset(text, 'a', len);
    memcpy(text, begin, begin_len);
    text[len] = '\0';
    return text;
}

/* ---------------------------------------------------------------- parsing */

typedef struct {
    const char *text, *scheme, *host;
    int port;
    const char *path, *query, *origin;
} url_case_t;

static const url_case_t urls[] = {
    {"https://a.example", "https", "a.example", 443, "/", NULL, "https://a.example"},
    {"HTTP://A.Example:80/B?c=D", "http", "a.example", 80, "/B", "c=D", "http://a.example"},
    {"http://a.example:443/", "http", "a.example", 443, "/", NULL, "http://a.example:443"},
    {"https://a.example:80/", "https", "a.example", 80, "/", NULL, "https://a.example:80"},
    {"https://a.example?x", "https", "a.example", 443, "/", "x", "https://a.example"},
    {"https://a.example/?", "https", "a.example", 443, "/", "", "https://a.example"},
    {"https://a.example/b?c?d/e", "https", "a.example", 443, "/b", "c?d/e", "https://a.example"},
    {"http://[::1]:8080/x", "http", "[::1]", 8080, "/x", NULL, "http://[::1]:8080"},
    {"https://[FE80::A]", "https", "[fe80::a]", 443, "/", NULL, "https://[fe80::a]"},
    {"http://svc_1.ns.svc.:65535/a%2Fb", "http", "svc_1.ns.svc.", 65535, "/a%2Fb", NULL,
     "http://svc_1.ns.svc.:65535"},
    {"https://a/b@c:d", "https", "a", 443, "/b@c:d", NULL, "https://a"},
};

START_TEST(urls_are_parsed)
{
    const url_case_t *expected = &urls[_i];
    kc_url_t url = parsed(expected->text);

    ck_assert_str_eq(url.scheme, expected->scheme);
    ck_assert_str_eq(url.host, expected->host);
    ck_assert_int_eq(url.port, expected->port);
    ck_assert_str_eq(url.path, expected->path);
    ck_assert_pstr_eq(url.query, expected->query);
    ck_assert_str_eq(kc_url_origin(&url, pool), expected->origin);
}
END_TEST

static const char *const no_urls[] = {
    NULL,
    "",
    "a.example",
    "//a.example",
    "/a",
    "https:",
    "https:a.example",
    "https:/a.example",
    "https//a.example",
    "httpss://a.example",
    "xhttps://a.example",
    " https://a.example",
    "https://a.example ",
    "ftp://a.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "https://",
    "https:///a",
    "https://?a",
    "https://:443",
    "https://:443/",
    "https://user@a.example/",
    "https://user:pass@a.example/",
    "https://@a.example/",
    "https://a.example#b",
    "https://a.example/#",
    "https://a.example\\b",
    "https:\\\\a.example",
    "https://a\\.example/",
    "https://a.example/\\",
    "https://a b.example/",
    "https://a.example/a b",
    "https://a.example/\t",
    "https://a.example/\r\n",
    "https://a.example/\x7f",
    "https://a.example/\xc3\xa4",
    "https://\xc3\xa4.example/",
    "https://a%2eexample/",
    "https://a.example/%",
    "https://a.example/%2",
    "https://a.example/%zz",
    "https://a.example/<b>",
    "https://a.example/\"b\"",
    "https://a.example/{b}",
    "https://a.example/a|b",
    "https://a.example/`",
    "https://a.example/^",
    "https://a..example/",
    "https://.a.example/",
    "https://./",
    "https://a.example../",
    "https://a!b/",
    "https://a,b/",
    "https://a*b/",
    "https://a.example:",
    "https://a.example:/",
    "https://a.example:0",
    "https://a.example:65536",
    "https://a.example:99999999999",
    "https://a.example:-1",
    "https://a.example:+1",
    "https://a.example:4a",
    "https://a.example:443:443",
    "https://a.example: 443",
    "https://::1/",
    "https://[::1",
    "https://[::1]x",
    "https://[::1]443",
    "https://[]",
    "https://[",
    "https://]",
    "https://[127.0.0.1]",
    "https://[::1%25lo]",
    "https://[v1.a]",
    "https://[::1]:",
    "https://a[::1]/",
    "https://[::1].evil.example/",
};

START_TEST(what_is_no_url_is_refused)
{
    kc_url_t url;
    kc_err_t err = {0};

    ck_assert_msg(kc_url_parse(no_urls[_i], pool, &url, &err) == KC_REFUSED, "takes '%s'",
                  no_urls[_i]);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
    ck_assert_int_ne(err.detail[0], '\0');
    ck_assert_int_eq(kc_url_parse(no_urls[_i], pool, &url, NULL), KC_REFUSED);
}
END_TEST

static const struct {
    const char *host, *domain;
    int is_in;
} domains[] = {
    {"example.com", "example.com", 1},       {"a.example.com", "example.com", 1},
    {"a.b.example.com", "b.example.com", 1}, {"A.Example.COM", "example.com", 1},
    {"badexample.com", "example.com", 0},    {"example.com", "a.example.com", 0},
    {"example.com.evil", "example.com", 0},  {"a.example.org", "example.com", 0},
    {".example.com", "example.com", 1},      {"", "example.com", 0},
    {"localhost", "localhost", 1},           {"com", "example.com", 0},
};

START_TEST(hosts_are_found_in_their_domain)
{
    ck_assert_int_eq(kc_url_is_in_domain(domains[_i].host, domains[_i].domain), domains[_i].is_in);
}
END_TEST

START_TEST(length_has_a_limit)
{
    kc_url_t url;

    ck_assert_int_eq(kc_url_parse(padded("https://a.example/", KC_URL_MAX), pool, &url, NULL),
                     KC_OK);
    ck_assert_int_eq(kc_url_parse(padded("https://a.example/", KC_URL_MAX + 1), pool, &url, NULL),
                     KC_REFUSED);
    ck_assert_int_eq(kc_url_parse(padded("https://", 8 + 255), pool, &url, NULL), KC_OK);
    ck_assert_int_eq(kc_url_parse(padded("https://", 8 + 256), pool, &url, NULL), KC_REFUSED);
}
END_TEST

static int is_same(const char *a, const char *b)
{
    kc_url_t first = parsed(a);
    kc_url_t second = parsed(b);

    return kc_url_is_same_origin(&first, &second);
}

START_TEST(origins_are_compared)
{
    ck_assert(is_same("https://a.example/x?y", "HTTPS://A.EXAMPLE:443"));
    ck_assert(!is_same("https://a.example", "http://a.example"));
    ck_assert(!is_same("https://a.example", "http://a.example:443"));
    ck_assert(!is_same("https://a.example", "https://a.example:444"));
    ck_assert(!is_same("https://a.example", "https://a.example."));
    ck_assert(!is_same("https://a.example", "https://b.example"));
}
END_TEST

START_TEST(loopback_is_recognised)
{
    static const char *const near[] = {
        "http://localhost",        "http://LocalHost:1/a",         "http://kc.localhost",
        "http://127.0.0.1",        "http://127.255.255.254:8080/", "http://[::1]",
        "http://[0:0:0:0:0:0:0:1]"};
    static const char *const far[] = {"http://localhost.example",
                                      "http://notlocalhost",
                                      "http://.localhost.example",
                                      "http://128.0.0.1",
                                      "http://127.0.0.1.example",
                                      "http://127.1",
                                      "http://2130706433",
                                      "http://0x7f.0.0.1",
                                      "http://0177.0.0.1",
                                      "http://10.0.0.1",
                                      "http://[::2]",
                                      "http://[::ffff:127.0.0.1]",
                                      "http://[::]",
                                      "http://0.0.0.0",
                                      "http://127.0.0.1."};

    for (int i = 0; i < COUNT(near); i++) {
        kc_url_t url = parsed(near[i]);

        ck_assert_msg(kc_url_is_loopback(&url), "%s", near[i]);
    }
    for (int i = 0; i < COUNT(far); i++) {
        kc_url_t url = {0};

        if (kc_url_parse(far[i], pool, &url, NULL) == KC_OK)
            ck_assert_msg(!kc_url_is_loopback(&url), "%s", far[i]);
    }
}
END_TEST

START_TEST(urls_are_rebased)
{
    kc_url_t url = parsed("https://kc.example/realms/x/token?a=b");
    kc_url_t base = parsed("http://keycloak:8080/ignored?too");

    ck_assert_str_eq(kc_url_rebase(&url, &base, pool), "http://keycloak:8080/realms/x/token?a=b");
}
END_TEST

/* ---------------------------------------------------------------- building */

START_TEST(text_is_escaped)
{
    ck_assert_str_eq(kc_url_escape("", pool), "");
    ck_assert_str_eq(kc_url_escape("azAZ09-._~", pool), "azAZ09-._~");
    ck_assert_str_eq(kc_url_escape("a b+c/d?e&f=g%h\n\"", pool),
                     "a%20b%2Bc%2Fd%3Fe%26f%3Dg%25h%0A%22");
    ck_assert_str_eq(kc_url_escape("\xc3\xa4\x7f", pool), "%C3%A4%7F");
}
END_TEST

static const char *with_parameters(const char *begin, size_t limit)
{
    kc_buf_t buf;
    kc_bytes_t bytes;

    kc_buf_init(&buf, limit, pool);
    kc_buf_put_text(&buf, begin);
    kc_url_put_parameter(&buf, "a b", "c&d");
    kc_url_put_parameter(&buf, "e", "");
    return kc_buf_bytes(&buf, &bytes) == KC_OK ? (const char *)bytes.data : NULL;
}

START_TEST(parameters_are_appended)
{
    ck_assert_str_eq(with_parameters("", 100), "a%20b=c%26d&e=");
    ck_assert_str_eq(with_parameters("x=y", 100), "x=y&a%20b=c%26d&e=");
    ck_assert_str_eq(with_parameters("https://a.example", 100), "https://a.example?a%20b=c%26d&e=");
    ck_assert_str_eq(with_parameters("/login", 100), "/login?a%20b=c%26d&e=");
    ck_assert_str_eq(with_parameters("/login?", 100), "/login?a%20b=c%26d&e=");
    ck_assert_str_eq(with_parameters("/login?x=y", 100), "/login?x=y&a%20b=c%26d&e=");
    ck_assert_str_eq(with_parameters("/login?x=y&", 100), "/login?x=y&a%20b=c%26d&e=");
    ck_assert_ptr_null(with_parameters("/login", 10));
}
END_TEST

/* ---------------------------------------------------------------- queries */

static const char *value_of(const char *text, const char *name)
{
    const kc_query_t *query;
    const char *value = "unset";
    kc_err_t err = {0};

    ck_assert_msg(kc_query_parse(text, pool, &query, &err) == KC_OK, "%s", err.detail);
    switch (kc_query_single(query, name, &value, &err)) {
    case KC_OK:
        return value;
    case KC_MISS:
        return "(absent)";
    default:
        ck_assert_int_eq(err.reason, KC_ERR_CALLBACK);
        ck_assert_ptr_nonnull(strstr(err.detail, name));
        return "(repeated)";
    }
}

START_TEST(parameters_are_found)
{
    ck_assert_str_eq(value_of(NULL, "a"), "(absent)");
    ck_assert_str_eq(value_of("", "a"), "(absent)");
    ck_assert_str_eq(value_of("&&", "a"), "(absent)");
    ck_assert_str_eq(value_of("b=1", "a"), "(absent)");
    ck_assert_str_eq(value_of("A=1&aa=2", "a"), "(absent)");
    ck_assert_str_eq(value_of("a=1", "a"), "1");
    ck_assert_str_eq(value_of("a", "a"), "");
    ck_assert_str_eq(value_of("a=", "a"), "");
    ck_assert_str_eq(value_of("b=1&a=2=3&c", "a"), "2=3");
    ck_assert_str_eq(value_of("%61=x%20y+z%2B", "a"), "x y z+");
    ck_assert_str_eq(value_of("a=%C3%a4\xe2\x82\xac", "a"), "\xc3\xa4\xe2\x82\xac");
    ck_assert_str_eq(value_of("=1&a=2", ""), "1");
    ck_assert_str_eq(value_of("a=1&b=2&a=1", "a"), "(repeated)");
    ck_assert_str_eq(value_of("a&%61=1", "a"), "(repeated)");
    ck_assert_str_eq(value_of("a=1&b=2&a=1", "b"), "2");
    ck_assert_str_eq(value_of("a=1;b=2", "a"), "1;b=2");
    ck_assert_str_eq(value_of("a=\xf0\x9f\x98\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf\xe0\xa0\x80", "a"),
                     "\xf0\x9f\x98\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf\xe0\xa0\x80");
}
END_TEST

static const char *const bad_queries[] = {
    "a=%",         "a=%2",           "a=%zz",          "a=%2g",          "%=1",      "a=%-1",
    "a=% 1",       "a=%00",          "%00=a",          "a=b%00c",        "a=%0a",    "a=%0D%0A",
    "a=\x01",      "a=%1b[31m",      "a=%7f",          "a=\t",           "a=\x7f",   "a=\xff",
    "a=%ff",       "a=%c3",          "a=%c3%28",       "a=%c0%af",       "a=%c1%81", "a=%e0%80%af",
    "a=%ed%a0%80", "a=%f0%80%80%af", "a=%f4%90%80%80", "a=%f5%80%80%80", "a=%80",    "a=%e2%82",
    "\xc3=\xa4",   "a=b&c=d&e=%00",
};

START_TEST(malformed_queries_are_refused)
{
    const kc_query_t *query;
    kc_err_t err = {0};

    ck_assert_msg(kc_query_parse(bad_queries[_i], pool, &query, &err) == KC_REFUSED, "takes '%s'",
                  bad_queries[_i]);
    ck_assert_int_eq(err.reason, KC_ERR_CALLBACK);
}
END_TEST

/* Of a provider's answer each is refused where somebody asks for it alone. */
START_TEST(malformed_members_of_an_answer_harm_themselves_alone)
{
    const kc_query_t *query;
    const char *value = NULL;
    kc_err_t err = {0};

    ck_assert_int_eq(
        kc_query_parse_answer(apr_pstrcat(pool, bad_queries[_i], "&z=1", NULL), pool, &query, &err),
        KC_OK);
    ck_assert_int_eq(kc_query_single(query, "z", &value, &err), KC_OK);
    ck_assert_int_ne(kc_query_single(query, "a", &value, &err),
                     strstr(bad_queries[_i], "e=%00") ? KC_REFUSED : KC_OK);
}
END_TEST

START_TEST(what_can_be_read_of_a_malformed_member)
{
    static const struct {
        const char *text, *value;
    } rows[] = {{"a=b+c%20d", "b c d"},
                {"a=%zz%", "%zz%"},
                {"a=%0d%0a", "??"},
                {"a=x%00y", "x?y"},
                {"a=%FCber", "?ber"},
                {"a=%e2%82", "??"},
                {"a=%c3%a4\x80%F0", "\xc3\xa4??"},
                {"a=%7f\x01%4", "??%4"}};
    const kc_query_t *query;
    const char *value = NULL;

    ck_assert_int_eq(kc_query_parse_answer(rows[_i].text, pool, &query, NULL), KC_OK);
    ck_assert_int_eq(kc_query_text(query, "a", &value, NULL), KC_OK);
    ck_assert_str_eq(value, rows[_i].value);
    ck_assert_int_eq(kc_query_text(query, "b", &value, NULL), KC_MISS);
    ck_assert_int_eq(kc_query_parse_answer("a=1&a=%zz", pool, &query, NULL), KC_OK);
    ck_assert_int_eq(kc_query_text(query, "a", &value, NULL), KC_REFUSED);
}
END_TEST

START_TEST(queries_have_limits)
{
    const kc_query_t *query;
    const char *many = "a=1";
    kc_err_t err = {0};

    for (int i = 1; i < KC_QUERY_PARAMETERS_MAX; i++)
        many = apr_pstrcat(pool, many, "&&b", NULL);
    ck_assert_int_eq(kc_query_parse(many, pool, &query, &err), KC_OK);
    many = apr_pstrcat(pool, many, "&c", NULL);
    ck_assert_int_eq(kc_query_parse(many, pool, &query, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_CALLBACK);
    ck_assert_int_eq(kc_query_parse(padded("a=", KC_URL_MAX), pool, &query, &err), KC_OK);
    ck_assert_int_eq(kc_query_parse(padded("a=", KC_URL_MAX + 1), pool, &query, &err), KC_REFUSED);
}
END_TEST

/* ---------------------------------------------------------------- return URLs */

#define SITE "https://good.example"

static const apr_array_header_t *listed(void)
{
    apr_array_header_t *hosts = apr_array_make(pool, 3, (int)sizeof(const char *));

    APR_ARRAY_PUSH(hosts, const char *) = "Portal.example";
    APR_ARRAY_PUSH(hosts, const char *) = "tools.example:8443";
    APR_ARRAY_PUSH(hosts, const char *) = "[fd00::1]:444";
    APR_ARRAY_PUSH(hosts, const char *) = "broken host/";
    return hosts;
}

static const char *return_of(const char *text)
{
    return kc_url_return(text, SITE, listed(), pool);
}

static const char *const returns[] = {
    "/",
    "/a",
    "/a/b/?c=d&e=%2F%0a",
    "/?",
    "/?x",
    "/a//b",
    "/a%2Fb",
    "/a?u=https://evil.example/",
    "/a?b\\c",
    "/_/pipeline/?ns=kubeflow-user-example-com",
    "/notebook/ns/name/lab/tree/a%20b.ipynb",
    "/a;b=c/d",
    "/a...b/...",
    "/.well-known/x",
    "/..a",
    "/a/%E2%82%AC",
    "/%E2%82%AC",
    "/a@b:c",
    "/a%25b",
    "/a/%E3%80%82",
    "/a?b=|{}^`<>\"",
    /* neither UTF-8 nor in its shortest form: httpd serves it, so people come back to it */
    "/stra%DFe.html",
    "/%FCber",
    "/%ff",
    "/f%FCr/x?y=%FC",
    "/a/%E9%C0%AF",
    "/%C3",
    "/a?y=%ff%00%zz%",
    "/a?b=\\\\c//d",
    "/./",
    "/.",
    "/./a",
    "/a/..",
    "/a/../b",
    "/a/./b",
    "/a//../b",
    "/%2e/",
    "/a/%2e%2e/b",
    "/a%2f..%2fb",
    "/a/..;x=y/b",
    "/.;/a",
    "/a/%2e%2e%3b/b",
    "/a/.../..b",
    "/%25foo",
    "/%25",
    "/%2525foo",
    "/%25ff",
    "/100%25/x",
    "/a/%252e%252e/b",
    "/a/%5c..%5cb",
    "/CORP%5Cjoe",
    "/a{b}|c^d`<e>\"",
    SITE "/stra%DFe.html?y=%FC",
    SITE "/a/./b",
    SITE "/%25foo?a={b}|c",
    SITE "/",
    SITE "/a?b",
    "https://portal.example/x",
    "https://tools.example:8443/",
    "https://[fd00::1]:444/x",
};

START_TEST(good_return_urls_stay)
{
    ck_assert_str_eq(return_of(returns[_i]), returns[_i]);
}
END_TEST

typedef struct {
    const char *text, *becomes;
} spelling_t;

static const spelling_t spellings[] = {
    {"/a#b", "/a"},
    {"/a?b#//evil.example", "/a?b"},
    {"/#/runs", "/"},
    {"HTTPS://GOOD.example", SITE "/"},
    {"https://good.example:443/a", SITE "/a"},
    {"https://portal.EXAMPLE/a#b", "https://portal.example/a"},
    {"/\xc3\xa4?\xdf", "/%C3%A4?%DF"},
    {SITE "/a\xe4#\xe4", SITE "/a%E4"},
    {SITE "?a=b", SITE "/?a=b"},
    {"hTTps://Tools.example:8443?x", "https://tools.example:8443/?x"},
};

START_TEST(return_urls_are_brought_to_one_spelling)
{
    ck_assert_str_eq(return_of(spellings[_i].text), spellings[_i].becomes);
}
END_TEST

static const char *const attacks[] = {
    NULL,
    "",
    "?",
    "?a",
    "#",
    "#/a",
    "a",
    "a/b",
    ".",
    "..",
    "./a",
    "../a",
    "%2fa",
    "%5c",
    " /a",
    "\t/a",
    /* another host by slashes and backslashes, plain, escaped, escaped twice */
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "/\\/evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "\\evil.example",
    "//\\evil.example",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "%5c%5cevil.example",
    "%2f%2fevil.example",
    "/%252fevil.example",
    "/%255cevil.example",
    "/%25%32%66evil.example",
    "/a\\b",
    "//evil.example/%2f..",
    "//",
    "///",
    "/\\",
    "/%2f",
    "//%09/evil.example",
    /* white space and control characters that browsers drop */
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d/evil.example",
    "/%0D%0ALocation:x",
    "/%00",
    "/a%00b",
    "/%00/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "/a\r\nSet-Cookie: a=b",
    "/a b",
    "/\x01",
    "/\x7f",
    "/%7f",
    "/a%1bb",
    "\n//evil.example",
    /* dot segments */
    "/.//evil.example",
    "/..//evil.example",
    "/..",
    "/a/../../b",
    "/%2e%2e//evil.example",
    "/.%2e/",
    "/..;/a",
    "/..%2fevil.example",
    "/a/..//evil.example",
    "/a/%2e%2e//evil.example",
    "/a/../%5cevil.example",
    "/a/b/..%2f../%2fevil.example",
    "/./%2fevil.example",
    "/.;//evil.example",
    "/a/..;//evil.example",
    "/%2e%2f/evil.example",
    "/%252e//evil.example",
    "/a/%252e%252e/%252fevil.example",
    "/a/..\\/evil.example",
    "/%25252fevil.example",
    "/%25252525252fevil.example",
    "/%2509/evil.example",
    "/%c1%9cevil.example",
    "/%f0%80%80%afevil.example",
    "/a/../%E2%88%95evil.example",
    /* characters that look like them, and bytes that are none */
    "/\xe2\x88\x95"
    "evil.example",
    "/%E2%88%95evil.example",
    "/%e2%81%84evil.example",
    "/%EF%BC%8Fevil.example",
    "/%EF%BC%BCevil.example",
    "/%EF%B9%A8evil.example",
    "/%E2%A7%B8evil.example",
    "/%E2%80%A4/evil.example",
    "/%EF%BC%8E/evil.example",
    "/%E3%80%82/evil.example",
    "\xef\xbc\x8f\xef\xbc\x8f"
    "evil.example",
    "/%c0%af",
    "/%c0%ae%c0%ae/",
    "/%e0%80%af",
    "/%",
    "/%2",
    "/%zz",
    "/a%",
    "//evil%E3%80%82example",
    "https://good%E3%80%82example/",
    "https://good\xe3\x80\x82"
    "example/",
    /* other schemes, and ways to write them */
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    " javascript:alert(1)",
    "javascript://good.example/%0aalert(1)",
    "data:text/html,<script>",
    "vbscript:x",
    "file:///etc",
    "ftp://good.example/",
    "mailto:a@b",
    "https:evil.example",
    "https:/evil.example",
    "https:good.example",
    "https:/good.example",
    "https:///evil.example",
    "https:\\\\evil.example",
    "https:/\\evil.example",
    "HTTPS:EVIL.EXAMPLE",
    "hTTpS://EVIL.example",
    "http:evil.example",
    "://evil.example",
    "https:",
    "https://",
    "view-source:https://good.example/",
    "https:////good.example/",
    /* hosts that only look like ours */
    "https://evil.example",
    "https://evil.example/good.example",
    "https://good.example.evil.example/",
    "https://good.example@evil.example/",
    "https://good.example:x@evil.example/",
    "https://good.example%40evil.example/",
    "https://good.example%2f@evil.example/",
    "https://user@good.example/",
    "https://user:pass@good.example/",
    "https://@good.example/",
    "https://evilgood.example/",
    "https://good.example./",
    "https://good.example.:443/",
    "https://good.example:444/",
    "https://good.example:80/",
    "https://good.example:/",
    "https://good.example:0/",
    "https://good.example:65979/",
    "https://good.exampl/",
    "https://.good.example/",
    "https://good.example\\.evil.example/",
    "https://good.example\\@evil.example/",
    "https://good.example#@evil.example:x/../",
    "https://evil.example#good.example",
    "https://evil.example?good.example",
    "https://evil.example\\good.example",
    "https://www.good.example/",
    "https://[good.example]/",
    "https://good_example/",
    "https://\tgood.example/",
    "https://evil.example:443/",
    "https://evil.example/#https://good.example/",
    /* less than https, and other ports of listed hosts */
    "http://good.example/",
    "http://portal.example/",
    "http://tools.example:8443/",
    "https://portal.example:444/",
    "https://portal.example.evil.example/",
    "https://tools.example/",
    "https://tools.example:8444/",
    "https://portal.example./",
    "https://[fd00::1]/",
    "https://[fd00::2]:444/",
    "https://broken/",
    /* our host, and yet not a page of it */
    "https://good.example//evil.example",
    "https://good.example/%2fevil.example",
    "https://good.example/\\evil.example",
    "https://good.example/%5cevil.example",
    "https://good.example/..//evil.example",
    "https://good.example/%0d%0a",
    "https://good.example/a b",
};

START_TEST(bad_return_urls_become_the_start_page)
{
    const char *text = attacks[_i];
    /* The one attack whose harmless front is kept: its host is ours. */
    int is_ours = text && !strcmp(text, "https://good.example#@evil.example:x/../");

    ck_assert_msg(!strcmp(return_of(text), is_ours ? SITE "/" : "/"), "'%s' leads to '%s'", text,
                  return_of(text));
    ck_assert_str_eq(kc_url_return(text, NULL, NULL, pool), "/");
}
END_TEST

START_TEST(return_urls_depend_on_the_site)
{
    ck_assert_str_eq(kc_url_return("http://a.example:8989/x", "http://a.example:8989", NULL, pool),
                     "http://a.example:8989/x");
    ck_assert_str_eq(kc_url_return("http://portal.example/x", "http://a.example", listed(), pool),
                     "http://portal.example/x");
    ck_assert_str_eq(kc_url_return("https://portal.example/x", "http://a.example", listed(), pool),
                     "https://portal.example/x");
    ck_assert_str_eq(kc_url_return("https://good.example/x", NULL, listed(), pool), "/");
    ck_assert_str_eq(kc_url_return("https://portal.example/x", NULL, listed(), pool),
                     "https://portal.example/x");
    ck_assert_str_eq(kc_url_return("/x", NULL, NULL, pool), "/x");
}
END_TEST

START_TEST(return_urls_have_a_length)
{
    ck_assert_str_eq(return_of(padded("/", KC_URL_MAX)), padded("/", KC_URL_MAX));
    ck_assert_str_eq(return_of(padded("/", KC_URL_MAX + 1)), "/");
    ck_assert_str_eq(return_of(padded("/#", KC_URL_MAX + 1)), "/");
    ck_assert_str_eq(return_of(padded(SITE "/", KC_URL_MAX + 1)), "/");
}
END_TEST

Suite *kc_test_url(void)
{
    Suite *suite = suite_create("url");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_loop_test(all, urls_are_parsed, 0, COUNT(urls));
    tcase_add_loop_test(all, what_is_no_url_is_refused, 0, COUNT(no_urls));
    tcase_add_test(all, length_has_a_limit);
    tcase_add_loop_test(all, hosts_are_found_in_their_domain, 0,
                        sizeof(domains) / sizeof(domains[0]));
    tcase_add_test(all, origins_are_compared);
    tcase_add_test(all, loopback_is_recognised);
    tcase_add_test(all, urls_are_rebased);
    tcase_add_test(all, text_is_escaped);
    tcase_add_test(all, parameters_are_appended);
    tcase_add_test(all, parameters_are_found);
    tcase_add_loop_test(all, malformed_members_of_an_answer_harm_themselves_alone, 0,
                        sizeof(bad_queries) / sizeof(bad_queries[0]));
    tcase_add_loop_test(all, what_can_be_read_of_a_malformed_member, 0, 8);
    tcase_add_loop_test(all, malformed_queries_are_refused, 0, COUNT(bad_queries));
    tcase_add_test(all, queries_have_limits);
    tcase_add_loop_test(all, good_return_urls_stay, 0, COUNT(returns));
    tcase_add_loop_test(all, return_urls_are_brought_to_one_spelling, 0, COUNT(spellings));
    tcase_add_loop_test(all, bad_return_urls_become_the_start_page, 0, COUNT(attacks));
    tcase_add_test(all, return_urls_depend_on_the_site);
    tcase_add_test(all, return_urls_have_a_length);
    suite_add_tcase(suite, all);
    return suite;
}

/* Tests of audit_line.h: each line is JSON of one form, within its bound, whatever texts it has.
 * SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_line.h"

#include <apr_strings.h>
#include <check.h>
#include <limits.h>
#include <string.h>

#include "base/json.h"
#include "testlib.h"

Suite *kc_test_audit_line(void);

static char line[KC_AUDIT_LINE_MAX];
static const kc_json_t *parsed;

static const char *const names[] = {"time",    "event",  "tag",     "cause",
                                    "user",    "sub",    "act",     "by",
                                    "client",  "acr",    "session", "keycloak_session",
                                    "address", "agent",  "request", "trace",
                                    "issuer",  "server", "omitted", "lost"};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static void write_line(const kc_audit_event_t *event, const kc_audit_origin_t *origin)
{
    size_t len = kc_audit_line_write(event, origin, line), i;

    ck_assert_uint_le(len, KC_AUDIT_LINE_MAX);
    ck_assert_ptr_eq(memchr(line, '\n', len), line + len - 1);
    for (i = 0; i + 1 < len; i++)
        ck_assert_int_ge((unsigned char)line[i], 0x20);
    ck_assert_msg(kc_json_parse(line, len - 1, testlib_pool, &parsed, NULL) == KC_OK, "%.*s",
                  (int)len, line);
    ck_assert_uint_eq(kc_json_size(parsed), NAMES);
    for (i = 0; i < NAMES; i++)
        ck_assert_msg(kc_json_has(parsed, names[i]), "%s", names[i]);
}

static const char *text_of(const char *name)
{
    return kc_json_member_string(parsed, name);
}

/* The user's name as it is written, and read again. */
static const char *written(const char *user)
{
    const kc_audit_event_t event = {
        .kind = KC_AUDIT_SIGN_IN, .reason = KC_ERR_EVENT_SIGN_IN, .user = user};
    const kc_audit_origin_t origin = {0};

    write_line(&event, &origin);
    return text_of("user");
}

START_TEST(a_line_has_what_it_is_given)
{
    const kc_audit_event_t event = {.kind = KC_AUDIT_SESSION_ENDED,
                                    .reason = KC_ERR_EVENT_BACKCHANNEL,
                                    .cause = "back-channel",
                                    .user = "alice@example.com",
                                    .sub = "f3",
                                    .act = "root",
                                    .by = "operator",
                                    .acr = "gold",
                                    .sid = "abc",
                                    .session = "0123456789abcdef"};
    const kc_audit_origin_t origin = {.time_ms = INT64_C(1700000000123),
                                      .client = "app",
                                      .issuer = "https://k.example/realms/r",
                                      .server = "site.example",
                                      .address = "2001:db8::1",
                                      .agent = "Mozilla/5.0",
                                      .request = "Zk0a",
                                      .trace = "4bf92f3577b34da6a3ce929d0e0e4736",
                                      .omitted = 3,
                                      .lost = UINT_MAX};
    int64_t number;

    write_line(&event, &origin);
    ck_assert_str_eq(text_of("time"), "2023-11-14T22:13:20.123Z");
    ck_assert_str_eq(text_of("event"), "session-ended");
    ck_assert_str_eq(text_of("tag"), "KC0605");
    ck_assert_str_eq(text_of("cause"), "back-channel");
    ck_assert_str_eq(text_of("user"), "alice@example.com");
    ck_assert_str_eq(text_of("act"), "root");
    ck_assert_str_eq(text_of("by"), "operator");
    ck_assert_str_eq(text_of("session"), "0123456789abcdef");
    ck_assert_str_eq(text_of("keycloak_session"), "ba7816bf8f01cfea");
    ck_assert_str_eq(text_of("trace"), "4bf92f3577b34da6a3ce929d0e0e4736");
    ck_assert(kc_json_integer(kc_json_member(parsed, "omitted"), &number) && number == 3);
    ck_assert(kc_json_integer(kc_json_member(parsed, "lost"), &number) && number == UINT_MAX);
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
    const kc_audit_event_t event = {.kind = KC_AUDIT_SIGN_IN, .reason = KC_ERR_EVENT_SIGN_IN};
    const kc_audit_origin_t origin = {0};

    write_line(&event, &origin);
    ck_assert_ptr_null(kc_json_member(parsed, "user"));
    ck_assert_ptr_null(kc_json_member(parsed, "session"));
    ck_assert_ptr_null(written(""));
}
END_TEST

typedef struct {
    const char *text;
    const char *read; /* after JSON; NULL: as it was */
} sample_t;

static const sample_t samples[] = {
    {"plain", NULL},
    {"a\"b\\c/d", NULL},
    {"{\"event\":\"sign-in\"}\n{\"a\":1}", NULL},
    {"tab\there\r\n\x01\x1f\x7f", NULL},
    {"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x94\x91", NULL},
    {"\xc2\x85 \xe2\x80\xa8 \xe2\x80\xae \xef\xbb\xbf", NULL},
    {"\xff", "\xef\xbf\xbd"},
    {"a\xc3", "a\xef\xbf\xbd"},
    {"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xc1\xbf", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xf0\x80\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xf5\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\x80\xbf", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xc3\"\xc3", "\xef\xbf\xbd\"\xef\xbf\xbd"},
    {"\xef\xbf\xbd", NULL},
};

START_TEST(foreign_text_is_escaped_and_nothing_else_is_lost)
{
    const sample_t *sample = &samples[_i];

    ck_assert_pstr_eq(written(sample->text), sample->read ? sample->read : sample->text);
}
END_TEST

START_TEST(characters_that_hide_or_split_are_escaped)
{
    static const char *const hidden[] = {
        "\x7f",         "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xae", "\xe2\x80\x8b", "\xe2\x81\xa6",
        "\xef\xbb\xbf", "\xd8\x9c", "\xc2\xad",     "\xe1\xa0\x8e", "\xe2\x81\xaf", "\xef\xbf\xb9"};
    size_t i;

    for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        (void)written(hidden[i]);
        line[KC_AUDIT_LINE_MAX - 1] = '\0';
        ck_assert_msg(
            !memmem(line, (size_t)(strchr(line, '\n') - line), hidden[i], strlen(hidden[i])), "%zu",
            i);
    }
}
END_TEST

/* Texts of one repeated character, in each field, from shorter than the bound to far beyond it. */
static const char *const fills[] = {
    "x", "\"", "\\", "\x01", "\xff", "\xc3\xa9", "\xf0\x9f\x94\x91"};

START_TEST(a_line_is_bounded_whatever_its_texts)
{
    const char *fill = fills[_i % (int)(sizeof(fills) / sizeof(fills[0]))];
    size_t count = (size_t)_i * 37 + 1, i;
    char *text = apr_palloc(testlib_pool, count * strlen(fill) + 1);
    kc_audit_event_t event = {.kind = KC_AUDIT_SIGN_IN_REFUSED, .reason = KC_ERR_INTERNAL};
    kc_audit_origin_t origin = {
        .time_ms = INT64_MAX / 1000000, .omitted = UINT_MAX, .lost = UINT_MAX};

    for (i = 0; i < count; i++)
        memcpy(text + i * strlen(fill), fill, strlen(fill));
    text[count * strlen(fill)] = '\0';
    event.cause = event.user = event.sub = event.act = event.by = event.acr = event.sid = text;
    memcpy(event.session, "0123456789abcdef", sizeof(event.session));
    origin.client = origin.issuer = origin.server = origin.address = origin.agent = text;
    origin.request = origin.trace = text;
    write_line(&event, &origin);
    if (count > 600)
        ck_assert_pstr_eq(text_of("user") + strlen(text_of("user")) - 3, "\xe2\x80\xa6");
}
END_TEST

/* A user's name has up to 255 bytes, of which the worst are escaped by two. */
START_TEST(a_name_that_is_allowed_is_never_cut)
{
    char name[256];

    memset(name, '"', 255);
    name[255] = '\0';
    ck_assert_pstr_eq(written(name), name);
}
END_TEST

Suite *kc_test_audit_line(void)
{
    Suite *suite = suite_create("audit_line");
    TCase *tests = tcase_create("audit_line");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_test(tests, a_line_has_what_it_is_given);
    tcase_add_test(tests, what_is_not_known_is_null);
    tcase_add_loop_test(tests, foreign_text_is_escaped_and_nothing_else_is_lost, 0,
                        sizeof(samples) / sizeof(samples[0]));
    tcase_add_test(tests, characters_that_hide_or_split_are_escaped);
    tcase_add_loop_test(tests, a_line_is_bounded_whatever_its_texts, 0, 70);
    tcase_add_test(tests, a_name_that_is_allowed_is_never_cut);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Tests of err.h: the table of reasons row by row, and how a failure is filled.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "base/err.h"

Suite *kc_test_err(void);

/* Tags, slugs, statuses and levels are promises: administrators search for them, dashboards count
 * them, LogLevel shows or hides them. A row that changes must change here, too. */
typedef struct expected_t {
    kc_reason_t reason;
    const char *tag;
    const char *slug;
    int status;
    kc_log_level_t level;
} expected_t;

static const expected_t expected[] = {
    {KC_ERR_NONE, "KC0000", "none", 200, KC_LOG_WARNING},
    {KC_ERR_INTERNAL, "KC0001", "internal", 500, KC_LOG_ERROR},
    {KC_ERR_CRYPTO, "KC0002", "crypto", 500, KC_LOG_ERROR},
    {KC_ERR_CONFIG, "KC0003", "configuration", 500, KC_LOG_ERROR},
    {KC_ERR_LOGIN_REQUIRED, "KC0101", "login-required", 401, KC_LOG_DEBUG},
    {KC_ERR_SESSION_ENDED, "KC0102", "session-ended", 401, KC_LOG_INFO},
    {KC_ERR_FORBIDDEN, "KC0103", "forbidden", 403, KC_LOG_WARNING},
    {KC_ERR_METHOD, "KC0104", "method", 405, KC_LOG_WARNING},
    {KC_ERR_NOT_FOUND, "KC0105", "not-found", 404, KC_LOG_DEBUG},
    {KC_ERR_SESSION_INVALID, "KC0106", "session-invalid", 401, KC_LOG_WARNING},
    {KC_ERR_SESSION_IDLE, "KC0107", "session-idle", 401, KC_LOG_INFO},
    {KC_ERR_SESSION_MAX, "KC0108", "session-max", 401, KC_LOG_INFO},
    {KC_ERR_SIGNED_OUT, "KC0109", "signed-out", 401, KC_LOG_INFO},
    {KC_ERR_CROSS_SITE, "KC0110", "cross-site", 403, KC_LOG_WARNING},
    {KC_ERR_SIGN_IN_AGAIN, "KC0111", "sign-in-again", 401, KC_LOG_INFO},
    {KC_ERR_FORM, "KC0112", "form", 400, KC_LOG_WARNING},
    {KC_ERR_SIGNED_OUT_NOW, "KC0113", "signed-out-now", 503, KC_LOG_ERROR},
    {KC_ERR_JUDGE_QUESTION, "KC0114", "judge-question", 403, KC_LOG_WARNING},
    {KC_ERR_INVALID_TOKEN, "KC0115", "invalid-token", 401, KC_LOG_INFO},
    {KC_ERR_FORM_BUSY, "KC0116", "form-busy", 503, KC_LOG_ERROR},
    {KC_ERR_JUDGE_PATH, "KC0119", "judge-path", 400, KC_LOG_WARNING},
    {KC_ERR_FOREIGN_COOKIE, "KC0120", "foreign-cookie", 502, KC_LOG_ERROR},
    {KC_ERR_FORWARDED_IGNORED, "KC0121", "forwarded-ignored", 400, KC_LOG_WARNING},
    {KC_ERR_PROVIDER_DOWN, "KC0201", "provider-down", 503, KC_LOG_ERROR},
    {KC_ERR_PROVIDER_BUSY, "KC0202", "provider-busy", 503, KC_LOG_ERROR},
    {KC_ERR_DISCOVERY, "KC0203", "discovery", 503, KC_LOG_ERROR},
    {KC_ERR_DISCOVERY_ISSUER, "KC0204", "discovery-issuer", 503, KC_LOG_ERROR},
    {KC_ERR_DISCOVERY_ENDPOINT, "KC0205", "discovery-endpoint", 503, KC_LOG_ERROR},
    {KC_ERR_KEYS, "KC0206", "keys", 503, KC_LOG_ERROR},
    {KC_ERR_JSON, "KC0207", "json", 503, KC_LOG_ERROR},
    {KC_ERR_PROXY_IGNORED, "KC0208", "proxy-ignored", 503, KC_LOG_WARNING},
    {KC_ERR_STATE_UNKNOWN, "KC0301", "state-unknown", 400, KC_LOG_WARNING},
    {KC_ERR_STATE_SPENT, "KC0302", "state-spent", 400, KC_LOG_WARNING},
    {KC_ERR_STATE_EXPIRED, "KC0303", "state-expired", 400, KC_LOG_WARNING},
    {KC_ERR_LOGIN_LOOP, "KC0304", "login-loop", 400, KC_LOG_WARNING},
    {KC_ERR_CALLBACK, "KC0305", "callback", 400, KC_LOG_WARNING},
    {KC_ERR_CALLBACK_ISSUER, "KC0306", "callback-issuer", 401, KC_LOG_WARNING},
    {KC_ERR_PROVIDER_ERROR, "KC0307", "provider-error", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_ENDPOINT, "KC0308", "token-endpoint", 401, KC_LOG_WARNING},
    {KC_ERR_CLIENT_AUTH, "KC0309", "client-auth", 500, KC_LOG_ERROR},
    {KC_ERR_USERINFO, "KC0310", "userinfo", 401, KC_LOG_WARNING},
    {KC_ERR_REFRESH_REFUSED, "KC0311", "refresh-refused", 401, KC_LOG_INFO},
    {KC_ERR_LOGOUT_STATE, "KC0312", "logout-state", 400, KC_LOG_WARNING},
    {KC_ERR_SILENT, "KC0313", "silent", 401, KC_LOG_INFO},
    {KC_ERR_RETURN_LOST, "KC0314", "return-lost", 400, KC_LOG_WARNING},
    {KC_ERR_PREFETCH, "KC0315", "prefetch", 503, KC_LOG_INFO},
    {KC_ERR_TOKEN_FORM, "KC0401", "token-form", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_HEADER, "KC0402", "token-header", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_ALG, "KC0403", "token-algorithm", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_KEY, "KC0404", "token-key", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_SIGNATURE, "KC0405", "token-signature", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_ISSUER, "KC0406", "token-issuer", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_AUDIENCE, "KC0407", "token-audience", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_TIME, "KC0408", "token-time", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_SUBJECT, "KC0409", "token-subject", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_NONCE, "KC0410", "token-nonce", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_TYPE, "KC0411", "token-type", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_CLAIM, "KC0412", "token-claim", 401, KC_LOG_WARNING},
    {KC_ERR_USER_MISSING, "KC0413", "user-missing", 401, KC_LOG_WARNING},
    {KC_ERR_USER_FORM, "KC0414", "user-form", 401, KC_LOG_WARNING},
    {KC_ERR_EMAIL_UNVERIFIED, "KC0415", "email-unverified", 401, KC_LOG_WARNING},
    {KC_ERR_TOKEN_WEAK, "KC0416", "token-weak", 403, KC_LOG_WARNING},
    {KC_ERR_LOGOUT_TOKEN, "KC0417", "logout-token", 400, KC_LOG_WARNING},
    {KC_ERR_LOGOUT_REPLAY, "KC0418", "logout-replay", 400, KC_LOG_WARNING},
    {KC_ERR_ROLES_UNKNOWN, "KC0419", "roles-unknown", 403, KC_LOG_WARNING},
    {KC_ERR_CLAIM_ABSENT, "KC0420", "claim-absent", 403, KC_LOG_WARNING},
    {KC_ERR_TOKEN_SIZE, "KC0424", "token-size", 401, KC_LOG_WARNING},
    {KC_ERR_GROUPS_LEFT_OUT, "KC0425", "groups-left-out", 500, KC_LOG_WARNING},
    {KC_ERR_STORE_DOWN, "KC0501", "store-down", 503, KC_LOG_ERROR},
    {KC_ERR_STORE_VALUE, "KC0502", "store-value", 500, KC_LOG_ERROR},
    {KC_ERR_SEAL, "KC0503", "seal", 401, KC_LOG_WARNING},
    {KC_ERR_SESSION_FORMAT, "KC0504", "session-format", 401, KC_LOG_WARNING},
    {KC_ERR_KEY_FOREIGN, "KC0505", "key-foreign", 401, KC_LOG_WARNING},
    {KC_ERR_STORE_FULL, "KC0510", "store-full", 503, KC_LOG_ERROR},
    {KC_ERR_STORE_CLOCK, "KC0511", "store-clock", 500, KC_LOG_ERROR},
    {KC_ERR_EVENT_SIGN_IN, "KC0601", "sign-in", 0, KC_LOG_INFO},
    {KC_ERR_EVENT_SIGN_OUT, "KC0602", "sign-out", 0, KC_LOG_INFO},
    {KC_ERR_EVENT_SIGN_OUT_ALL, "KC0603", "sign-out-all", 0, KC_LOG_INFO},
    {KC_ERR_EVENT_OPERATOR, "KC0604", "ended-by-operator", 0, KC_LOG_NOTICE},
    {KC_ERR_EVENT_BACKCHANNEL, "KC0605", "backchannel-logout", 0, KC_LOG_INFO},
    {KC_ERR_EVENT_FRONTCHANNEL, "KC0606", "frontchannel-logout", 0, KC_LOG_INFO},
    {KC_ERR_EVENT_SIGN_IN_BEGINS, "KC0607", "sign-in-begins", 0, KC_LOG_DEBUG},
    {KC_ERR_EVENT_VALUES_LEFT_OUT, "KC0608", "values-left-out", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_MEMCACHED_DOWN, "KC0611", "memcached-down", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_MEMCACHED_BACK, "KC0612", "memcached-back", 0, KC_LOG_NOTICE},
    {KC_ERR_EVENT_MEMCACHED_NETWORK, "KC0613", "memcached-network", 0, KC_LOG_NOTICE},
    {KC_ERR_EVENT_CACHE_SIZE_CHANGED, "KC0614", "cache-size-changed", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_CACHE_SIZE_IGNORED, "KC0615", "cache-size-ignored", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_KEY_UNSET, "KC0621", "crypto-key-unset", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_HTTP_ALLOWED, "KC0622", "http-allowed", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_WATCHDOG_MISSING, "KC0623", "watchdog-missing", 0, KC_LOG_NOTICE},
    {KC_ERR_EVENT_WATCHDOG_REFUSES, "KC0624", "watchdog-refuses", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_JUDGE_SHARED, "KC0631", "judge-shared", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_NOT_READY, "KC0632", "not-ready", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_READY, "KC0633", "ready", 0, KC_LOG_NOTICE},
    {KC_ERR_EVENT_METRICS_OPEN, "KC0641", "metrics-open", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_AUDIT_LOST, "KC0651", "audit-lost", 0, KC_LOG_ERROR},
    {KC_ERR_EVENT_AUDIT_BACK, "KC0652", "audit-back", 0, KC_LOG_NOTICE},
    {KC_ERR_EVENT_BEARER, "KC0653", "bearer-accepted", 0, KC_LOG_DEBUG},
    {KC_ERR_EVENT_FILE_TAKEN, "KC0661", "file-taken", 0, KC_LOG_NOTICE},
    {KC_ERR_EVENT_FILE_REFUSED, "KC0662", "file-refused", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_FILE_WAITS, "KC0663", "file-waits", 0, KC_LOG_WARNING},
    {KC_ERR_EVENT_FILE_UNSEEN, "KC0664", "file-unseen", 0, KC_LOG_INFO},
};

enum { EXPECTED_COUNT = sizeof(expected) / sizeof(expected[0]) };

START_TEST(each_row_is_what_it_is_promised_to_be)
{
    const kc_err_row_t *row = kc_err_row(expected[_i].reason);

    ck_assert_int_eq((int)expected[_i].reason, _i);
    ck_assert_str_eq(row->tag, expected[_i].tag);
    ck_assert_str_eq(row->slug, expected[_i].slug);
    ck_assert_int_eq(row->status, expected[_i].status);
    ck_assert_int_eq((int)row->level, (int)expected[_i].level);
}
END_TEST

START_TEST(the_table_has_no_row_that_is_not_expected)
{
    ck_assert_int_eq(EXPECTED_COUNT, KC_ERR_COUNT);
}
END_TEST

/* 1 when text is a sentence for a person: a capital, a full stop, one line. */
static int is_sentence(const char *text)
{
    size_t len = strlen(text);

    return len > 3 && text[0] >= 'A' && text[0] <= 'Z' && text[len - 1] == '.' &&
           !strchr(text, '\n') && !strchr(text, '<') && !strchr(text, '&');
}

/* An event is no answer: nobody is told of it, and nobody has to do anything. */
START_TEST(each_row_tells_a_person_what_happened_and_what_to_do)
{
    const kc_err_row_t *row = kc_err_row((kc_reason_t)_i);
    int is_event = strncmp(row->tag, "KC06", 4) == 0;

    ck_assert_int_eq(strncmp(row->name, "EVENT_", 6) == 0, is_event);
    ck_assert_msg(is_sentence(row->sentence), "%s: %s", row->name, row->sentence);
    if (is_event) {
        ck_assert_str_eq(row->advice, "");
        ck_assert_int_eq(row->status, 0);
        return;
    }
    ck_assert_msg(is_sentence(row->advice), "%s: %s", row->name, row->advice);
    ck_assert_int_ge(row->status, 400);
    ck_assert_int_lt(row->status, 600);
}
END_TEST

START_TEST(no_two_rows_share_tag_slug_name_or_sentence)
{
    const kc_err_row_t *row = kc_err_row((kc_reason_t)_i);
    int i;

    for (i = 0; i < _i; i++) {
        const kc_err_row_t *other = kc_err_row((kc_reason_t)i);

        ck_assert_str_ne(row->tag, other->tag);
        ck_assert_str_ne(row->slug, other->slug);
        ck_assert_str_ne(row->name, other->name);
        ck_assert_str_ne(row->sentence, other->sentence);
    }
}
END_TEST

START_TEST(tags_and_slugs_have_one_form)
{
    const kc_err_row_t *row = kc_err_row((kc_reason_t)_i);

    ck_assert_uint_eq(strlen(row->tag), 6);
    ck_assert_int_eq(strncmp(row->tag, "KC", 2), 0);
    ck_assert_uint_eq(strspn(row->tag + 2, "0123456789"), 4);
    ck_assert_uint_eq(strspn(row->slug, "abcdefghijklmnopqrstuvwxyz-"), strlen(row->slug));
}
END_TEST

START_TEST(a_value_that_is_no_reason_has_the_row_of_an_internal_fault)
{
    ck_assert_ptr_eq(kc_err_row(KC_ERR_COUNT), kc_err_row(KC_ERR_INTERNAL));
    ck_assert_ptr_eq(kc_err_row((kc_reason_t)-1), kc_err_row(KC_ERR_INTERNAL));
    ck_assert_ptr_eq(kc_err_row((kc_reason_t)99999), kc_err_row(KC_ERR_INTERNAL));
}
END_TEST

START_TEST(fail_fills_reason_place_and_detail)
{
    kc_err_t err;
    int line = __LINE__ + 1;
    kc_rc_t rc = KC_FAIL(&err, KC_DOWN, KC_ERR_STORE_DOWN, "server %d of %s", 2, "three");

    ck_assert_int_eq(rc, KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
    ck_assert_int_eq(err.line, line);
    ck_assert_ptr_nonnull(strstr(err.file, "test_err.c"));
    ck_assert_str_eq(err.detail, "server 2 of three");
}
END_TEST

START_TEST(a_long_detail_is_cut_and_closed)
{
    char text[2 * KC_ERR_DETAIL_SIZE];
    kc_err_t err;

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_JSON, "%s", text);
    ck_assert_uint_eq(strlen(err.detail), KC_ERR_DETAIL_SIZE - 1);
}
END_TEST

START_TEST(nobody_needs_to_listen)
{
    ck_assert_int_eq(KC_FAIL(NULL, KC_REFUSED, KC_ERR_JSON, "%s", "nobody"), KC_REFUSED);
}
END_TEST

Suite *kc_test_err(void)
{
    Suite *suite = suite_create("err");
    TCase *rows = tcase_create("rows");
    TCase *fail = tcase_create("fail");

    tcase_add_loop_test(rows, each_row_is_what_it_is_promised_to_be, 0, EXPECTED_COUNT);
    tcase_add_test(rows, the_table_has_no_row_that_is_not_expected);
    tcase_add_loop_test(rows, each_row_tells_a_person_what_happened_and_what_to_do, 1,
                        KC_ERR_COUNT);
    tcase_add_loop_test(rows, no_two_rows_share_tag_slug_name_or_sentence, 1, KC_ERR_COUNT);
    tcase_add_loop_test(rows, tags_and_slugs_have_one_form, 0, KC_ERR_COUNT);
    tcase_add_test(rows, a_value_that_is_no_reason_has_the_row_of_an_internal_fault);
    tcase_add_test(fail, fail_fills_reason_place_and_detail);
    tcase_add_test(fail, a_long_detail_is_cut_and_closed);
    tcase_add_test(fail, nobody_needs_to_listen);
    suite_add_tcase(suite, rows);
    suite_add_tcase(suite, fail);
    return suite;
}

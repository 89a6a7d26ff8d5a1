/* Tests of metrics_text.h: both formats, to the letter, and which one an Accept header gets.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "metrics/metrics_text.h"
#include "testlib.h"

Suite *kc_test_metrics_text(void);

#define PREFIX KC_METRICS_TEXT_PREFIX

static kc_metrics_t *metrics;

static void setup(void)
{
    testlib_setup();
    ck_assert_int_eq(kc_metrics_attach(apr_pcalloc(testlib_pool, kc_metrics_size()), testlib_pool,
                                       &metrics, NULL),
                     KC_OK);
}

static void gauges(void *context, kc_metrics_index_t row, kc_metrics_text_t *text)
{
    const char *labels[KC_METRICS_ROW_LABELS] = {context, "2.4", ""};

    if (row == KC_METRICS_ROW_build || row == KC_METRICS_ROW_metadata_age)
        kc_metrics_text_gauge(text, labels, row == KC_METRICS_ROW_build ? 1 : -3);
}

static const char *written(kc_metrics_text_format_t format, const char *word)
{
    kc_buf_t buf;
    kc_bytes_t bytes;

    kc_buf_init(&buf, KC_METRICS_TEXT_MAX, testlib_pool);
    kc_metrics_text_write(metrics, format, gauges, (void *)word, &buf);
    ck_assert_int_eq(kc_buf_bytes(&buf, &bytes), KC_OK);
    return (const char *)bytes.data;
}

static void has(const char *text, const char *line)
{
    const char *at = strstr(text, line);

    ck_assert_msg(at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n', "no line: %s",
                  line);
}

START_TEST(counters)
{
    const char *text;

    kc_metrics_add(metrics, KC_METRICS_CELL(requests, 1, 0, 0), 42);
    kc_metrics_add(metrics, KC_METRICS_CELL(sign_ins, KC_METRICS_REFUSED, KC_ERR_CALLBACK, 0), 5);
    kc_metrics_add(metrics, KC_METRICS_CELL(sessions_created, 0, 0, 0), UINT64_MAX);
    text = written(KC_METRICS_TEXT_PROMETHEUS, "");
    has(text, "# TYPE " PREFIX "requests_total counter");
    has(text, PREFIX "requests_total{state=\"live\",action=\"allow\"} 42");
    has(text, PREFIX "requests_total{state=\"none\",action=\"login\"} 0");
    has(text, PREFIX "sign_ins_total{outcome=\"done\",tag=\"\"} 0");
    has(text, apr_psprintf(testlib_pool, PREFIX "sign_ins_total{outcome=\"refused\",tag=\"%s\"} 5",
                           kc_err_row(KC_ERR_CALLBACK)->tag));
    has(text, PREFIX "sessions_created_total 18446744073709551615");
    ck_assert_ptr_null(strstr(text, "tag=\"KC0001\""));
    ck_assert_ptr_null(strstr(text, PREFIX "log_lines_total{"));
    ck_assert_ptr_null(strstr(text, "# EOF"));
    text = written(KC_METRICS_TEXT_OPENMETRICS, "");
    has(text, "# TYPE " PREFIX "requests counter");
    has(text, PREFIX "requests_total{state=\"live\",action=\"allow\"} 42");
    ck_assert_str_eq(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
}
END_TEST

START_TEST(histograms)
{
    const char *text;

    ck_assert_uint_eq(kc_metrics_claim(metrics, "mc\\1\"\n:11211"), 0);
    kc_metrics_observe(metrics, KC_METRICS_CELL(store_calls, 0, KC_METRICS_PUT, 0), 900);
    kc_metrics_observe(metrics, KC_METRICS_CELL(store_calls, 0, KC_METRICS_PUT, 0), 1200300);
    kc_metrics_observe(metrics, KC_METRICS_CELL(store_calls, 0, KC_METRICS_PUT, 0), 20000000);
    text = written(KC_METRICS_TEXT_PROMETHEUS, "");
    has(text, "# TYPE " PREFIX "store_call_duration_seconds histogram");
    has(text, PREFIX "store_call_duration_seconds_bucket{server=\"mc\\\\1\\\"\\n:11211\","
                     "operation=\"put\",le=\"0.0005\"} 0");
    has(text, PREFIX "store_call_duration_seconds_bucket{server=\"mc\\\\1\\\"\\n:11211\","
                     "operation=\"put\",le=\"0.001\"} 1");
    has(text, PREFIX "store_call_duration_seconds_bucket{server=\"mc\\\\1\\\"\\n:11211\","
                     "operation=\"put\",le=\"1.0\"} 1");
    has(text, PREFIX "store_call_duration_seconds_bucket{server=\"mc\\\\1\\\"\\n:11211\","
                     "operation=\"put\",le=\"10.0\"} 2");
    has(text, PREFIX "store_call_duration_seconds_bucket{server=\"mc\\\\1\\\"\\n:11211\","
                     "operation=\"put\",le=\"+Inf\"} 3");
    has(text, PREFIX "store_call_duration_seconds_sum{server=\"mc\\\\1\\\"\\n:11211\","
                     "operation=\"put\"} 21.201200");
    has(text, PREFIX "store_call_duration_seconds_count{server=\"mc\\\\1\\\"\\n:11211\","
                     "operation=\"put\"} 3");
    ck_assert_ptr_null(strstr(text, "server=\"other\""));
    kc_metrics_observe(metrics, KC_METRICS_CELL(store_calls, KC_METRICS_SERVER_MAX, 0, 0), 1);
    text = written(KC_METRICS_TEXT_OPENMETRICS, "");
    has(text, "# UNIT " PREFIX "store_call_duration_seconds seconds");
    has(text, PREFIX "store_call_duration_seconds_count{server=\"other\",operation=\"get\"} 1");
    ck_assert_ptr_null(strstr(text, "server=\"other\",operation=\"put\""));
}
END_TEST

START_TEST(gauges_and_information)
{
    const char *text = written(KC_METRICS_TEXT_PROMETHEUS, "https://id/\"realms\"");

    has(text, "# TYPE " PREFIX "build_info gauge");
    has(text, PREFIX "build_info{version=\"https://id/\\\"realms\\\"\",httpd=\"2.4\"} 1");
    has(text, "# TYPE " PREFIX "keycloak_metadata_age_seconds gauge");
    has(text, PREFIX "keycloak_metadata_age_seconds{issuer=\"https://id/\\\"realms\\\"\"} -3");
    ck_assert_ptr_null(strstr(text, "# UNIT"));
    text = written(KC_METRICS_TEXT_OPENMETRICS, "1.0");
    has(text, "# TYPE " PREFIX "build info");
    has(text, PREFIX "build_info{version=\"1.0\",httpd=\"2.4\"} 1");
    has(text, "# UNIT " PREFIX "first_tier_used_bytes bytes");
}
END_TEST

/* A text with every cell is no larger than what the writer may take. */
START_TEST(the_largest_text_fits)
{
    char name[32];
    size_t i;

    for (i = 0; i < KC_METRICS_SERVER_MAX; i++) {
        (void)snprintf(name, sizeof(name), "memcached-%zu.example.com:11211", i);
        (void)kc_metrics_claim(metrics, name);
    }
    for (i = 0; i < KC_METRICS_CELLS; i++)
        kc_metrics_add(metrics, i, UINT64_MAX);
    ck_assert_uint_gt(strlen(written(KC_METRICS_TEXT_OPENMETRICS, "")), 500000);
}
END_TEST

START_TEST(without_metrics_there_are_zeros)
{
    metrics = NULL;
    has(written(KC_METRICS_TEXT_PROMETHEUS, ""), PREFIX "sessions_created_total 0");
}
END_TEST

static const struct {
    const char *accept;
    kc_metrics_text_format_t format;
} accepts[] = {
    {NULL, KC_METRICS_TEXT_PROMETHEUS},
    {"", KC_METRICS_TEXT_PROMETHEUS},
    {"*/*", KC_METRICS_TEXT_PROMETHEUS},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", KC_METRICS_TEXT_PROMETHEUS},
    {"text/plain", KC_METRICS_TEXT_PROMETHEUS},
    {"text/plain;version=0.0.4", KC_METRICS_TEXT_PROMETHEUS},
    {"application/json", KC_METRICS_TEXT_PROMETHEUS},
    {"application/*", KC_METRICS_TEXT_OPENMETRICS},
    {"application/openmetrics-text", KC_METRICS_TEXT_OPENMETRICS},
    {"Application/OpenMetrics-Text; version=\"1.0.0\"", KC_METRICS_TEXT_OPENMETRICS},
    {"application/openmetrics-text;version=0.0.1", KC_METRICS_TEXT_PROMETHEUS},
    {"application/openmetrics-text;version=2.0.0,*/*;q=0.1", KC_METRICS_TEXT_PROMETHEUS},
    {"application/openmetrics-text;q=0", KC_METRICS_TEXT_PROMETHEUS},
    {"application/openmetrics-text;q=0,*/*", KC_METRICS_TEXT_PROMETHEUS},
    {"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4",
     KC_METRICS_TEXT_OPENMETRICS},
    {"application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.5",
     KC_METRICS_TEXT_PROMETHEUS},
    {"application/openmetrics-text;q=0.301, text/plain;q=0.3", KC_METRICS_TEXT_OPENMETRICS},
    {"text/plain, application/openmetrics-text", KC_METRICS_TEXT_OPENMETRICS},
    {"text/plain;q=0.5, */*;q=0.9", KC_METRICS_TEXT_OPENMETRICS},
    {"text/*;q=0.9, application/openmetrics-text;q=0.1", KC_METRICS_TEXT_PROMETHEUS},
    {"text/plain;version=1.0.0;q=0.9,application/openmetrics-text;q=0.1",
     KC_METRICS_TEXT_OPENMETRICS},
    {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     KC_METRICS_TEXT_OPENMETRICS},
    {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
     "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
     "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
     KC_METRICS_TEXT_OPENMETRICS},
    {"text/plain;version=0.0.4;q=1,*/*;q=0.1", KC_METRICS_TEXT_PROMETHEUS},
    {"text/plain;q=x", KC_METRICS_TEXT_PROMETHEUS},
    {"application/openmetrics-text;q=1.5,text/plain;q=1", KC_METRICS_TEXT_OPENMETRICS},
    {",;,q=1;,", KC_METRICS_TEXT_PROMETHEUS},
};

START_TEST(the_format_is_the_one_that_is_liked_better)
{
    ck_assert_int_eq(kc_metrics_text_choose(accepts[_i].accept), accepts[_i].format);
}
END_TEST

START_TEST(types_name_their_versions)
{
    ck_assert_ptr_nonnull(strstr(kc_metrics_text_type(KC_METRICS_TEXT_OPENMETRICS),
                                 "openmetrics-text; version=1.0.0"));
    ck_assert_ptr_nonnull(
        strstr(kc_metrics_text_type(KC_METRICS_TEXT_PROMETHEUS), "text/plain; version=0.0.4"));
}
END_TEST

Suite *kc_test_metrics_text(void)
{
    Suite *suite = suite_create("metrics_text");
    TCase *tcase = tcase_create("metrics_text");

    tcase_add_checked_fixture(tcase, setup, testlib_teardown);
    tcase_add_test(tcase, counters);
    tcase_add_test(tcase, histograms);
    tcase_add_test(tcase, gauges_and_information);
    tcase_add_test(tcase, the_largest_text_fits);
    tcase_add_test(tcase, without_metrics_there_are_zeros);
    tcase_add_loop_test(tcase, the_format_is_the_one_that_is_liked_better, 0,
                        (int)(sizeof(accepts) / sizeof(accepts[0])));
    tcase_add_test(tcase, types_name_their_versions);
    suite_add_tcase(suite, tcase);
    return suite;
}

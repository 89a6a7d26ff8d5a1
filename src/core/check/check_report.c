/* The report of a check.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_report.h"

#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

enum { SECRET_MIN = 4, REPORT_MAX = 16 * 1024 * 1024 };

static const char *const words[KC_CHECK_OUTCOMES] = {"ok", "warning", "failed", "unknown",
                                                     "skipped"};

void kc_check_report_init(kc_check_report_t *report, apr_pool_t *pool)
{
    report->pool = pool;
    report->server = "";
    report->results = apr_array_make(pool, 64, sizeof(kc_check_result_t));
    report->secrets = apr_array_make(pool, 8, sizeof(const char *));
}

void kc_check_report_hide(kc_check_report_t *report, const char *secret)
{
    if (secret && strlen(secret) >= SECRET_MIN)
        APR_ARRAY_PUSH(report->secrets, const char *) = secret;
}

/* The length of the longest secret that text begins with; 0: none. */
static size_t secret_at(const kc_check_report_t *report, const char *text)
{
    size_t longest = 0;
    int i;

    for (i = 0; i < report->secrets->nelts; i++) {
        const char *secret = APR_ARRAY_IDX(report->secrets, i, const char *);
        size_t len = strlen(secret);

        if (len > longest && strncmp(text, secret, len) == 0)
            longest = len;
    }
    return longest;
}

/* Control characters and bytes beyond ASCII could make a terminal do something. */
static const char *clean(const kc_check_report_t *report, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    kc_bytes_t bytes;
    kc_buf_t buf;

    kc_buf_init(&buf, REPORT_MAX, report->pool);
    while (*text) {
        const size_t hidden = secret_at(report, text);
        const unsigned char c = (unsigned char)*text;

        if (hidden) {
            kc_buf_put_text(&buf, "(secret)");
            text += hidden;
            continue;
        }
        if (c >= 0x20 && c < 0x7f) {
            kc_buf_put_u8(&buf, c);
        } else {
            kc_buf_put_text(&buf, "\\x");
            kc_buf_put_u8(&buf, (uint8_t)hex[c >> 4]);
            kc_buf_put_u8(&buf, (uint8_t)hex[c & 15]);
        }
        text++;
    }
    return kc_buf_bytes(&buf, &bytes) == KC_OK ? (const char *)bytes.data : "";
}

/* Cut only after secrets were replaced, so that no part of one is left at the cut. */
static const char *cut(const char *text, apr_pool_t *pool)
{
    if (strlen(text) <= KC_CHECK_REPORT_TEXT_MAX)
        return text;
    return apr_pstrcat(pool, apr_pstrndup(pool, text, KC_CHECK_REPORT_TEXT_MAX), "...", NULL);
}

void kc_check_report_begin(kc_check_report_t *report, const char *server)
{
    report->server = clean(report, server);
}

static void push(kc_check_report_t *report, const kc_check_fault_t *fault, const char *format,
                 va_list arguments)
{
    kc_check_result_t *result = apr_array_push(report->results);
    const char *sentence = apr_pvsprintf(report->pool, format, arguments);

    result->server = report->server;
    result->name = fault->name;
    result->outcome = fault->outcome;
    result->tag = fault->reason == KC_ERR_NONE ? "" : kc_err_row(fault->reason)->tag;
    result->sentence = cut(clean(report, sentence), report->pool);
    result->cure = cut(clean(report, fault->cure), report->pool);
}

void kc_check_report_ok(kc_check_report_t *report, const char *name, const char *format, ...)
{
    const kc_check_fault_t well = {KC_CHECK_OK, name, KC_ERR_NONE, ""};
    va_list arguments;

    va_start(arguments, format);
    push(report, &well, format, arguments);
    va_end(arguments);
}

void kc_check_report_add(kc_check_report_t *report, const kc_check_fault_t *fault,
                         const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    push(report, fault, format, arguments);
    va_end(arguments);
}

int kc_check_report_count(const kc_check_report_t *report, kc_check_outcome_t outcome)
{
    int i, count = 0;

    for (i = 0; i < report->results->nelts; i++)
        count += APR_ARRAY_IDX(report->results, i, kc_check_result_t).outcome == outcome;
    return count;
}

static void put_line(kc_buf_t *buf, const kc_check_result_t *result)
{
    kc_buf_put_text(buf, apr_psprintf(buf->pool, "%-7s  %s  %s  ", words[result->outcome],
                                      result->server, result->name));
    if (result->tag[0])
        kc_buf_put_text(buf, apr_pstrcat(buf->pool, result->tag, ": ", NULL));
    kc_buf_put_text(buf, result->sentence);
    if (result->cure[0])
        kc_buf_put_text(buf, apr_pstrcat(buf->pool, ". Cure: ", result->cure, NULL));
    kc_buf_put_text(buf, "\n");
}

char *kc_check_report_text(const kc_check_report_t *report, apr_pool_t *pool)
{
    kc_bytes_t bytes;
    kc_buf_t buf;
    int i;

    kc_buf_init(&buf, REPORT_MAX, pool);
    for (i = 0; i < report->results->nelts; i++)
        put_line(&buf, &APR_ARRAY_IDX(report->results, i, kc_check_result_t));
    kc_buf_put_text(&buf, apr_psprintf(pool, "%d checks:", report->results->nelts));
    for (i = 0; i < KC_CHECK_OUTCOMES; i++)
        kc_buf_put_text(&buf, apr_psprintf(pool, "%s %d %s", i ? "," : "",
                                           kc_check_report_count(report, (kc_check_outcome_t)i),
                                           words[i]));
    kc_buf_put_text(&buf, "\n");
    if (kc_buf_bytes(&buf, &bytes) != KC_OK)
        return apr_pstrdup(pool, "the report is too long\n");
    return kc_buf_copy(bytes.data, bytes.len, pool);
}

char *kc_check_report_json(const kc_check_report_t *report, apr_pool_t *pool)
{
    kc_json_t *root = kc_json_new_object(pool), *results, *counts = kc_json_new_object(pool);
    int i;

    kc_json_set_boolean(root, "well", kc_check_report_count(report, KC_CHECK_FAILED) == 0);
    for (i = 0; i < KC_CHECK_OUTCOMES; i++)
        kc_json_set_integer(counts, words[i], kc_check_report_count(report, (kc_check_outcome_t)i));
    kc_json_set_value(root, "counts", counts);
    results = kc_json_set_array(root, "results");
    for (i = 0; i < report->results->nelts; i++) {
        const kc_check_result_t *result = &APR_ARRAY_IDX(report->results, i, kc_check_result_t);
        kc_json_t *object = kc_json_add_object(results);

        kc_json_set_string(object, "server", result->server);
        kc_json_set_string(object, "check", result->name);
        kc_json_set_string(object, "outcome", words[result->outcome]);
        kc_json_set_string(object, "tag", result->tag);
        kc_json_set_string(object, "text", result->sentence);
        kc_json_set_string(object, "cure", result->cure);
    }
    return apr_pstrcat(pool, kc_json_dump(root, pool), "\n", NULL);
}

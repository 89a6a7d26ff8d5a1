/* The metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0.
 * SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics_text.h"

#include <apr_strings.h>
#include <inttypes.h>
#include <string.h>

enum { NUMBER_SIZE = 32, MICROSECONDS = 1000000 };

static int is_open(const kc_metrics_text_t *text)
{
    return text->format == KC_METRICS_TEXT_OPENMETRICS;
}

/* ---------------------------------------------------------------- names and labels */

static int ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), tail = strlen(end);

    return len >= tail && strcmp(name + len - tail, end) == 0;
}

/* OpenMetrics has a type for it, and leaves _info out of the family's name. */
static int is_info(const kc_metrics_text_t *text)
{
    return is_open(text) && ends_with(text->row->name, "_info");
}

static void put_number(kc_metrics_text_t *text, int64_t value)
{
    char number[NUMBER_SIZE];

    (void)apr_snprintf(number, sizeof(number), "%" APR_INT64_T_FMT, value);
    kc_buf_put_text(text->buf, number);
}

static void put_count(kc_metrics_text_t *text, uint64_t value)
{
    char number[NUMBER_SIZE];

    (void)apr_snprintf(number, sizeof(number), "%" APR_UINT64_T_FMT, value);
    kc_buf_put_text(text->buf, number);
}

static void put_seconds(kc_metrics_text_t *text, uint64_t microseconds)
{
    char number[NUMBER_SIZE];

    (void)apr_snprintf(number, sizeof(number), "%" APR_UINT64_T_FMT ".%06u",
                       microseconds / MICROSECONDS, (unsigned int)(microseconds % MICROSECONDS));
    kc_buf_put_text(text->buf, number);
}

/* The end of a bucket, without zeros at its end: both formats compare it as text. */
static void put_end(kc_metrics_text_t *text, int64_t microseconds)
{
    char number[NUMBER_SIZE];
    size_t len;

    if (microseconds < 0) {
        kc_buf_put_text(text->buf, "+Inf");
        return;
    }
    (void)apr_snprintf(number, sizeof(number), "%u.%06u",
                       (unsigned int)(microseconds / MICROSECONDS),
                       (unsigned int)(microseconds % MICROSECONDS));
    for (len = strlen(number); number[len - 1] == '0' && number[len - 2] != '.'; len--)
        ;
    kc_buf_put(text->buf, number, len);
}

/* The value of a label; both formats escape the same three characters. */
static void put_escaped(kc_metrics_text_t *text, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            kc_buf_put_text(text->buf, "\\n");
        else if (*value == '\\' || *value == '"')
            kc_buf_put(text->buf, (char[]){'\\', *value}, 2);
        else
            kc_buf_put(text->buf, value, 1);
    }
}

static void put_label(kc_metrics_text_t *text, const char *before, const char *name,
                      const char *value)
{
    kc_buf_put_text(text->buf, before);
    kc_buf_put_text(text->buf, name);
    kc_buf_put_text(text->buf, "=\"");
    put_escaped(text, value);
    kc_buf_put_text(text->buf, "\"");
}

static void put_name(kc_metrics_text_t *text, const char *suffix)
{
    kc_buf_put_text(text->buf, KC_METRICS_TEXT_PREFIX);
    kc_buf_put_text(text->buf, text->row->name);
    kc_buf_put_text(text->buf, suffix);
}

/* Name and labels of a sample, and the space before its value. end: of a histogram's bucket, in
 * microseconds; 0: it is no bucket. */
static void put_head(kc_metrics_text_t *text, const char *suffix, const char *const *values,
                     int64_t end)
{
    const char *before = "{";
    size_t i, count;

    put_name(text, suffix);
    for (i = 0; i < KC_METRICS_ROW_LABELS; i++) {
        if (text->row->labels[i] == KC_METRICS_LABEL_NONE)
            continue;
        put_label(text, before, kc_metrics_label(text->row->labels[i], &count), values[i]);
        before = ",";
    }
    if (end) {
        kc_buf_put_text(text->buf, before);
        kc_buf_put_text(text->buf, "le=\"");
        put_end(text, end);
        kc_buf_put_text(text->buf, "\"");
        before = ",";
    }
    kc_buf_put_text(text->buf, *before == ',' ? "} " : " ");
}

/* ---------------------------------------------------------------- families */

static void put_line(kc_metrics_text_t *text, const char *kind, const char *value)
{
    size_t len = strlen(text->row->name) - (is_info(text) ? strlen("_info") : 0);
    int is_total = text->row->type == KC_METRICS_COUNTER && !is_open(text);

    kc_buf_put_text(text->buf, kind);
    kc_buf_put_text(text->buf, KC_METRICS_TEXT_PREFIX);
    kc_buf_put(text->buf, text->row->name, len);
    kc_buf_put_text(text->buf, is_total ? "_total " : " ");
    kc_buf_put_text(text->buf, value);
    kc_buf_put_text(text->buf, "\n");
}

static void put_family(kc_metrics_text_t *text)
{
    static const char *const types[] = {"counter", "histogram", "gauge"};
    static const char *const units[] = {"seconds", "bytes"};
    size_t i;

    put_line(text, "# HELP ", text->row->help);
    put_line(text, "# TYPE ", is_info(text) ? "info" : types[text->row->type]);
    for (i = 0; is_open(text) && i < sizeof(units) / sizeof(units[0]); i++) {
        if (ends_with(text->row->name, apr_pstrcat(text->buf->pool, "_", units[i], NULL)))
            put_line(text, "# UNIT ", units[i]);
    }
}

void kc_metrics_text_gauge(kc_metrics_text_t *text, const char *const *labels, int64_t value)
{
    put_head(text, "", labels, 0);
    put_number(text, value);
    kc_buf_put_text(text->buf, "\n");
}

static void put_counter(kc_metrics_text_t *text, const char *const *values, uint64_t value)
{
    put_head(text, "_total", values, 0);
    put_count(text, value);
    kc_buf_put_text(text->buf, "\n");
}

static void put_histogram(kc_metrics_text_t *text, const kc_metrics_t *metrics, size_t cell,
                          const char *const *values)
{
    uint64_t sum = kc_metrics_get(metrics, cell + KC_METRICS_BUCKETS), count = 0;
    size_t i;

    for (i = 0; i < KC_METRICS_BUCKETS; i++) {
        count += kc_metrics_get(metrics, cell + i);
        put_head(text, "_bucket", values, kc_metrics_bucket(i));
        put_count(text, count);
        kc_buf_put_text(text->buf, "\n");
    }
    put_head(text, "_sum", values, 0);
    put_seconds(text, sum);
    kc_buf_put_text(text->buf, "\n");
    put_head(text, "_count", values, 0);
    put_count(text, count);
    kc_buf_put_text(text->buf, "\n");
}

/* ---------------------------------------------------------------- cells */

/* A hundred tags are mostly zeros: of those only the first combination is written, which has no
 * tag. Nor is a server written that has no name, or the rest of them before it is needed. */
static int is_written(const kc_metrics_t *metrics, const kc_metrics_row_t *row, const size_t *at,
                      size_t cell)
{
    int has_tag = 0, is_first = 1;
    size_t i;

    for (i = 0; i < KC_METRICS_ROW_LABELS; i++) {
        has_tag |= row->labels[i] == KC_METRICS_LABEL_TAG;
        is_first &= at[i] == 0;
        if (row->labels[i] == KC_METRICS_LABEL_SERVER && at[i] == KC_METRICS_SERVER_MAX)
            has_tag = 1;
    }
    if (!has_tag || (is_first && row->labels[0] != KC_METRICS_LABEL_TAG))
        return 1;
    for (i = 0; i < (row->type == KC_METRICS_COUNTER ? 1 : KC_METRICS_BUCKETS); i++) {
        if (kc_metrics_get(metrics, cell + i))
            return 1;
    }
    return 0;
}

static void put_cell(kc_metrics_text_t *text, const kc_metrics_t *metrics, const size_t *at,
                     size_t cell)
{
    const char *values[KC_METRICS_ROW_LABELS];
    size_t i;

    for (i = 0; i < KC_METRICS_ROW_LABELS; i++) {
        values[i] = kc_metrics_word(metrics, text->row->labels[i], at[i]);
        if (!values[i])
            return;
    }
    if (!is_written(metrics, text->row, at, cell))
        return;
    if (text->row->type == KC_METRICS_COUNTER)
        put_counter(text, values, kc_metrics_get(metrics, cell));
    else
        put_histogram(text, metrics, cell, values);
}

static void put_cells(kc_metrics_text_t *text, const kc_metrics_t *metrics)
{
    size_t unit = text->row->type == KC_METRICS_COUNTER ? 1 : KC_METRICS_CELLS_HISTOGRAM;
    size_t counts[KC_METRICS_ROW_LABELS], at[KC_METRICS_ROW_LABELS], cell = text->row->from, i;

    for (i = 0; i < KC_METRICS_ROW_LABELS; i++)
        (void)kc_metrics_label(text->row->labels[i], &counts[i]);
    for (at[0] = 0; at[0] < counts[0]; at[0]++) {
        for (at[1] = 0; at[1] < counts[1]; at[1]++) {
            for (at[2] = 0; at[2] < counts[2]; at[2]++, cell += unit)
                put_cell(text, metrics, at, cell);
        }
    }
}

void kc_metrics_text_write(const kc_metrics_t *metrics, kc_metrics_text_format_t format,
                           kc_metrics_text_gauges_t gauges, void *context, kc_buf_t *buf)
{
    kc_metrics_text_t text = {buf, format, NULL};
    size_t i;

    for (i = 0; i < KC_METRICS_ROWS; i++) {
        text.row = kc_metrics_row((kc_metrics_index_t)i);
        put_family(&text);
        if (text.row->type == KC_METRICS_GAUGE)
            gauges(context, (kc_metrics_index_t)i, &text);
        else
            put_cells(&text, metrics);
    }
    if (is_open(&text))
        kc_buf_put_text(buf, "# EOF\n");
}

/* ---------------------------------------------------------------- which format */

const char *kc_metrics_text_type(kc_metrics_text_format_t format)
{
    return format == KC_METRICS_TEXT_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

/* How much an Accept header likes a format: by its most specific range that fits (RFC 9110 section
 * 12.5.1). */
typedef struct {
    const char *type;    /* "text/plain" */
    const char *major;   /* "text/" and a star */
    const char *version; /* the only one that we have */
    int rank;            /* of the range: 0 none, 1 every type, 2 the major type, 3 named */
    int thousandths;
} liking_t;

/* A quality in thousandths; what is none counts as 1. */
static int quality_of(const char *text)
{
    int value = *text == '1' ? 1000 : 0, digit = 100;

    if ((*text != '0' && *text != '1') || (text[1] && text[1] != '.'))
        return 1000;
    for (text += text[1] ? 2 : 1; *text >= '0' && *text <= '9' && digit; text++, digit /= 10)
        value += (*text - '0') * digit;
    return value > 1000 ? 1000 : value;
}

static const char *unquoted(char *value)
{
    size_t len = strlen(value);

    if (len < 2 || value[0] != '"' || value[len - 1] != '"')
        return value;
    value[len - 1] = '\0';
    return value + 1;
}

/* type: a media range; the rest of it is in *state. */
static void weigh(liking_t *liking, const char *type, const char *version, int thousandths)
{
    int rank = strcasecmp(type, liking->type) == 0    ? 3
               : strcasecmp(type, liking->major) == 0 ? 2
               : strcmp(type, "*/*") == 0             ? 1
                                                      : 0;

    if (!rank || rank < liking->rank || (version && strcmp(version, liking->version) != 0))
        return;
    if (rank > liking->rank || thousandths > liking->thousandths)
        liking->thousandths = thousandths;
    liking->rank = rank;
}

static void read_range(char *range, liking_t *open, liking_t *plain)
{
    char *state, *type = apr_strtok(range, "; \t", &state), *parameter;
    const char *version = NULL;
    int thousandths = 1000;

    while (type && (parameter = apr_strtok(NULL, "; \t", &state))) {
        if (strncasecmp(parameter, "version=", 8) == 0)
            version = unquoted(parameter + 8);
        else if (strncasecmp(parameter, "q=", 2) == 0)
            thousandths = quality_of(parameter + 2);
    }
    if (!type)
        return;
    weigh(open, type, version, thousandths);
    weigh(plain, type, version, thousandths);
}

kc_metrics_text_format_t kc_metrics_text_choose(const char *accept)
{
    enum { ACCEPT_MAX = 4096 };
    liking_t open = {"application/openmetrics-text", "application/*", "1.0.0", 0, 0};
    liking_t plain = {"text/plain", "text/*", "0.0.4", 0, 0};
    char copy[ACCEPT_MAX], *state, *range;

    if (!accept)
        return KC_METRICS_TEXT_PROMETHEUS;
    (void)apr_cpystrn(copy, accept, sizeof(copy));
    for (range = apr_strtok(copy, ",", &state); range; range = apr_strtok(NULL, ",", &state))
        read_range(range, &open, &plain);
    if (open.thousandths > plain.thousandths)
        return KC_METRICS_TEXT_OPENMETRICS;
    return open.thousandths && open.thousandths == plain.thousandths && open.rank == 3
               ? KC_METRICS_TEXT_OPENMETRICS
               : KC_METRICS_TEXT_PROMETHEUS;
}

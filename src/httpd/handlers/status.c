/* The module's section of mod_status: the sum of each metric, for people and for programs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/status.h"

#include "module.h"

#include <apr_lib.h>
#include <apr_optional_hooks.h>
#include <apr_strings.h>
#include <mod_status.h>

#include "gauges.h"
#include "metrics_memory.h"

#include "core/metrics/metrics_text.h"

/* The name of a row as mod_status writes its own: AuthKeycloakSignIns. That of a histogram says
 * that its value is a number of calls, not seconds. */
static const char *name_of(const kc_metrics_row_t *row, apr_pool_t *pool)
{
    char *name = apr_pstrcat(pool, "AuthKeycloak_", row->name, NULL), *to = name;
    const char *from;

    if (strncmp(row->name, "keycloak_", 9) == 0)
        name = to = apr_pstrcat(pool, "AuthKeycloak_", row->name + 9, NULL);
    for (from = name; *from; from++) {
        if (*from == '_' && from[1])
            *to++ = (char)apr_toupper(*++from);
        else
            *to++ = *from;
    }
    *to = '\0';
    return row->type == KC_METRICS_HISTOGRAM ? apr_pstrcat(pool, name, "Count", NULL) : name;
}

/* All combinations of labels together; of a histogram how many observations. */
static uint64_t total_of(const kc_metrics_row_t *row)
{
    size_t cells = 1, each = row->type == KC_METRICS_HISTOGRAM ? KC_METRICS_CELLS_HISTOGRAM : 1;
    size_t counted = row->type == KC_METRICS_HISTOGRAM ? KC_METRICS_BUCKETS : 1, count, i, k;
    uint64_t sum = 0;

    for (i = 0; i < KC_METRICS_ROW_LABELS; i++) {
        (void)kc_metrics_label(row->labels[i], &count);
        cells *= count;
    }
    for (i = 0; i < cells; i++) {
        for (k = 0; k < counted; k++)
            sum += kc_metrics_get(akc_metrics_memory_get(), row->from + i * each + k);
    }
    return sum;
}

/* A line of the section while it is written. */
typedef struct {
    request_rec *r;
    const kc_metrics_row_t *row;
    int is_short; /* ?auto */
} line_t;

/* label: "" or a text of the configuration. */
static void put_line(const line_t *line, const char *label, const char *value)
{
    request_rec *r = line->r;

    if (line->is_short)
        ap_rvputs(r, name_of(line->row, r->pool), *label ? "[" : "", label, *label ? "]" : "", ": ",
                  value, "\n", NULL);
    else
        ap_rvputs(r, "<tr><td>", name_of(line->row, r->pool), "</td><td>",
                  ap_escape_html(r->pool, label), "</td><td>", value, "</td><td>",
                  ap_escape_html(r->pool, line->row->help), "</td></tr>\n", NULL);
}

static void put_gauge(void *context, const char *const *labels, int64_t value)
{
    const line_t *line = context;

    put_line(line, labels[0], apr_psprintf(line->r->pool, "%" APR_INT64_T_FMT, value));
}

static void put_rows(request_rec *r, int is_short)
{
    size_t i;

    for (i = 0; i < KC_METRICS_ROWS; i++) {
        line_t line = {r, kc_metrics_row((kc_metrics_index_t)i), is_short};

        if (line.row->type == KC_METRICS_GAUGE)
            akc_gauges_each((kc_metrics_index_t)i, put_gauge, &line);
        else
            put_line(&line, "", apr_psprintf(r->pool, "%" APR_UINT64_T_FMT, total_of(line.row)));
    }
}

static int show(request_rec *r, int flags)
{
    if (!akc_metrics_memory_get())
        return DECLINED;
    if (flags & AP_STATUS_SHORT) {
        put_rows(r, 1);
        return OK;
    }
    ap_rputs(
        "<hr>\n<h2>mod_auth_keycloak</h2>\n<table border=\"0\">\n<tr><th>Metric</th><th>Of</th>"
        "<th>Value</th><th>What it tells</th></tr>\n",
        r);
    put_rows(r, 0);
    ap_rputs("</table>\n", r);
    return OK;
}

void akc_status_register(apr_pool_t *pool)
{
    (void)pool;
    APR_OPTIONAL_HOOK(ap, status_hook, show, NULL, NULL, APR_HOOK_MIDDLE);
}

/* The metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METRICS_TEXT_H
#define KC_METRICS_TEXT_H

#include "base/buf.h"
#include "metrics/metrics.h"

#define KC_METRICS_TEXT_PREFIX "mod_auth_keycloak_"

typedef enum { KC_METRICS_TEXT_PROMETHEUS, KC_METRICS_TEXT_OPENMETRICS } kc_metrics_text_format_t;

enum { KC_METRICS_TEXT_MAX = 4 * 1024 * 1024 /* bytes; all cells together are less than that */ };

/* The text while it is written. */
typedef struct kc_metrics_text_t {
    kc_buf_t *buf;
    kc_metrics_text_format_t format;
    const kc_metrics_row_t *row; /* the one that is written */
} kc_metrics_text_t;

/* Called for each row that is a gauge: calls kc_metrics_text_gauge for each of its values. */
typedef void (*kc_metrics_text_gauges_t)(void *context, kc_metrics_index_t row,
                                         kc_metrics_text_t *text);

/* Writes a value of the current row. labels: a text for each of its labels, in their order. They
 * are escaped. */
void kc_metrics_text_gauge(kc_metrics_text_t *text, const char *const *labels, int64_t value);
/* Writes all metrics to buf (limit KC_METRICS_TEXT_MAX). A counter that is 0 is written too, but
 * not for each tag. metrics NULL: as if nothing had been counted. Thread safe as far as buf and
 * gauges are. */
void kc_metrics_text_write(const kc_metrics_t *metrics, kc_metrics_text_format_t format,
                           kc_metrics_text_gauges_t gauges, void *context, kc_buf_t *buf);

/* Its media type, for Content-Type. */
const char *kc_metrics_text_type(kc_metrics_text_format_t format);
/* The format that an Accept header (NULL: none) likes better. Prometheus' own where it likes both,
 * unless it names OpenMetrics; also where it likes neither. */
kc_metrics_text_format_t kc_metrics_text_choose(const char *accept);

#endif

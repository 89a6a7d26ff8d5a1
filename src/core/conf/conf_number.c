/* Durations and sizes: parsed with their units, checked against the range of their row, and
 * printed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_number.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

enum { DIGITS_MAX = 12 };

typedef struct {
    const char *name;
    int64_t factor;
} unit_t;

static const unit_t second_units[] = {{"", 1},     {"s", 1},     {"m", 60},
                                      {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const unit_t milli_units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                                     {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const unit_t size_units[] = {{"", 1},        {"K", 1 << 10}, {"k", 1 << 10}, {"M", 1 << 20},
                                    {"m", 1 << 20}, {"G", 1 << 30}, {"g", 1 << 30}, {NULL, 0}};

typedef struct number_t {
    const unit_t *units;
    kc_conf_range_t range; /* for rows without a range */
    const char *kind;
} number_t;

static const number_t numbers[] = {
    [KC_CONF_SECONDS] = {second_units, {"1s", "3650d"}, "a duration such as 30s, 5m or 10h"},
    [KC_CONF_MILLIS] = {milli_units, {"1ms", "24h"}, "a duration such as 50ms or 5s"},
    [KC_CONF_SIZE] = {size_units, {"1", "1024G"}, "a size such as 512K, 64M or 1G"},
};

/* KC_REFUSED when text is not a number with a unit. */
static kc_rc_t read_number(const char *text, const unit_t *units, int64_t *out)
{
    const char *c = text;
    int64_t value = 0;

    for (; apr_isdigit(*c) && c - text < DIGITS_MAX; c++)
        value = value * 10 + (*c - '0');
    if (c == text)
        return KC_REFUSED;
    for (; units->name; units++) {
        if (strcmp(units->name, c) != 0)
            continue;
        *out = value > INT64_MAX / units->factor ? INT64_MAX : value * units->factor;
        return KC_OK;
    }
    return KC_REFUSED;
}

int64_t kc_conf_number_value(kc_conf_type_t type, const char *text)
{
    int64_t value = 0;

    (void)read_number(text, numbers[type].units, &value);
    return value;
}

kc_rc_t kc_conf_number_parse(const kc_conf_row_t *row, const char *text, int64_t *out,
                             kc_err_t *err)
{
    const number_t *number = &numbers[row->type];
    const kc_conf_range_t *range = row->range.min ? &row->range : &number->range;
    int64_t value = 0;

    if (read_number(text, number->units, &value) != KC_OK)
        return KC_CONF_REFUSE(err, "takes %s, not '%.100s'", number->kind, text);
    if (value < kc_conf_number_value(row->type, range->min) ||
        value > kc_conf_number_value(row->type, range->max))
        return KC_CONF_REFUSE(err, "must lie between %s and %s, and '%.100s' does not", range->min,
                              range->max, text);
    *out = value;
    return KC_OK;
}

const char *kc_conf_number_dump(kc_conf_type_t type, int64_t value, apr_pool_t *pool)
{
    const unit_t *units = numbers[type].units, *best = NULL;

    /* The largest unit that divides the value. */
    for (; units->name; units++) {
        if (*units->name && value % units->factor == 0 && (!best || units->factor > best->factor))
            best = units;
    }
    if (!best || value == 0)
        return apr_psprintf(pool, "%" APR_INT64_T_FMT, value);
    return apr_psprintf(pool, "%" APR_INT64_T_FMT "%s", value / best->factor, best->name);
}

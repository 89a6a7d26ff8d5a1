/* The rows of the table of directives, and look-ups in settings.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_table.h"

#include <string.h>

#define NO_RULE
#define RANGE(low, high) .range = {low, high},
#define USUAL(low, high, text) .usual = {low, high}, .advice = text,
#define CHECK(function) .check = function,
#define DOUBT(function) .doubt = function,
#define NEEDED_IF(function) .is_needed = function,
#define PRIVATE .is_private = 1,
#define CERTIFICATES .has_certificates = 1,
#define LIVE .is_live = 1,
#define MEANING(part) .meaning = KC_CONF_MEANING_##part,
#define NEEDS_ISSUER .needs_issuer = 1,

static const kc_conf_row_t rows[] = {
#define KC_CONF(kind, member, title, usually, rules, takes, says) \
    {.name = title,                                               \
     .fallback = usually,                                         \
     .arguments = takes,                                          \
     .help = says,                                                \
     .type = KC_CONF_##kind,                                      \
     .is_directory = 0,                                           \
     rules.offset = offsetof(kc_conf_t, member)},
#define KC_CONF_DIR(kind, member, title, usually, rules, takes, says) \
    {.name = title,                                                   \
     .fallback = usually,                                             \
     .arguments = takes,                                              \
     .help = says,                                                    \
     .type = KC_CONF_##kind,                                          \
     .is_directory = 1,                                               \
     rules.offset = offsetof(kc_conf_dir_t, member)},
#include "conf/conf.def"
#undef KC_CONF
#undef KC_CONF_DIR
};

const kc_conf_row_t *kc_conf_table_row(kc_conf_index_t index)
{
    return (int)index >= 0 && index < KC_CONF_ROWS ? &rows[index] : NULL;
}

const kc_conf_file_t *kc_conf_table_file(const kc_conf_t *conf, const kc_conf_row_t *row)
{
    const kc_conf_file_t *file = (const void *)((const char *)conf + row->offset);

    if (row->type != KC_CONF_FILE || row->is_directory || !file->path)
        return NULL;
    return !row->is_needed || row->is_needed(conf) ? file : NULL;
}

int kc_conf_table_is_allowed(const kc_conf_t *conf, const char *algorithm)
{
    int i;

    for (i = 0; i < conf->algorithms->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(conf->algorithms, i, const char *), algorithm) == 0)
            return 1;
    }
    return 0;
}

int kc_conf_table_is_set(const kc_conf_t *conf, kc_conf_index_t index)
{
    return conf->position[index].file != NULL;
}

/* The settings that determine what a session means; the rows say which, and in which order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_meaning.h"

#include <string.h>

#include "conf/conf.h"
#include "conf/transform.h"

static void put_field(kc_buf_t *buf, const char *text)
{
    kc_buf_put_block(buf, kc_buf_text(text));
}

static void put_headers(kc_buf_t *buf, const apr_array_header_t *pairs)
{
    int i;

    for (i = 0; pairs && i < pairs->nelts; i++) {
        put_field(buf, APR_ARRAY_IDX(pairs, i, kc_conf_pair_t).name);
        put_field(buf, APR_ARRAY_IDX(pairs, i, kc_conf_pair_t).value);
    }
}

static void put_transform(kc_buf_t *buf, const apr_array_header_t *list, int number)
{
    const kc_transform_t *transform =
        list && number < list->nelts ? &APR_ARRAY_IDX(list, number, kc_transform_t) : NULL;

    put_field(buf, transform ? transform->pattern : "none");
    put_field(buf, transform ? transform->replacement : "none");
}

/* These follow the headers, whose names are never empty. Formerly there was only one transform. */
static void put_further_transforms(kc_buf_t *buf, const apr_array_header_t *list)
{
    int i;

    if (list && list->nelts > 1)
        put_field(buf, "");
    for (i = 1; list && i < list->nelts; i++)
        put_transform(buf, list, i);
}

static void put_words(kc_buf_t *buf, const char *name, const apr_array_header_t *words)
{
    int i;

    put_field(buf, name);
    for (i = 0; words && i < words->nelts; i++)
        put_field(buf, APR_ARRAY_IDX(words, i, const char *));
}

static void put_member(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool,
                       kc_buf_t *buf)
{
    const kc_conf_row_t *row = kc_conf_table_row(index);
    const void *member = (const char *)conf + row->offset;

    switch (row->type) {
    case KC_CONF_FLAG:
        kc_buf_put_u8(buf, (uint8_t)(*(const int *)member != 0));
        break;
    case KC_CONF_PAIRS:
        put_headers(buf, *(const apr_array_header_t *const *)member);
        break;
    case KC_CONF_TRANSFORM:
        put_transform(buf, *(const apr_array_header_t *const *)member, 0);
        break;
    case KC_CONF_WORDS:
        put_words(buf, row->name, *(const apr_array_header_t *const *)member);
        break;
    case KC_CONF_TEXT:
    case KC_CONF_URL:
        put_field(buf, *(const char *const *)member);
        break;
    default:
        put_field(buf, kc_conf_dump(conf, index, pool));
    }
}

static int is_default(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool)
{
    return strcmp(kc_conf_dump(conf, index, pool),
                  kc_conf_dump(kc_conf_create(pool), index, pool)) == 0;
}

static void put_part(const kc_conf_t *conf, kc_conf_meaning_t part, apr_pool_t *pool, kc_buf_t *buf)
{
    int i;

    for (i = 0; i < KC_CONF_ROWS; i++) {
        kc_conf_index_t index = (kc_conf_index_t)i;

        if (kc_conf_table_row(index)->meaning == part &&
            (part != KC_CONF_MEANING_LATER || !is_default(conf, index, pool)))
            put_member(conf, index, pool, buf);
    }
}

void kc_conf_meaning_put(const kc_conf_t *conf, kc_conf_meaning_t last, apr_pool_t *pool,
                         kc_buf_t *buf)
{
    int part;

    for (part = KC_CONF_MEANING_REALM; part <= (int)last && part < KC_CONF_MEANING_LATER; part++)
        put_part(conf, (kc_conf_meaning_t)part, pool, buf);
    if (last >= KC_CONF_MEANING_NAMING)
        put_further_transforms(buf, conf->user_transforms);
    if (last == KC_CONF_MEANING_LATER)
        put_part(conf, KC_CONF_MEANING_LATER, pool, buf);
}

/* Values that are allowed but probably a mistake, above all numbers meant in another unit.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_doubt.h"

#include <apr_strings.h>

#include "conf/conf_number.h"
#include "conf/conf_own.h"

enum { SECOND = 1000 /* milliseconds */ };

static int64_t in_milliseconds(kc_conf_type_t type, int64_t value)
{
    return type == KC_CONF_SECONDS ? value * SECOND : value;
}

/* The number of seconds as text: 0.05 for 50 milliseconds. */
static const char *in_seconds(int64_t milliseconds, apr_pool_t *pool)
{
    if (milliseconds % SECOND == 0)
        return apr_psprintf(pool, "%" APR_INT64_T_FMT, milliseconds / SECOND);
    return apr_psprintf(pool, "%" APR_INT64_T_FMT ".%03d", milliseconds / SECOND,
                        (int)(milliseconds % SECOND));
}

const char *kc_conf_doubt_after_logout(const kc_conf_t *conf, apr_pool_t *pool)
{
    if (!kc_conf_own_after_logout(conf, pool))
        return NULL;
    return "this is an address of this module itself, which would send browsers in a loop "
           "after signing out; they arrive at / instead. Name a page that needs no sign-in";
}

/* RFC 6749 section 3.3 allows a comma in a scope. */
const char *kc_conf_doubt_scope(const kc_conf_t *conf, apr_pool_t *pool)
{
    for (int i = 0; i < conf->scope->nelts; i++) {
        const char *word = APR_ARRAY_IDX(conf->scope, i, const char *);

        if (strchr(word, ','))
            return apr_psprintf(pool,
                                "%.80s is one scope, with a comma in its name; if several are "
                                "meant, separate them by blanks",
                                word);
    }
    return NULL;
}

const char *kc_conf_doubt_tell(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool)
{
    const kc_conf_row_t *row = kc_conf_table_row(index);
    int64_t value;

    if (row->doubt)
        return row->doubt(conf, pool);
    if (!row->usual.min || row->is_directory)
        return NULL;
    value = *(const int64_t *)(const void *)((const char *)conf + row->offset);
    if (value >= kc_conf_number_value(row->type, row->usual.min) &&
        value <= kc_conf_number_value(row->type, row->usual.max))
        return NULL;
    return apr_psprintf(pool, "%s seconds are hardly meant, for %s",
                        in_seconds(in_milliseconds(row->type, value), pool), row->advice);
}

/* Values that are allowed, but hardly meant: above all numbers that were given another unit in
 * mind. SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_doubt.h"

#include <apr_strings.h>

#include "conf/conf_own.h"

/* Bounds of what is sensible, in milliseconds. */
typedef struct bound_t {
    kc_conf_index_t row;
    int64_t min, max;
    const char *advice;
} bound_t;

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const bound_t bounds[] = {
    {KC_CONF_ROW_store_timeout, 5, 2 * SECOND,
     "requests wait so long for a memcached server that does not answer; write 50ms for 50 "
     "milliseconds"},
    {KC_CONF_ROW_http_timeout, 100, 30 * SECOND,
     "sign-ins wait so long for Keycloak; write 500ms for 500 milliseconds"},
    {KC_CONF_ROW_cache_ttl, 0, 10 * SECOND,
     "a session that has ended elsewhere goes on for so long; write 500ms for 500 milliseconds"},
    {KC_CONF_ROW_clock_skew, 0, 5 * MINUTE, "tokens count for so long after they have expired"},
    {KC_CONF_ROW_metadata_ttl, 10 * SECOND, DAY, "new keys of the realm are looked for so rarely"},
    {KC_CONF_ROW_login_timeout, 30 * SECOND, 2 * HOUR, "so long a sign-in may take"},
    {KC_CONF_ROW_session_max, 5 * MINUTE, 90 * DAY, "so long a session may last"},
    {KC_CONF_ROW_session_idle, MINUTE, 30 * DAY, "so long a session may be unused"},
};

static int64_t in_milliseconds(const kc_conf_t *conf, const kc_conf_row_t *row)
{
    int64_t value = *(const int64_t *)(const void *)((const char *)conf + row->offset);

    return row->type == KC_CONF_SECONDS ? value * SECOND : value;
}

/* Of 50 milliseconds 0.05. */
static const char *in_seconds(int64_t milliseconds, apr_pool_t *pool)
{
    if (milliseconds % SECOND == 0)
        return apr_psprintf(pool, "%" APR_INT64_T_FMT, milliseconds / SECOND);
    return apr_psprintf(pool, "%" APR_INT64_T_FMT ".%03d", milliseconds / SECOND,
                        (int)(milliseconds % SECOND));
}

const char *kc_conf_doubt_tell(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool)
{
    const kc_conf_row_t *row = kc_conf_table_row(index);
    size_t i;

    if (index == KC_CONF_ROW_after_logout_url && kc_conf_own_after_logout(conf, pool))
        return "this is an address of this module itself, which would send people round in circles "
               "after signing out; they arrive at / instead. Name a page that needs no sign-in";
    for (i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        int64_t value;

        if (bounds[i].row != index)
            continue;
        value = in_milliseconds(conf, row);
        if (value < bounds[i].min || value > bounds[i].max)
            return apr_psprintf(pool, "%s seconds are hardly meant, for %s",
                                in_seconds(value, pool), bounds[i].advice);
    }
    return NULL;
}

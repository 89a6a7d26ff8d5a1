/* Whether two servers would be asked the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_same.h"

#include <string.h>

#include "conf/conf.h"

static int is_equal(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

static int is_same_list(const apr_array_header_t *one, const apr_array_header_t *other)
{
    int i, count = one ? one->nelts : 0;

    if (count != (other ? other->nelts : 0))
        return 0;
    for (i = 0; i < count; i++) {
        if (strcmp(APR_ARRAY_IDX(one, i, const char *), APR_ARRAY_IDX(other, i, const char *)) != 0)
            return 0;
    }
    return 1;
}

static int has_same_keys(const apr_array_header_t *one, const apr_array_header_t *other)
{
    int i, count = one ? one->nelts : 0;

    if (count != (other ? other->nelts : 0))
        return 0;
    for (i = 0; i < count; i++) {
        if (!is_equal(APR_ARRAY_IDX(one, i, kc_conf_file_t).text,
                      APR_ARRAY_IDX(other, i, kc_conf_file_t).text))
            return 0;
    }
    return 1;
}

/* A dump shows no secrets, so those are compared by themselves. */
static int has_same_settings(const kc_conf_t *one, const kc_conf_t *other, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < KC_CONF_ROWS; i++) {
        const kc_conf_index_t index = (kc_conf_index_t)i;

        if (!kc_conf_table_row(index)->is_directory &&
            strcmp(kc_conf_dump(one, index, pool), kc_conf_dump(other, index, pool)) != 0)
            return 0;
    }
    return is_equal(one->client_secret.text, other->client_secret.text) &&
           is_equal(one->memcached_password.text, other->memcached_password.text) &&
           has_same_keys(one->crypto_key, other->crypto_key);
}

int kc_check_same_is(const kc_check_t *one, const kc_check_t *other)
{
    const kc_rp_t *a = one->rp, *b = other->rp;

    return is_equal(one->client ? one->client->public_url : NULL,
                    other->client ? other->client->public_url : NULL) &&
           one->has_tls == other->has_tls && a->asks_groups == b->asks_groups &&
           a->asks_roles == b->asks_roles && is_same_list(a->asked_claims, b->asked_claims) &&
           has_same_settings(a->conf, b->conf, one->pool);
}

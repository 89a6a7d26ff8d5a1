/* The groups header: which groups of a user it lists.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/groups_header.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "conf/groups_filter.h"
#include "crypto/crypto.h"
#include "provider/claims.h"
#include "rp.h"

/* The limit in KeycloakGroupsFilter can be as high as the number of groups. */
typedef char limit_is_known_t[(int)KC_GROUPS_FILTER_LIMIT_MAX == (int)KC_CLAIMS_LIST_MAX ? 1 : -1];

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *kc_groups_header_join(const apr_array_header_t *texts, apr_pool_t *pool, int *left_out)
{
    size_t len = 0, room = 0, more;
    char *out;
    int i;

    *left_out = 0;
    for (i = 0; i < texts->nelts; i++)
        room += strlen(APR_ARRAY_IDX(texts, i, const char *)) + 1;
    out = apr_palloc(pool, (room < KC_CLAIMS_HEADER_MAX ? room : KC_CLAIMS_HEADER_MAX) + 1);
    for (i = 0; i < texts->nelts; i++) {
        const char *text = APR_ARRAY_IDX(texts, i, const char *);

        more = strlen(text) + (len != 0);
        if (more > KC_CLAIMS_HEADER_MAX - len) {
            ++*left_out;
            continue;
        }
        if (len)
            out[len] = ',';
        memcpy(out + len + (len != 0), text, strlen(text));
        len += more;
    }
    out[len] = '\0';
    return out;
}

void kc_groups_header_make(const kc_conf_t *conf, const apr_array_header_t *groups,
                           apr_pool_t *pool, kc_groups_header_t *out)
{
    kc_groups_filter_t filter = kc_groups_filter_read(conf->groups_filter);
    apr_array_header_t *chosen = apr_array_make(pool, groups->nelts + 1, sizeof(const char *));
    int i, over = 0;

    memset(out, 0, sizeof(*out));
    for (i = 0; i < groups->nelts; i++) {
        const char *group = APR_ARRAY_IDX(groups, i, const char *);

        if (!kc_groups_filter_chooses(&filter, group))
            continue;
        APR_ARRAY_PUSH(chosen, const char *) = group;
        out->bytes += strlen(group) + (chosen->nelts > 1);
    }
    if (filter.is_sorted)
        qsort(chosen->elts, (size_t)chosen->nelts, sizeof(const char *), compare);
    out->chosen = chosen->nelts;
    out->limit = filter.limit;
    if (filter.limit && chosen->nelts > filter.limit) {
        over = chosen->nelts - filter.limit;
        chosen->nelts = filter.limit;
    }
    out->value = kc_groups_header_join(chosen, pool, &out->left_out);
    out->left_out += over;
}

/* ---------------------------------------------------------------- log */

static int is_news(const kc_rp_t *rp, const char *sub)
{
    unsigned char name[KC_CRYPTO_SHA256_SIZE];
    const kc_bytes_t bytes = {name, sizeof(name)};

    return kc_crypto_sha256(kc_buf_text(sub), name, NULL) != KC_OK ||
           kc_rp_is_news(rp, "groups header", bytes);
}

void kc_groups_header_report(const kc_rp_t *rp, const char *sub, const kc_groups_header_t *header,
                             apr_pool_t *pool)
{
    const char *limit = "";

    if (!header->left_out || !is_news(rp, sub))
        return;
    if (header->limit)
        limit = apr_psprintf(pool, " and %d groups", header->limit);
    kc_env_log(rp->env, KC_ERR_GROUPS_LEFT_OUT,
               "%s: the header %.60s of sub %s lacks %d of %d groups, which would take "
               "%" APR_SIZE_T_FMT " bytes: there is room for %d%s. KeycloakGroupsFilter "
               "chooses those that backends need; Require lines know all",
               kc_err_row(KC_ERR_GROUPS_LEFT_OUT)->slug, rp->conf->groups_header, sub,
               header->left_out, header->chosen, header->bytes, KC_CLAIMS_HEADER_MAX, limit);
}

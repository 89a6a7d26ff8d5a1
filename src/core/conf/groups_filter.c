/* KeycloakGroupsFilter: patterns, an order and a limit.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/groups_filter.h"

#include <apr_lib.h>
#include <string.h>

#include "base/glob.h"

static const char order_word[] = "order:";
static const char limit_word[] = "limit:";

/* The value behind the key in a word with that key, else NULL. */
static const char *value_of(const char *word, const char *key)
{
    size_t len = strlen(key);

    return strncmp(word, key, len) == 0 ? word + len : NULL;
}

static int is_pattern(const char *word)
{
    return !value_of(word, order_word) && !value_of(word, limit_word);
}

/* 1 to KC_GROUPS_FILTER_LIMIT_MAX in decimal digits; 0 for anything else. */
static int read_limit(const char *text)
{
    int number = 0;

    if (strlen(text) > 4 || text[0] == '0')
        return 0;
    for (; apr_isdigit(*text); text++)
        number = number * 10 + (*text - '0');
    return *text || number > KC_GROUPS_FILTER_LIMIT_MAX ? 0 : number;
}

kc_groups_filter_t kc_groups_filter_read(const apr_array_header_t *words)
{
    kc_groups_filter_t filter = {words, 0, 0, 0};
    int i;

    for (i = 0; words && i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);
        const char *order = value_of(word, order_word), *limit = value_of(word, limit_word);

        filter.patterns += is_pattern(word);
        if (order)
            filter.is_sorted = strcmp(order, "sorted") == 0;
        if (limit)
            filter.limit = read_limit(limit);
    }
    return filter;
}

static kc_rc_t refuse(kc_err_t *err, const char *word)
{
    return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG,
                   "takes patterns such as team-* (at most %d bytes), one order:token or "
                   "order:sorted, and one limit: of 1 to %d; not '%.60s'",
                   KC_GROUPS_FILTER_PATTERN_MAX, KC_GROUPS_FILTER_LIMIT_MAX, word);
}

kc_rc_t kc_groups_filter_check(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err)
{
    const apr_array_header_t *words = conf->groups_filter;
    int i, orders = 0, limits = 0;

    (void)pool;
    for (i = 0; words && i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);
        const char *order = value_of(word, order_word), *limit = value_of(word, limit_word);

        if (order && (orders++ || (strcmp(order, "token") != 0 && strcmp(order, "sorted") != 0)))
            return refuse(err, word);
        if (limit && (limits++ || !read_limit(limit)))
            return refuse(err, word);
        if (strlen(word) > KC_GROUPS_FILTER_PATTERN_MAX || !word[word[0] == '/'] ||
            strchr(word, ','))
            return refuse(err, word);
    }
    return KC_OK;
}

int kc_groups_filter_chooses(const kc_groups_filter_t *filter, const char *group)
{
    int i;

    for (i = 0; filter->words && i < filter->words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(filter->words, i, const char *);
        const char *pattern = word + (*word == '/');

        if (is_pattern(word) &&
            kc_glob_is_met(group, group + strlen(group), pattern, pattern + strlen(pattern)))
            return 1;
    }
    return !filter->patterns;
}

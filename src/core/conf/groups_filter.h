/* KeycloakGroupsFilter: which groups the groups header lists.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_GROUPS_FILTER_H
#define KC_GROUPS_FILTER_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/err.h"
#include "conf/conf.h"

enum {
    KC_GROUPS_FILTER_PATTERN_MAX = 255, /* bytes */
    KC_GROUPS_FILTER_LIMIT_MAX = 5000   /* groups */
};

/* KeycloakGroupsFilter, parsed. */
typedef struct kc_groups_filter_t {
    const apr_array_header_t *words; /* NULL: it is not set */
    int patterns;                    /* how many of the words are patterns */
    int is_sorted;
    int limit; /* 0: none */
} kc_groups_filter_t;

/* A check for a row of conf.def. KC_REFUSED with KC_ERR_CONFIG unless KeycloakGroupsFilter has
 * patterns of up to KC_GROUPS_FILTER_PATTERN_MAX bytes, at most one order: (token or sorted), and
 * at most one limit: (1 to 5000). */
kc_rc_t kc_groups_filter_check(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);

/* Parses the directive's words (const char *; NULL: it is not set), which must have been checked.
 * Thread safe. */
kc_groups_filter_t kc_groups_filter_read(const apr_array_header_t *words);
/* 1 when the group (without leading slash) matches a pattern, or when there is no pattern. Thread
 * safe. */
int kc_groups_filter_chooses(const kc_groups_filter_t *filter, const char *group);

#endif

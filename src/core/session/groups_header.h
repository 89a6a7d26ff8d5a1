/* The groups header: which groups of a user it lists, and what is logged of the others.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_GROUPS_HEADER_H
#define KC_GROUPS_HEADER_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/conf.h"
#include "rp.h"

struct kc_rp_t;

/* The result of kc_groups_header_make. */
typedef struct kc_groups_header_t {
    const char *value; /* joined by commas; "" when there are none */
    int chosen;        /* groups that the patterns choose */
    int left_out;      /* how many of the chosen ones are left out: no room, or over the limit */
    size_t bytes;      /* that all chosen ones would take */
    int limit;         /* how many may be in it; 0: any number */
} kc_groups_header_t;

/* Makes the header's value of the groups (const char *, without leading slash) as
 * KeycloakGroupsFilter says. Chosen are those that match any pattern (all, without patterns), in
 * their order or sorted by their bytes, up to the limit. Each group that still fits into
 * KC_CLAIMS_HEADER_MAX bytes (claims.h) is listed, never in part. groups is not changed. Everything
 * is in pool or in groups. Thread safe. */
void kc_groups_header_make(const kc_conf_t *conf, const apr_array_header_t *groups,
                           apr_pool_t *pool, kc_groups_header_t *out);

/* Joins texts by commas: each that still fits, as above. *left_out: how many did not fit. */
const char *kc_groups_header_join(const apr_array_header_t *texts, apr_pool_t *pool, int *left_out);

/* Logs through rp's env when some of the chosen groups are left out: once an hour for each user,
 * for all children of the host. sub: the user's. Thread safe. */
void kc_groups_header_report(const struct kc_rp_t *rp, const char *sub,
                             const kc_groups_header_t *header, apr_pool_t *pool);

#endif

/* The header of groups: which of somebody's groups stand in it, and what the log is told of the
 * others. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_GROUPS_HEADER_H
#define KC_GROUPS_HEADER_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/conf.h"
#include "rp.h"

struct kc_rp_t;

/* What was made. */
typedef struct kc_groups_header_t {
    const char *value; /* joined by commas; "" when there are none */
    int chosen;        /* groups that the patterns choose */
    int left_out;      /* of these: for which there is no room, or which are over the limit */
    size_t bytes;      /* that all chosen ones would take */
    int limit;         /* how many may be in it; 0: any number */
} kc_groups_header_t;

/* Makes the header's value of the groups (const char *, without leading slash) as
 * KeycloakGroupsFilter says: those that any pattern meets (all, when there is none), in their order
 * or sorted by their bytes, up to the limit; from the first on each that there still is room for in
 * KC_CLAIMS_HEADER_MAX bytes (claims.h), none in part. groups stays as it is. Everything in pool or
 * in groups. Thread safe. */
void kc_groups_header_make(const kc_conf_t *conf, const apr_array_header_t *groups,
                           apr_pool_t *pool, kc_groups_header_t *out);

/* Joins texts by commas: from the first on each that there still is room for, as above; *left_out:
 * how many there was none for. */
const char *kc_groups_header_join(const apr_array_header_t *texts, apr_pool_t *pool, int *left_out);

/* Logs over rp's env when some of the chosen ones are left out: once an hour for each person, of
 * all children of the host. sub: the person's. Thread safe. */
void kc_groups_header_report(const struct kc_rp_t *rp, const char *sub,
                             const kc_groups_header_t *header, apr_pool_t *pool);

#endif

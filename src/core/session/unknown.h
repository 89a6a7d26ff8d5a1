/* What is not known of a user: lists that no token has, or that were cut.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_UNKNOWN_H
#define KC_UNKNOWN_H

#include <apr_pools.h>

#include "rp.h"

struct kc_rp_t;

/* Bits. What is in such a list is true; what is missing in it may be true as well. */
enum {
    KC_UNKNOWN_REALM_ROLES = 1,
    KC_UNKNOWN_CLIENT_ROLES = 2,
    KC_UNKNOWN_GROUPS = 4,
    KC_UNKNOWN_ALL = 7
};

/* Logs through rp's env that these lists (bits; 0: does nothing) of the user are not known, and
 * why. It does so when some Require excludes by them (rp->asks_negated): once an hour for each user
 * and list, for all children of the host. When some Require asks for roles (rp->asks_roles) and no
 * roles at all are known, that is logged too, with the cure, once an hour for all users. sub: the
 * user's. why: for the administrator, without secrets. Thread safe. */
void kc_unknown_report(const struct kc_rp_t *rp, const char *sub, unsigned int unknown,
                       const char *why, apr_pool_t *pool);

#endif

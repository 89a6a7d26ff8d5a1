/* What is not known of a person: lists that no token has told, or that were cut.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_UNKNOWN_H
#define KC_UNKNOWN_H

#include <apr_pools.h>

#include "rp.h"

struct kc_rp_t;

/* Bits. What is in such a list is true; what is not in it may be true as well. */
enum {
    KC_UNKNOWN_REALM_ROLES = 1,
    KC_UNKNOWN_CLIENT_ROLES = 2,
    KC_UNKNOWN_GROUPS = 4,
    KC_UNKNOWN_ALL = 7
};

/* Logs over rp's env that these lists (bits; 0: does nothing) of the person are not known, and why,
 * when some Require excludes by them (rp->asks_negated): once an hour for each person and list, of
 * all children of the host. Where some Require asks for roles (rp->asks_roles) and no role is known
 * at all, also that, with the cure: once an hour for all people. sub: the person's. why: for the
 * administrator, no secret in it. Thread safe. */
void kc_unknown_report(const struct kc_rp_t *rp, const char *sub, unsigned int unknown,
                       const char *why, apr_pool_t *pool);

#endif

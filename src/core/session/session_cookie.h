/* The session's cookie: finding it, and what it is set and deleted with.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_COOKIE_H
#define KC_SESSION_COOKIE_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/buf.h"
#include "base/cookie.h"
#include "rp.h"

/* is_https: the browser speaks https, which decides the cookie's name. All of these are thread safe
 * and cannot fail. */

/* Its value in a Cookie header (NULL: none): a view into it. data is NULL when the cookie is
 * absent, empty or there twice. */
kc_bytes_t kc_session_cookie_find(const kc_rp_t *rp, int is_https, const char *header);
/* The header with one cookie of this name where it has several: other hosts of a domain leave
 * theirs behind, and browsers send all. The one counts whose session is there, the newest of the
 * same person's; where they are of two people none does, for one may have been planted. The header
 * itself (NULL: none) when there is nothing to choose, else in pool. Looks sessions up only then,
 * four at most. */
const char *kc_session_cookie_settle(const kc_rp_t *rp, int is_https, const char *header,
                                     apr_pool_t *pool);
/* What it is set with, by the directives; value and max_age are those that delete it. Its strings
 * are rp's. */
kc_cookie_set_t kc_session_cookie_describe(const kc_rp_t *rp, int is_https);
/* Adds the Set-Cookie values (const char *, in pool) that delete it and the count of sign-ins that
 * goes with it. */
void kc_session_cookie_forget(const kc_rp_t *rp, int is_https, apr_pool_t *pool,
                              apr_array_header_t *cookies);

#endif

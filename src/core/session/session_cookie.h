/* The session cookie: how it is found, set and deleted.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_COOKIE_H
#define KC_SESSION_COOKIE_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/buf.h"
#include "base/cookie.h"
#include "rp.h"
#include "session/session_codec.h"

/* is_https: the browser uses https, which decides the cookie's name. All of these functions are
 * thread safe and cannot fail. */

/* The cookie's value in a Cookie header (NULL: none), as a pointer into it. data is NULL when the
 * cookie is absent, empty or there twice. */
kc_bytes_t kc_session_cookie_find(const kc_rp_t *rp, int is_https, const char *header);
/* Reduces several cookies of this name in the header to one. Other hosts of a domain may set such
 * cookies, and browsers send all of them. The cookie of an existing session counts; of several
 * sessions of one user, the newest. When they belong to two users none counts, because one may have
 * been planted. Returns the header itself (NULL: none) when there is nothing to choose, else a copy
 * in pool. Only then it looks up sessions, at most four. */
const char *kc_session_cookie_settle(const kc_rp_t *rp, int is_https, const char *header,
                                     apr_pool_t *pool);
/* The attributes that the cookie is set with, by the directives. value and max_age are those that
 * delete it. Its strings are rp's. */
kc_cookie_set_t kc_session_cookie_describe(const kc_rp_t *rp, int is_https);
/* The max_age to set the cookie of this new session with: -1, or with KeycloakCookiePersistent the
 * seconds (1 or more) until the session ends however much it is used, at most KeycloakSessionMax. A
 * session that cannot be renewed ends with its ID token. The idle end does not count, because it
 * moves without a new cookie; the server keeps it. */
long kc_session_cookie_max_age(const kc_rp_t *rp, const kc_session_t *session);
/* Adds the Set-Cookie values (const char *, in pool) that delete the cookie and the sign-in counter
 * beside it. */
void kc_session_cookie_forget(const kc_rp_t *rp, int is_https, apr_pool_t *pool,
                              apr_array_header_t *cookies);

#endif

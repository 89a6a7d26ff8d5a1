/* Cookies: finding ours in the Cookie header, taking them out of it, and setting them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_COOKIE_H
#define KC_COOKIE_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { KC_COOKIE_HEADER_MAX = 64 * 1024, KC_COOKIE_LIST_MAX = 64 };

/* The header is what httpd gives: pairs separated by ";" (RFC 6265 section 4.2.1). httpd joins the
 * lines of clients that send several with ", "; strip alone reads it that way too. No function
 * copies or allocates but where it says so. */

/* The value of the one cookie of this exact name (quotes around a value are not removed, and so
 * make it malformed for the callers). KC_MISS when absent, when the name has no value, or the
 * header is NULL; KC_REFUSED when the name is there twice or the header is over
 * KC_COOKIE_HEADER_MAX; then *value stays as it was. err is not filled: this is on the request
 * path. */
kc_rc_t kc_cookie_find(const char *header, const char *name, size_t name_len, kc_bytes_t *value);

/* A cookie of a listing: views into the header. */
typedef struct kc_cookie_item_t {
    kc_bytes_t name;
    kc_bytes_t value;
} kc_cookie_item_t;
/* Lists up to size cookies whose name begins with prefix; returns how many there are in all (may
 * exceed size). */
size_t kc_cookie_list(const char *header, const char *prefix, kc_cookie_item_t *items, size_t size);

/* The header without the cookies whose name equals one of names, or begins with one that ends in
 * "*" (the star not counted); the rest byte for byte. The header itself when none is ours; NULL
 * when nothing is left. Otherwise a copy in pool. */
const char *kc_cookie_strip(const char *header, const char *const *names, size_t count,
                            apr_pool_t *pool);

/* 1 when a line of Set-Cookie, as some backend has written it, sets one of these names (as above)
 * in any reader's eyes: browsers that take names in another case, a cookie without a name whose
 * value is read as one, readers that part a line at commas. Linear. */
int kc_cookie_is_set(const char *line, const char *const *names, size_t count);

/* A line of Clear-Site-Data (W3C Clear Site Data section 3.1) without what clears cookies, ours
 * with the others: "cookies", words that are not known, and "*", for which the rest of what it
 * stands for comes. The line itself when it has none of these; NULL when nothing is left. Otherwise
 * in pool. Linear. */
const char *kc_cookie_keep_uncleared(const char *line, apr_pool_t *pool);

/* A cookie to set. */
typedef struct kc_cookie_set_t {
    const char *name;
    const char *value;     /* cookie octets (RFC 6265 section 4.1.1); "" with max_age 0 deletes */
    const char *path;      /* NULL: "/" */
    const char *domain;    /* NULL: host-only */
    const char *same_site; /* "Lax", "Strict", "None" */
    long max_age;          /* seconds; -1: a session cookie of the browser */
    int is_secure;
} kc_cookie_set_t;
/* The value of Set-Cookie (RFC 6265 section 4.1), always HttpOnly. */
const char *kc_cookie_format(const kc_cookie_set_t *cookie, apr_pool_t *pool);

#endif

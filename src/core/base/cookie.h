/* Cookies: finding those of this module in the Cookie header, removing them from it, and setting
 * them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_COOKIE_H
#define KC_COOKIE_H

#include <apr_pools.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { KC_COOKIE_HEADER_MAX = 64 * 1024, KC_COOKIE_LIST_MAX = 64 };

/* The header is what httpd provides: pairs separated by ";" (RFC 6265 section 4.2.1). When a client
 * sends several lines, httpd joins them with ", "; only kc_cookie_strip reads it that way too.
 * Functions copy or allocate only where that is documented. */

/* The value of the only cookie with exactly this name. Quotes around a value are not removed, so
 * callers find it malformed. KC_MISS when it is absent, when the name has no value, or the header
 * is NULL. KC_REFUSED when the name is there twice or the header is over KC_COOKIE_HEADER_MAX; then
 * *value is not changed. err is not filled: this is on the request path. */
kc_rc_t kc_cookie_find(const char *header, const char *name, size_t name_len, kc_bytes_t *value);

/* A cookie of a list: pointers into the header. */
typedef struct kc_cookie_item_t {
    kc_bytes_t name;
    kc_bytes_t value;
} kc_cookie_item_t;
/* Lists up to size cookies with names that begin with prefix. Returns their total number, which may
 * exceed size. */
size_t kc_cookie_list(const char *header, const char *prefix, kc_cookie_item_t *items, size_t size);

/* The header without the cookies with one of these names; a name that ends in "*" matches all that
 * begin with it. The rest stays byte for byte. Returns the header itself when no name matches, NULL
 * when nothing is left, otherwise a copy in pool. */
const char *kc_cookie_strip(const char *header, const char *const *names, size_t count,
                            apr_pool_t *pool);

/* 1 when a Set-Cookie line of a backend sets one of these names (as above) for any reader. Readers
 * include browsers that ignore case, browsers that take the value of a nameless cookie for a
 * cookie, and software that splits a line at commas. Linear. */
int kc_cookie_is_set(const char *line, const char *const *names, size_t count);

/* A line of Clear-Site-Data (W3C Clear Site Data section 3.1) without what clears cookies, because
 * this module's cookies would go too. Removes "cookies", unknown words, and "*", which is replaced
 * by the other words that it stands for. Returns the line itself when it has none of these, NULL
 * when nothing is left, otherwise a copy in pool. Linear. */
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

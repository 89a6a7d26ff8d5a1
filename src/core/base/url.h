/* URLs: strict parsing, building, queries, and the check of return URLs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_URL_H
#define KC_URL_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    KC_URL_MAX = 8192 /* bytes */
};

/* An absolute http or https URL (RFC 3986). Everything is in the pool given to parse. */
typedef struct kc_url_t {
    const char *scheme; /* "http" or "https" */
    const char *host;   /* lower case; an IPv6 address in brackets */
    int port;           /* the default of the scheme is filled in */
    const char *path;   /* begins with "/" */
    const char *query;  /* without "?"; NULL when absent */
} kc_url_t;

/* KC_REFUSED (KC_ERR_CONFIG): not http(s), user information, fragment, space, control character,
 * backslash, non-ASCII, bad port, over KC_URL_MAX, a malformed %-escape, one of "<>^`{|}, or a host
 * with characters other than letters, digits, - . _ (or an IPv6 address). The detail completes the
 * sentence "this is no URL: …". err may be NULL. */
kc_rc_t kc_url_parse(const char *text, apr_pool_t *pool, kc_url_t *out, kc_err_t *err);
/* 1 when host is domain, or a name below it, in any case (RFC 6265 section 5.1.3). Thread safe. */
int kc_url_is_in_domain(const char *host, const char *domain);
/* scheme://host[:port], without a default port. */
const char *kc_url_origin(const kc_url_t *url, apr_pool_t *pool);
int kc_url_is_same_origin(const kc_url_t *a, const kc_url_t *b);
/* 1 for localhost, *.localhost, 127.0.0.0/8 and [::1]. */
int kc_url_is_loopback(const kc_url_t *url);
/* url with scheme, host and port of base; path and query stay. */
const char *kc_url_rebase(const kc_url_t *url, const kc_url_t *base, apr_pool_t *pool);

/* Percent-encodes all except unreserved characters (RFC 3986 section 2.3). */
const char *kc_url_escape(const char *text, apr_pool_t *pool);
/* Appends name=value, escaped, to a form body or a URL, after "?" or "&" as needed. An empty buffer
 * begins a form body. */
void kc_url_put_parameter(kc_buf_t *buf, const char *name, const char *value);
/* The byte of the escape at text (which points at "%"); -1 when it is malformed. */
int kc_url_unescape_at(const char *text);

/* The address that a sign-in or logout may return to, unchanged byte for byte. Accepted are:
 *   - a path on this host that no software can read as another host. The rules are those of
 *     kc_return_path_is_safe: one leading slash, nothing behind it that is or looks like a second
 *     one, however often it is decoded, and so on. It need not be UTF-8, nor in its shortest form.
 *   - a URL with such a path, of public_origin (may be NULL) or of one of hosts (array of const
 *     char *, "host" for the default ports or "host:port"; may be NULL). It must be https when
 *     public_origin is. Its origin is returned in the spelling of kc_url_origin.
 *
 * Either has no spaces and up to KC_URL_MAX bytes. Bytes outside ASCII are escaped. A fragment is
 * cut off, because the server never sees one. Everything else becomes "/". Never fails. The result
 * is text itself, static, or in pool. threats.md F. */
const char *kc_url_return(const char *text, const char *public_origin,
                          const apr_array_header_t *hosts, apr_pool_t *pool);

#endif

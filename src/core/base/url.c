/* URLs: strict parsing, building, and the check of return URLs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/return_path.h"

enum { HOST_MAX = 255 /* bytes */, PORT_DIGITS_MAX = 5, PORT_MAX = 65535 };

#define REFUSE(err, ...) KC_FAIL((err), KC_REFUSED, KC_ERR_CONFIG, __VA_ARGS__)

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int kc_url_unescape_at(const char *text)
{
    int high = hex_digit(text[1]);
    int low = high < 0 ? -1 : hex_digit(text[2]);

    return low < 0 ? -1 : high * 16 + low;
}

/* ---------------------------------------------------------------- parsing */

static kc_rc_t check_bytes(const char *text, kc_err_t *err)
{
    if (strlen(text) > KC_URL_MAX)
        return REFUSE(err, "it is longer than %d bytes", KC_URL_MAX);
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c > '~')
            return REFUSE(err, "it has a space, a control character or a byte outside ASCII");
        if (strchr("\\\"<>^`{|}", *c))
            return REFUSE(err, "it has a '%c'", *c);
        if (*c == '#')
            return REFUSE(err, "it has a fragment");
        if (*c == '%' && kc_url_unescape_at(c) < 0)
            return REFUSE(err, "it has a malformed %%-escape");
    }
    return KC_OK;
}

static kc_rc_t take_scheme(const char **rest, kc_url_t *out, kc_err_t *err)
{
    out->scheme = !strncasecmp(*rest, "https://", 8) ? "https" : "http";
    out->port = !strncasecmp(*rest, "https://", 8) ? 443 : 80;
    if (strncasecmp(*rest, out->scheme, strlen(out->scheme)) != 0 ||
        strncmp(*rest + strlen(out->scheme), "://", 3) != 0)
        return REFUSE(err, "it does not begin with https:// or http://");
    *rest += strlen(out->scheme) + 3;
    return KC_OK;
}

static int is_ipv6(const char *text, size_t len, apr_pool_t *pool)
{
    struct in6_addr address;

    return inet_pton(AF_INET6, kc_buf_copy(text, len, pool), &address) == 1;
}

/* Letters, digits, - and _ in labels that are not empty; one dot may end the name. */
static int is_host_name(const char *text, size_t len)
{
    static const char marks[] = {'-', '.', '_'};
    char last = '.';

    for (size_t i = 0; i < len; i++) {
        if (!apr_isalnum(text[i]) && !memchr(marks, text[i], sizeof(marks)))
            return 0;
        if (text[i] == '.' && last == '.')
            return 0;
        last = text[i];
    }
    return len > 0 && len <= HOST_MAX;
}

static char *lower(const char *text, size_t len, apr_pool_t *pool)
{
    char *copy = kc_buf_copy(text, len, pool);

    for (char *c = copy; *c; c++)
        *c = (char)apr_tolower(*c);
    return copy;
}

static kc_rc_t take_port(const char *text, size_t len, kc_url_t *out, kc_err_t *err)
{
    int port = 0;

    if (len > PORT_DIGITS_MAX)
        len = 0;
    for (size_t i = 0; i < len; i++)
        port = apr_isdigit(text[i]) && port >= 0 ? port * 10 + (text[i] - '0') : -1;
    if (port < 1 || port > PORT_MAX)
        return REFUSE(err, "its port is not a number from 1 to %d", PORT_MAX);
    out->port = port;
    return KC_OK;
}

/* host, host:port, [address] or [address]:port. */
static kc_rc_t take_authority(const char *text, size_t len, apr_pool_t *pool, kc_url_t *out,
                              kc_err_t *err)
{
    const char *bracket = memchr(text, ']', len);
    int is_literal = len > 0 && text[0] == '[' && bracket;
    const char *colon = is_literal ? bracket + 1 : memchr(text, ':', len);
    size_t host_len = colon ? (size_t)(colon - text) : len;

    if (memchr(text, '@', len))
        return REFUSE(err, "it has user information before its host");
    if (is_literal ? !is_ipv6(text + 1, host_len - 2, pool) : !is_host_name(text, host_len))
        return REFUSE(err, "its host is missing or is not a name or address");
    out->host = lower(text, host_len, pool);
    if (host_len == len)
        return KC_OK;
    if (text[host_len] != ':')
        return REFUSE(err, "something other than a port follows its host");
    return take_port(text + host_len + 1, len - host_len - 1, out, err);
}

kc_rc_t kc_url_parse(const char *text, apr_pool_t *pool, kc_url_t *out, kc_err_t *err)
{
    const char *rest = text ? text : "";
    const char *query;
    size_t len;
    kc_rc_t rc = check_bytes(rest, err);

    if (rc == KC_OK)
        rc = take_scheme(&rest, out, err);
    if (rc != KC_OK)
        return rc;
    len = strcspn(rest, "/?");
    rc = take_authority(rest, len, pool, out, err);
    if (rc != KC_OK)
        return rc;
    rest += len;
    query = strchr(rest, '?');
    len = query ? (size_t)(query - rest) : strlen(rest);
    out->path = len ? kc_buf_copy(rest, len, pool) : "/";
    out->query = query ? apr_pstrdup(pool, query + 1) : NULL;
    return KC_OK;
}

int kc_url_is_in_domain(const char *host, const char *domain)
{
    size_t len = strlen(host), tail = strlen(domain);

    return len >= tail && strcasecmp(host + len - tail, domain) == 0 &&
           (len == tail || host[len - tail - 1] == '.');
}

const char *kc_url_origin(const kc_url_t *url, apr_pool_t *pool)
{
    if (url->port == (strcmp(url->scheme, "https") ? 80 : 443))
        return apr_pstrcat(pool, url->scheme, "://", url->host, NULL);
    return apr_psprintf(pool, "%s://%s:%d", url->scheme, url->host, url->port);
}

int kc_url_is_same_origin(const kc_url_t *a, const kc_url_t *b)
{
    return a->port == b->port && !strcmp(a->scheme, b->scheme) && !strcmp(a->host, b->host);
}

static int is_loopback_address(const char *host)
{
    static const char suffix[] = ".localhost";
    size_t len = strlen(host);
    struct in_addr address;

    /* inet_pton accepts only four decimal numbers: no hexadecimal, octal or short form. */
    if (inet_pton(AF_INET, host, &address) == 1)
        return (ntohl(address.s_addr) >> 24) == 127;
    return !strcmp(host, suffix + 1) ||
           (len >= sizeof(suffix) && !strcmp(host + len - (sizeof(suffix) - 1), suffix));
}

int kc_url_is_loopback(const kc_url_t *url)
{
    char inner[INET6_ADDRSTRLEN];
    size_t len = strlen(url->host);
    struct in6_addr address;

    if (url->host[0] != '[')
        return is_loopback_address(url->host);
    if (len < 3 || len - 2 >= sizeof(inner))
        return 0;
    memcpy(inner, url->host + 1, len - 2);
    inner[len - 2] = '\0';
    return inet_pton(AF_INET6, inner, &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address);
}

static const char *whole(const char *origin, const kc_url_t *url, apr_pool_t *pool)
{
    return apr_pstrcat(pool, origin, url->path, url->query ? "?" : "", url->query ? url->query : "",
                       NULL);
}

const char *kc_url_rebase(const kc_url_t *url, const kc_url_t *base, apr_pool_t *pool)
{
    return whole(kc_url_origin(base, pool), url, pool);
}

/* ---------------------------------------------------------------- building */

static int is_unreserved(char c)
{
    return apr_isascii(c) && (apr_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~');
}

static void escape_byte(char c, char out[3])
{
    static const char digits[] = "0123456789ABCDEF";

    out[0] = '%';
    out[1] = digits[(unsigned char)c >> 4];
    out[2] = digits[(unsigned char)c & 15];
}

const char *kc_url_escape(const char *text, apr_pool_t *pool)
{
    char *escaped = apr_palloc(pool, strlen(text) * 3 + 1);
    char *out = escaped;

    for (; *text; text++) {
        if (is_unreserved(*text)) {
            *out++ = *text;
        } else {
            escape_byte(*text, out);
            out += 3;
        }
    }
    *out = '\0';
    return escaped;
}

static void put_escaped(kc_buf_t *buf, const char *text)
{
    char escape[3];

    for (; *text; text++) {
        if (is_unreserved(*text)) {
            kc_buf_put(buf, text, 1);
        } else {
            escape_byte(*text, escape);
            kc_buf_put(buf, escape, sizeof(escape));
        }
    }
}

/* The separator before the next parameter. An escaped form body never has a raw slash or question
 * mark; a URL always has a slash. */
static const char *separator(const kc_buf_t *buf)
{
    unsigned char last = buf->len ? buf->data[buf->len - 1] : '?';

    if (last == '?' || last == '&')
        return "";
    if (memchr(buf->data, '?', buf->len) || !memchr(buf->data, '/', buf->len))
        return "&";
    return "?";
}

void kc_url_put_parameter(kc_buf_t *buf, const char *name, const char *value)
{
    kc_buf_put_text(buf, separator(buf));
    put_escaped(buf, name);
    kc_buf_put(buf, "=", 1);
    put_escaped(buf, value);
}

/* ---------------------------------------------------------------- return URLs */

/* "host" stands for the default ports of http and https. */
static int is_host_listed(const kc_url_t *url, const apr_array_header_t *hosts, apr_pool_t *pool)
{
    for (int i = 0; hosts && i < hosts->nelts; i++) {
        const char *entry = APR_ARRAY_IDX(hosts, i, const char *);
        kc_url_t listed;

        if (kc_url_parse(apr_pstrcat(pool, url->scheme, "://", entry, NULL), pool, &listed, NULL) ==
                KC_OK &&
            !listed.path[1] && kc_url_is_same_origin(&listed, url))
            return 1;
    }
    return 0;
}

/* The host of a whole URL is parsed strictly. The rest is checked like a path without a host. */
static const char *check_absolute(const char *text, const char *public_origin,
                                  const apr_array_header_t *hosts, apr_pool_t *pool)
{
    const char *authority = strstr(text, "://");
    size_t len = authority ? (size_t)(authority - text) + 3 : 0;
    const char *rest;
    kc_url_t url = {.scheme = "", .host = ""}, ours = url;
    int has_ours = kc_url_parse(public_origin, pool, &ours, NULL) == KC_OK;

    len += strcspn(text + len, "/?");
    rest = text[len] == '/' ? text + len : apr_pstrcat(pool, "/", text + len, NULL);
    if (kc_url_parse(kc_buf_copy(text, len, pool), pool, &url, NULL) != KC_OK ||
        !kc_return_path_is_safe(rest, strcspn(rest, "?"), pool))
        return "/";
    if (has_ours && !strcmp(ours.scheme, "https") && strcmp(url.scheme, "https") != 0)
        return "/";
    if (!(has_ours && kc_url_is_same_origin(&url, &ours)) && !is_host_listed(&url, hosts, pool))
        return "/";
    return apr_pstrcat(pool, kc_url_origin(&url, pool), rest, NULL);
}

/* len bytes of the text, with those outside ASCII escaped (RFC 3986 section 2.5), as Location
 * needs. */
static const char *in_ascii(const char *text, size_t len, apr_pool_t *pool)
{
    char *copy = apr_palloc(pool, len * 3 + 1), *out = copy;

    for (size_t i = 0; i < len; i++) {
        if (apr_isascii(text[i])) {
            *out++ = text[i];
        } else {
            escape_byte(text[i], out);
            out += 3;
        }
    }
    *out = '\0';
    return copy;
}

const char *kc_url_return(const char *text, const char *public_origin,
                          const apr_array_header_t *hosts, apr_pool_t *pool)
{
    size_t len = text ? strcspn(text, "#") : 0;
    int is_ascii = 1;

    if (len == 0 || strlen(text) > KC_URL_MAX)
        return "/";
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
            return "/";
        is_ascii &= apr_isascii(text[i]) != 0;
    }
    if (text[len] || !is_ascii)
        text = in_ascii(text, len, pool);
    if (strlen(text) > KC_URL_MAX)
        return "/";
    if (text[0] != '/')
        return check_absolute(text, public_origin, hosts, pool);
    return kc_return_path_is_safe(text, strcspn(text, "?"), pool) ? text : "/";
}

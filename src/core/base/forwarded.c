/* What proxies in front of httpd say about the address that the browser uses.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/forwarded.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

enum { HOPS_MAX = 32 };

static const char blanks[] = " \t";

static const char *trimmed(const char *from, size_t len, apr_pool_t *pool)
{
    while (len && strchr(blanks, *from)) {
        from++;
        len--;
    }
    while (len && strchr(blanks, from[len - 1]))
        len--;
    return kc_buf_copy(from, len, pool);
}

/* The length up to the separator, which does not count inside quotes. *is_open: the last quote is
 * not closed. */
static size_t quoted_len(const char *text, char separator, int *is_open)
{
    const char *at;

    for (at = text, *is_open = 0; *at && (*is_open || *at != separator); at++) {
        if (*at == '"')
            *is_open = !*is_open;
        else if (*is_open && *at == '\\' && at[1])
            at++;
    }
    return (size_t)(at - text);
}

/* 1 when all quotes are closed. A client may have opened one to include what proxies append in a
 * value of its own; then quotes do not count. */
static int has_quotes(const char *text)
{
    int is_open;

    (void)quoted_len(text, '\0', &is_open);
    return !is_open;
}

static size_t plain_len(const char *text, char separator)
{
    const char *at = strchr(text, separator);

    return at ? (size_t)(at - text) : strlen(text);
}

/* const char *, unchanged; empty elements of a list are kept. */
static apr_array_header_t *split(const char *text, char separator, int is_quoting, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(const char *));
    int is_open;

    while (text && *text) {
        size_t len =
            is_quoting ? quoted_len(text, separator, &is_open) : plain_len(text, separator);

        APR_ARRAY_PUSH(list, const char *) = trimmed(text, len, pool);
        if (text[len] && !text[len + 1])
            APR_ARRAY_PUSH(list, const char *) = "";
        text += text[len] ? len + 1 : len;
    }
    return list;
}

/* An address without its port and brackets. */
static const char *bare(const char *address, apr_pool_t *pool)
{
    const char *colon = strchr(address, ':');

    if (address[0] == '[')
        return kc_buf_copy(address + 1, strcspn(address + 1, "]"), pool);
    return colon && !strchr(colon + 1, ':') ? kc_buf_copy(address, (size_t)(colon - address), pool)
                                            : address;
}

/* How many proxies are trusted: the peer, and those that sent the request to it. */
static int count_hops(const apr_array_header_t *addresses, kc_forwarded_trust_t trust,
                      void *context, apr_pool_t *pool)
{
    int hops = 1, i;

    for (i = addresses->nelts - 1; i >= 0 && hops < HOPS_MAX; i--, hops++) {
        const char *address = bare(APR_ARRAY_IDX(addresses, i, const char *), pool);

        if (!*address || !trust(context, address))
            break;
    }
    return hops;
}

/* The value of the outermost trusted proxy. */
static const char *value_of(const char *header, int hops, apr_pool_t *pool)
{
    const apr_array_header_t *list = split(header, ',', 0, pool);
    int at = list->nelts > hops ? list->nelts - hops : 0;
    const char *value = list->nelts ? APR_ARRAY_IDX(list, at, const char *) : "";

    return *value ? value : NULL;
}

static const char *scheme_of(const char *word)
{
    if (!word)
        return NULL;
    if (strcasecmp(word, "https") == 0 || strcasecmp(word, "wss") == 0 ||
        strcasecmp(word, "on") == 0)
        return "https";
    if (strcasecmp(word, "http") == 0 || strcasecmp(word, "ws") == 0 ||
        strcasecmp(word, "off") == 0)
        return "http";
    return NULL;
}

/* --- Forwarded --- */

/* A parameter of an element (RFC 7239 section 4), without quotes; NULL: it is absent. */
static const char *parameter(const char *element, const char *name, apr_pool_t *pool)
{
    const apr_array_header_t *pairs = split(element, ';', has_quotes(element), pool);
    size_t len = strlen(name);
    int i;

    for (i = 0; i < pairs->nelts; i++) {
        const char *pair = APR_ARRAY_IDX(pairs, i, const char *);
        char *value, *out;

        if (strncasecmp(pair, name, len) != 0 || pair[len] != '=')
            continue;
        value = out = apr_pstrdup(pool, pair + len + 1);
        for (pair = value; *pair; pair++) {
            if (*pair == '\\' && pair[1])
                pair++;
            else if (*pair == '"')
                continue;
            *out++ = *pair;
        }
        *out = '\0';
        return *value ? value : NULL;
    }
    return NULL;
}

/* const char *, one for each element; "" where it is absent. */
static apr_array_header_t *standard_addresses(const apr_array_header_t *elements, apr_pool_t *pool)
{
    apr_array_header_t *addresses = apr_array_make(pool, 4, sizeof(const char *));
    int i;

    for (i = 0; i < elements->nelts; i++) {
        const char *address = parameter(APR_ARRAY_IDX(elements, i, const char *), "for", pool);

        APR_ARRAY_PUSH(addresses, const char *) = address ? address : "";
    }
    return addresses;
}

static void read_standard(const char *header, kc_forwarded_trust_t trust, void *context,
                          apr_pool_t *pool, kc_forwarded_t *out)
{
    const apr_array_header_t *elements = split(header, ',', has_quotes(header), pool);
    const char *element;
    int hops = count_hops(standard_addresses(elements, pool), trust, context, pool), i;

    if (!elements->nelts)
        return;
    i = elements->nelts > hops ? elements->nelts - hops : 0;
    element = APR_ARRAY_IDX(elements, i, const char *);
    out->scheme = scheme_of(parameter(element, "proto", pool));
    out->host = parameter(element, "host", pool);
    out->is_told = out->scheme || out->host;
}

/* 1 when there is one of the headers that are read in place of Forwarded. */
static int has_others(const kc_forwarded_headers_t *headers)
{
    return headers->host || headers->port || headers->proto || headers->scheme ||
           headers->x_scheme || headers->ssl;
}

void kc_forwarded_read(const kc_forwarded_headers_t *headers, kc_forwarded_trust_t trust,
                       void *context, apr_pool_t *pool, kc_forwarded_t *out)
{
    const char *const schemes[] = {headers->proto, headers->scheme, headers->x_scheme,
                                   headers->ssl};
    int hops = 1;
    size_t i;

    memset(out, 0, sizeof(*out));
    if (!has_others(headers)) {
        if (headers->standard)
            read_standard(headers->standard, trust, context, pool, out);
        return;
    }
    if (headers->by_for)
        hops = count_hops(split(headers->by_for, ',', 0, pool), trust, context, pool);
    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (schemes[i]) {
            out->scheme = scheme_of(value_of(schemes[i], hops, pool));
            out->is_told = 1;
            break;
        }
    }
    out->host = headers->host ? value_of(headers->host, hops, pool) : NULL;
    out->port = headers->port ? value_of(headers->port, hops, pool) : NULL;
    out->is_told |= out->host != NULL;
}

const char *kc_forwarded_address(const kc_forwarded_headers_t *headers, kc_forwarded_trust_t trust,
                                 void *context, apr_pool_t *pool)
{
    const apr_array_header_t *addresses;
    const char *address, *standard = headers->standard;
    int hops;

    if (headers->by_for)
        addresses = split(headers->by_for, ',', 0, pool);
    else if (standard && !has_others(headers))
        addresses = standard_addresses(split(standard, ',', has_quotes(standard), pool), pool);
    else
        return NULL;
    if (!addresses->nelts)
        return NULL;
    hops = count_hops(addresses, trust, context, pool);
    address = bare(APR_ARRAY_IDX(addresses, addresses->nelts > hops ? addresses->nelts - hops : 0,
                                 const char *),
                   pool);
    return *address ? address : NULL;
}

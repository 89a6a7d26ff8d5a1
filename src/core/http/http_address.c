/* The addresses of a URL's host for one exchange of http_curl.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/http_address.h"

#include <apr_strings.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/url.h"
#include "net/wait_limit.h"

enum {
    STEP_MS = 200,    /* between two checks of *stop, while waiting for a name */
    ADDRESS_MS = 1200 /* for each of several addresses: a lost SYN is sent again
                         after 1 s */
};

int kc_http_address_is_http(const char *url)
{
    return !strncasecmp(url, "http://", 7) || !strncasecmp(url, "https://", 8);
}

void kc_http_address_host(const char *url, char out[KC_HTTP_ADDRESS_HOST_MAX])
{
    const char *start = strstr(url, "://");
    size_t len, i;

    start = start ? start + 3 : url;
    len = strcspn(start, "/?#");
    for (i = len; i > 0; i--) {
        if (start[i - 1] == '@')
            break;
    }
    start += i;
    len -= i;
    if (len > KC_HTTP_ADDRESS_HOST_MAX - 1)
        len = KC_HTTP_ADDRESS_HOST_MAX - 1;
    memcpy(out, start, len);
    out[len] = '\0';
}

/* The name is "*", so that any spelling of the host finds them. */
static const char *line_write(int port, const kc_resolver_address_t *addresses, size_t count,
                              apr_pool_t *pool)
{
    char *line = apr_psprintf(pool, "*:%d:", port);
    size_t i;

    for (i = 0; i < count; i++)
        line = apr_pstrcat(pool, line, i ? "," : "", kc_resolver_text(&addresses[i], pool), NULL);
    return line;
}

static int is_told_to_stop(const uint32_t *stop)
{
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0;
}

kc_rc_t kc_http_address_find(kc_resolver_t *resolver, const char *url_text, const char *label,
                             const uint32_t *stop, int64_t *timeout_ms, kc_http_address_t *out,
                             apr_pool_t *pool, kc_err_t *err)
{
    const int64_t until = kc_wait_limit_now() + *timeout_ms;
    kc_resolver_address_t addresses[KC_RESOLVER_ADDRESSES_MAX];
    size_t count = 0;
    kc_url_t url;
    kc_err_t why;
    char *host;
    kc_rc_t rc;

    if (kc_url_parse(url_text, pool, &url, &why) != KC_OK)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "%s: this is no URL: %s", label,
                       why.detail);
    host = apr_pstrdup(pool, url.host[0] == '[' ? url.host + 1 : url.host);
    if (url.host[0] == '[')
        host[strcspn(host, "]")] = '\0';
    out->name = kc_resolver_name(resolver, host);
    if (!out->name)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "%s: too many names", label);
    do {
        int64_t left = until - kc_wait_limit_now();

        rc = kc_resolver_get(out->name, (uint16_t)url.port, left < STEP_MS ? left : STEP_MS,
                             addresses, &count, KC_ERR_PROVIDER_DOWN, &why);
    } while (rc != KC_OK && !kc_resolver_is_known(out->name) && kc_wait_limit_now() < until &&
             !is_told_to_stop(stop));
    if (rc != KC_OK)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "%s: %s", label, why.detail);
    *timeout_ms = until - kc_wait_limit_now();
    if (*timeout_ms < 1)
        *timeout_ms = 1;
    out->first = kc_resolver_text(&addresses[0], pool);
    out->count = count;
    out->line = line_write(url.port, addresses, count, pool);
    return KC_OK;
}

/* libcurl gives each address but the last half of what is left. */
int64_t kc_http_address_connect_limit(const kc_http_address_t *address, int64_t timeout_ms)
{
    const int64_t all = (int64_t)address->count * ADDRESS_MS;

    return address->count > 1 && all < timeout_ms ? all : timeout_ms;
}

const char *kc_http_address_peer(int socket, apr_pool_t *pool)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(peer);
    char text[INET6_ADDRSTRLEN];
    const void *address = &((const struct sockaddr_in *)(const void *)&peer)->sin_addr;

    if (getpeername(socket, (struct sockaddr *)&peer, &len) != 0)
        return NULL;
    if (peer.ss_family == AF_INET6)
        address = &((const struct sockaddr_in6 *)(const void *)&peer)->sin6_addr;
    else if (peer.ss_family != AF_INET)
        return NULL;
    return apr_pstrdup(pool, inet_ntop(peer.ss_family, address, text, sizeof(text)));
}

static int is_first(const kc_http_address_t *address, const char *used)
{
    const char *first = address->first + (address->first[0] == '[');
    size_t len = strlen(used);

    return strncmp(first, used, len) == 0 && (first[len] == '\0' || first[len] == ']');
}

void kc_http_address_check(const kc_http_address_t *address, int succeeded, const char *used)
{
    if (!address->name)
        return;
    if (!succeeded)
        kc_resolver_doubt(address->name);
    else if (used && used[0] && !is_first(address, used))
        kc_resolver_prefer(address->name, used);
}

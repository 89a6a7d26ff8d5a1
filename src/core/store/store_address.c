/* The configured address of a memcached server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_address.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PORT = 11211 };

static kc_rc_t malformed(kc_err_t *err, const char *text, const char *what)
{
    return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "memcached server \"%s\": %s", text, what);
}

static int is_host(const char *host, int is_v6)
{
    const char *c;

    for (c = host; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr(is_v6 ? ":.%" : ".-_", *c))
            return 0;
    }
    return host[0] != '\0';
}

/* Parses the text after the host: nothing, or a colon and a port. */
static kc_rc_t port_parse(const char *text, const char *rest, in_port_t *port, kc_err_t *err)
{
    unsigned long number;

    *port = DEFAULT_PORT;
    if (!*rest)
        return KC_OK;
    if (rest[0] != ':' || strlen(rest) > 6 || rest[1 + strspn(rest + 1, "0123456789")])
        return malformed(err, text, "after the host comes a colon and a port, or nothing");
    number = strtoul(rest + 1, NULL, 10);
    if (number < 1 || number > 65535)
        return malformed(err, text, "a port is 1 to 65535");
    *port = (in_port_t)number;
    return KC_OK;
}

kc_rc_t kc_store_address_parse(const char *text, char *host, in_port_t *port, kc_err_t *err)
{
    int is_v6 = text[0] == '[';
    const char *start = text + is_v6;
    size_t len = strcspn(start, is_v6 ? "]" : ":");

    if (is_v6 && start[len] != ']')
        return malformed(err, text, "the bracket is not closed");
    if (len > KC_STORE_ADDRESS_HOST_MAX)
        return malformed(err, text, "the host is too long");
    memcpy(host, start, len);
    host[len] = '\0';
    if (!is_host(host, is_v6))
        return malformed(err, text, "the form is host, host:port or [IPv6]:port");
    return port_parse(text, start + len + is_v6, port, err);
}

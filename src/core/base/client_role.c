/* A client's role as one text. SPDX-License-Identifier: Apache-2.0 */
#include "base/client_role.h"

#include <apr_strings.h>
#include <string.h>

const char *kc_client_role_prefix(const char *client, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, 3 * strlen(client) + 2), *at = text;

    for (; *client; client++) {
        if (*client == ':' || *client == '%') {
            memcpy(at, *client == ':' ? "%3A" : "%25", 3);
            at += 3;
        } else {
            *at++ = *client;
        }
    }
    *at++ = ':';
    *at = '\0';
    return text;
}

int kc_client_role_is(const char *text)
{
    const char *colon = strchr(text, ':'), *at;

    if (!colon || colon == text || !colon[1])
        return 0;
    for (at = text; (at = memchr(at, '%', (size_t)(colon - at))); at++) {
        if (strncmp(at, "%3A", 3) != 0 && strncmp(at, "%25", 3) != 0)
            return 0;
    }
    return 1;
}

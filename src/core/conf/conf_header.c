/* Names that no identity header may have.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_header.h"

#include <string.h>

/* Folded to letters and digits. A judge puts the names of identity headers into its answer: so
 * those that say how an answer is to be read are here as well. */
static const char *const names[] = {
    /* the message and its way */
    "", "host", "contentlength", "transferencoding", "te", "trailer", "trailers", "expect",
    "connection", "proxyconnection", "keepalive", "upgrade", "http2settings", "via", "contenttype",
    "contentencoding", "contentrange", "range", "acceptranges", "acceptencoding",
    /* who it is, by other means */
    "cookie", "cookie2", "authorization", "proxyauthorization", "setcookie", "setcookie2",
    "wwwauthenticate", "proxyauthenticate", "xkeycloaklogin",
    /* an answer */
    "status", "location", "date", "server", "age", "expires", "lastmodified", "etag",
    "cachecontrol", "pragma", "vary", "allow", "retryafter", "refresh", "link",
    /* what tells pages from scripts, and whose wish it is */
    "accept", "origin", "referer", "useragent", "xrequestedwith", "secfetchmode", "secfetchsite",
    "secfetchdest", "secpurpose",
    /* what proxies say of the request */
    "forwarded", "xforwardedfor", "xforwardedproto", "xforwardedhost", "xforwardedport",
    "xforwardedserver", "xforwardedscheme", "xscheme", "xforwardedssl", "xforwardeduri",
    "xforwardedmethod", "xoriginaluri", "xoriginalmethod", "xoriginalurl"};

int kc_conf_header_is_critical(const char *folded)
{
    size_t i;

    if (strncmp(folded, "xenvoy", 6) == 0) /* the gateway's own, such as what it is to remove */
        return 1;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], folded) == 0)
            return 1;
    }
    return 0;
}

/* What kind of request it is, and which site made the browser send it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access/request_class.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/url.h"

/* 1 when the header's value contains the word; media types are compared without case. */
static int mentions(const char *value, const char *word)
{
    size_t len = strlen(word);

    for (; *value; value++) {
        if (strncasecmp(value, word, len) == 0)
            return 1;
    }
    return 0;
}

kc_request_class_t kc_request_class_of(const kc_request_class_headers_t *headers)
{
    if (strcmp(headers->method, "GET") != 0 && strcmp(headers->method, "HEAD") != 0)
        return KC_REQUEST_CLASS_API;
    if (headers->requested_with || headers->upgrade)
        return KC_REQUEST_CLASS_API;
    if (headers->fetch_mode && strcasecmp(headers->fetch_mode, "navigate") != 0)
        return KC_REQUEST_CLASS_API;
    if (headers->accept && !mentions(headers->accept, "text/html"))
        return KC_REQUEST_CLASS_API;
    return KC_REQUEST_CLASS_NAVIGATION;
}

kc_request_class_t kc_request_class_read(const char *method, kc_request_class_header_t header,
                                         void *context)
{
    kc_request_class_headers_t headers = {.method = method};

    headers.accept = header(context, "Accept");
    headers.requested_with = header(context, "X-Requested-With");
    headers.fetch_mode = header(context, "Sec-Fetch-Mode");
    headers.upgrade = header(context, "Upgrade");
    if (!headers.upgrade)
        headers.upgrade = header(context, "Sec-WebSocket-Key");
    return kc_request_class_of(&headers);
}

/* 1 when a sign-in could return to the origin of the URL. */
static int is_own(const char *url, const char *public_origin, const apr_array_header_t *hosts,
                  apr_pool_t *pool)
{
    const char *authority = strstr(url, "://");
    const char *origin;

    if (!authority)
        return 0;
    authority += 3;
    origin = kc_buf_copy(url, (size_t)(authority - url) + strcspn(authority, "/?#"), pool);
    origin = apr_pstrcat(pool, origin, "/", NULL);
    return strcmp(kc_url_return(origin, public_origin, hosts, pool), "/") != 0;
}

kc_request_class_source_t kc_request_class_source(const kc_request_class_origin_t *sent_by,
                                                  const char *public_origin,
                                                  const apr_array_header_t *hosts, apr_pool_t *pool)
{
    const char *page = sent_by->origin ? sent_by->origin : sent_by->referer;
    /* if the browser says that the request comes from elsewhere, a Referer of this site is stale */
    const char *own = sent_by->fetch_site ? NULL : public_origin;

    if (sent_by->fetch_site && (strcasecmp(sent_by->fetch_site, "same-origin") == 0 ||
                                strcasecmp(sent_by->fetch_site, "none") == 0))
        return KC_REQUEST_CLASS_SAME_SITE;
    if (page)
        return is_own(page, own, hosts, pool) ? KC_REQUEST_CLASS_SAME_SITE
                                              : KC_REQUEST_CLASS_CROSS_SITE;
    return sent_by->fetch_site ? KC_REQUEST_CLASS_CROSS_SITE : KC_REQUEST_CLASS_UNKNOWN_SITE;
}

/* What kind of request it is, and which site made the browser send it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_REQUEST_CLASS_H
#define KC_REQUEST_CLASS_H

#include <apr_tables.h>

/* What a request is: the rows. */
typedef enum {
    KC_REQUEST_CLASS_NAVIGATION, /* a browser that asks for a page: may be redirected to Keycloak */
    KC_REQUEST_CLASS_API,        /* a script: gets 401, never a redirect */
    KC_REQUEST_CLASS_OPTIONAL,   /* continues without identity when there is no session
                                    (KeycloakUnauth pass) */
    KC_REQUEST_CLASS_CALLBACK, /* a sign-in: the login address, or a callback with an unknown, used
                                  or expired state */
    KC_REQUEST_CLASS_LOGOUT,   /* a sign-out */
    KC_REQUEST_CLASS_SUBREQUEST, /* made by httpd for another request */
    KC_REQUEST_CLASSES
} kc_request_class_t;

/* The headers that classify a request. NULL when a header is absent. */
typedef struct kc_request_class_headers_t {
    const char *method;
    const char *accept;
    const char *requested_with; /* X-Requested-With */
    const char *fetch_mode;     /* Sec-Fetch-Mode */
    const char *upgrade;
} kc_request_class_headers_t;

/* Page or API call. A request is an API call when any of these holds: Accept is there without
 * text/html; X-Requested-With is there; Sec-Fetch-Mode is other than navigate; Upgrade is there;
 * the method is neither GET nor HEAD. Every other request is a page. */
kc_request_class_t kc_request_class_of(const kc_request_class_headers_t *headers);

/* The value of one of a request's headers; NULL when it is absent. */
typedef const char *(*kc_request_class_header_t)(void *context, const char *name);

/* The same for a request with this method, whose headers header(context, NAME) reads. A
 * WebSocket handshake (RFC 6455 section 4.1) counts as an upgrade also without the Upgrade
 * header, which gateways remove because it belongs to the connection. Thread safe as far as
 * header is. */
kc_request_class_t kc_request_class_read(const char *method, kc_request_class_header_t header,
                                         void *context);

/* Which site made the browser send a request. */
typedef enum {
    KC_REQUEST_CLASS_SAME_SITE,   /* a page of this site, or the user directly */
    KC_REQUEST_CLASS_CROSS_SITE,  /* a page of another or an unknown site */
    KC_REQUEST_CLASS_UNKNOWN_SITE /* no header says so: no browser, or an old one */
} kc_request_class_source_t;

typedef struct kc_request_class_origin_t {
    const char *fetch_site; /* Sec-Fetch-Site; NULL when absent, as the others */
    const char *origin;     /* Origin */
    const char *referer;    /* Referer */
} kc_request_class_origin_t;

/* Sec-Fetch-Site decides if it is there, else Origin, else Referer. Pages of public_origin and
 * of hosts (array of const char *, as of kc_url_return; may be NULL) are pages of this site. */
kc_request_class_source_t kc_request_class_source(const kc_request_class_origin_t *sent_by,
                                                  const char *public_origin,
                                                  const apr_array_header_t *hosts,
                                                  apr_pool_t *pool);

#endif

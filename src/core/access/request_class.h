/* What kind of request it is, and which site made the browser send it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_REQUEST_CLASS_H
#define KC_REQUEST_CLASS_H

#include <apr_tables.h>

/* What a request is: the rows. */
typedef enum {
    KC_REQUEST_CLASS_NAVIGATION, /* a browser that wants a page: may be sent to Keycloak */
    KC_REQUEST_CLASS_API,        /* a script: wants 401, never a redirect */
    KC_REQUEST_CLASS_OPTIONAL, /* goes on without identity when nobody is signed in (KeycloakUnauth
                                  pass) */
    KC_REQUEST_CLASS_CALLBACK, /* wants to be signed in: the login address, or an answer of Keycloak
                         with an unknown, spent or expired state */
    KC_REQUEST_CLASS_LOGOUT,   /* wants to sign out */
    KC_REQUEST_CLASS_SUBREQUEST, /* made by httpd for another request */
    KC_REQUEST_CLASSES
} kc_request_class_t;

/* What the glue knows of a request that nobody has recognised yet. NULL when a header is absent. */
typedef struct kc_request_class_headers_t {
    const char *method;
    const char *accept;
    const char *requested_with; /* X-Requested-With */
    const char *fetch_mode;     /* Sec-Fetch-Mode */
    const char *upgrade;
} kc_request_class_headers_t;

/* Page or API call: API when Accept is there without text/html, X-Requested-With is
 * there, Sec-Fetch-Mode is other than navigate, Upgrade is there, or the method is neither GET nor
 * HEAD. Every other request is a page. */
kc_request_class_t kc_request_class_of(const kc_request_class_headers_t *headers);

/* Gives the value of one of a request's headers; NULL: it is absent. */
typedef const char *(*kc_request_class_header_t)(void *context, const char *name);

/* The same of a request with this method, whose headers are read by header(context, NAME). A
 * WebSocket's handshake (RFC 6455 section 4.1) is an upgrade also without its Upgrade header, which
 * gateways take out as one of the connection's. Thread safe as far as header is. */
kc_request_class_t kc_request_class_read(const char *method, kc_request_class_header_t header,
                                         void *context);

/* Who has made a browser send a request. */
typedef enum {
    KC_REQUEST_CLASS_SAME_SITE,   /* a page of this site, or the person by hand */
    KC_REQUEST_CLASS_CROSS_SITE,  /* another site's page, or nobody knows whose */
    KC_REQUEST_CLASS_UNKNOWN_SITE /* nothing is said: no browser, or an old one */
} kc_request_class_source_t;

typedef struct kc_request_class_origin_t {
    const char *fetch_site; /* Sec-Fetch-Site; NULL when absent, as the others */
    const char *origin;     /* Origin */
    const char *referer;    /* Referer */
} kc_request_class_origin_t;

/* Sec-Fetch-Site decides where it is there, else Origin, else Referer. Pages of public_origin and
 * of hosts (array of const char *, as of kc_url_return; may be NULL) are this site's. */
kc_request_class_source_t kc_request_class_source(const kc_request_class_origin_t *sent_by,
                                                  const char *public_origin,
                                                  const apr_array_header_t *hosts,
                                                  apr_pool_t *pool);

#endif

/* What is known of a request: the browser's address, the session, page or API call.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_REQUEST_H
#define AKC_REQUEST_H

#include "module.h"

#include "core/access/access.h"
#include "core/access/request_class.h"
#include "core/browser.h"

/* NULL when the module is off for the request's server. */
akc_request_t *akc_request_get(request_rec *r);
/* The path of the request that the client made, as httpd has it now; "" when httpd could not read
 * its request line. Never NULL. */
const char *akc_request_path(const akc_request_t *request);
/* 1 when the browser uses https. Cheap: every request calls it. */
int akc_request_is_https(const akc_request_t *request, request_rec *r);
/* 1 when the peer is one of KeycloakTrustedProxy. */
int akc_request_is_trusted(const akc_request_t *request, const request_rec *r);
/* The browser and the address it uses. */
const kc_browser_t *akc_request_client(akc_request_t *request, request_rec *r);
/* The address of the client, as mod_remoteip or the chain of KeycloakTrustedProxy tells it, else
 * the peer's. */
const char *akc_request_address(const akc_request_t *request);
/* The core's effects know of the request until akc_request_leave with what this returns. Where
 * nothing uses that it costs nothing. On one thread. */
kc_caller_t *akc_request_enter(akc_request_t *request);
void akc_request_leave(const akc_request_t *request, kc_caller_t *before);
/* Finds the session, renews it, and decides what is done with the request at this location
 * (kc_access_check). Logs a renewal that failed. The session, and the reason why there is none, are
 * in request->access. */
kc_access_answer_t akc_request_check(akc_request_t *request, request_rec *r,
                                     const kc_access_location_t *location);
/* 1 when it is decided by a bearer token: such a client is never sent to a sign-in. */
int akc_request_is_bearer(const akc_request_t *request);
/* 1 when a live session was found, and it meets the requirements of r's location. */
int akc_request_is_signed_in(const akc_request_t *request, const request_rec *r);
/* The value of a request header, or NULL; context: the request_rec (kc_request_class_header_t). */
const char *akc_request_header(void *context, const char *name);
/* 1 for an API call, 0 for a page (kc_request_class_of), if its method were this one. */
int akc_request_is_api(request_rec *r, const char *method);
/* 1 when a browser prefetches: the user may never open the page. */
int akc_request_is_prefetch(request_rec *r);
/* Which site made the browser send it (kc_request_class_source, hosts as there). A prefetch does
 * not count as a user action. */
kc_request_class_source_t akc_request_source(akc_request_t *request, request_rec *r,
                                             const apr_array_header_t *hosts);
/* 1 when the client has announced a body. */
int akc_request_has_body(const request_rec *r);
/* An id to find the request in the log by. */
const char *akc_request_id(akc_request_t *request, request_rec *r);
/* 1 where AuthType Keycloak holds for r. */
int akc_request_is_our_type(request_rec *r);
/* 1 where no sign-in is needed: the module's own addresses and public paths. */
int akc_request_is_open(const akc_request_t *request, request_rec *r);
/* 1 when the module's check has let this request in: with a session, by KeycloakPublicPath, or
 * by KeycloakUnauth pass. 0 where httpd has let it in without the check. */
int akc_request_is_decided(const akc_request_t *request, request_rec *r);
/* r continues without a user: httpd sees a user named "" while it checks Require. */
void akc_request_make_anonymous(request_rec *r);
/* A hook that runs after the check: anonymous requests have no user from here on. */
int akc_request_forget_anonymous(request_rec *r);

#endif

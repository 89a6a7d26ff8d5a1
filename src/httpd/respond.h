/* Redirects, pages and JSON. Each function writes the complete response and returns DONE.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_RESPOND_H
#define AKC_RESPOND_H

#include "module.h"

#include "core/base/json.h"
#include "core/browser.h"
#include "core/login/login_state.h"
#include "core/session/step_up.h"

int akc_respond_redirect(request_rec *r, int status, const kc_browser_answer_t *answer);
/* Like akc_respond_redirect, but by a page that the browser leaves at once. The next request then
 * comes from this site, so it has the cookies with SameSite=Strict, whatever site led the browser
 * here. */
int akc_respond_onward(request_rec *r, const kc_browser_answer_t *answer);
int akc_respond_error(akc_request_t *request, request_rec *r, const kc_err_t *err);
/* Only the log line of an error. */
void akc_respond_log(akc_request_t *request, request_rec *r, const kc_err_t *err);
/* 401 with the reason why there is no live session in this state. */
int akc_respond_denial(akc_request_t *request, request_rec *r, kc_session_state_t state);
/* Only its log line, for a page that is redirected to the sign-in instead. */
void akc_respond_log_denial(akc_request_t *request, request_rec *r, kc_session_state_t state);
/* 405. allowed: the methods for the Allow header. */
int akc_respond_method(akc_request_t *request, request_rec *r, const char *allowed);
int akc_respond_json(request_rec *r, int status, const kc_json_t *json);
/* A page of this module. title and html: HTML, already escaped. Its forms may be sent anywhere. */
int akc_respond_page(request_rec *r, int status, const char *title, const char *html);
/* The full URL that signs in and returns to page. */
const char *akc_respond_login_url(akc_request_t *request, request_rec *r, const char *page,
                                  const kc_step_up_t *step_up);
/* 200 with this body; type NULL: without a type. */
int akc_respond_plain(request_rec *r, const char *type, const char *body);
/* An answer to the provider itself (OpenID Connect Back-Channel Logout 1.0 section 2.8): always
 * JSON, with the log line. */
int akc_respond_refusal(akc_request_t *request, request_rec *r, const kc_err_t *err);
void akc_respond_cookies(request_rec *r, const apr_array_header_t *cookies);
/* Adds to the detail of a sign-in that was begun too often why the last one failed. */
void akc_respond_add_cause(kc_err_t *err, const kc_err_t *cause);
/* Begins a sign-in, or answers why not. */
int akc_respond_login(akc_request_t *request, request_rec *r, const kc_login_request_t *wanted);
/* Replaces httpd's answer to an unmet Require by this module's 403 page. */
void akc_respond_forbid(request_rec *r);
void akc_respond_register(apr_pool_t *pool);

#endif

/* Redirects, pages and JSON. Each writes the whole response and returns DONE.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_RESPOND_H
#define AKC_RESPOND_H

#include "module.h"

#include "core/base/json.h"
#include "core/browser.h"
#include "core/login/login_state.h"
#include "core/session/step_up.h"

int akc_respond_redirect(request_rec *r, int status, const kc_browser_answer_t *answer);
/* The same by a page of ours that the browser leaves at once: what it asks for then is asked by
 * this site, and so has its cookies with SameSite=Strict, whoever has led the person here. */
int akc_respond_onward(request_rec *r, const kc_browser_answer_t *answer);
int akc_respond_error(akc_request_t *request, request_rec *r, const kc_err_t *err);
/* The log line of it alone. */
void akc_respond_log(akc_request_t *request, request_rec *r, const kc_err_t *err);
/* 401 with the reason why there is no live session in this state. */
int akc_respond_denial(akc_request_t *request, request_rec *r, kc_session_state_t state);
/* The log line of it, for a page that goes to the sign-in instead. */
void akc_respond_log_denial(akc_request_t *request, request_rec *r, kc_session_state_t state);
/* 405; allowed: the methods that it names in Allow. */
int akc_respond_method(akc_request_t *request, request_rec *r, const char *allowed);
int akc_respond_json(request_rec *r, int status, const kc_json_t *json);
/* A page of ours. title and html: HTML, escaped already; forms in it may be sent anywhere. */
int akc_respond_page(request_rec *r, int status, const char *title, const char *html);
/* The whole address that signs in and goes on to page. */
const char *akc_respond_login_url(akc_request_t *request, request_rec *r, const char *page,
                                  const kc_step_up_t *demand);
/* 200 with this body; type NULL: with none. */
int akc_respond_plain(request_rec *r, const char *type, const char *body);
/* What the provider itself is told (OpenID Connect Back-Channel Logout 1.0 section 2.8): always
 * JSON, and the log line. */
int akc_respond_refusal(akc_request_t *request, request_rec *r, const kc_err_t *err);
void akc_respond_cookies(request_rec *r, const apr_array_header_t *cookies);
/* Says in the detail of a sign-in that was begun too often why the last one came to nothing. */
void akc_respond_add_cause(kc_err_t *err, const kc_err_t *cause);
/* Begins a sign-in, or says why not. */
int akc_respond_login(akc_request_t *request, request_rec *r, const kc_login_request_t *wanted);
/* Replaces httpd's answer to an unmet Require by our 403 page. */
void akc_respond_forbid(request_rec *r);
void akc_respond_register(apr_pool_t *pool);

#endif

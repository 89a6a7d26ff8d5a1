/* Responses: redirects, the error page, JSON for scripts, and their log lines.
 * SPDX-License-Identifier: Apache-2.0 */
#include "respond.h"

#include <apr_strings.h>
#include <string.h>
#include <util_filter.h>

#include "addresses.h"
#include "answers.h"
#include "config.h"
#include "interim.h"
#include "log.h"
#include "page.h"
#include "request.h"
#include "traces.h"

#include "core/base/url.h"
#include "core/browser.h"
#include "core/conf/login_names.h"
#include "core/login/login.h"
#include "core/login/login_parameters.h"
#include "core/login/login_state.h"
#include "core/rp.h"

static const char forbid_filter_name[] = "AKC_FORBIDDEN";
static const char retry_seconds[] = "5";

void akc_respond_cookies(request_rec *r, const apr_array_header_t *cookies)
{
    int i;

    if (!cookies || !cookies->nelts)
        return;
    /* set by a backend before httpd came here through an ErrorDocument */
    akc_answers_drop_cookies(r);
    akc_request_get(r)->has_cookies = 1;
    /* this is the answer, which no filter reports before a handler runs */
    akc_interim_end(r->connection);
    for (i = 0; i < cookies->nelts; i++)
        apr_table_addn(r->err_headers_out, "Set-Cookie", APR_ARRAY_IDX(cookies, i, const char *));
}

/* The module's answers need no body. httpd would read the request's body to its end before it sends
 * anything, to keep the connection. A slow client could hold a thread by that. */
static void leave_body(request_rec *r)
{
    const akc_request_t *request = akc_request_get(r);

    if (akc_request_has_body(r) && !(request && request->has_read))
        r->connection->keepalive = AP_CONN_CLOSE;
}

static void guard(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    leave_body(r);
    akc_traces_hide_answer(r);
    if (request)
        akc_answers_are_for_nobody(request, r);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
}

/* For a gateway that asks, 200 would mean that the request is allowed. */
static int status_of(request_rec *r, int status)
{
    return status == HTTP_OK && akc_addresses_is_judge(r) ? HTTP_NON_AUTHORITATIVE : status;
}

static int send_body(request_rec *r, int status, const char *type, const char *body)
{
    r->status = status_of(r, status);
    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)strlen(body));
    if (!r->header_only)
        (void)ap_rputs(body, r);
    return DONE;
}

int akc_respond_redirect(request_rec *r, int status, const kc_browser_answer_t *answer)
{
    guard(r);
    akc_respond_cookies(r, answer->cookies);
    apr_table_set(r->headers_out, "Location", answer->location);
    r->status = status;
    ap_set_content_length(r, 0);
    return DONE;
}

int akc_respond_json(request_rec *r, int status, const kc_json_t *json)
{
    guard(r);
    return send_body(r, status, "application/json",
                     apr_pstrcat(r->pool, kc_json_dump(json, r->pool), "\n", NULL));
}

int akc_respond_plain(request_rec *r, const char *type, const char *body)
{
    guard(r);
    if (type)
        return send_body(r, HTTP_OK, type, body);
    r->status = status_of(r, HTTP_OK);
    ap_set_content_length(r, 0);
    return DONE;
}

/* --- errors --- */

const char *akc_respond_login_url(akc_request_t *request, request_rec *r, const char *page,
                                  const kc_step_up_t *step_up)
{
    const char *url = apr_pstrcat(r->pool, akc_request_client(request, r)->public_url,
                                  request->server->conf->prefix,
                                  "login?return=", kc_url_escape(page, r->pool), NULL);
    const char *sealed;

    if (kc_step_up_is_none(step_up) ||
        kc_step_up_seal(request->server->rp, step_up, r->pool, &sealed, NULL) != KC_OK)
        return url;
    return apr_pstrcat(r->pool, url, "&" KC_LOGIN_NAMES_STEP_UP "=", sealed, NULL);
}

/* The URL where a script sends its user to sign in, so that they return to their page. That page
 * may require less than the script's request did, so the URL has the requirement. */
static const char *login_url(akc_request_t *request, request_rec *r)
{
    const char *page = kc_url_return(apr_table_get(r->headers_in, "Referer"),
                                     akc_request_client(request, r)->public_url, NULL, r->pool);
    kc_step_up_t step_up = kc_step_up_required(akc_config_dir(r));

    return akc_respond_login_url(request, r, page, &step_up);
}

/* RFC 6750 section 3; for a user whose sign-in is not strong enough, RFC 9470 section 3. */
static const char *challenge(request_rec *r, kc_reason_t reason)
{
    static const char ordinary[] = "Bearer realm=\"" AKC_AUTH_TYPE "\"";
    kc_step_up_t step_up = kc_step_up_required(akc_config_dir(r));

    if (reason == KC_ERR_INVALID_TOKEN)
        return apr_pstrcat(r->pool, ordinary, ", error=\"invalid_token\", error_description=\"",
                           kc_err_row(reason)->sentence, "\"", NULL);
    if (reason != KC_ERR_SIGN_IN_AGAIN)
        return ordinary;
    return apr_pstrcat(r->pool, ordinary, kc_step_up_challenge(&step_up, r->pool), NULL);
}

static const char *render_json(akc_request_t *request, request_rec *r, const kc_err_row_t *row)
{
    kc_json_t *json = kc_json_new_object(r->pool);
    char *code = apr_pstrdup(r->pool, row->slug), *at;

    for (at = code; *at; at++) {
        if (*at == '-')
            *at = '_';
    }
    kc_json_set_string(json, "error", code);
    kc_json_set_string(json, "error_description",
                       apr_pstrcat(r->pool, row->sentence, " ", row->advice, NULL));
    kc_json_set_string(json, "tag", row->tag);
    kc_json_set_string(json, "request_id", akc_request_id(request, r));
    if (row->status == HTTP_UNAUTHORIZED)
        kc_json_set_string(json, "login_url", login_url(request, r));
    return apr_pstrcat(r->pool, kc_json_dump(json, r->pool), "\n", NULL);
}

/* Its Referrer-Policy makes a form on the page tell where it was sent from. */
int akc_respond_page(request_rec *r, int status, const char *title, const char *html)
{
    guard(r);
    apr_table_setn(r->headers_out, "Referrer-Policy", "same-origin");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                   "frame-ancestors 'none'");
    return send_body(r, status, "text/html; charset=utf-8", akc_page_make(r, title, html, ""));
}

int akc_respond_onward(request_rec *r, const kc_browser_answer_t *answer)
{
    const char *url = ap_escape_html2(r->pool, answer->location, 1);

    akc_respond_cookies(r, answer->cookies);
    apr_table_setn(r->headers_out, "Refresh",
                   apr_pstrcat(r->pool, "0;url=", answer->location, NULL));
    return akc_respond_page(r, HTTP_OK, "One moment",
                            apr_pstrcat(r->pool, "<meta http-equiv=\"refresh\" content=\"0;url=",
                                        url, "\">\n<a href=\"", url, "\">Go on</a>\n", NULL));
}

/* At the module's own addresses a form's POST comes from a page, and the user reads the answer. */
static int wants_json(const akc_request_t *request, request_rec *r)
{
    return request->wants_json || akc_request_is_bearer(request) ||
           akc_request_is_api(r, akc_addresses_is_ours(request->server, r) ? "GET" : r->method);
}

/* Sets the headers of an error, and returns its body and type. */
static const char *render(akc_request_t *request, request_rec *r, const kc_err_t *err,
                          const char **type)
{
    const kc_err_row_t *row = kc_err_row(err->reason);

    guard(r);
    if (row->status == HTTP_UNAUTHORIZED)
        apr_table_setn(r->headers_out, "WWW-Authenticate", challenge(r, err->reason));
    if (row->status == HTTP_SERVICE_UNAVAILABLE)
        apr_table_setn(r->headers_out, "Retry-After", retry_seconds);
    if (wants_json(request, r)) {
        *type = "application/json";
        return render_json(request, r, row);
    }
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                   "form-action 'none'; frame-ancestors 'self'");
    *type = "text/html; charset=utf-8";
    return akc_page_error(request, r, err);
}

void akc_respond_log(akc_request_t *request, request_rec *r, const kc_err_t *err)
{
    request->tag = kc_err_row(err->reason)->tag;
    AKC_LOG_REQUEST(r, err->reason, "%s: %s [%s, request %s]", kc_err_row(err->reason)->slug,
                    ap_escape_logitem(r->pool, err->detail), r->uri, akc_request_id(request, r));
}

int akc_respond_error(akc_request_t *request, request_rec *r, const kc_err_t *err)
{
    const char *type, *body;

    akc_respond_log(request, r, err);
    body = render(request, r, err, &type);
    return send_body(r, kc_err_row(err->reason)->status, type, body);
}

/* The reason that users are told for a missing session: not everything that is known about a
 * cookie. */
static kc_reason_t public_reason(kc_session_state_t state, kc_reason_t reason)
{
    if (state == KC_SESSION_WEAK)
        return KC_ERR_SIGN_IN_AGAIN;
    switch (reason) {
    case KC_ERR_SESSION_IDLE:
    case KC_ERR_SESSION_MAX:
    case KC_ERR_SIGNED_OUT:
    case KC_ERR_REFRESH_REFUSED:
    case KC_ERR_INVALID_TOKEN:
        return reason;
    default:
        return state == KC_SESSION_NONE ? KC_ERR_LOGIN_REQUIRED : KC_ERR_SESSION_ENDED;
    }
}

/* The reason for the log. */
static const char *explain(const akc_request_t *request, request_rec *r, kc_session_state_t state)
{
    const kc_session_t *session = &request->access.session;

    if (state == KC_SESSION_WEAK)
        return apr_psprintf(r->pool, "%s signed in with acr '%.60s' at auth_time %" APR_INT64_T_FMT,
                            session->user, session->acr, session->auth_time);
    /* not tried again at once (pause.h): an earlier line says why */
    if (state == KC_SESSION_STALE && request->access.err.reason != KC_ERR_SESSION_ENDED)
        return apr_psprintf(r->pool, "the session of %.80s: its tokens could not be renewed%s%s",
                            session->user, request->access.err.reason ? ": " : "",
                            request->access.err.detail);
    return request->access.err.reason ? request->access.err.detail : "no session";
}

/* 401, with the reason: there is no session any more, there never was one, or it is not accepted
 * here. */
int akc_respond_denial(akc_request_t *request, request_rec *r, kc_session_state_t state)
{
    kc_err_t err;

    if (r->main)
        return HTTP_UNAUTHORIZED; /* the request that asked for it shows the page */
    (void)KC_FAIL(&err, KC_REFUSED, public_reason(state, request->access.err.reason), "%.250s",
                  explain(request, r, state));
    return akc_respond_error(request, r, &err);
}

/* A page that is redirected to the sign-in is not told why, but the log is. A failed renewal has
 * been logged already. */
void akc_respond_log_denial(akc_request_t *request, request_rec *r, kc_session_state_t state)
{
    kc_err_t err;

    if (state != KC_SESSION_WEAK && request->access.err.reason == KC_ERR_REFRESH_REFUSED)
        return;
    (void)KC_FAIL(&err, KC_REFUSED, public_reason(state, request->access.err.reason), "%.250s",
                  explain(request, r, state));
    akc_respond_log(request, r, &err);
}

int akc_respond_method(akc_request_t *request, request_rec *r, const char *allowed)
{
    kc_err_t err;

    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_METHOD, "%s takes %s only", r->uri, allowed);
    apr_table_setn(r->headers_out, "Allow", allowed);
    return akc_respond_error(request, r, &err);
}

int akc_respond_refusal(akc_request_t *request, request_rec *r, const kc_err_t *err)
{
    const kc_err_row_t *row = kc_err_row(err->reason);
    kc_json_t *json = kc_json_new_object(r->pool);
    const char *code = "invalid_request";

    akc_respond_log(request, r, err);
    if (row->status == HTTP_SERVICE_UNAVAILABLE) {
        code = "temporarily_unavailable";
        apr_table_setn(r->headers_out, "Retry-After", retry_seconds);
    } else if (row->status >= HTTP_INTERNAL_SERVER_ERROR) {
        code = "server_error";
    }
    kc_json_set_string(json, "error", code);
    kc_json_set_string(json, "error_description", row->sentence);
    kc_json_set_string(json, "tag", row->tag);
    kc_json_set_string(json, "request_id", akc_request_id(request, r));
    return akc_respond_json(r, row->status, json);
}

/* An administrator needs to know why sign-ins never last. */
void akc_respond_add_cause(kc_err_t *err, const kc_err_t *cause)
{
    const kc_err_t loop = *err;

    if (cause->reason && cause->detail[0])
        (void)KC_FAIL(err, KC_REFUSED, loop.reason, "%.60s; the last one: %.180s", loop.detail,
                      cause->detail);
}

int akc_respond_login(akc_request_t *request, request_rec *r, const kc_login_request_t *wanted)
{
    kc_browser_answer_t answer;
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};

    if (kc_login_begin(request->server->rp, akc_request_client(request, r), wanted, r->pool,
                       &answer, &err) != KC_OK) {
        if (err.reason == KC_ERR_LOGIN_LOOP)
            akc_respond_add_cause(&err, &request->access.err);
        return akc_respond_error(request, r, &err);
    }
    if (answer.lost) {
        (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_RETURN_LOST,
                      "%.150s; after the sign-in comes the start page", answer.lost);
        akc_respond_log(request, r, &err);
    }
    AKC_LOG_REQUEST(
        r, KC_ERR_EVENT_SIGN_IN_BEGINS, "sign-in begins: client %s, redirect URI %s",
        request->server->conf->client_id,
        kc_rp_redirect_uri(request->server->rp, akc_request_client(request, r), r->pool));
    return akc_respond_redirect(r, HTTP_MOVED_TEMPORARILY, &answer);
}

/* --- signed in, but not allowed --- */

/* httpd answers an unmet Require with 401 even when a user is signed in. A client would take that
 * for "sign in", which cannot help. So it becomes 403 with the module's page. */
void akc_respond_forbid(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    (void)akc_request_forget_anonymous(r);
    if (request)
        leave_body(r);
    if (!request || !akc_request_is_signed_in(request, r))
        return;
    if ((r->status != HTTP_UNAUTHORIZED && r->status != HTTP_FORBIDDEN) || !r->user ||
        !r->ap_auth_type || strcmp(r->ap_auth_type, AKC_AUTH_TYPE) != 0)
        return;
    ap_add_output_filter(forbid_filter_name, NULL, r, r->connection);
}

static apr_status_t send_forbidden(ap_filter_t *f)
{
    request_rec *r = f->r;
    akc_request_t *request = akc_request_get(r);
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, alloc);
    const char *type, *body;
    kc_err_t err;

    if (request->doubted == r)
        (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_ROLES_UNKNOWN,
                      "a Require excludes by roles or groups, which are not known of %.150s",
                      r->user);
    else
        (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_FORBIDDEN, "%.200s does not meet Require", r->user);
    akc_respond_log(request, r, &err);
    body = render(request, r, &err, &type);
    r->status = HTTP_FORBIDDEN;
    r->status_line = NULL;
    apr_table_unset(r->headers_out, "WWW-Authenticate");
    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)strlen(body));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_pool_create(body, strlen(body), r->pool, alloc));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(alloc));
    return ap_pass_brigade(f->next, brigade);
}

static apr_status_t forbid_filter(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    apr_brigade_cleanup(brigade);
    if (f->ctx)
        return APR_SUCCESS;
    f->ctx = f;
    return send_forbidden(f);
}

void akc_respond_register(apr_pool_t *pool)
{
    (void)pool;
    ap_register_output_filter(forbid_filter_name, forbid_filter, NULL, AP_FTYPE_CONTENT_SET);
}

/* Logout: begun here, or at the provider, which calls this server itself or through the browser.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/logout.h"

#include <apr_strings.h>
#include <string.h>

#include "body.h"
#include "log.h"
#include "request.h"
#include "respond.h"

#include "core/access/access.h"
#include "core/access/decision.h"
#include "core/access/request_class.h"
#include "core/base/json.h"
#include "core/base/query.h"
#include "core/base/url.h"
#include "core/browser.h"
#include "core/logout/logout.h"
#include "core/logout/logout_front.h"
#include "core/logout/logout_token.h"
#include "core/rp.h"
#include "core/session/session_cookie.h"

static const char framed_page[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
    "<title>Signed out</title></head>\n<body></body>\n</html>\n";

/* ---------------------------------------------------------------- begun here */

/* A form's POST is a page as well. Kubeflow's dashboards send an Authorization header, maybe an
 * empty one. Some gateways forward nothing else by which a script is known. */
static int is_page(const akc_request_t *request, request_rec *r)
{
    return !akc_request_is_api(r, "GET") && !request->authorization &&
           !apr_table_get(r->headers_in, "Authorization");
}

/* A program other than a browser: it does not follow redirects. */
static int is_program(akc_request_t *request, request_rec *r)
{
    return !is_page(request, r) &&
           akc_request_source(request, r, NULL) == KC_REQUEST_CLASS_UNKNOWN_SITE;
}

/* Scripts get the address as JSON and go there themselves. */
static int leave(const akc_request_t *request, request_rec *r, const kc_browser_answer_t *answer)
{
    kc_json_t *json;

    if (is_page(request, r))
        return akc_respond_redirect(r, HTTP_SEE_OTHER, answer);
    akc_respond_cookies(r, answer->cookies);
    json = kc_json_new_object(r->pool);
    kc_json_set_string(json, "afterLogoutURL", answer->location);
    return akc_respond_json(r, HTTP_CREATED, json);
}

/* A request that does not tell where it comes from can only be an old browser's, and then not by
 * POST. */
static int is_wanted(akc_request_t *request, request_rec *r, const apr_array_header_t *hosts)
{
    kc_request_class_source_t source = akc_request_source(request, r, hosts);

    return source == KC_REQUEST_CLASS_SAME_SITE ||
           (source == KC_REQUEST_CLASS_UNKNOWN_SITE && r->method_number == M_POST);
}

int akc_logout_is_wanted(akc_request_t *request, request_rec *r)
{
    return is_wanted(request, r, NULL);
}

static const char *who_is_signed_in(const akc_request_t *request, request_rec *r)
{
    if (request->access.state == KC_SESSION_NONE)
        return "<p>A page of another site asks you to sign out.</p>\n";
    return apr_pstrcat(r->pool, "<p>You are signed in as <code>",
                       ap_escape_html(r->pool, request->access.session.user), "</code>.</p>\n",
                       NULL);
}

static int ask_user(const akc_request_t *request, request_rec *r)
{
    const char *action =
        apr_pstrcat(r->pool, r->uri, r->args ? "?" : "", r->args ? r->args : "", NULL);

    return akc_respond_page(
        r, HTTP_OK, "Do you want to sign out?",
        apr_pstrcat(r->pool, who_is_signed_in(request, r), "<form method=\"post\" action=\"",
                    ap_escape_html(r->pool, action),
                    "\"><button>Sign out</button><a href=\"/\">Stay signed in</a></form>\n", NULL));
}

int akc_logout_refuse(akc_request_t *request, request_rec *r)
{
    kc_err_t err;

    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_CROSS_SITE, "another site's page has sent this request");
    return akc_respond_error(request, r, &err);
}

int akc_logout_end(akc_request_t *request, request_rec *r, const kc_session_t *session,
                   const char *return_url)
{
    kc_browser_t client = *akc_request_client(request, r);
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};
    kc_browser_answer_t answer;

    client.is_program = is_program(request, r);
    if (kc_logout_begin(request->server->rp, &client, session, return_url, r->pool, &answer,
                        &err) != KC_OK)
        return akc_respond_error(request, r, &err);
    if (session)
        AKC_LOG_REQUEST(r, KC_ERR_EVENT_SIGN_OUT, "signed out: %s",
                        ap_escape_logitem(r->pool, session->user));
    return leave(request, r, &answer);
}

/* Redirects to the page and changes nothing. */
static int redirect_only(akc_request_t *request, request_rec *r, const char *return_url)
{
    const kc_browser_answer_t answer = {.location = kc_logout_page(request->server->rp,
                                                                   akc_request_client(request, r),
                                                                   return_url, r->pool)};

    return leave(request, r, &answer);
}

static int ask_or_refuse(akc_request_t *request, request_rec *r)
{
    return is_page(request, r) ? ask_user(request, r) : akc_logout_refuse(request, r);
}

static int has_cookie(akc_request_t *request, request_rec *r)
{
    const kc_browser_t *client = akc_request_client(request, r);

    return kc_session_cookie_find(request->server->rp, client->is_https, client->cookies).data !=
           NULL;
}

/* No user is known to be signed in here, but may be at Keycloak. A client that wants to log out is
 * redirected there anyway. When another site's page sends the browser here, the browser withholds
 * the cookie: for a POST, or always with SameSite=Strict. An answer that deletes the cookie would
 * then log out a user who is signed in. */
static int leave_nobody(akc_request_t *request, request_rec *r, const char *page)
{
    const kc_conf_t *conf = request->server->conf;
    int is_theirs = is_wanted(request, r, conf->return_hosts) || has_cookie(request, r);

    if (!is_theirs && (r->method_number == M_POST || conf->cookie_same_site == KC_SAME_SITE_STRICT))
        return ask_or_refuse(request, r);
    return is_theirs ? akc_logout_end(request, r, NULL, page) : redirect_only(request, r, page);
}

int akc_logout_here(akc_request_t *request, request_rec *r)
{
    const kc_access_location_t location = {.kind = KC_REQUEST_CLASS_LOGOUT};
    const kc_query_t *query;
    const char *page = NULL;
    kc_access_answer_t decided;
    kc_err_t err;

    if ((r->method_number != M_GET && r->method_number != M_POST) || r->header_only)
        return akc_respond_method(request, r, "GET, POST");
    if (kc_query_parse(r->args, r->pool, &query, &err) != KC_OK ||
        kc_query_single(query, "return", &page, &err) == KC_REFUSED)
        return akc_respond_error(request, r, &err);
    decided = akc_request_check(request, r, &location);
    switch (decided.decision) {
    case KC_DECISION_END_SESSION:
        if (is_wanted(request, r, request->server->conf->return_hosts))
            return akc_logout_end(request, r, &request->access.session, page);
        return ask_or_refuse(request, r);
    case KC_DECISION_SKIP_LOGOUT:
        return leave_nobody(request, r, page);
    default:
        return akc_respond_error(request, r, &request->access.err);
    }
}

/* ---------------------------------------------------------------- from the provider */

static void log_ended(request_rec *r, const kc_logout_token_t *token)
{
    AKC_LOG_REQUEST(r, KC_ERR_EVENT_BACKCHANNEL, "signed out by the provider: %s of %s%s",
                    token->sid ? "a session" : "all sessions",
                    token->sub ? "sub " : "an unknown user",
                    token->sub ? ap_escape_logitem(r->pool, token->sub) : "");
}

int akc_logout_backchannel(akc_request_t *request, request_rec *r)
{
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};
    kc_logout_token_t token;
    const char *form = NULL;
    size_t len = 0;

    if (akc_body_form(r, AKC_BODY_PROVIDER, &form, &len, &err) != KC_OK ||
        kc_logout_token_take(request->server->rp, form, len, r->pool, &token, &err) != KC_OK)
        return akc_respond_refusal(request, r, &err);
    log_ended(r, &token);
    return akc_respond_plain(r, NULL, "");
}

/* ---------------------------------------------------------------- through the browser */

/* The page is shown in a frame of the provider, and nowhere else. */
static void let_be_framed(const akc_server_t *server, request_rec *r)
{
    const char *origin = "'none'";
    kc_url_t issuer;

    if (kc_url_parse(server->conf->issuer, r->pool, &issuer, NULL) == KC_OK)
        origin = kc_url_origin(&issuer, r->pool);
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   apr_pstrcat(r->pool, "default-src 'none'; frame-ancestors ", origin, NULL));
}

int akc_logout_frontchannel(akc_request_t *request, request_rec *r)
{
    const kc_browser_t *client = akc_request_client(request, r);
    const kc_rp_t *rp = request->server->rp;
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};
    apr_array_header_t *cookies;
    kc_session_t session;
    int is_ended;

    if (r->method_number != M_GET || r->header_only)
        return akc_respond_method(request, r, "GET");
    if (kc_logout_front_take(rp,
                             kc_session_cookie_find(rp, client->is_https, request->access.cookies),
                             r->args, r->pool, &session, &is_ended, &err) != KC_OK)
        return akc_respond_error(request, r, &err);
    if (is_ended) {
        cookies = apr_array_make(r->pool, 2, sizeof(const char *));
        kc_session_cookie_forget(rp, client->is_https, r->pool, cookies);
        akc_respond_cookies(r, cookies);
        AKC_LOG_REQUEST(r, KC_ERR_EVENT_FRONTCHANNEL, "signed out by the provider's page: %s",
                        ap_escape_logitem(r->pool, session.user));
    }
    let_be_framed(request->server, r);
    return akc_respond_plain(r, "text/html; charset=utf-8", framed_page);
}

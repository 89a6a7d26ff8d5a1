/* Login: the address that begins a sign-in, and the callback to which Keycloak redirects browsers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/login.h"

#include <apr_strings.h>
#include <string.h>

#include "body.h"
#include "config.h"
#include "log.h"
#include "request.h"
#include "respond.h"

#include "core/access/access.h"
#include "core/access/decision.h"
#include "core/access/request_class.h"
#include "core/base/url.h"
#include "core/browser.h"
#include "core/login/login.h"
#include "core/login/login_parameters.h"
#include "core/login/login_state.h"
#include "core/logout/logout.h"
#include "core/provider/claims.h"
#include "core/rp.h"
#include "core/session/step_up.h"

static const char again_seconds[] = "2";

static int return_to(akc_request_t *request, request_rec *r, const char *page,
                     kc_browser_answer_t *answer)
{
    const kc_browser_t *client = akc_request_client(request, r);

    answer->location =
        kc_url_return(page, client->public_url, request->server->conf->return_hosts, r->pool);
    return akc_respond_redirect(r, HTTP_SEE_OTHER, answer);
}

/* A page that reloads itself: nothing has been done yet. */
static int come_again(akc_request_t *request, request_rec *r, const kc_err_t *err)
{
    apr_table_setn(r->headers_out, "Refresh", again_seconds);
    return akc_respond_error(request, r, err);
}

/* Other tabs of this browser are signing in, so it will have a session in a moment. */
static int wait_for_others(akc_request_t *request, request_rec *r, const kc_login_request_t *again,
                           kc_browser_answer_t *answer, const kc_err_t *err)
{
    const kc_rp_t *rp = request->server->rp;
    const kc_browser_t *client = akc_request_client(request, r);
    const char *query = kc_login_linger_query(request->query, r->pool);

    if (!query || !kc_login_linger(rp, again))
        return come_again(request, r, err);
    answer->location =
        apr_pstrcat(r->pool, kc_rp_redirect_uri(rp, client, r->pool), "?", query, NULL);
    return akc_respond_redirect(r, HTTP_SEE_OTHER, answer);
}

/* A step-up sign-in was to replace older sessions: continuing with one of them would not make it
 * stronger, and the page would ask again. */
static int64_t not_before(const kc_login_request_t *again)
{
    return again->is_step_up && !again->is_silent ? again->begun : 0;
}

/* A sign-in that cannot continue without any fault: its state is unknown, used or expired. */
static int start_over(akc_request_t *request, request_rec *r, kc_browser_answer_t *answer,
                      const kc_err_t *reason)
{
    const kc_browser_t *client = akc_request_client(request, r);
    kc_access_location_t location = {.kind = KC_REQUEST_CLASS_CALLBACK};
    kc_access_answer_t decided;
    kc_login_request_t again;
    kc_err_t err = *reason;
    kc_rc_t rc;

    rc = kc_login_again(request->server->rp, client, request->query, r->pool, &again, &err);
    if (rc == KC_REFUSED && err.reason == KC_ERR_LOGIN_LOOP)
        akc_respond_add_cause(&err, reason);
    location.not_before = not_before(&again);
    decided = akc_request_check(request, r, &location);
    switch (decided.decision) {
    case KC_DECISION_RETURN_TO_PAGE:
        return return_to(request, r, again.return_url, answer);
    case KC_DECISION_LOGIN:
        if (rc == KC_DOWN)
            return wait_for_others(request, r, &again, answer, &err);
        if (rc == KC_OK && again.is_silent) /* a user who is asked now was not to be asked */
            rc = KC_FAIL(&err, KC_REFUSED, KC_ERR_SILENT, "%.200s", reason->detail);
        return rc == KC_OK ? akc_respond_login(request, r, &again)
                           : akc_respond_error(request, r, &err);
    default:
        return akc_respond_error(request, r, &request->access.err);
    }
}

/* The return from a logout: DECLINED when it is no such answer. */
static int finish_logout(akc_request_t *request, request_rec *r)
{
    kc_browser_answer_t answer;
    kc_err_t err;

    switch (kc_logout_finish(request->server->rp, akc_request_client(request, r), request->query,
                             r->pool, &answer, &err)) {
    case KC_OK:
        return akc_respond_redirect(r, HTTP_SEE_OTHER, &answer);
    case KC_MISS:
        return DECLINED;
    default:
        return akc_respond_error(request, r, &err);
    }
}

/* Only the user may sign in. A prefetch of the browser may be discarded, and would use up the
 * answer. */
static int refuse_prefetch(akc_request_t *request, request_rec *r)
{
    kc_err_t err;

    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_PREFETCH, "the browser loads the callback in advance");
    return akc_respond_error(request, r, &err);
}

int akc_login_callback(akc_request_t *request, request_rec *r)
{
    kc_browser_answer_t answer;
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};
    kc_rc_t rc;
    int status;

    if (r->method_number != M_GET || r->header_only)
        return akc_respond_method(request, r, "GET");
    if (akc_request_is_prefetch(r))
        return refuse_prefetch(request, r);
    status = finish_logout(request, r);
    if (status != DECLINED)
        return status;
    rc = kc_login_finish(request->server->rp, akc_request_client(request, r), request->query,
                         r->pool, &answer, &err);
    if (rc == KC_OK && !answer.user)
        return akc_respond_redirect(r, HTTP_SEE_OTHER, &answer);
    if (rc == KC_OK) {
        AKC_LOG_REQUEST(r, KC_ERR_EVENT_SIGN_IN, "signed in: %s, sub %s",
                        ap_escape_logitem(r->pool, answer.user),
                        ap_escape_logitem(r->pool, answer.sub));
        if (answer.dropped)
            AKC_LOG_REQUEST(r, KC_ERR_EVENT_VALUES_LEFT_OUT,
                            "%d groups, roles or claims of %s were left out: they cannot be header "
                            "values, find no room in a header, or are more than %d of a kind",
                            answer.dropped, ap_escape_logitem(r->pool, answer.user),
                            KC_CLAIMS_LIST_MAX);
        return request->server->conf->cookie_same_site == KC_SAME_SITE_STRICT
                   ? akc_respond_onward(r, &answer)
                   : akc_respond_redirect(r, HTTP_SEE_OTHER, &answer);
    }
    if (rc == KC_MISS)
        return start_over(request, r, &answer, &err);
    akc_respond_cookies(r, answer.cookies);
    return answer.may_again ? come_again(request, r, &err) : akc_respond_error(request, r, &err);
}

/* A form of another site (OpenID Connect Core 1.0 section 4). Browsers send this module's cookies
 * with the request after a redirect, but not with the form. */
static int lead_on(akc_request_t *request, request_rec *r)
{
    const akc_server_t *server = request->server;
    kc_browser_answer_t answer = {.location = NULL};
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};
    kc_login_request_t wanted;
    const char *form;
    size_t len;

    if (akc_body_form(r, AKC_BODY_STRANGER, &form, &len, &err) != KC_OK)
        return akc_respond_error(request, r, &err);
    if (strlen(form) != len) {
        (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_FORM, "the form has a NUL");
        return akc_respond_error(request, r, &err);
    }
    if (kc_login_parameters_read(server->rp, form, r->pool, &wanted, &err) != KC_OK)
        return akc_respond_error(request, r, &err);
    answer.location =
        apr_pstrcat(r->pool, akc_request_client(request, r)->public_url, server->conf->prefix,
                    "login?", kc_login_parameters_query(&wanted, r->pool), NULL);
    return akc_respond_redirect(r, HTTP_SEE_OTHER, &answer);
}

int akc_login_login(akc_request_t *request, request_rec *r)
{
    kc_browser_answer_t answer = {.location = NULL};
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};
    kc_access_location_t location = {.kind = KC_REQUEST_CLASS_CALLBACK};
    kc_login_request_t wanted;
    kc_access_answer_t decided;

    if (r->method_number == M_POST)
        return lead_on(request, r);
    if (r->method_number != M_GET)
        return akc_respond_method(request, r, "GET, POST");
    if (kc_login_parameters_read(request->server->rp, r->args, r->pool, &wanted, &err) != KC_OK)
        return akc_respond_error(request, r, &err);
    location.step_up = wanted.step_up;
    location.not_before = wanted.is_silent ? INT64_MAX : 0; /* any session is to be renewed */
    decided = akc_request_check(request, r, &location);
    wanted.is_step_up = decided.state == KC_SESSION_WEAK;
    switch (decided.decision) {
    case KC_DECISION_RETURN_TO_PAGE:
        return return_to(request, r, wanted.return_url, &answer);
    case KC_DECISION_LOGIN:
        /* includes the requirement of the whole site, to avoid a second sign-in */
        if (kc_step_up_is_none(&wanted.step_up) && !wanted.is_silent)
            wanted.step_up = kc_step_up_required(akc_config_dir(r));
        return akc_respond_login(request, r, &wanted);
    default:
        return akc_respond_error(request, r, &request->access.err);
    }
}

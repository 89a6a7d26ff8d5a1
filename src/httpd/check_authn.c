/* The check on each request: describes it to the core, and does what the core answers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check_authn.h"

#include <apr_strings.h>
#include <string.h>

#include "addresses.h"
#include "answers.h"
#include "config.h"
#include "export.h"
#include "gateway/forward_auth.h"
#include "log.h"
#include "request.h"
#include "respond.h"
#include "streams.h"

#include "core/access/access.h"
#include "core/access/decision.h"
#include "core/base/url.h"
#include "core/browser.h"
#include "core/login/login_state.h"
#include "core/session/step_up.h"

/* The module's own addresses and public paths need no user. mod_authz_core calls this when only
 * a user is missing. */
int akc_check_authn_access(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    if (!request)
        return DECLINED;
    return akc_request_is_open(request, r) ? OK : DECLINED;
}

/* The second request comes from this site, so that this happens only once. */
static int ask_again(akc_request_t *request, request_rec *r)
{
    const kc_browser_t *client = akc_request_client(request, r);
    kc_browser_answer_t answer = {
        .location = kc_url_return(r->unparsed_uri, client->public_url, NULL, r->pool)};

    return akc_respond_onward(r, &answer);
}

static int log_in(akc_request_t *request, request_rec *r, kc_session_state_t state,
                  const kc_step_up_t *step_up)
{
    kc_login_request_t wanted = {.return_url = r->method_number == M_GET ? r->unparsed_uri : "/",
                                 .step_up = *step_up,
                                 .is_step_up = state == KC_SESSION_WEAK};

    if (akc_forward_auth_is_nginx(request)) {
        akc_forward_auth_point_to_login(request, r, step_up);
        return akc_respond_denial(request, r, state);
    }
    akc_respond_log_denial(request, r, state);
    return akc_respond_login(request, r, &wanted);
}

/* A subrequest or an error document is at another location than the request of the client. */
static int allow(akc_request_t *request, const request_rec *r)
{
    request->is_decided |= r == request->first;
    return OK;
}

/* Continues without a user. httpd requires a user after an authentication hook has answered. A
 * subrequest may have the headers of a request with a user, and must not keep them here. */
static int allow_anonymous(akc_request_t *request, request_rec *r, kc_session_state_t state)
{
    akc_answers_are_for_one(request, r); /* others, with a session, get a different answer */
    if (state == KC_SESSION_WEAK)
        akc_export_withdraw(request, r);
    akc_request_make_anonymous(r);
    return allow(request, r);
}

static int handle(akc_request_t *request, request_rec *r)
{
    const kc_conf_dir_t *dir = akc_config_dir(r);
    const kc_access_location_t location = {
        .step_up = kc_step_up_required(dir),
        .header = akc_request_header,
        .context = r,
        .method = r->method,
        .unauth = request->is_for_scripts ? KC_UNAUTH_401 : dir->unauth,
        .is_subrequest = r->main != NULL,
        .is_page_get = r->method_number == M_GET && !r->header_only};
    kc_access_answer_t answer;

    answer = akc_request_check(request, r, &location);
    switch (answer.decision) {
    case KC_DECISION_ALLOW:
        akc_answers_are_for_one(request, r);
        akc_export_identity(request, r);
        akc_streams_enter(request);
        return allow(request, r);
    case KC_DECISION_ALLOW_ANONYMOUS:
        return allow_anonymous(request, r, answer.state);
    case KC_DECISION_ASK_AGAIN:
        if (!akc_addresses_is_judge(r)) /* a gateway would read that page as "allowed" */
            return ask_again(request, r);
        return log_in(request, r, answer.state, &location.step_up);
    case KC_DECISION_LOGIN:
        return log_in(request, r, answer.state, &location.step_up);
    case KC_DECISION_DENY:
        return akc_respond_denial(request, r, answer.state);
    default:
        return r->main ? HTTP_SERVICE_UNAVAILABLE
                       : akc_respond_error(request, r, &request->access.err);
    }
}

int akc_check_authn_user(request_rec *r)
{
    akc_request_t *request;

    if (!akc_request_is_our_type(r))
        return DECLINED;
    request = akc_request_get(r);
    if (!request) {
        AKC_LOG_REQUEST(r, KC_ERR_CONFIG,
                        "AuthType " AKC_AUTH_TYPE " for %s, but this server has no %s", r->uri,
                        kc_conf_table_row(KC_CONF_ROW_issuer)->name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    r->ap_auth_type = AKC_AUTH_TYPE;
    return handle(request, r);
}

/* Called when a Require line was not met by a user who is signed in. There is nothing to note.
 * It prevents httpd's own error about an unknown AuthType. */
int akc_check_authn_note(request_rec *r, const char *auth_type)
{
    (void)r;
    return strcasecmp(auth_type, AKC_AUTH_TYPE) == 0 ? OK : DECLINED;
}

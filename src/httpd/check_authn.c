/* The check on each request: find the session, ask the decision table, do what it says.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/flow.h"
#include "mod_auth_keycloak.h"

APLOG_USE_MODULE(auth_keycloak);

static int is_our_type(request_rec *r)
{
    const char *type = ap_auth_type(r);

    return type && strcasecmp(type, AKC_AUTH_TYPE) == 0;
}

/* Our own addresses and public paths need no user; mod_authz_core has found that only one is
 * missing when this is asked. */
int akc_check_authn_access(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    if (!request)
        return DECLINED;
    if (akc_endpoints_is_ours(request->server, r) ||
        (is_our_type(r) &&
         kc_flow_is_public(r->uri, r->unparsed_uri, request->server->conf->public_paths)))
        return OK;
    return DECLINED;
}

static kc_flow_kind_t request_kind(request_rec *r)
{
    switch (akc_config_dir(r)->unauth) {
    case KC_UNAUTH_PASS:
        return KC_FLOW_OPEN;
    case KC_UNAUTH_LOGIN:
        return r->main ? KC_FLOW_SUBREQUEST : KC_FLOW_NAVIGATION;
    case KC_UNAUTH_401:
        return r->main ? KC_FLOW_SUBREQUEST : KC_FLOW_API;
    default:
        if (r->main)
            return KC_FLOW_SUBREQUEST;
        return akc_request_is_api(r, r->method) ? KC_FLOW_API : KC_FLOW_NAVIGATION;
    }
}

/* 401, with the reason that there is no session any more, or that there never was one. */
static int deny(akc_request_t *request, request_rec *r, kc_session_state_t state)
{
    kc_err_t err;

    if (r->main)
        return HTTP_UNAUTHORIZED; /* the request that asked for it shows the page */
    (void)KC_FAIL(&err, KC_REFUSED,
                  state == KC_SESSION_NONE ? KC_ERR_LOGIN_REQUIRED : KC_ERR_SESSION_ENDED, "%s",
                  request->err.reason ? request->err.detail : "no session");
    return akc_respond_error(request, r, &err);
}

static int log_in(akc_request_t *request, request_rec *r)
{
    static const kc_login_round_t first = {0, 0};
    const char *page = r->method_number == M_GET ? r->unparsed_uri : "/";

    return akc_respond_login(request, r, page, &first);
}

/* Goes on without a name. httpd insists on a user once an authentication hook has spoken. */
static int pass(request_rec *r)
{
    r->user = "";
    return OK;
}

static int act(akc_request_t *request, request_rec *r)
{
    kc_session_state_t state = akc_request_renewed_session(request, r);
    kc_flow_kind_t kind = kc_flow_is_settled(state) ? KC_FLOW_NAVIGATION : request_kind(r);

    switch (kc_flow_decide(state, kind)) {
    case KC_FLOW_GO:
        akc_export_identity(request, r);
        return OK;
    case KC_FLOW_GO_NAMELESS:
        return pass(r);
    case KC_FLOW_LOGIN:
        return log_in(request, r);
    case KC_FLOW_DENY:
        return deny(request, r, state);
    default:
        return r->main ? HTTP_SERVICE_UNAVAILABLE : akc_respond_error(request, r, &request->err);
    }
}

int akc_check_authn_user(request_rec *r)
{
    akc_request_t *request;

    if (!is_our_type(r))
        return DECLINED;
    request = akc_request_get(r);
    if (!request) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "KC0003: AuthType " AKC_AUTH_TYPE " for %s, but this server has no %s",
                      r->uri, kc_conf_row(KC_CONF_ROW_issuer)->name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    r->ap_auth_type = AKC_AUTH_TYPE;
    return act(request, r);
}

/* Called when a Require line was not met: somebody signed in who may not come here. There is
 * nothing to note, and httpd's own complaint about an unknown AuthType must not appear. */
int akc_check_authn_note(request_rec *r, const char *auth_type)
{
    (void)r;
    return strcasecmp(auth_type, AKC_AUTH_TYPE) == 0 ? OK : DECLINED;
}

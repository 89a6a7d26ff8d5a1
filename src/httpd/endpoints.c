/* The module's own addresses: callback, login, logout.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "core/flow.h"
#include "core/json.h"
#include "mod_auth_keycloak.h"

APLOG_USE_MODULE(auth_keycloak);

static const char handler_name[] = "keycloak-endpoint";

/* The part of a path behind KeycloakPrefix; NULL when it is elsewhere. */
static const char *below_prefix(const akc_server_t *server, const char *path)
{
    size_t len = strlen(server->conf->prefix);

    return strncmp(path, server->conf->prefix, len) == 0 ? path + len : NULL;
}

int akc_endpoints_is_callback(const akc_server_t *server, const char *path)
{
    return strcmp(path, server->rp->callback_path) == 0;
}

int akc_endpoints_is_ours(const akc_server_t *server, const request_rec *r)
{
    return r->uri && (below_prefix(server, r->uri) || akc_endpoints_is_callback(server, r->uri));
}

/* No file and no backend stands behind our addresses; the handler's name tells other modules, such
 * as mod_dir with FallbackResource, that they are taken. */
int akc_endpoints_translate(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    if (!request || !akc_endpoints_is_ours(request->server, r))
        return DECLINED;
    r->filename = apr_pstrcat(r->pool, "keycloak:", r->uri, NULL);
    r->handler = handler_name;
    return OK;
}

int akc_endpoints_map(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);

    return request && akc_endpoints_is_ours(request->server, r) ? OK : DECLINED;
}

static int refuse_method(akc_request_t *request, request_rec *r, const char *allowed)
{
    kc_err_t err;

    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_METHOD, "%s takes %s only", r->uri, allowed);
    apr_table_setn(r->headers_out, "Allow", allowed);
    return akc_respond_error(request, r, &err);
}

static int see_other(request_rec *r, kc_login_answer_t *answer)
{
    return akc_respond_redirect(r, HTTP_SEE_OTHER, answer);
}

/* A sign-in that cannot go on though nobody did wrong: its state is unknown, spent or expired. */
static int start_over(akc_request_t *request, request_rec *r, kc_login_answer_t *answer,
                      const kc_err_t *reason)
{
    const kc_login_client_t *client = akc_request_client(request, r);
    kc_login_round_t round = {0, 0};
    const char *page = "/";
    kc_err_t err = *reason;
    kc_rc_t rc;

    rc = kc_login_again(request->server->rp, request->query, r->pool, &page, &round, &err);
    switch (kc_flow_decide(akc_request_session(request, r), KC_FLOW_CALLBACK)) {
    case KC_FLOW_RETURN:
        answer->location =
            kc_url_return(page, client->public_url, request->server->conf->return_hosts, r->pool);
        return see_other(r, answer);
    case KC_FLOW_LOGIN:
        return rc == KC_OK ? akc_respond_login(request, r, page, &round)
                           : akc_respond_error(request, r, &err);
    default:
        return akc_respond_error(request, r, &request->err);
    }
}

static int handle_callback(akc_request_t *request, request_rec *r)
{
    kc_login_answer_t answer;
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};
    kc_rc_t rc;

    if (r->method_number != M_GET || r->header_only)
        return refuse_method(request, r, "GET");
    rc = kc_login_finish(request->server->rp, akc_request_client(request, r), request->query,
                         r->pool, &answer, &err);
    if (rc == KC_OK) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "signed in: %s",
                      ap_escape_logitem(r->pool, answer.user));
        if (answer.dropped)
            ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                          "%d groups or claims of %s cannot be header values and were left out",
                          answer.dropped, ap_escape_logitem(r->pool, answer.user));
        return see_other(r, &answer);
    }
    if (rc == KC_MISS)
        return start_over(request, r, &answer, &err);
    akc_respond_cookies(r, answer.cookies);
    return akc_respond_error(request, r, &err);
}

static int handle_login(akc_request_t *request, request_rec *r)
{
    static const kc_login_round_t first = {0, 0};
    const kc_login_client_t *client = akc_request_client(request, r);
    const kc_url_query_t *query;
    const char *page = "/";
    kc_login_answer_t answer;
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};

    if (r->method_number != M_GET)
        return refuse_method(request, r, "GET");
    if (kc_url_query_parse(r->args, r->pool, &query, &err) != KC_OK ||
        kc_url_query_single(query, "return", &page, &err) == KC_REFUSED)
        return akc_respond_error(request, r, &err);
    switch (kc_flow_decide(akc_request_session(request, r), KC_FLOW_CALLBACK)) {
    case KC_FLOW_RETURN:
        answer.cookies = NULL;
        answer.location =
            kc_url_return(page, client->public_url, request->server->conf->return_hosts, r->pool);
        return see_other(r, &answer);
    case KC_FLOW_LOGIN:
        return akc_respond_login(request, r, page, &first);
    default:
        return akc_respond_error(request, r, &request->err);
    }
}

/* Scripts get the address as JSON and go there themselves. */
static int leave(request_rec *r, kc_login_answer_t *answer)
{
    kc_json_t *json;

    if (!akc_request_is_api(r, "GET")) /* a form's POST is a page as well */
        return see_other(r, answer);
    akc_respond_cookies(r, answer->cookies);
    json = kc_json_new_object(r->pool);
    kc_json_set_string(json, "afterLogoutURL", answer->location);
    return akc_respond_json(r, HTTP_CREATED, json);
}

static int handle_logout(akc_request_t *request, request_rec *r)
{
    const kc_rp_t *rp = request->server->rp;
    const kc_login_client_t *client = akc_request_client(request, r);
    kc_login_answer_t answer = {NULL, NULL, NULL, 0};
    kc_err_t err = {KC_ERR_INTERNAL, NULL, 0, ""};

    if (r->method_number != M_GET && r->method_number != M_POST)
        return refuse_method(request, r, "GET, POST");
    switch (kc_flow_decide(akc_request_session(request, r), KC_FLOW_LOGOUT)) {
    case KC_FLOW_END:
        /* before the session goes, and with it the ID token */
        answer.location = kc_login_end_url(rp, client, &request->session, r->pool);
        if (kc_session_end(rp, kc_session_cookie(rp, client->is_https, request->cookies), r->pool,
                           &err) != KC_OK)
            return akc_respond_error(request, r, &err);
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "signed out: %s",
                      ap_escape_logitem(r->pool, request->session.user));
        break;
    case KC_FLOW_LEAVE:
        answer.location = kc_login_after_logout(rp, client, r->pool);
        break;
    default:
        return akc_respond_error(request, r, &request->err);
    }
    answer.cookies = apr_array_make(r->pool, 2, sizeof(const char *));
    kc_login_forget(rp, client, r->pool, answer.cookies);
    return leave(r, &answer);
}

int akc_endpoints_handle(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);
    const char *name;
    kc_err_t err;

    if (!request || !akc_endpoints_is_ours(request->server, r))
        return DECLINED;
    if (!ap_is_initial_req(r))
        return HTTP_NOT_FOUND;
    if (akc_endpoints_is_callback(request->server, r->uri))
        return handle_callback(request, r);
    name = below_prefix(request->server, r->uri);
    if (name && strcmp(name, "login") == 0)
        return handle_login(request, r);
    if (name && strcmp(name, "logout") == 0)
        return handle_logout(request, r);
    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_NOT_FOUND, "no such address under %s",
                  request->server->conf->prefix);
    return akc_respond_error(request, r, &err);
}

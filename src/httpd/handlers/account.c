/* What users see and end of their own sessions, and an operator of all sessions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/account.h"

#include <apr_strings.h>
#include <string.h>

#include "addresses.h"
#include "body.h"
#include "handlers/logout.h"
#include "log.h"
#include "request.h"
#include "respond.h"

#include "core/access/access.h"
#include "core/access/decision.h"
#include "core/audit/audit.h"
#include "core/base/json.h"
#include "core/base/query.h"
#include "core/browser.h"
#include "core/login/login_state.h"
#include "core/session/revocation.h"
#include "core/session/session_index.h"
#include "core/session/session_list.h"

enum { NAME_LEN = 16 /* characters of a session's name here */ };

/* ---------------------------------------------------------------- whoami */

static void add_list(kc_json_t *json, const char *name, const kc_session_list_t *list,
                     apr_pool_t *pool)
{
    kc_json_t *array = kc_json_set_array(json, name);
    kc_bytes_t at = {NULL, 0};

    while (kc_session_list_walk(list, &at))
        kc_json_add_string(array, kc_buf_dup_text(at, pool));
}

static const char *or_nothing(const char *text)
{
    return *text ? text : NULL;
}

static kc_json_t *describe(const akc_request_t *request, request_rec *r)
{
    const kc_session_t *session = &request->access.session;
    kc_json_t *json = kc_json_new_object(r->pool);

    kc_json_set_string(json, "user", session->user);
    kc_json_set_string(json, "sub", session->sub);
    kc_json_set_string(json, "email", or_nothing(session->email));
    add_list(json, "groups", &session->group_list, r->pool);
    add_list(json, "realm_roles", &session->realm_roles, r->pool);
    add_list(json, "client_roles", &session->client_roles, r->pool);
    kc_json_set_string(json, "acr", or_nothing(session->acr));
    if (session->auth_time)
        kc_json_set_integer(json, "auth_time", session->auth_time);
    kc_json_set_integer(json, "now", apr_time_sec(apr_time_now()));
    kc_json_set_integer(json, "created", session->created);
    if (session->idle_end)
        kc_json_set_integer(json, "idle_expires", session->idle_end);
    kc_json_set_integer(json, "expires", session->expires);
    kc_json_set_integer(json, "tokens_expire", session->token_expires);
    kc_json_set_boolean(json, "is_renewed", session->refresh_at && request->server->conf->refresh);
    return json;
}

/* OK when a user is signed in, else 401, 503, or for a page the redirect to the sign-in. */
static int need_session(akc_request_t *request, request_rec *r, int is_page)
{
    const kc_access_location_t location = {.header = akc_request_header,
                                           .context = r,
                                           .method = r->method,
                                           .unauth = is_page ? KC_UNAUTH_AUTO : KC_UNAUTH_401};
    const kc_login_request_t wanted = {.return_url = r->uri};
    kc_access_answer_t decided;

    decided = akc_request_check(request, r, &location);
    switch (decided.decision) {
    case KC_DECISION_ALLOW:
        return OK;
    case KC_DECISION_LOGIN:
        akc_respond_log_denial(request, r, decided.state);
        return akc_respond_login(request, r, &wanted);
    case KC_DECISION_DENY:
        return akc_respond_denial(request, r, decided.state);
    default:
        return akc_respond_error(request, r, &request->access.err);
    }
}

/* Pages call this regularly to show when the session ends; that must not prolong it. */
int akc_account_whoami(akc_request_t *request, request_rec *r)
{
    int status;

    if (r->method_number != M_GET)
        return akc_respond_method(request, r, "GET, HEAD");
    request->access.is_no_use = 1;
    status = need_session(request, r, 0);
    return status == OK ? akc_respond_json(r, HTTP_OK, describe(request, r)) : status;
}

/* ---------------------------------------------------------------- listing sessions */

/* The user's own sessions (array of kc_session_index_entry_t), *is_partial as in
 * kc_session_index_list. Entries of the same user name are filtered by sub, because the name may
 * have belonged to another user, or belong to both. */
static kc_rc_t list_own(const akc_request_t *request, request_rec *r, apr_array_header_t **own,
                        int *is_partial, kc_err_t *err)
{
    const apr_array_header_t *entries;
    kc_rc_t rc = kc_session_index_list(request->server->rp, request->access.session.user, r->pool,
                                       &entries, is_partial, err);
    int i;

    *own = apr_array_make(r->pool, KC_SESSION_INDEX_SLOTS, sizeof(kc_session_index_entry_t));
    for (i = 0; rc == KC_OK && i < entries->nelts; i++) {
        const kc_session_index_entry_t *entry =
            &APR_ARRAY_IDX(entries, i, kc_session_index_entry_t);

        if (strcmp(entry->sub, request->access.session.sub) == 0)
            APR_ARRAY_PUSH(*own, kc_session_index_entry_t) = *entry;
    }
    return rc;
}

static const char *name_of(const kc_session_index_entry_t *entry, apr_pool_t *pool)
{
    return kc_buf_copy(entry->key, NAME_LEN, pool);
}

static int is_current(const akc_request_t *request, const kc_session_index_entry_t *entry)
{
    return strcmp(entry->key, request->access.session.key) == 0;
}

/* is_partial: servers that do not answer may have more. */
static kc_json_t *list_json(const akc_request_t *request, request_rec *r,
                            const apr_array_header_t *entries, int is_partial)
{
    kc_json_t *json = kc_json_new_object(r->pool);
    kc_json_t *array = kc_json_set_array(json, "sessions");
    int i;

    kc_json_set_boolean(json, "is_partial", is_partial);
    for (i = 0; i < entries->nelts; i++) {
        const kc_session_index_entry_t *entry =
            &APR_ARRAY_IDX(entries, i, kc_session_index_entry_t);
        kc_json_t *item = kc_json_add_object(array);

        kc_json_set_string(item, "id", name_of(entry, r->pool));
        kc_json_set_integer(item, "created", entry->created);
        kc_json_set_integer(item, "last_used", entry->used);
        kc_json_set_string(item, "address", or_nothing(entry->address));
        kc_json_set_string(item, "agent", or_nothing(entry->agent));
        kc_json_set_boolean(item, "current", is_current(request, entry));
    }
    return json;
}

static const char *time_text(int64_t time, apr_pool_t *pool)
{
    apr_time_exp_t parts;

    (void)apr_time_exp_gmt(&parts, apr_time_from_sec(time));
    return apr_psprintf(pool, "%d-%02d-%02d %02d:%02d UTC", parts.tm_year + 1900, parts.tm_mon + 1,
                        parts.tm_mday, parts.tm_hour, parts.tm_min);
}

static const char *button(const char *value, const char *label, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "<form method=\"post\"><button name=\"end\" value=\"", value, "\">",
                       label, "</button></form>", NULL);
}

static const char *row_html(const akc_request_t *request, const kc_session_index_entry_t *entry,
                            apr_pool_t *pool)
{
    int is_here = is_current(request, entry);

    return apr_pstrcat(pool, "<tr><td>", ap_escape_html(pool, entry->agent), "<small>",
                       ap_escape_html(pool, entry->address),
                       is_here ? " &middot; <b>this session</b>" : "", "<br>signed in ",
                       time_text(entry->created, pool), "<br>last used ",
                       time_text(entry->used, pool), "</small></td><td>",
                       button(name_of(entry, pool), "Sign out", pool), "</td></tr>\n", NULL);
}

static int list_page(const akc_request_t *request, request_rec *r,
                     const apr_array_header_t *entries)
{
    const char *rows = "";
    int i;

    for (i = 0; i < entries->nelts; i++)
        rows = apr_pstrcat(
            r->pool, rows,
            row_html(request, &APR_ARRAY_IDX(entries, i, kc_session_index_entry_t), r->pool), NULL);
    return akc_respond_page(r, HTTP_OK, "Where you are signed in",
                            apr_pstrcat(r->pool, "<p>You are <code>",
                                        ap_escape_html(r->pool, request->access.session.user),
                                        "</code>.</p>\n<table>\n", rows, "</table>\n",
                                        button("all", "Sign out everywhere", r->pool),
                                        "<a href=\"/\">Start page</a>\n", NULL));
}

static int show_sessions(akc_request_t *request, request_rec *r)
{
    apr_array_header_t *entries;
    int is_partial;
    kc_err_t err;

    if (list_own(request, r, &entries, &is_partial, &err) != KC_OK)
        return akc_respond_error(request, r, &err);
    if (akc_request_is_api(r, "GET"))
        return akc_respond_json(r, HTTP_OK, list_json(request, r, entries, is_partial));
    return list_page(request, r, entries);
}

/* ---------------------------------------------------------------- ending them */

/* An event about the signed-in user. session: the one that has ended; NULL: several. */
static void tell_event(const akc_request_t *request, kc_reason_t reason, const char *cause,
                       const char *key)
{
    const kc_session_t *own = &request->access.session;
    kc_audit_event_t event = {.kind = KC_AUDIT_SIGN_OUT,
                              .reason = reason,
                              .cause = cause,
                              .user = own->user,
                              .sub = own->sub};

    if (key)
        kc_audit_hash(key, event.session);
    kc_audit_tell(request->server->rp->env, &event);
}

/* How many were ended; none when the name is of no session of the user. KC_DOWN also when a server
 * that does not answer may have listed it. */
static kc_rc_t end_named(akc_request_t *request, request_rec *r, const char *name, int *ended,
                         kc_err_t *err)
{
    apr_array_header_t *entries;
    int is_partial, i;
    kc_rc_t rc = list_own(request, r, &entries, &is_partial, err);

    *ended = 0;
    for (i = 0; rc == KC_OK && i < entries->nelts; i++) {
        const kc_session_index_entry_t *entry =
            &APR_ARRAY_IDX(entries, i, kc_session_index_entry_t);

        if (strcmp(name_of(entry, r->pool), name) != 0)
            continue;
        rc = kc_revocation_end_session(request->server->rp, entry->key, 0, err);
        *ended += rc == KC_OK;
        if (rc == KC_OK)
            tell_event(request, KC_ERR_EVENT_SIGN_OUT, "another-session", entry->key);
    }
    kc_metrics_add(request->server->env.metrics,
                   KC_METRICS_CELL(sessions_ended, KC_METRICS_LISTED, 0, 0), (uint64_t)*ended);
    if (rc == KC_OK && !*ended && is_partial)
        rc = KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN,
                     "the session may be listed on a memcached server that does not answer");
    return rc;
}

static int answer_ended(request_rec *r, int ended)
{
    kc_browser_answer_t answer = {.location = r->uri};
    kc_json_t *json;

    if (!akc_request_is_api(r, "GET"))
        return akc_respond_redirect(r, HTTP_SEE_OTHER, &answer);
    json = kc_json_new_object(r->pool);
    kc_json_set_integer(json, "ended", ended);
    return akc_respond_json(r, HTTP_OK, json);
}

/* The current session ends like at any logout. Its tokens are read before the revocation entry ends
 * it too. */
static int end_all_own(akc_request_t *request, request_rec *r)
{
    const kc_session_t *session = &request->access.session;
    kc_session_t whole;
    kc_err_t err;

    if (kc_session_reload(session, r->pool, &whole, &err) != KC_OK)
        whole = *session;
    if (kc_revocation_add(request->server->rp, KC_REVOCATION_SUB, session->sub, &err) != KC_OK)
        return akc_respond_error(request, r, &err);
    tell_event(request, KC_ERR_EVENT_SIGN_OUT_ALL, "all-sessions", NULL);
    AKC_LOG_REQUEST(r, KC_ERR_EVENT_SIGN_OUT_ALL, "signed out: all sessions of %s",
                    ap_escape_logitem(r->pool, session->user));
    return akc_logout_end(request, r, &whole, NULL);
}

static kc_rc_t read_form(request_rec *r, const kc_query_t **form, kc_err_t *err)
{
    const char *body;
    size_t len;
    kc_rc_t rc = akc_body_form(r, AKC_BODY_KNOWN, &body, &len, err);

    if (rc == KC_OK && kc_query_parse_form(body, len, r->pool, form, err) != KC_OK)
        rc = KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "the form cannot be read");
    return rc;
}

static int end_sessions(akc_request_t *request, request_rec *r)
{
    const kc_session_t *session = &request->access.session;
    const kc_query_t *form;
    const char *name;
    kc_err_t err;
    int ended;

    if (!akc_logout_is_wanted(request, r))
        return akc_logout_refuse(request, r);
    if (read_form(r, &form, &err) != KC_OK)
        return akc_respond_error(request, r, &err);
    if (kc_query_single(form, "end", &name, &err) != KC_OK) {
        (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_FORM, "the form has no single field 'end'");
        return akc_respond_error(request, r, &err);
    }
    if (strcmp(name, "all") == 0)
        return end_all_own(request, r);
    if (strncmp(name, session->key, NAME_LEN) == 0 && strlen(name) == NAME_LEN)
        return akc_logout_end(request, r, session, NULL);
    if (end_named(request, r, name, &ended, &err) != KC_OK)
        return akc_respond_error(request, r, &err);
    if (ended)
        AKC_LOG_REQUEST(r, KC_ERR_EVENT_SIGN_OUT, "signed out: another session of %s",
                        ap_escape_logitem(r->pool, session->user));
    return answer_ended(r, ended);
}

int akc_account_sessions(akc_request_t *request, request_rec *r)
{
    int status;

    if (r->method_number != M_GET && r->method_number != M_POST)
        return akc_respond_method(request, r, "GET, HEAD, POST");
    status = need_session(request, r, 1);
    if (status != OK)
        return status;
    return r->method_number == M_POST ? end_sessions(request, r) : show_sessions(request, r);
}

/* ---------------------------------------------------------------- operator */

/* The subs of the user's listed sessions. */
static void find_subs(const apr_array_header_t *entries, apr_array_header_t *subs)
{
    int i, k;

    for (i = 0; i < entries->nelts; i++) {
        const char *found = APR_ARRAY_IDX(entries, i, kc_session_index_entry_t).sub;

        for (k = 0; k < subs->nelts && strcmp(APR_ARRAY_IDX(subs, k, const char *), found) != 0;
             k++)
            ;
        if (k == subs->nelts)
            APR_ARRAY_PUSH(subs, const char *) = found;
    }
}

static void tell_operator(const akc_request_t *request, const request_rec *r, const char *user,
                          const char *sub)
{
    const kc_audit_event_t event = {.kind = KC_AUDIT_OPERATOR,
                                    .reason = KC_ERR_EVENT_OPERATOR,
                                    .cause = "all-sessions",
                                    .user = user,
                                    .sub = sub,
                                    .by = r->user};

    kc_audit_tell(request->server->rp->env, &event);
}

/* Ends by the sub, whatever user names its sessions have. */
static kc_rc_t end_sub(const akc_request_t *request, request_rec *r, const char *sub, kc_err_t *err)
{
    kc_rc_t rc = kc_revocation_add(request->server->rp, KC_REVOCATION_SUB, sub, err);

    if (rc != KC_OK)
        return rc;
    tell_operator(request, r, NULL, sub);
    AKC_LOG_REQUEST(r, KC_ERR_EVENT_OPERATOR, "%s ends all sessions of sub %s",
                    ap_escape_logitem(r->pool, r->user), ap_escape_logitem(r->pool, sub));
    return KC_OK;
}

/* The list is read first, because a revoked session is no longer listed. The list may be
 * incomplete: entries can be lost, and servers may not answer. The revocation entry of the name
 * ends the sessions that are not listed. */
static kc_rc_t end_user(const akc_request_t *request, request_rec *r, const char *user,
                        kc_json_t *json, kc_err_t *err)
{
    apr_array_header_t *subs = apr_array_make(r->pool, 1, sizeof(const char *));
    const apr_array_header_t *entries;
    kc_json_t *array;
    int is_partial, i;
    kc_rc_t rc;

    if (kc_session_index_list(request->server->rp, user, r->pool, &entries, &is_partial, NULL) ==
        KC_OK)
        find_subs(entries, subs);
    rc = kc_revocation_add(request->server->rp, KC_REVOCATION_USER, user, err);
    if (rc == KC_OK)
        tell_operator(request, r, user, NULL);
    if (rc == KC_OK)
        AKC_LOG_REQUEST(r, KC_ERR_EVENT_OPERATOR, "%s ends all sessions of the user %s",
                        ap_escape_logitem(r->pool, r->user), ap_escape_logitem(r->pool, user));
    kc_json_set_string(json, "user", user);
    if (!subs->nelts)
        return rc;
    array = kc_json_set_array(json, "ended");
    for (i = 0; rc == KC_OK && i < subs->nelts; i++) {
        rc = end_sub(request, r, APR_ARRAY_IDX(subs, i, const char *), err);
        kc_json_add_string(array, APR_ARRAY_IDX(subs, i, const char *));
    }
    return rc;
}

static int end_all(akc_request_t *request, request_rec *r, const char *user, const char *sub)
{
    kc_json_t *json = kc_json_new_object(r->pool);
    kc_err_t err;
    kc_rc_t rc;

    if (user) {
        rc = end_user(request, r, user, json, &err);
    } else {
        rc = end_sub(request, r, sub, &err);
        kc_json_add_string(kc_json_set_array(json, "ended"), sub);
    }
    kc_json_set_boolean(json, "all", 1);
    kc_metrics_add(request->server->env.metrics,
                   KC_METRICS_CELL(sign_outs, KC_METRICS_OPERATOR, kc_metrics_outcome(rc),
                                   kc_metrics_tag(rc, &err)),
                   1);
    return rc == KC_OK ? akc_respond_json(r, HTTP_OK, json) : akc_respond_error(request, r, &err);
}

/* An operator may ask for a user by the name that backends get, or by the sub. */
static kc_rc_t read_target(const kc_query_t *query, const char **user, const char **sub,
                           kc_err_t *err)
{
    *user = *sub = NULL;
    if (kc_query_single(query, "user", user, NULL) == KC_REFUSED ||
        kc_query_single(query, "sub", sub, NULL) == KC_REFUSED || !*user == !*sub)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "takes either user or sub, once");
    return KC_OK;
}

static int operate(akc_request_t *request, request_rec *r)
{
    const apr_array_header_t *entries;
    const kc_query_t *query;
    const char *user, *sub;
    int is_partial;
    kc_err_t err;
    kc_rc_t rc;

    if (r->method_number != M_GET && r->method_number != M_POST)
        return akc_respond_method(request, r, "GET, HEAD, POST");
    if (r->method_number == M_POST && !akc_logout_is_wanted(request, r))
        return akc_logout_refuse(request, r);
    rc = r->method_number == M_POST ? read_form(r, &query, &err)
                                    : kc_query_parse(r->args, r->pool, &query, &err);
    if (rc == KC_OK)
        rc = read_target(query, &user, &sub, &err);
    if (rc != KC_OK)
        return akc_respond_error(request, r, &err);
    if (r->method_number == M_POST)
        return end_all(request, r, user, sub);
    if (!user)
        rc = KC_FAIL(&err, KC_REFUSED, KC_ERR_FORM, "sessions are listed by user");
    else
        rc = kc_session_index_list(request->server->rp, user, r->pool, &entries, &is_partial, &err);
    return rc == KC_OK ? akc_respond_json(r, HTTP_OK, list_json(request, r, entries, is_partial))
                       : akc_respond_error(request, r, &err);
}

/* 1 when no request gets here without a user name. httpd tells that for a request that has none
 * yet. */
static int is_guarded(request_rec *r)
{
    char *user = r->user;
    int is_required;

    r->user = NULL;
    is_required = ap_some_authn_required(r);
    r->user = user;
    return is_required && user && *user;
}

/* Only behind a Require that asks for a user: an address that anybody can reach is never
 * intended. */
int akc_account_operate(request_rec *r)
{
    akc_request_t *request;
    kc_err_t err;

    if (strcmp(r->handler, AKC_ENDPOINTS_SESSIONS) != 0)
        return DECLINED;
    request = akc_request_get(r);
    /* a .htaccess is read after names are translated, and its author is no operator */
    if (!request || !akc_addresses_is_taken(r))
        return HTTP_NOT_FOUND;
    if (is_guarded(r)) {
        kc_caller_t *before = akc_request_enter(request);
        int status = operate(request, r);

        akc_request_leave(request, before);
        return status;
    }
    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_CONFIG,
                  "SetHandler %s in a location without authentication: add AuthType and Require",
                  AKC_ENDPOINTS_SESSIONS);
    return akc_respond_error(request, r, &err);
}

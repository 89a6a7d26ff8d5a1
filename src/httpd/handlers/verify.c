/* Verify: whether a request for the path after <prefix>verify would be let in, without making it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/verify.h"

#include <string.h>

#include "answers.h"
#include "config.h"
#include "request.h"
#include "respond.h"

#include "core/access/access.h"
#include "core/access/decision.h"
#include "core/access/request_class.h"
#include "core/base/path.h"
#include "core/session/step_up.h"

/* 204: there is a session, and AuthType and Require of that path let it in; or the path is public.
 * 401: there is no usable session. 403: there is one, and it is not let in. oidc-authservice
 * answers the same at its VERIFY_AUTH_URL; the answer names the user and groups in the same way. */

static const char name[] = "verify";

/* The path and query after the module's own address, as the client wrote them. NULL: the client
 * wrote that address in another spelling. */
static const char *checked_target(const akc_request_t *request, const request_rec *r)
{
    const char *prefix = request->server->conf->prefix, *rest = r->unparsed_uri;

    if (strncmp(rest, prefix, strlen(prefix)) != 0)
        return NULL;
    rest += strlen(prefix);
    if (strncmp(rest, name, strlen(name)) != 0)
        return NULL;
    rest += strlen(name);
    if (!*rest || *rest == '?')
        return "/";
    return *rest == '/' ? rest : NULL;
}

/* 1 when httpd has read the target in the same way as in this address, so that the checked path is
 * the one that was asked about. */
static int is_same(const akc_request_t *request, const request_rec *r, const request_rec *sub)
{
    const char *path = r->uri + strlen(request->server->conf->prefix) + strlen(name);

    return sub->uri && strcmp(sub->uri, *path ? path : "/") == 0;
}

static int is_public(const akc_request_t *request, const request_rec *sub)
{
    const char *type = ap_auth_type((request_rec *)sub);

    return type && strcasecmp(type, AKC_AUTH_TYPE) == 0 &&
           kc_path_is_public(sub->uri, sub->unparsed_uri, request->server->conf->public_paths);
}

static int refuse(akc_request_t *request, request_rec *r, kc_reason_t reason, const char *why)
{
    kc_err_t err;

    (void)KC_FAIL(&err, KC_REFUSED, reason, "%s", why);
    return akc_respond_error(request, r, &err);
}

static int let_in(akc_request_t *request, request_rec *r)
{
    akc_answers_are_for_nobody(request, r);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    r->status = HTTP_NO_CONTENT;
    return DONE;
}

static int let_in_as(akc_request_t *request, request_rec *r)
{
    const kc_conf_t *conf = request->server->conf;

    apr_table_set(r->headers_out, conf->user_header, request->access.session.user);
    apr_table_set(r->headers_out, conf->groups_header, request->access.session.groups);
    return let_in(request, r);
}

static int decide(akc_request_t *request, request_rec *r, request_rec *sub)
{
    const kc_access_location_t location = {.step_up = kc_step_up_required(akc_config_dir(sub)),
                                           .kind = KC_REQUEST_CLASS_API};
    int is_open = sub->status < HTTP_BAD_REQUEST;
    kc_access_answer_t decided;

    if (!is_same(request, r, sub) || sub->status == HTTP_BAD_REQUEST)
        return refuse(request, r, KC_ERR_FORBIDDEN, "the path behind it is not what it says");
    if (is_open && is_public(request, sub))
        return let_in(request, r);
    decided = akc_request_check(request, r, &location);
    switch (decided.decision) {
    case KC_DECISION_ALLOW:
        if (is_open)
            return let_in_as(request, r);
        return refuse(request, r, KC_ERR_FORBIDDEN, "the path behind it is not open to them");
    case KC_DECISION_DENY:
        return akc_respond_denial(request, r, decided.state);
    default:
        return akc_respond_error(request, r, &request->access.err);
    }
}

int akc_verify_here(akc_request_t *request, request_rec *r)
{
    const char *target;
    request_rec *sub;
    int status;

    request->wants_json = 1;
    request->access.is_no_use = 1;
    if (r->method_number != M_GET)
        return akc_respond_method(request, r, "GET, HEAD");
    target = kc_path_is_plain(r->unparsed_uri) ? checked_target(request, r) : NULL;
    if (!target)
        return refuse(request, r, KC_ERR_FORBIDDEN, "the path behind it is not written plainly");
    sub = ap_sub_req_method_uri("GET", target, r, NULL);
    status = decide(request, r, sub);
    ap_destroy_sub_req(sub);
    return status;
}

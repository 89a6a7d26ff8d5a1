/* One call for one decision about a request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access/access.h"

#include <string.h>
#include <strings.h>

#include "access/bearer.h"
#include "base/path.h"
#include "session/refresh.h"
#include "session/session_cookie.h"

/* ---------------------------------------------------------------- find */

void kc_access_settle(kc_access_t *access)
{
    if (!access->has_settled)
        access->cookies =
            kc_session_cookie_settle(access->rp, access->is_https, access->cookies, access->pool);
    access->has_settled = 1;
}

/* A value that cannot be a session's id is never a use of one: its path is not compared. */
static int is_use(const kc_access_t *access, kc_bytes_t cookie)
{
    const apr_array_header_t *ignored = access->rp->conf->idle_ignore;

    return cookie.len == KC_SESSION_ID_TEXT && !access->is_no_use &&
           (!ignored || !kc_path_is_matched(access->path, ignored));
}

static void find_by_cookie(kc_access_t *access)
{
    const kc_rp_t *rp = access->rp;
    kc_bytes_t cookie = kc_session_cookie_find(rp, access->is_https, access->cookies);

    if (!cookie.data) {
        kc_access_settle(access);
        cookie = kc_session_cookie_find(rp, access->is_https, access->cookies);
    }
    access->state = (is_use(access, cookie) ? kc_session_find : kc_session_peek)(
        rp, cookie, access->pool, &access->session, &access->err);
}

/* A bearer token takes precedence: if it is bad, the cookie is not tried. 0: there is none. */
static int find_by_bearer(kc_access_t *access)
{
    if (!access->rp->conf->bearer || !access->authorization)
        return 0;
    switch (kc_bearer_read(access->authorization, &access->bearer, &access->err)) {
    case KC_OK:
        access->state = kc_bearer_find(access->rp, access->bearer, access->pool, &access->session,
                                       &access->err);
        return 1;
    case KC_MISS:
        return 0;
    default:
        kc_metrics_add(access->rp->env->metrics,
                       KC_METRICS_CELL(bearer_tokens, KC_METRICS_REFUSED, access->err.reason, 0),
                       1);
        access->bearer = kc_buf_text("");
        access->state = KC_SESSION_REFUSED;
        kc_bearer_tell_refusal(access->rp, NULL, NULL, access->err.reason);
        return 1;
    }
}

static void find(kc_access_t *access)
{
    if (access->has_looked)
        return;
    if (!find_by_bearer(access))
        find_by_cookie(access);
    access->has_looked = 1;
}

/* ---------------------------------------------------------------- renew */

/* A sign-in or sign-out takes the session as it is. */
static int is_to_renew(const kc_access_location_t *location)
{
    return location->header || (location->kind != KC_REQUEST_CLASS_CALLBACK &&
                                location->kind != KC_REQUEST_CLASS_LOGOUT);
}

/* 1 when it failed now. A session that was stale and stays so is logged with the answer to the
 * request. */
static int renew(kc_access_t *access)
{
    kc_session_state_t found = access->state;

    if (access->has_renewed || (found != KC_SESSION_LIVE && found != KC_SESSION_STALE))
        return 0;
    access->has_renewed = 1;
    if (found == KC_SESSION_LIVE)
        access->err.reason = KC_ERR_NONE; /* by a view, while the store does not answer */
    access->state = kc_refresh_session(found, &access->session, access->pool, &access->err);
    return access->err.reason && (found == KC_SESSION_LIVE || access->state != found);
}

/* ---------------------------------------------------------------- meet what is required */

static int is_met(const kc_access_t *access, const kc_step_up_t *step_up)
{
    const kc_rp_t *rp = access->rp;
    const kc_session_t *session = &access->session;

    return kc_step_up_is_none(step_up) ||
           kc_step_up_is_met(step_up, session->acr, session->auth_time,
                             rp->env->now(rp->env->context), rp->conf->clock_skew);
}

static kc_session_state_t state_at(const kc_access_t *access, const kc_access_location_t *location)
{
    if (access->state != KC_SESSION_LIVE ||
        (access->session.created >= location->not_before && is_met(access, &location->step_up)))
        return access->state;
    return KC_SESSION_WEAK;
}

/* ---------------------------------------------------------------- decide */

static kc_request_class_t class_at(const kc_access_t *access, const kc_access_location_t *location)
{
    int unauth = location->unauth;

    if (kc_access_is_bearer(access) && unauth != KC_UNAUTH_PASS)
        unauth = KC_UNAUTH_401;
    if (unauth == KC_UNAUTH_PASS)
        return KC_REQUEST_CLASS_OPTIONAL;
    if (location->is_subrequest)
        return KC_REQUEST_CLASS_SUBREQUEST;
    if (unauth == KC_UNAUTH_LOGIN)
        return KC_REQUEST_CLASS_NAVIGATION;
    if (unauth == KC_UNAUTH_401)
        return KC_REQUEST_CLASS_API;
    return kc_request_class_read(location->method, location->header, location->context);
}

/* A link on another site. With SameSite=Strict the browser does not send the cookie, so that it
 * is not known whether there is a session. A page of this module makes it ask again; a gateway
 * would read that page as "allowed". */
static int is_cross_site_link(const kc_access_t *access, const kc_access_location_t *location)
{
    const kc_conf_t *conf = access->rp->conf;
    const char *site;

    if (!location->is_page_get || conf->cookie_same_site != KC_SAME_SITE_STRICT ||
        conf->judge_for != KC_JUDGE_ENVOY)
        return 0;
    site = location->header(location->context, "Sec-Fetch-Site");
    return site && strcasecmp(site, "cross-site") == 0;
}

static kc_decision_t decide(const kc_access_t *access, const kc_access_location_t *location,
                            kc_session_state_t state)
{
    kc_decision_t decision;

    if (!location->header)
        return kc_decision_of(state, location->kind);
    if (kc_decision_is_settled(state))
        return kc_decision_of(state, KC_REQUEST_CLASS_NAVIGATION);
    decision = kc_decision_of(state, class_at(access, location));
    if (decision == KC_DECISION_LOGIN && state == KC_SESSION_NONE &&
        is_cross_site_link(access, location))
        return KC_DECISION_ASK_AGAIN;
    return decision;
}

/* ---------------------------------------------------------------- all of it */

/* The first decision about a request is the one that its client sees, or nearly always. */
static void count(kc_access_t *access, const kc_access_answer_t *answer)
{
    if (access->is_counted)
        return;
    access->is_counted = 1;
    kc_metrics_add(access->rp->env->metrics,
                   KC_METRICS_CELL(requests, answer->state, answer->decision, 0), 1);
}

kc_access_answer_t kc_access_check(kc_access_t *access, const kc_access_location_t *location)
{
    kc_access_answer_t answer;

    find(access);
    answer.has_failed_renewal = is_to_renew(location) && renew(access);
    answer.state = state_at(access, location);
    answer.decision = decide(access, location, answer.state);
    count(access, &answer);
    return answer;
}

int kc_access_is_signed_in(const kc_access_t *access, const kc_step_up_t *step_up)
{
    return access->has_looked && access->state == KC_SESSION_LIVE && is_met(access, step_up);
}

kc_authz_answer_t kc_access_ask(const kc_access_t *access, const kc_step_up_t *step_up,
                                const char *user, const kc_authz_rule_t *rule, apr_pool_t *pool)
{
    if (access && kc_access_is_signed_in(access, step_up))
        return kc_authz_ask(rule, &access->session, pool);
    return *user ? KC_AUTHZ_UNKNOWN : KC_AUTHZ_UNMET;
}

int kc_access_is_bearer(const kc_access_t *access)
{
    return access->bearer.data != NULL;
}

/* One call for one decision: finds a request's session, renews it, holds it against what the
 * location requires, and decides. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_ACCESS_H
#define KC_ACCESS_H

#include <apr_pools.h>
#include <stdint.h>

#include "access/authz.h"
#include "access/decision.h"
#include "access/request_class.h"
#include "base/buf.h"
#include "base/err.h"
#include "rp.h"
#include "session/session.h"
#include "session/step_up.h"

/* A request and its session, from the request's first check to its last: subrequests and internal
 * redirects share one. The session is looked up once, and renewed at most once. All zeros at first,
 * in the request's memory; used by one thread at a time. */
typedef struct kc_access_t {
    /* What the caller knows of the request, set before the first call. */
    const kc_rp_t *rp;
    apr_pool_t *pool;          /* the request's: what is found lives as long */
    const char *path;          /* without a query; it is matched against KeycloakIdleIgnore */
    const char *cookies;       /* the Cookie header or NULL; see kc_access_settle */
    const char *authorization; /* the Authorization header; NULL: no bearer token counts here */
    int is_https;              /* the browser speaks https: it decides the cookie's name */
    int is_no_use;             /* the request does not count as activity of its session */
    /* What the calls have found. */
    int has_settled; /* kc_access_settle was called */
    int has_looked;  /* state, session and err are filled */
    int has_renewed; /* and the tokens were renewed, if that was due */
    int is_counted;  /* its first decision, for the metrics */
    /* The token that the request is decided by. NULL data: none; "": a bad one. */
    kc_bytes_t bearer;
    kc_session_state_t state; /* of the session, whatever a location requires */
    kc_session_t session;     /* when LIVE or STALE */
    kc_err_t err;             /* why there is no live session, or why it was not renewed */
} kc_access_t;

/* The location that a request is for. */
typedef struct kc_access_location_t {
    kc_step_up_t step_up; /* what it requires of the sign-in */
    int64_t not_before; /* seconds since 1970: a session that began earlier is too weak; 0: none */
    /* An address of ours: header is NULL, and kind says what the request is. */
    kc_request_class_t kind;
    /* A page or a backend: the request is classified by these. */
    kc_request_class_header_t header; /* asked only when the state alone does not decide */
    void *context;                    /* of header */
    const char *method;
    int unauth;        /* KC_UNAUTH_…, as KeycloakUnauth says there */
    int is_subrequest; /* httpd makes it for another request */
    int is_page_get;   /* a GET whose answer has a body: the browser can be made to ask again */
} kc_access_location_t;

/* Small: it is returned by value. */
typedef struct kc_access_answer_t {
    kc_decision_t decision;
    kc_session_state_t state; /* at the location: WEAK when it requires more of a live session */
    /* This call could not renew the tokens. The caller logs why (err), and whether the session
     * continues (access->state is LIVE). */
    int has_failed_renewal;
} kc_access_answer_t;

/* Does in this order:
 *   - finds the session: the bearer token's, good or bad, when there is one and KeycloakBearer
 *     accepts it; else the cookie's;
 *   - renews its tokens when that is due;
 *   - compares it with the location's requirements;
 *   - decides by the table (decision.h).
 *
 * A request that wants to sign in or out (KC_REQUEST_CLASS_CALLBACK, _LOGOUT) renews nothing: it
 * uses the session as it is. Waits and failures are those of kc_session_find, kc_bearer_find and
 * kc_refresh_session. Cannot fail itself: what is not known ends in KC_DECISION_UNAVAILABLE, with
 * the reason in access->err. Adds little to the instructions of a signed-in request. */
kc_access_answer_t kc_access_check(kc_access_t *access, const kc_access_location_t *location);

/* 1 when a live session was found that meets the requirement. Looks nothing up: 0 before the first
 * check, as on public paths. */
int kc_access_is_signed_in(const kc_access_t *access, const kc_step_up_t *step_up);
/* Whether the request meets a Require line at a location with this requirement (kc_authz_ask).
 * Looks no session up. Without a session that meets the requirement, the roles of a user are
 * unknown: another module has named them. An anonymous request (user is "") has no roles. access
 * may be NULL: the module is off. Thread safe as far as pool, the request's, is. */
kc_authz_answer_t kc_access_ask(const kc_access_t *access, const kc_step_up_t *step_up,
                                const char *user, const kc_authz_rule_t *rule, apr_pool_t *pool);
/* 1 when the request is decided by a bearer token: such a client is never sent to a sign-in. */
int kc_access_is_bearer(const kc_access_t *access);
/* Leaves one cookie of the session's name at most in access->cookies, if it can be told which is
 * the right one (kc_session_cookie_settle). Once for a request. A check does so when it has to. */
void kc_access_settle(kc_access_t *access);

#endif

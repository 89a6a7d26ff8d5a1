/* What the files of the glue have in common: a server's state, a request's state, and the hooks.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MOD_AUTH_KEYCLOAK_H
#define MOD_AUTH_KEYCLOAK_H

#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

/* httpd's functions in place of its macros: a dozen conditions at each log line, none of them ours.
 */
#undef ap_get_conn_module_loglevel
#undef ap_get_request_module_loglevel
#undef ap_get_server_module_loglevel
/* In place of APLOG_USE_MODULE in each file, whose index may be that of no module. */
#undef APLOG_MODULE_INDEX
#define APLOG_MODULE_INDEX (auth_keycloak_module.module_index)

#include "core/base/cache_control.h"
#include "core/conf/conf.h"
#include "core/login/demand.h"
#include "core/env.h"
#include "core/base/err.h"
#include "core/access/flow.h"
#include "core/base/json.h"
#include "core/login/login.h"
#include "core/rp.h"
#include "core/session/session.h"
#include "core/store/store_clock.h"
#include "core/base/url.h"

extern module AP_MODULE_DECLARE_DATA auth_keycloak_module;

#define AKC_AUTH_TYPE "Keycloak"

/* A server or virtual host. Frozen after start; env is filled in each child, before its threads. */
typedef struct akc_server_t {
    kc_conf_t *conf;
    server_rec *server;
    int is_named;           /* a ServerName says what the host is called */
    kc_rp_t *rp;            /* NULL: no KeycloakIssuer, the module is off here */
    const char *public_url; /* origin that browsers use; NULL: derive it from the request */
    /* What clients and backends may not say here: the names of all servers of the process, where
     * any has a KeycloakIssuer; else NULL. */
    apr_array_header_t *guarded; /* const char *, folded names of identity headers */
    apr_uint32_t initials;       /* theirs, a bit each (export.c) */
    const char *const *cookies;  /* names and patterns, for kc_cookie_strip */
    size_t cookie_count;
    apr_array_header_t *trusted; /* apr_ipsubnet_t *, peers whose X-Forwarded-* count */
    apr_array_header_t
        *foreign;         /* const char *, identity headers of other servers alone, or NULL */
    const char *removals; /* headers that a gateway is told to take out (judge.c) */
    const char *removals_and_cookie;
    kc_breaker_t *breakers;          /* shared by the children, one for each memcached server */
    kc_store_clock_shared_t *clocks; /* the same for the watchdog, who compares clocks */
    kc_store_clock_t *clock;         /* the child's; NULL: no memcached */
    kc_env_t env;
    kc_resolver_t *resolver; /* of all servers of the child */
    kc_http_t *background;   /* the watchdog's own way to Keycloak, the child's */
    kc_http_t *probing;      /* the probes' own, with a shorter deadline */
} akc_server_t;

/* Where a request stands among those that end with their session (streams.c). All zeros at first;
 * from akc_streams_enter on guarded by the lock there. */
typedef struct akc_stream_t {
    struct akc_stream_t *next; /* NULL: in no ring any more, or not yet */
    struct akc_stream_t *previous;
    apr_uint64_t serial; /* 0: never was in the ring */
    int64_t refresh_at;  /* of the session's tokens, once they were looked after here; else 0 */
    const kc_session_t *session;
    server_rec *server;
    const char *uri;
    apr_socket_t *socket; /* the client's; NULL when is_cut is there */
    apr_uint32_t *is_cut; /* HTTP/2: the request's filters let nothing more through */
} akc_stream_t;

/* A request, from its first internal state to its last: subrequests and internal redirects share
 * the one of the request that the client made. */
typedef struct akc_request_t {
    akc_server_t *server;
    request_rec *first;         /* the request that the client made */
    const request_rec *unasked; /* a Require that excludes was met by nobody so far */
    const request_rec *doubted; /* one excludes by what is not known of this person */
    const char *cookies;        /* the Cookie header as the client sent it */
    const char *authorization;  /* the same of Authorization, where that matters; else NULL */
    const char *hidden_token;   /* the same while httpd logs the headers (traces.c); else NULL */
    const char *query;        /* of a callback; taken out of the request so that no log shows it */
    const char *id;           /* for the log and the error page; NULL until asked for */
    kc_login_client_t client; /* public_url is NULL until it was asked for */
    kc_session_state_t state;
    kc_session_t session;
    kc_err_t err;      /* why there is no session */
    kc_bytes_t bearer; /* the token that it is judged by, maybe a bad one; NULL data: none */
    int is_decided;    /* our check has let this request itself in, with a name or without */
    int is_allowed;    /* the judge has said yes */
    int is_no_use;     /* the session is looked at without being used; set it before that */
    int wants_json;    /* it has a script's answers, whatever it looks like */
    int has_settled;   /* cookies has one session's cookie at most, if it can be told which */
    int has_looked;    /* state, session and err are filled */
    int has_renewed;   /* and it was seen to that its tokens are new enough */
    int has_read;      /* its body, to the end */
    int has_cookies;   /* cookies of ours are set in the answer, and none but ours */
    kc_cache_control_audience_t audience; /* of what is answered to it (answers.c) */
    akc_stream_t stream;
} akc_request_t;

/* config.c */
void *akc_config_create_server(apr_pool_t *pool, server_rec *server);
void *akc_config_merge_server(apr_pool_t *pool, void *base, void *add);
void *akc_config_create_dir(apr_pool_t *pool, char *path);
void *akc_config_merge_dir(apr_pool_t *pool, void *base, void *add);
extern const command_rec akc_config_commands[];
akc_server_t *akc_config_server(server_rec *server);
const kc_conf_dir_t *akc_config_dir(const request_rec *r);

/* lifecycle.c: start of the server and of its children */
/* httpd -t: what is checked is all that happens, so that all warnings are told then. Else they are
 * told when the server starts: one that goes to the background has no log when it checks. */
int akc_lifecycle_is_test(void);
/* httpd reads its configuration twice when it starts, and warns once: not in the trial run. */
int akc_lifecycle_is_trial(void);
int akc_lifecycle_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_lifecycle_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
void akc_lifecycle_child(apr_pool_t *pchild, server_rec *main);

/* backchannel.c: ways to Keycloak by the settings of a server */

/* A quarter of a child's threads may be in it at once, and so many eighths wait for that while it
 * moves; the rest goes on serving. In pool. */
kc_http_gate_t *akc_backchannel_gate(uint32_t queue_eighths, apr_pool_t *pool);
/* A back channel by the server's settings; as kc_http_curl_create. Of the limits gate, stop and
 * timeout_ms count (0: KeycloakHTTPTimeout). */
kc_rc_t akc_backchannel_create(const akc_server_t *config, const kc_http_curl_options_t *limits,
                               apr_pool_t *pool, kc_http_t **out, kc_err_t *err);

/* process.c: what all servers of the process have to keep, those without KeycloakIssuer too */
/* 1 when a server has a KeycloakIssuer. */
int akc_process_has_issuer(server_rec *main);
/* At start: the line of a directive of servers that counts for this one, its own or that of the
 * main server; NULL: there is none. */
const ap_directive_t *akc_process_directive(const server_rec *server, const char *name);
int akc_process_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_process_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
/* At start, when the servers with KeycloakIssuer have their rp: tells each server which headers and
 * cookies are ours. */
void akc_process_prepare(apr_pool_t *pconf, server_rec *main);

/* watchdog.c: what is done in the background of each child, in a thread of mod_watchdog's */

/* At start: has mod_watchdog call us in each child, or says that it cannot. */
void akc_watchdog_start(apr_pool_t *pconf, server_rec *main);
/* In a child, before mod_watchdog's threads are there, for each server. */
kc_rc_t akc_watchdog_child(akc_server_t *config, apr_pool_t *pchild, kc_err_t *err);

/* health.c: SetHandler keycloak-health, for probes of readiness */

/* At start, once there is a server with KeycloakIssuer. KC_FAULT: no shared memory. */
kc_rc_t akc_health_start(apr_pool_t *pconf, kc_err_t *err);
/* In a child, for each server. */
kc_rc_t akc_health_child(akc_server_t *config, apr_pool_t *pchild, kc_err_t *err);
int akc_health_handle(request_rec *r);

/* streams.c: what was opened with a session is closed when it ends */

/* Two filters, by their common name, for requests over HTTP/2. */
#define AKC_STREAMS_FILTER "AUTH_KEYCLOAK_STREAM"
void akc_streams_register(apr_pool_t *pool);
/* In a child whose servers have KeycloakCloseStreams: starts the thread that looks after them, and
 * ends it with pchild. KC_FAULT: it cannot be started. */
kc_rc_t akc_streams_child(apr_pool_t *pchild, kc_err_t *err);
/* Not 0 once this child has waited in vain for the thread: its exchanges have to be given up. */
const apr_uint32_t *akc_streams_given_up(void);
/* A request goes on with its session, which nobody may change from now on. Once for each request of
 * the client's; cheap: every request with a session comes by. */
void akc_streams_enter(akc_request_t *request);

/* request.c: what is known of a request */

/* NULL when the module is off for the request's server. */
akc_request_t *akc_request_get(request_rec *r);
/* The path of the request that the client made, as httpd has it now; "" when httpd could not read
 * its request line. Never NULL. */
const char *akc_request_path(const akc_request_t *request);
/* 1 when the browser uses https. Cheap: every request asks. */
int akc_request_is_https(const akc_request_t *request, request_rec *r);
/* 1 when the peer is one of KeycloakTrustedProxy. */
int akc_request_is_trusted(const akc_request_t *request, const request_rec *r);
/* The browser and the address it uses. */
const kc_login_client_t *akc_request_client(akc_request_t *request, request_rec *r);
/* The session, looked up once: that of its bearer token where it has one and KeycloakBearer takes
 * it, good or bad; else that of its cookie. */
kc_session_state_t akc_request_session(akc_request_t *request, request_rec *r);
/* The same, its tokens renewed if it is time. */
kc_session_state_t akc_request_renewed_session(akc_request_t *request, request_rec *r);
/* What was found, as a place with this demand sees it: a live session that does not meet it is
 * weak.
 */
kc_session_state_t akc_request_judge(const akc_request_t *request, const kc_demand_t *demand);
/* 1 when it is judged by a bearer token: such a client never is sent to a sign-in. */
int akc_request_is_bearer(const akc_request_t *request);
/* 1 when a live session was found, and it does for the place that r is for. */
int akc_request_is_signed_in(const akc_request_t *request, const request_rec *r);
/* 1 for an API call, 0 for a page (kc_flow_kind), as if it had this method. */
int akc_request_is_api(request_rec *r, const char *method);
/* 1 when a browser asks ahead of time, for what its person may never open. */
int akc_request_is_prefetch(request_rec *r);
/* Who has made the browser send it (kc_flow_source, hosts as there); a prefetch is nobody's wish.
 */
kc_flow_source_t akc_request_source(akc_request_t *request, request_rec *r,
                                    const apr_array_header_t *hosts);
/* 1 when the client has announced a body. */
int akc_request_has_body(const request_rec *r);
/* An id to find the request in the log by. */
const char *akc_request_id(akc_request_t *request, request_rec *r);

/* body.c: a form, from whom it comes and how long it may take */
typedef enum {
    AKC_BODY_PROVIDER, /* the provider's, or of somebody who pretends to be it */
    AKC_BODY_STRANGER, /* anybody's */
    AKC_BODY_KNOWN     /* of a person with a session, or an operator */
} akc_body_from_t;
/* Once in each child. */
void akc_body_child(void);
/* The body of a POST that is a form (application/x-www-form-urlencoded), up to KC_URL_FORM_MAX
 * bytes, with a NUL that is not counted. KC_REFUSED with KC_ERR_FORM, also when it takes too long;
 * KC_DOWN with KC_ERR_FORM_BUSY when it is slow while others wait to be read. */
kc_rc_t akc_body_form(request_rec *r, akc_body_from_t from, const char **form, size_t *len,
                      kc_err_t *err);

/* export.c: what the client may not say, and what the backend is told */

/* At start: clients may not send this header to the server, however it is spelled. guarded is
 * there. */
void akc_export_guard(akc_server_t *server, const char *name, apr_pool_t *pool);
int akc_export_scrub(request_rec *r);
/* The hook for error pages: what no log is to show is taken out of a request that was refused
 * early.
 */
void akc_export_hide(request_rec *r);
void akc_export_identity(akc_request_t *request, request_rec *r);
/* Takes back what r has of it from the request that it was made for. */
void akc_export_withdraw(akc_request_t *request, request_rec *r);

/* answers.c: what is for one person stays out of shared caches, and backends set no cookies of ours
 */

/* At start, when all modules are there. */
void akc_answers_start(void);
/* From now on what is answered to the request is for whoever has sent it: shared caches are told
 * not to keep it, unless the answer itself says "public". Cheap: every request with a session comes
 * by. */
void akc_answers_are_for_one(akc_request_t *request, request_rec *r);
/* No cache keeps what is answered to the request. */
void akc_answers_are_for_nobody(akc_request_t *request, request_rec *r);
/* Takes cookies that are named like ours, and what clears all cookies, out of what is to be
 * answered. */
void akc_answers_drop_cookies(request_rec *r);
/* Logs that a cookie named like ours was taken out of what is answered to the request. */
void akc_answers_tell(request_rec *r);
void akc_answers_register(apr_pool_t *pool);

/* interim.c: no backend sets cookies of ours before its answer, or by an upgrade */

/* From now on, until akc_interim_end or the request's end, takes cookies of ours out of what is
 * sent past the request's filters. Again for the same request, which may have become another one:
 * no harm. Cheap: every request comes by. */
void akc_interim_watch(request_rec *r);
/* Before the handler, for a request that is watched: the answer itself is sent past its filters. */
void akc_interim_watch_answer(request_rec *r);
/* The answer itself is there, or a protocol of its own. Cheap: every request comes by. */
void akc_interim_end(conn_rec *c);
void akc_interim_register(apr_pool_t *pool);

/* traces.c: httpd's own log lines, at levels that show a request's headers */

/* At start. */
void akc_traces_start(void);
/* A hook: before the request line is read. */
void akc_traces_before_line(request_rec *r, conn_rec *c);
/* When its headers are read, and a callback's query is taken out of it. */
void akc_traces_behind_line(request_rec *r);
/* Takes Authorization out of the request, where httpd would log it; and a hook that puts it back.
 */
void akc_traces_hide_token(akc_request_t *request, request_rec *r);
int akc_traces_behind_headers(request_rec *r, int lookup);
/* The headers of this answer are not logged from here on. */
void akc_traces_hide_answer(request_rec *r);

/* check_authn.c */
int akc_check_authn_access(request_rec *r);
int akc_check_authn_user(request_rec *r);
/* A hook, behind the check: who passed without a name has none from here on. */
int akc_check_authn_forget(request_rec *r);
/* 1 where nobody is asked: our own addresses and public paths. */
int akc_check_authn_is_open(const akc_request_t *request, request_rec *r);
/* 1 when this request is let in by our check, which was asked who it is of: with a session, by
 * KeycloakPublicPath or by KeycloakUnauth pass. 0 where httpd has let it in without asking. */
int akc_check_authn_has_decided(const akc_request_t *request, request_rec *r);
int akc_check_authn_note(request_rec *r, const char *auth_type);
/* 401 with the reason why there is no live session in this state. */
int akc_check_authn_deny(akc_request_t *request, request_rec *r, kc_session_state_t state);
/* The log line of it, for a page that goes to the sign-in instead. */
void akc_check_authn_log(akc_request_t *request, request_rec *r, kc_session_state_t state);

/* endpoints.c: what lives under KeycloakPrefix */
int akc_endpoints_is_ours(const akc_server_t *server, const request_rec *r);
/* 1 where a session's cookie alone counts: what changes or begins sessions. */
int akc_endpoints_is_by_cookie(const akc_server_t *server, const char *path);
int akc_endpoints_is_callback(const akc_server_t *server, const char *path);
int akc_endpoints_translate(request_rec *r);
int akc_endpoints_map(request_rec *r);
/* What SetHandler says for the place, as far as it is one of ours; NULL: nothing. */
const char *akc_endpoints_configured(request_rec *r);
/* 1 when akc_endpoints_translate has taken it, by the server's own settings alone. */
int akc_endpoints_is_taken(const request_rec *r);
int akc_endpoints_handle(request_rec *r);

/* Handlers that SetHandler may name. */
#define AKC_ENDPOINTS_SESSIONS "keycloak-sessions"
#define AKC_ENDPOINTS_JUDGE "keycloak-judge"
#define AKC_ENDPOINTS_HEALTH "keycloak-health"

/* judge.c: SetHandler keycloak-judge, for a gateway that asks about each of its requests (Envoy's
 * ext_authz) */

/* 1 where that is configured, also at our own addresses there. */
int akc_judge_is_place(request_rec *r);
/* At start: makes what depends on the configuration alone, from pool. foreign is there. */
void akc_judge_prepare(akc_server_t *server, apr_pool_t *pool);
int akc_judge_handle(request_rec *r);
/* 1 when path and query, as a client wrote them, can be read in one way only: a proxy hands on the
 * path that it has judged, a gateway what the client wrote. */
int akc_judge_is_plain(const char *uri);
/* 1 for "OPTIONS *" where a judge would answer for "/": httpd itself would say 200 to it, which
 * lies in no place. */
int akc_judge_is_asked_for_star(request_rec *r);
/* 1 when an address of ours has been answered: what needs a body, which a gateway does not send
 * along, has to go on to where it is handled. */
int akc_judge_passes(akc_request_t *request, request_rec *r);

/* forward.c: KeycloakJudgeFor nginx and forwarded, where headers say what is judged */

/* 1 when the request's server has one of them; the second one: nginx. */
int akc_forward_is_on(const akc_request_t *request);
int akc_forward_is_nginx(const akc_request_t *request);
/* Puts the judged request in the place of the gateway's own, before anybody has looked at it. OK,
 * or the status to refuse it with: it is not of a trusted peer, or not to be understood. */
int akc_forward_take(akc_request_t *request, request_rec *r);
/* 1 when the place of r has no judge, but its server is for questions alone. */
int akc_forward_refuses(request_rec *r);
/* Tells the gateway where a page's person signs in. */
void akc_forward_point_to_login(akc_request_t *request, request_rec *r, const kc_demand_t *demand);
/* Sees to it that nothing but the judge's yes leaves as one. Also the hook for error pages. */
void akc_forward_watch(request_rec *r);
void akc_forward_register(apr_pool_t *pool);

/* neighbours.c: at start, what else is where a judge answers */
int akc_neighbours_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_neighbours_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);

/* guards.c: at start, what is open although it looks closed */
int akc_guards_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_guards_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);

/* 405; allowed: the methods that it names in Allow. */
int akc_endpoints_refuse_method(akc_request_t *request, request_rec *r, const char *allowed);

/* What answers there. Each writes the whole response and returns DONE. */

/* signin.c */
int akc_signin_callback(akc_request_t *request, request_rec *r);
int akc_signin_login(akc_request_t *request, request_rec *r);

/* account.c: what a signed-in person may know and do about their sessions */
int akc_account_whoami(akc_request_t *request, request_rec *r);
int akc_account_sessions(akc_request_t *request, request_rec *r);
/* SetHandler keycloak-sessions: the same for an operator, about anybody's. */
int akc_account_operate(request_rec *r);

/* verify.c: whether a request for the path behind <prefix>verify would be let in */
int akc_verify_here(akc_request_t *request, request_rec *r);

/* logout.c */

/* 1 when what the request is to change is the wish of a person at a page of this site. */
int akc_logout_is_wanted(akc_request_t *request, request_rec *r);
/* 403: another site's page has sent it. */
int akc_logout_refuse(akc_request_t *request, request_rec *r);
/* Signs out and answers; session: the request's, or NULL. return_url as of kc_logout_begin. */
int akc_logout_end(akc_request_t *request, request_rec *r, const kc_session_t *session,
                   const char *return_url);
int akc_logout_here(akc_request_t *request, request_rec *r);
int akc_logout_backchannel(akc_request_t *request, request_rec *r);
int akc_logout_frontchannel(akc_request_t *request, request_rec *r);

/* require.c: Require keycloak-… */
void akc_require_register(apr_pool_t *pool);
/* 1 when the configuration has a Require keycloak-claim. */
int akc_require_asks_claims(void);
/* Tells a server's relying party (config->rp) what its lines ask about: claims, groups, roles. */
void akc_require_tell(const akc_server_t *config, apr_pool_t *pool);
/* 1 when it has one that excludes, by Require not or in <RequireNone>. */
int akc_require_asks_negated(void);
/* The hook that has somebody asked where only lines that exclude depend on who it is. */
int akc_require_force(request_rec *r);

/* respond.c: redirects, pages and JSON. Each writes the whole response and returns DONE. */
int akc_respond_redirect(request_rec *r, int status, const kc_login_answer_t *answer);
/* The same by a page of ours that the browser leaves at once: what it asks for then is asked by
 * this site, and so has its cookies with SameSite=Strict, whoever has led the person here. */
int akc_respond_onward(request_rec *r, const kc_login_answer_t *answer);
int akc_respond_error(akc_request_t *request, request_rec *r, const kc_err_t *err);
/* The log line of it alone. */
void akc_respond_log(akc_request_t *request, request_rec *r, const kc_err_t *err);
int akc_respond_json(request_rec *r, int status, const kc_json_t *json);
/* A page of ours. title and html: HTML, escaped already; forms in it may be sent anywhere. */
int akc_respond_page(request_rec *r, int status, const char *title, const char *html);
/* The whole address that signs in and goes on to page. */
const char *akc_respond_login_url(akc_request_t *request, request_rec *r, const char *page,
                                  const kc_demand_t *demand);
/* 200 with this body; type NULL: with none. */
int akc_respond_plain(request_rec *r, const char *type, const char *body);
/* What the provider itself is told (OpenID Connect Back-Channel Logout 1.0 section 2.8): always
 * JSON, and the log line. */
int akc_respond_refusal(akc_request_t *request, request_rec *r, const kc_err_t *err);
void akc_respond_cookies(request_rec *r, const apr_array_header_t *cookies);
/* Says in the detail of a sign-in that was begun too often why the last one came to nothing. */
void akc_respond_add_cause(kc_err_t *err, const kc_err_t *cause);
/* Begins a sign-in, or says why not. */
int akc_respond_login(akc_request_t *request, request_rec *r, const kc_login_request_t *wanted);
/* Replaces httpd's answer to an unmet Require by our 403 page. */
void akc_respond_forbid(request_rec *r);
void akc_respond_register(apr_pool_t *pool);

#endif

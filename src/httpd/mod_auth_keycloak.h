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

#include "core/conf.h"
#include "core/env.h"
#include "core/err.h"
#include "core/login.h"
#include "core/rp.h"
#include "core/session.h"
#include "core/url.h"

extern module AP_MODULE_DECLARE_DATA auth_keycloak_module;

#define AKC_AUTH_TYPE "Keycloak"

/* A server or virtual host. Frozen after start; env is filled in each child, before its threads. */
typedef struct akc_server_t {
    kc_conf_t *conf;
    server_rec *server;
    kc_rp_t *rp;                 /* NULL: no KeycloakIssuer, the module is off here */
    const char *public_url;      /* origin that browsers use; NULL: derive it from the request */
    apr_array_header_t *guarded; /* const char *, folded names of identity headers */
    apr_array_header_t *trusted; /* apr_ipsubnet_t *, peers whose X-Forwarded-* count */
    kc_breaker_t *breakers;      /* shared by the children, one for each memcached server */
    kc_env_t env;
    kc_http_t *background; /* the watchdog's own way to Keycloak, the child's */
} akc_server_t;

/* A request, from its first internal state to its last: subrequests and internal redirects share
 * the one of the request that the client made. */
typedef struct akc_request_t {
    akc_server_t *server;
    const char *cookies;      /* the Cookie header as the client sent it */
    const char *query;        /* of a callback; taken out of the request so that no log shows it */
    const char *id;           /* for the log and the error page; NULL until asked for */
    kc_login_client_t client; /* public_url is NULL until it was asked for */
    kc_session_state_t state;
    kc_session_t session;
    kc_err_t err;    /* why there is no session */
    int has_looked;  /* state, session and err are filled */
    int has_renewed; /* and it was seen to that its tokens are new enough */
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
int akc_lifecycle_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_lifecycle_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
void akc_lifecycle_child(apr_pool_t *pchild, server_rec *main);
/* A back channel by the server's settings; as kc_http_curl_create. */
kc_rc_t akc_lifecycle_http(const akc_server_t *config, kc_http_gate_t *gate,
                           const apr_uint32_t *stop, apr_pool_t *pool, kc_http_t **out,
                           kc_err_t *err);

/* watchdog.c: what is done in the background of each child, in a thread of mod_watchdog's */

/* At start: has mod_watchdog call us in each child, or says that it cannot. */
void akc_watchdog_start(apr_pool_t *pconf, server_rec *main);
/* In a child, before mod_watchdog's threads are there, for each server. */
kc_rc_t akc_watchdog_child(akc_server_t *config, apr_pool_t *pchild, kc_err_t *err);

/* request.c: what is known of a request */

/* NULL when the module is off for the request's server. */
akc_request_t *akc_request_get(request_rec *r);
/* 1 when the browser uses https. Cheap: every request asks. */
int akc_request_is_https(const akc_request_t *request, request_rec *r);
/* The browser and the address it uses. */
const kc_login_client_t *akc_request_client(akc_request_t *request, request_rec *r);
/* The session, looked up once. */
kc_session_state_t akc_request_session(akc_request_t *request, request_rec *r);
/* The same, its tokens renewed if it is time. */
kc_session_state_t akc_request_renewed_session(akc_request_t *request, request_rec *r);
/* 1 for an API call, 0 for a page (kc_flow_kind), as if it had this method. */
int akc_request_is_api(request_rec *r, const char *method);
/* An id to find the request in the log by. */
const char *akc_request_id(akc_request_t *request, request_rec *r);

/* export.c: what the client may not say, and what the backend is told */
int akc_export_scrub(request_rec *r);
void akc_export_identity(akc_request_t *request, request_rec *r);

/* check_authn.c */
int akc_check_authn_access(request_rec *r);
int akc_check_authn_user(request_rec *r);
int akc_check_authn_note(request_rec *r, const char *auth_type);

/* endpoints.c: what lives under KeycloakPrefix */
int akc_endpoints_is_ours(const akc_server_t *server, const request_rec *r);
int akc_endpoints_is_callback(const akc_server_t *server, const char *path);
int akc_endpoints_translate(request_rec *r);
int akc_endpoints_map(request_rec *r);
int akc_endpoints_handle(request_rec *r);

/* require.c: Require keycloak-… */
void akc_require_register(apr_pool_t *pool);
/* 1 when the configuration has a Require keycloak-claim. */
int akc_require_asks_claims(void);

/* respond.c: redirects, pages and JSON. Each writes the whole response and returns DONE. */
int akc_respond_redirect(request_rec *r, int status, const kc_login_answer_t *answer);
int akc_respond_error(akc_request_t *request, request_rec *r, const kc_err_t *err);
int akc_respond_json(request_rec *r, int status, const kc_json_t *json);
void akc_respond_cookies(request_rec *r, const apr_array_header_t *cookies);
/* Begins a sign-in that leads back to return_url, or says why not. */
int akc_respond_login(akc_request_t *request, request_rec *r, const char *return_url,
                      const kc_login_round_t *round);
/* Replaces httpd's answer to an unmet Require by our 403 page. */
void akc_respond_forbid(request_rec *r);
void akc_respond_register(apr_pool_t *pool);

#endif

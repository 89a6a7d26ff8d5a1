/* Shared by all files of src/httpd: a server's state and a request's state.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_MODULE_H
#define AKC_MODULE_H

#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

/* Uses httpd's functions instead of its macros, which add a dozen conditions to each log line. */
#undef ap_get_conn_module_loglevel
#undef ap_get_request_module_loglevel
#undef ap_get_server_module_loglevel
/* Replaces APLOG_USE_MODULE in each file, which can give the index of no module. */
#undef APLOG_MODULE_INDEX
#define APLOG_MODULE_INDEX (auth_keycloak_module.module_index)

#include "core/access/access.h"
#include "core/base/buf.h"
#include "core/base/cache_control.h"
#include "core/base/caller.h"
#include "core/base/err.h"
#include "core/browser.h"
#include "core/conf/conf.h"
#include "core/env.h"
#include "core/http/http.h"
#include "core/net/breaker.h"
#include "core/net/resolver.h"
#include "core/rp.h"
#include "core/session/session.h"
#include "core/session/session_codec.h"
#include "core/store/store_clock.h"

extern module AP_MODULE_DECLARE_DATA auth_keycloak_module;

#define AKC_AUTH_TYPE "Keycloak"

/* A server or virtual host. Immutable after start; env is filled in each child, before its
 * threads. */
typedef struct akc_server_t {
    kc_conf_t *conf;
    server_rec *server;
    int is_named;           /* a ServerName gives the host's name */
    kc_rp_t *rp;            /* NULL: no KeycloakIssuer, so the module is off here */
    const char *public_url; /* origin that browsers use; NULL: derive it from the request */
    /* Names that clients and backends may not use here. They are those of all servers of the
     * process, when any has a KeycloakIssuer; else NULL. */
    apr_array_header_t *guarded; /* const char *, folded names of identity headers */
    apr_uint32_t initials;       /* of these names, a bit each (export.c) */
    const char *const *cookies;  /* names and patterns, for kc_cookie_strip */
    size_t cookie_count;
    apr_array_header_t *trusted; /* apr_ipsubnet_t *, peers whose X-Forwarded-* count */
    apr_array_header_t
        *foreign;         /* const char *, identity headers that only other servers set, or NULL */
    const char *removals; /* headers that a gateway is told to remove (ext_authz.c) */
    const char *removals_and_cookie;
    int judges_any_path;             /* external authorization with KeycloakJudgePaths any */
    kc_breaker_t *breakers;          /* shared by the children, one for each memcached server */
    kc_store_clock_shared_t *clocks; /* the same for the watchdog, which compares clocks */
    struct akc_audit_t *audit;       /* the audit log; NULL: none (audit.c) */
    int has_caller;                  /* requests are known to the core's effects (caller.h) */
    kc_store_clock_t *clock;         /* the child's; NULL: no memcached */
    kc_env_t env;
    kc_resolver_t *resolver; /* of all servers of the child */
    kc_http_t *background;   /* the watchdog's own connection to Keycloak, for this child */
    kc_http_t *probing;      /* the probes' own, with a shorter deadline */
} akc_server_t;

/* A request's node in the ring of requests that end with their session (streams.c). All zeros at
 * first; after akc_streams_enter protected by the lock there. */
typedef struct akc_stream_t {
    struct akc_stream_t *next; /* NULL: not in the ring (any more) */
    struct akc_stream_t *previous;
    apr_uint64_t serial; /* 0: never was in the ring */
    int64_t refresh_at;  /* when the session's tokens are due for renewal, once streams.c has
                            renewed them; else 0 */
    const kc_session_t *session;
    server_rec *server;
    const char *uri;
    apr_socket_t *socket; /* the client's; NULL when is_cut is set */
    apr_uint32_t *is_cut; /* HTTP/2: not 0 when the request's filters let nothing more through */
} akc_stream_t;

/* A request, from its first internal state to its last. Subrequests and internal redirects share
 * the record of the request that the client made. */
typedef struct akc_request_t {
    akc_server_t *server;
    request_rec *first;         /* the request that the client made */
    const request_rec *unasked; /* a Require that excludes met a request without a user */
    const request_rec *doubted; /* a Require excludes by lists that are not known of this user */
    const char *authorization;  /* the Authorization header, where it is needed; else NULL */
    const char *hidden_token;   /* the same while httpd logs the headers (traces.c); else NULL */
    const char *query;     /* of a callback; removed from the request so that no log shows it */
    const char *tag;       /* of the last refusal that was logged; NULL: none */
    const char *id;        /* for the log and the error page; NULL until needed */
    kc_caller_t *caller;   /* of the core's effects; NULL: nothing needs to know it */
    kc_browser_t client;   /* public_url is NULL until needed */
    kc_access_t access;    /* the Cookie header, and the session that it or a bearer token names */
    int is_decided;        /* this module's check has let this request itself in, with or without a
                              user */
    int is_allowed;        /* external authorization has allowed it */
    int is_judged_as_root; /* its path has several readings: it is judged as "/" */
    int is_for_scripts;    /* it is judged as "/", but its own location says KeycloakUnauth 401 */
    int wants_json;        /* it gets answers for scripts, whatever it looks like */
    int has_read;          /* its body, to the end */
    int has_cookies;       /* the answer's cookies with names of this module are its own */
    kc_cache_control_audience_t audience; /* of its answer (answers.c) */
    akc_stream_t stream;
} akc_request_t;

/* The common name of two filters, for requests over HTTP/2. */
#define AKC_STREAMS_FILTER "AUTH_KEYCLOAK_STREAM"

/* Handlers that SetHandler may name. */
#define AKC_ENDPOINTS_SESSIONS "keycloak-sessions"
#define AKC_ENDPOINTS_JUDGE "keycloak-judge"
#define AKC_ENDPOINTS_HEALTH "keycloak-health"
#define AKC_ENDPOINTS_METRICS "keycloak-metrics"

#endif

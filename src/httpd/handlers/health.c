/* Health: whether this httpd can serve requests, for the probes of a cluster or load balancer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/health.h"

#include <apr_atomic.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <http_main.h>
#include <string.h>

#include "addresses.h"
#include "backchannel.h"
#include "config.h"
#include "gateway/gateway_port.h"
#include "log.h"
#include "respond.h"
#include "streams.h"

#include "core/base/json.h"
#include "core/http/http_curl.h"
#include "core/provider/metadata.h"
#include "core/store/store.h"

/* A probe checks, and fetches metadata and keys when none are known yet. That takes two exchanges.
 * Each gets a quarter of KeycloakHTTPTimeout, and none begins after half of it. So the probe ends
 * within that time, for any number of servers. */

enum { PART_OF_EXCHANGE = 4, PART_FOR_FETCHING = 2 };

/* The state that was logged last. */
enum { UNKNOWN, READY, NOT_READY, MISPLACED };

/* What the children share. */
typedef struct akc_health_state_t {
    apr_uint32_t logged;
    apr_uint32_t has_started; /* 1 from the first probe on that found nothing missing */
} akc_health_state_t;

static akc_health_state_t *state;
static kc_http_gate_t gate;

kc_rc_t akc_health_start(apr_pool_t *pconf, kc_err_t *err)
{
    apr_shm_t *mapping;

    if (apr_shm_create(&mapping, sizeof(*state), NULL, pconf) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "no shared memory for the state of health");
    state = apr_shm_baseaddr_get(mapping);
    state->logged = UNKNOWN;
    state->has_started = 0;
    return KC_OK;
}

kc_rc_t akc_health_child(akc_server_t *config, apr_pool_t *pchild, kc_err_t *err)
{
    kc_http_curl_options_t limits = {.gate = &gate, .stop = akc_streams_given_up()};

    kc_http_gate_init(&gate, 1, 0);
    limits.timeout_ms = config->conf->http_timeout / PART_OF_EXCHANGE;
    if (!limits.timeout_ms)
        limits.timeout_ms = 1;
    return akc_backchannel_create(config, &limits, pchild, &config->probing, err);
}

/* 1 when this state differs from the one that was logged last, by any child. */
static int is_news(apr_uint32_t now)
{
    return !state || apr_atomic_xchg32(&state->logged, now) != now;
}

/* ---------------------------------------------------------------- where it must not answer */

static int refuse_location(request_rec *r)
{
    if (is_news(MISPLACED))
        AKC_LOG_REQUEST(r, KC_ERR_CONFIG,
                        "SetHandler " AKC_ENDPOINTS_HEALTH " is not served where the port or the "
                        "virtual host has a " AKC_ENDPOINTS_JUDGE
                        ", where a gateway would read its 200 as \"allowed\": give each a port and "
                        "a virtual host of its own");
    return HTTP_NOT_FOUND;
}

/* ---------------------------------------------------------------- what is not ready */

static void add(apr_array_header_t *problems, const char *text)
{
    int i;

    for (i = 0; i < problems->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(problems, i, const char *), text) == 0)
            return;
    }
    APR_ARRAY_PUSH(problems, const char *) = text;
}

/* As the administrator has written them. */
static void name_settings(apr_array_header_t *problems)
{
    int i;

    for (i = 0; i < problems->nelts; i++)
        APR_ARRAY_IDX(problems, i, const char *) =
            akc_log_named(APR_ARRAY_IDX(problems, i, const char *), problems->pool);
}

static void check_provider(akc_server_t *config, apr_time_t start, apr_array_header_t *problems)
{
    const kc_conf_t *conf = config->conf;
    apr_time_t limit = apr_time_from_msec(conf->http_timeout) / PART_FOR_FETCHING;
    kc_http_t *http = apr_time_now() - start < limit ? config->probing : NULL;
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};

    if (kc_metadata_probe(config->rp->metadata, http, &err) != KC_OK)
        add(problems,
            apr_psprintf(problems->pool, "metadata and keys of %s cannot be fetched: %s (%s)",
                         conf->issuer, err.detail, kc_conf_table_row(KC_CONF_ROW_issuer)->name));
}

/* Virtual hosts without directives of this module have the main server's settings themselves. Those
 * with some directives have inherited its store. */
static int is_checked(const server_rec *server, int is_store)
{
    const akc_server_t *config = akc_config_server((server_rec *)server);
    const server_rec *at;

    for (at = ap_server_conf; at != server; at = at->next) {
        const akc_server_t *other = akc_config_server((server_rec *)at);

        if (other == config ||
            (is_store && other->rp && other->conf->memcached == config->conf->memcached &&
             other->conf->memcached_user == config->conf->memcached_user))
            return 1;
    }
    return 0;
}

static void check_store(const akc_server_t *config, apr_array_header_t *problems)
{
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};

    if (kc_store_probe(config->env.sessions, problems->pool, &err) != KC_OK)
        add(problems, apr_psprintf(problems->pool, "no session store answers: %s (%s)", err.detail,
                                   kc_conf_table_row(KC_CONF_ROW_memcached)->name));
}

static apr_array_header_t *find_problems(apr_pool_t *pool)
{
    apr_array_header_t *problems = apr_array_make(pool, 2, sizeof(const char *));
    apr_time_t start = apr_time_now();
    server_rec *server;
    int count = 0;

    for (server = ap_server_conf; server; server = server->next) {
        akc_server_t *config = akc_config_server(server);

        if (!config->rp)
            continue;
        count++;
        if (is_checked(server, 0))
            continue;
        if (!is_checked(server, 1))
            check_store(config, problems);
        check_provider(config, start, problems);
    }
    if (!count)
        add(problems, "no server has KeycloakIssuer");
    name_settings(problems);
    return problems;
}

/* ---------------------------------------------------------------- the answer */

static void log_change(request_rec *r, const apr_array_header_t *problems)
{
    if (!is_news(problems->nelts ? NOT_READY : READY))
        return;
    if (problems->nelts)
        AKC_LOG_REQUEST(r, KC_ERR_EVENT_NOT_READY, AKC_ENDPOINTS_HEALTH ": not ready: %s",
                        ap_escape_logitem(r->pool, apr_array_pstrcat(r->pool, problems, ';')));
    else
        AKC_LOG_REQUEST(r, KC_ERR_EVENT_READY, AKC_ENDPOINTS_HEALTH ": ready");
}

static int answer(request_rec *r, const apr_array_header_t *problems)
{
    kc_json_t *json = kc_json_new_object(r->pool), *list;
    int i;

    kc_json_set_boolean(json, "ready", !problems->nelts);
    list = kc_json_set_array(json, "problems");
    for (i = 0; i < problems->nelts; i++)
        kc_json_add_string(list, APR_ARRAY_IDX(problems, i, const char *));
    return akc_respond_json(r, problems->nelts ? HTTP_SERVICE_UNAVAILABLE : HTTP_OK, json);
}

/* GET ?started asks whether this httpd has ever been ready since its start, as Kubernetes'
 * endpoints need it: who is signed in is served while Keycloak or memcached is away. */
static int answer_started(request_rec *r)
{
    kc_json_t *json = kc_json_new_object(r->pool);

    kc_json_set_boolean(json, "started", 1);
    return akc_respond_json(r, HTTP_OK, json);
}

static int asks_started(const request_rec *r)
{
    return r->args && strcmp(r->args, "started") == 0;
}

int akc_health_handle(request_rec *r)
{
    const apr_array_header_t *problems;

    if (strcmp(r->handler, AKC_ENDPOINTS_HEALTH) != 0)
        return DECLINED;
    /* neither by a .htaccess nor through an ErrorDocument */
    if (!akc_addresses_is_taken(r) || !ap_is_initial_req(r))
        return HTTP_NOT_FOUND;
    if (akc_gateway_port_is_met(r))
        return refuse_location(r);
    if (r->method_number != M_GET) {
        ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (asks_started(r) && state && apr_atomic_read32(&state->has_started))
        return answer_started(r);
    problems = find_problems(r->pool);
    log_change(r, problems);
    if (!problems->nelts && state)
        apr_atomic_set32(&state->has_started, 1);
    return answer(r, problems);
}

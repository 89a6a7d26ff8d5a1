/* %{NAME}^kc for LogFormat and CustomLog.
 * SPDX-License-Identifier: Apache-2.0 */
#include "log_format.h"

#include <apr_strings.h>
#include <http_config.h>
#include <mod_log_config.h>
#include <string.h>

#include "request.h"

#include "core/session/session_audit.h"

static const char *const states[KC_SESSION_STATES] = {
    [KC_SESSION_NONE] = "none",       [KC_SESSION_LIVE] = "live",
    [KC_SESSION_STALE] = "stale",     [KC_SESSION_ENDED] = "ended",
    [KC_SESSION_UNKNOWN] = "unknown", [KC_SESSION_WEAK] = "weak",
    [KC_SESSION_REFUSED] = "refused",
};

static int has_session(const akc_request_t *request)
{
    return request->access.has_looked &&
           (request->access.state == KC_SESSION_LIVE || request->access.state == KC_SESSION_STALE);
}

static const char *user(akc_request_t *request, request_rec *r)
{
    return has_session(request) ? ap_escape_logitem(r->pool, request->access.session.user) : NULL;
}

static const char *session(akc_request_t *request, request_rec *r)
{
    char *hash = apr_palloc(r->pool, KC_AUDIT_HASH_TEXT + 1);

    if (!has_session(request))
        return NULL;
    kc_session_audit_hash(&request->access.session, hash);
    return hash;
}

static const char *tag(akc_request_t *request, request_rec *r)
{
    (void)r;
    return request->tag;
}

static const char *state(akc_request_t *request, request_rec *r)
{
    (void)r;
    return request->access.has_looked ? states[request->access.state] : NULL;
}

/* Who has answered for the session: the first tier, or the store behind it. */
static const char *tier(akc_request_t *request, request_rec *r)
{
    (void)r;
    if (!request->caller || !has_session(request))
        return NULL;
    return request->caller->waits[KC_CALLER_STORE] ? "store" : "cache";
}

static const char *microseconds(const akc_request_t *request, kc_caller_wait_t wait,
                                apr_pool_t *pool)
{
    return request->caller
               ? apr_psprintf(pool, "%" APR_INT64_T_FMT, request->caller->waited_us[wait])
               : NULL;
}

static const char *store(akc_request_t *request, request_rec *r)
{
    return microseconds(request, KC_CALLER_STORE, r->pool);
}

static const char *keycloak(akc_request_t *request, request_rec *r)
{
    return microseconds(request, KC_CALLER_PROVIDER, r->pool);
}

static const char *trace(akc_request_t *request, request_rec *r)
{
    (void)r;
    return request->caller ? request->caller->trace_id : NULL;
}

/* UNIQUE_ID may be of a client's header, by SetEnvIf. */
static const char *request_id(akc_request_t *request, request_rec *r)
{
    return ap_escape_logitem(r->pool, akc_request_id(request, r));
}

typedef struct {
    const char *name;
    const char *(*value)(akc_request_t *request, request_rec *r);
} item_t;

static const item_t items[] = {
    {"user", user},         {"session", session}, {"tag", tag},
    {"state", state},       {"tier", tier},       {"store", store},
    {"keycloak", keycloak}, {"trace", trace},     {"request", request_id},
};

/* NULL becomes "-". */
static const char *item(request_rec *r, char *name)
{
    akc_request_t *request = akc_request_get(r);
    size_t i;

    for (i = 0; request && i < sizeof(items) / sizeof(items[0]); i++) {
        if (strcmp(name, items[i].name) == 0)
            return items[i].value(request, r);
    }
    return NULL;
}

int akc_log_format_register(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    static char name[] = "^kc";
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);

    (void)plog;
    (void)ptemp;
    if (add)
        add(pconf, name, item, 0);
    return OK;
}

static int uses(const ap_directive_t *node)
{
    for (; node; node = node->next) {
        if ((node->args && strstr(node->args, "^kc")) || uses(node->first_child))
            return 1;
    }
    return 0;
}

int akc_log_format_is_used(void)
{
    return uses(ap_conftree);
}

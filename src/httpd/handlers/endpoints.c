/* The handlers of the module's own addresses.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/endpoints.h"

#include <apr_strings.h>
#include <string.h>

#include "addresses.h"
#include "gateway/ext_authz.h"
#include "gateway/forward_auth.h"
#include "handlers/account.h"
#include "handlers/login.h"
#include "handlers/logout.h"
#include "handlers/verify.h"
#include "hints.h"
#include "request.h"
#include "respond.h"

static const char handler_name[] = "keycloak-endpoint";

/* The handler of this module that is to answer; NULL: none. */
static const char *handler_of(const akc_request_t *request, request_rec *r)
{
    const char *configured;

    if (request && akc_addresses_is_ours(request->server, r))
        return handler_name;
    configured = akc_addresses_configured(r);
    /* the health of all servers may be requested at one where the module is off */
    if (!request && configured && strcmp(configured, AKC_ENDPOINTS_HEALTH) != 0)
        return NULL;
    return configured;
}

/* No file and no backend answers at the module's addresses, even with ProxyPass. The handler's name
 * tells other modules, such as mod_dir with FallbackResource, that they are taken. */
int akc_endpoints_translate(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);
    const char *handler;

    if (request)
        akc_ext_authz_enter(request, r);
    handler = handler_of(request, r);
    if (request && akc_ext_authz_is_lost(request, r, handler))
        return HTTP_FORBIDDEN;
    if (!handler)
        return DECLINED;
    akc_addresses_take(r, handler);
    return OK;
}

int akc_endpoints_map(request_rec *r)
{
    if (akc_ext_authz_is_asked_for_star(r))
        return HTTP_BAD_REQUEST;
    if (akc_forward_auth_refuses(r))
        return HTTP_FORBIDDEN;
    return akc_addresses_is_taken(r) ? OK : DECLINED;
}

typedef int (*handler_fn)(akc_request_t *request, request_rec *r);

static const handler_fn handlers[AKC_ADDRESSES] = {
    [AKC_ADDRESS_CALLBACK] = akc_login_callback,
    [AKC_ADDRESS_LOGIN] = akc_login_login,
    [AKC_ADDRESS_LOGOUT] = akc_logout_here,
    [AKC_ADDRESS_SESSIONS] = akc_account_sessions,
    [AKC_ADDRESS_WHOAMI] = akc_account_whoami,
    [AKC_ADDRESS_BACKCHANNEL] = akc_logout_backchannel,
    [AKC_ADDRESS_FRONTCHANNEL] = akc_logout_frontchannel,
    [AKC_ADDRESS_VERIFY] = akc_verify_here,
};

static int call(akc_address_t address, akc_request_t *request, request_rec *r)
{
    kc_caller_t *before = akc_request_enter(request);
    int status = handlers[address](request, r);

    akc_request_leave(request, before);
    return status;
}

int akc_endpoints_handle(request_rec *r)
{
    akc_request_t *request = akc_request_get(r);
    akc_address_t address;
    kc_err_t err;

    if (request && akc_ext_authz_is_lost(request, r, r->handler))
        return HTTP_FORBIDDEN;
    if (!request || !akc_addresses_is_ours(request->server, r))
        return DECLINED;
    if (!ap_is_initial_req(r))
        return HTTP_NOT_FOUND;
    address = akc_addresses_find(request->server, r->uri);
    if (akc_addresses_takes_body(address) && akc_ext_authz_passes(request, r))
        return DONE;
    if (address < AKC_ADDRESSES)
        return call(address, request, r);
    akc_hints_address(request, r, akc_request_id(request, r), akc_addresses_names(r->pool));
    (void)KC_FAIL(&err, KC_REFUSED, KC_ERR_NOT_FOUND, "no such address under %s",
                  request->server->conf->prefix);
    return akc_respond_error(request, r, &err);
}

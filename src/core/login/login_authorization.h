/* The authorization request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_AUTHORIZATION_H
#define KC_LOGIN_AUTHORIZATION_H

#include <apr_pools.h>

#include "base/err.h"
#include "browser.h"
#include "login/login_state.h"
#include "provider/provider.h"
#include "rp.h"

/* The parts of an authorization request. Of the state its text, nonce and verifier are used. */
typedef struct kc_login_authorization_t {
    const kc_rp_t *rp;
    const kc_browser_t *client;
    const kc_provider_t *provider;
    const kc_login_request_t *request;
    const kc_login_state_t *state;
} kc_login_authorization_t;

/* KeycloakScope as one text, with openid first. Thread safe. */
const char *kc_login_authorization_scope(const kc_conf_t *conf, apr_pool_t *pool);
/* The URL to which the browser is sent (OpenID Connect Core 1.0 section 3.1.2.1, with acr_values,
 * max_age and prompt as the request says; RFC 7636 with S256). In pool. KC_FAULT: it is too long.
 * Thread safe. */
kc_rc_t kc_login_authorization_url(const kc_login_authorization_t *authorization, apr_pool_t *pool,
                                   const char **out, kc_err_t *err);

#endif

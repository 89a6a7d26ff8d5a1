/* KeycloakJudgeFor nginx and forwarded: forward authentication, where headers name the request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_FORWARD_AUTH_AUTH_H
#define AKC_FORWARD_AUTH_AUTH_H

#include "module.h"

#include "core/session/step_up.h"

/* 1 when the request's server has one of them; the second one: nginx. */
int akc_forward_auth_is_on(const akc_request_t *request);
int akc_forward_auth_is_nginx(const akc_request_t *request);
/* Puts the judged request in the place of the gateway's own, before anybody has looked at it. OK,
 * or the status to refuse it with: it is not of a trusted peer, or not to be understood. */
int akc_forward_auth_take(akc_request_t *request, request_rec *r);
/* 1 when the place of r has no judge, but its server is for questions alone. */
int akc_forward_auth_refuses(request_rec *r);
/* Tells the gateway where a page's person signs in. */
void akc_forward_auth_point_to_login(akc_request_t *request, request_rec *r,
                                     const kc_step_up_t *demand);
/* Sees to it that nothing but the judge's yes leaves as one. Also the hook for error pages. */
void akc_forward_auth_watch(request_rec *r);
void akc_forward_auth_register(apr_pool_t *pool);

#endif

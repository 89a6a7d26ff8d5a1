/* KeycloakJudgeFor nginx and forwarded: forward authentication, where headers name the request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_FORWARD_AUTH_AUTH_H
#define AKC_FORWARD_AUTH_AUTH_H

#include "module.h"

#include "core/session/step_up.h"

/* 1 when the request's server has one of them; the second: nginx. */
int akc_forward_auth_is_on(const akc_request_t *request);
int akc_forward_auth_is_nginx(const akc_request_t *request);
/* Replaces the gateway's own request by the one that it asks about, before any module has seen it.
 * OK, or the status to refuse it with: the peer is not trusted, or the headers are malformed. */
int akc_forward_auth_take(akc_request_t *request, request_rec *r);
/* 1 when the location of r has no external authorization although its server is only for it. */
int akc_forward_auth_refuses(request_rec *r);
/* Tells the gateway where the user of a page signs in. */
void akc_forward_auth_point_to_login(akc_request_t *request, request_rec *r,
                                     const kc_step_up_t *step_up);
/* Makes sure that only external authorization itself can answer "allowed". Also the hook for error
 * pages. */
void akc_forward_auth_watch(request_rec *r);
void akc_forward_auth_register(apr_pool_t *pool);

#endif

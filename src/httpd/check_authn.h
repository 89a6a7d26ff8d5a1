/* The check on each request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_CHECK_AUTHN_H
#define AKC_CHECK_AUTHN_H

#include "module.h"

int akc_check_authn_access(request_rec *r);
int akc_check_authn_user(request_rec *r);
/* 1 where nobody is asked: our own addresses and public paths. */
int akc_check_authn_is_open(const akc_request_t *request, request_rec *r);
/* 1 when this request is let in by our check, which was asked who it is of: with a session, by
 * KeycloakPublicPath or by KeycloakUnauth pass. 0 where httpd has let it in without asking. */
int akc_check_authn_has_decided(const akc_request_t *request, request_rec *r);
int akc_check_authn_note(request_rec *r, const char *auth_type);

#endif

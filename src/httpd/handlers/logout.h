/* The handlers of logout. Each writes the complete response and returns DONE.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_LOGOUT_H
#define AKC_LOGOUT_H

#include "module.h"

/* 1 when a user at a page of this site has caused the request that changes something. */
int akc_logout_is_wanted(akc_request_t *request, request_rec *r);
/* 403: a page of another site has sent it. */
int akc_logout_refuse(akc_request_t *request, request_rec *r);
/* Logs out and answers. session: the request's, or NULL. return_url as in kc_logout_begin. */
int akc_logout_end(akc_request_t *request, request_rec *r, const kc_session_t *session,
                   const char *return_url);
int akc_logout_here(akc_request_t *request, request_rec *r);
int akc_logout_backchannel(akc_request_t *request, request_rec *r);
int akc_logout_frontchannel(akc_request_t *request, request_rec *r);

#endif

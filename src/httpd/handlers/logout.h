/* The handlers of logout. Each writes the whole response and returns DONE.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_LOGOUT_H
#define AKC_LOGOUT_H

#include "module.h"

/* 1 when what the request is to change is the wish of a person at a page of this site. */
int akc_logout_is_wanted(akc_request_t *request, request_rec *r);
/* 403: another site's page has sent it. */
int akc_logout_refuse(akc_request_t *request, request_rec *r);
/* Signs out and answers; session: the request's, or NULL. return_url as of kc_logout_begin. */
int akc_logout_end(akc_request_t *request, request_rec *r, const kc_session_t *session,
                   const char *return_url);
int akc_logout_here(akc_request_t *request, request_rec *r);
int akc_logout_backchannel(akc_request_t *request, request_rec *r);
int akc_logout_frontchannel(akc_request_t *request, request_rec *r);

#endif

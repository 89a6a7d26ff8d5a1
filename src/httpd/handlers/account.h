/* Handlers by which signed-in users see and end their sessions. Each writes the complete response
 * and returns DONE.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_ACCOUNT_H
#define AKC_ACCOUNT_H

#include "module.h"

int akc_account_whoami(akc_request_t *request, request_rec *r);
int akc_account_sessions(akc_request_t *request, request_rec *r);
/* SetHandler keycloak-sessions: the same for an operator, about all users. */
int akc_account_operate(request_rec *r);

#endif

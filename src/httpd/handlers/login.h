/* The handlers of the callback and login addresses. Each writes the complete response and returns
 * DONE.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_LOGIN_H
#define AKC_LOGIN_H

#include "module.h"

int akc_login_callback(akc_request_t *request, request_rec *r);
int akc_login_login(akc_request_t *request, request_rec *r);

#endif

/* The handlers of the callback and login addresses. Each writes the whole response and returns
 * DONE.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_SIGNIN_H
#define AKC_SIGNIN_H

#include "module.h"

int akc_signin_callback(akc_request_t *request, request_rec *r);
int akc_signin_login(akc_request_t *request, request_rec *r);

#endif

/* The check on each request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_CHECK_AUTHN_H
#define AKC_CHECK_AUTHN_H

#include "module.h"

int akc_check_authn_access(request_rec *r);
int akc_check_authn_user(request_rec *r);
int akc_check_authn_note(request_rec *r, const char *auth_type);

#endif

/* The module's own addresses, below KeycloakPrefix.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_ENDPOINTS_H
#define AKC_ENDPOINTS_H

#include "module.h"

int akc_endpoints_translate(request_rec *r);
int akc_endpoints_map(request_rec *r);
int akc_endpoints_handle(request_rec *r);

#endif

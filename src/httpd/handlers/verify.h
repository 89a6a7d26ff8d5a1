/* The handler that tells whether a request would be let in.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_VERIFY_H
#define AKC_VERIFY_H

#include "module.h"

int akc_verify_here(akc_request_t *request, request_rec *r);

#endif

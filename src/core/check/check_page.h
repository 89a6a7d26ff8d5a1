/* What an error page of Keycloak says.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_PAGE_H
#define KC_CHECK_PAGE_H

#include <apr_pools.h>

#include "http/http.h"

enum { KC_CHECK_PAGE_MAX = 200 /* bytes */ };

/* The message of an error page of Keycloak, without runs of blanks, cut; "" when it is none. Of
 * JSON, which it answers to programs, that is error_description or error. Of HTML it is the element
 * of class instruction, or with the id kc-error-message. The language may be the realm's. In
 * pool. */
const char *kc_check_page_text(const kc_http_response_t *response, apr_pool_t *pool);

#endif

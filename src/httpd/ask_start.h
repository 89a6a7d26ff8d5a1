/* httpd -t -D KEYCLOAK_CHECK: what httpd warns of at start, in the report.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_ASK_START_H
#define AKC_ASK_START_H

#include "module.h"

#include "core/check/check_report.h"

/* Adds a result for each warning about guards, or one that all is well. */
void akc_ask_start_tell(server_rec *main, kc_check_report_t *report, apr_pool_t *pool);

#endif

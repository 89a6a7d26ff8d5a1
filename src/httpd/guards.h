/* At start: finds locations that are open although they look protected.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_GUARDS_H
#define AKC_GUARDS_H

#include "module.h"

int akc_guards_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_guards_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
/* Logs the warnings of httpd -t once more, after akc_guards_check. */
void akc_guards_tell(server_rec *main, apr_pool_t *pool);

#endif

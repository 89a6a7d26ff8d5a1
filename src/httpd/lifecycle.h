/* Start of the server and of its children.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_LIFECYCLE_H
#define AKC_LIFECYCLE_H

#include "module.h"

/* httpd -t: what is checked is all that happens, so that all warnings are told then. Else they are
 * told when the server starts: one that goes to the background has no log when it checks. */
int akc_lifecycle_is_test(void);
/* httpd reads its configuration twice when it starts, and warns once: not in the trial run. */
int akc_lifecycle_is_trial(void);
int akc_lifecycle_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
int akc_lifecycle_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main);
void akc_lifecycle_child(apr_pool_t *pchild, server_rec *main);

#endif

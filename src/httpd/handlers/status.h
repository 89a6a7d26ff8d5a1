/* The module's section of mod_status.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_STATUS_H
#define AKC_STATUS_H

#include <apr_pools.h>

/* Has mod_status, if it is loaded, show the section, for people and for ?auto. */
void akc_status_register(apr_pool_t *pool);

#endif

/* What each child does in the background, in a thread of mod_watchdog's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_WATCHDOG_H
#define AKC_WATCHDOG_H

#include "module.h"

/* At start: has mod_watchdog call us in each child, or says that it cannot. */
void akc_watchdog_start(apr_pool_t *pconf, server_rec *main);
/* In a child, before mod_watchdog's threads are there, for each server. */
kc_rc_t akc_watchdog_child(akc_server_t *config, apr_pool_t *pchild, kc_err_t *err);

#endif

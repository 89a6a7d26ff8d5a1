/* Background work of each child, in a thread of mod_watchdog.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_WATCHDOG_H
#define AKC_WATCHDOG_H

#include "module.h"

/* At start: registers the callback at mod_watchdog, or logs that it cannot. */
void akc_watchdog_start(apr_pool_t *pconf, server_rec *main);
/* In a child, before mod_watchdog starts its threads, for each server. */
kc_rc_t akc_watchdog_child(akc_server_t *config, apr_pool_t *pchild, kc_err_t *err);

#endif

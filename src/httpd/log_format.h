/* %{NAME}^kc for LogFormat and CustomLog.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_LOG_FORMAT_H
#define AKC_LOG_FORMAT_H

#include "module.h"

/* Hook: tells mod_log_config of the format, before it reads one. */
int akc_log_format_register(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);
/* 1 when a line of the configuration uses the format: then requests are measured. At start. */
int akc_log_format_is_used(void);

#endif

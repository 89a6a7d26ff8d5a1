/* The effects of the core, implemented with httpd: clocks, random, log.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_EFFECTS_H
#define AKC_EFFECTS_H

#include "module.h"

/* Seconds since 1970. context: not used. Thread safe, like all functions here. */
int64_t akc_effects_now(void *context);
/* Puts clocks, random and log into env; log lines go to the server's log. */
void akc_effects_fill(kc_env_t *env, server_rec *server);

#endif

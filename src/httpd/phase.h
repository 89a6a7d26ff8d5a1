/* The phase of httpd's start.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_PHASE_H
#define AKC_PHASE_H

#include "module.h"

/* 1 in httpd -t: it only checks, so all warnings are logged then. Otherwise they are logged when
 * the server starts, because a server that goes to the background has no log while it checks. */
int akc_phase_is_test(void);
/* 1 in the trial run: httpd reads its configuration twice when it starts, and should warn once. */
int akc_phase_is_trial(void);

#endif

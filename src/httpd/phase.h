/* Which of its starts httpd is in.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_PHASE_H
#define AKC_PHASE_H

#include "module.h"

/* httpd -t: what is checked is all that happens, so that all warnings are told then. Else they are
 * told when the server starts: one that goes to the background has no log when it checks. */
int akc_phase_is_test(void);
/* httpd reads its configuration twice when it starts, and warns once: not in the trial run. */
int akc_phase_is_trial(void);

#endif

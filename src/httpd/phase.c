/* The phase of httpd's start.
 * SPDX-License-Identifier: Apache-2.0 */
#include "phase.h"

#include <ap_mpm.h>

int akc_phase_is_test(void)
{
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST;
}

/* Before the server detaches. */
int akc_phase_is_trial(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
}

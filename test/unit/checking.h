/* A check of a fake site, for the suites of test/unit/check.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECKING_H
#define KC_CHECKING_H

#include "check/check_task.h"
#include "fake_site.h"

#define CHECKING_JSON "application/json"
#define CHECKING_ROWS(table) (int)(sizeof(table) / sizeof(table[0]))

extern kc_fake_site_t *checking_site;
extern kc_check_report_t checking_report;
extern kc_check_t checking; /* of this site, with its browser; before the discovery */

/* A checked fixture: all of these, in testlib_pool. Keycloak answers with a healthy document and
 * no keys. */
void checking_setup(void);
/* The same after the discovery. */
void checking_setup_discovered(void);
/* The one result of this name; it must be there, once. */
const kc_check_result_t *checking_find(const char *name);
/* How many results have this name. */
int checking_count(const char *name);
/* The one result of this name has this outcome, and these parts in its sentence and cure. */
void checking_assert(const char *name, kc_check_outcome_t outcome, const char *text,
                     const char *cure);

#endif

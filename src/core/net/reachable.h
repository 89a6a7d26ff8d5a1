/* Why a host cannot be reached, in the system's words, with the cure when it is known.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_REACHABLE_H
#define KC_REACHABLE_H

#include <stddef.h>

/* "WHAT: REASON" for an errno of connect(2), written to text (size bytes, cut to fit). Returns
 * otherwise for 0, EINPROGRESS, ECONNRESET and the like, which tell no reason. EACCES and EPERM
 * come with what forbids connections: SELinux or a packet filter. Thread safe. */
const char *kc_reachable_text(const char *what, int number, const char *otherwise, char *text,
                              size_t size);

#endif

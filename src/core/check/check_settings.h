/* The check of settings that nobody has to be asked about.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_SETTINGS_H
#define KC_CHECK_SETTINGS_H

#include "check/check_task.h"

/* How wide an ADDRESS or ADDRESS/BITS of KeycloakTrustedProxy is. Thread safe, pure. */
typedef enum {
    KC_CHECK_SETTINGS_NARROW,  /* a host, or a network as one site has */
    KC_CHECK_SETTINGS_WIDE,    /* of the Internet, more than one site has */
    KC_CHECK_SETTINGS_EVERYONE /* all, or nearly all */
} kc_check_settings_width_t;

kc_check_settings_width_t kc_check_settings_width(const char *network);
/* Adds the results about trusted proxies, and about the session cookie at the public address. */
void kc_check_settings_tell(const kc_check_t *check);

#endif

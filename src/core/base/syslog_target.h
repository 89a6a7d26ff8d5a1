/* The facility and tag of lines for the system's log.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SYSLOG_TARGET_H
#define KC_SYSLOG_TARGET_H

#include "base/err.h"

enum { KC_SYSLOG_TARGET_TAG_MAX = 32 /* bytes */ };

typedef struct kc_syslog_target_t {
    int facility;    /* LOG_… of <syslog.h> */
    const char *tag; /* of the text that was read, or static */
} kc_syslog_target_t;

/* Reads "[FACILITY][:TAG]", as httpd's ErrorLog has it behind "syslog:". Without them: local7 and
 * "keycloak". KC_REFUSED with KC_ERR_CONFIG: there is no such facility, or the tag has blanks, ':',
 * '[', or over KC_SYSLOG_TARGET_TAG_MAX bytes. Thread safe. */
kc_rc_t kc_syslog_target_read(const char *text, kc_syslog_target_t *out, kc_err_t *err);

#endif

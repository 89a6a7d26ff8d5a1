/* KeycloakAuditLog: what kind of log its value names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_AUDIT_H
#define KC_CONF_AUDIT_H

#include "conf/conf.h"

typedef enum {
    KC_CONF_AUDIT_NONE,
    KC_CONF_AUDIT_FILE,
    KC_CONF_AUDIT_PROGRAM, /* behind "|" */
    KC_CONF_AUDIT_SYSLOG
} kc_conf_audit_kind_t;

kc_conf_audit_kind_t kc_conf_audit_kind(const kc_conf_t *conf);
/* Of KC_CONF_AUDIT_SYSLOG: the text behind "syslog:", or "". */
const char *kc_conf_audit_target(const kc_conf_t *conf);

#endif

/* KeycloakAuditLog: what kind of log its value names.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_audit.h"

#include <string.h>
#include <strings.h>

static const char syslog_name[] = "syslog";

kc_conf_audit_kind_t kc_conf_audit_kind(const kc_conf_t *conf)
{
    const char *text = conf->audit_log;
    const size_t len = sizeof(syslog_name) - 1;

    if (!text || strcasecmp(text, "none") == 0)
        return KC_CONF_AUDIT_NONE;
    if (*text == '|')
        return KC_CONF_AUDIT_PROGRAM;
    if (strncasecmp(text, syslog_name, len) == 0 && (!text[len] || text[len] == ':'))
        return KC_CONF_AUDIT_SYSLOG;
    return KC_CONF_AUDIT_FILE;
}

const char *kc_conf_audit_target(const kc_conf_t *conf)
{
    const char *text = conf->audit_log + sizeof(syslog_name) - 1;

    return *text ? text + 1 : text;
}

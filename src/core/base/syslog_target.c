/* The facility and tag of lines for the system's log.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/syslog_target.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

typedef struct {
    const char *name;
    int value;
} facility_t;

static const facility_t facilities[] = {
    {"", LOG_LOCAL7},       {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV},
    {"cron", LOG_CRON},     {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},
    {"kern", LOG_KERN},     {"lpr", LOG_LPR},       {"mail", LOG_MAIL},
    {"news", LOG_NEWS},     {"syslog", LOG_SYSLOG}, {"user", LOG_USER},
    {"uucp", LOG_UUCP},     {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},
    {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
};

static int is_tag(const char *text)
{
    const char *at;

    for (at = text; *at > ' ' && *at < 0x7f && *at != ':' && *at != '['; at++)
        ;
    return !*at && at - text <= KC_SYSLOG_TARGET_TAG_MAX;
}

kc_rc_t kc_syslog_target_read(const char *text, kc_syslog_target_t *out, kc_err_t *err)
{
    const size_t len = strcspn(text, ":");
    const char *tag = text[len] && text[len + 1] ? text + len + 1 : "keycloak";
    size_t i;

    if (!is_tag(tag))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG,
                       "'%.40s' is no tag of syslog: up to %d characters without blanks, ':' and "
                       "'['",
                       tag, KC_SYSLOG_TARGET_TAG_MAX);
    for (i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
        if (strlen(facilities[i].name) != len || strncasecmp(text, facilities[i].name, len) != 0)
            continue;
        out->facility = facilities[i].value;
        out->tag = tag;
        return KC_OK;
    }
    return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "'%.40s' is no facility of syslog", text);
}

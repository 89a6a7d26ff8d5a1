/* What the log is told of a provider's metadata and keys.
 * SPDX-License-Identifier: Apache-2.0 */
#include "keyring_report.h"

#include <apr_strings.h>

enum { LINE_SIZE = 2 * KC_ERR_DETAIL_SIZE };

static void log_line(const kc_env_t *env, kc_log_level_t level, kc_reason_t reason,
                     const char *text, const char *issuer, const char *detail)
{
    char line[LINE_SIZE];

    (void)apr_snprintf(line, sizeof(line), "%s: metadata and keys of %.200s %s%s",
                       kc_err_row(reason)->tag, issuer, text, detail);
    env->log(env->context, level, line);
}

void kc_keyring_report_change(const kc_conf_t *conf, const kc_env_t *env, kc_keyring_report_t *last,
                              const kc_keyring_report_t *fresh, const char *detail)
{
    const char *issuer = conf->issuer;
    kc_keyring_report_t old = *last;

    if (fresh->reason == KC_ERR_PROVIDER_BUSY ||
        (fresh->reason == old.reason && fresh->is_usable == old.is_usable))
        return;
    *last = *fresh;
    if (fresh->reason == KC_ERR_NONE && old.is_own)
        log_line(env, KC_LOG_INFO, old.reason, "are fetched again", issuer, "");
    else if (fresh->is_own && fresh->is_usable)
        log_line(env, KC_LOG_WARNING, fresh->reason, "are kept, new ones cannot be had: ", issuer,
                 detail);
    else if (fresh->is_own)
        log_line(env, KC_LOG_ERROR, fresh->reason, "cannot be had: ", issuer, detail);
}

/* What is logged about a provider's metadata and keys.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/metadata_report.h"

#include <apr_strings.h>
#include <string.h>

static void log_line(const kc_env_t *env, kc_log_level_t level, kc_reason_t reason,
                     const char *text, const char *issuer, const char *detail)
{
    kc_env_log_at(env, level, reason, "metadata and keys of %.200s %s%s", issuer, text, detail);
}

void kc_metadata_report_change(const kc_conf_t *conf, const kc_env_t *env,
                               kc_metadata_report_t *last, const kc_metadata_report_t *fresh,
                               const char *detail)
{
    const char *issuer = conf->issuer;
    kc_metadata_report_t old = *last;

    if (fresh->reason == KC_ERR_PROVIDER_BUSY ||
        (fresh->reason == old.reason && fresh->is_usable == old.is_usable))
        return;
    *last = *fresh;
    if (fresh->reason == KC_ERR_NONE && old.is_own)
        log_line(env, KC_LOG_INFO, old.reason, "are fetched again", issuer, "");
    else if (fresh->is_own && fresh->is_usable)
        log_line(env, KC_LOG_WARNING, fresh->reason,
                 "are kept, new ones cannot be fetched: ", issuer, detail);
    else if (fresh->is_own)
        log_line(env, KC_LOG_ERROR, fresh->reason, "cannot be fetched: ", issuer, detail);
}

static int is_news(const char *before, const char *fresh)
{
    return *fresh && (!before || strcmp(before, fresh) != 0);
}

void kc_metadata_report_left_out(const kc_conf_t *conf, const kc_env_t *env,
                                 const kc_metadata_snapshot_t *before,
                                 const kc_metadata_snapshot_t *fresh)
{
    static const char without[] = "are used, without unusable parts: ";
    int is_odd, was_odd;
    const char *keys = kc_jwks_left_out(fresh->keys, &is_odd);

    if (is_news(before ? before->provider->left_out : NULL, fresh->provider->left_out))
        log_line(env, KC_LOG_WARNING, KC_ERR_DISCOVERY_ENDPOINT, without, conf->issuer,
                 fresh->provider->left_out);
    if (is_news(before ? kc_jwks_left_out(before->keys, &was_odd) : NULL, keys))
        log_line(env, is_odd ? KC_LOG_WARNING : KC_LOG_INFO, KC_ERR_KEYS, without, conf->issuer,
                 keys);
}

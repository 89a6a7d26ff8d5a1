/* Audit events: told, and what they are made of.
 * SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit.h"

#include "base/buf.h"
#include "crypto/crypto.h"

void kc_audit_tell(const kc_env_t *env, const kc_audit_event_t *event)
{
    if (env->audit)
        env->audit(env->context, event);
}

const char *kc_audit_actor(const kc_json_t *claims)
{
    static const char *const paths[] = {"act.sub", "impersonator.username", "impersonator.id"};
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *text = kc_json_string(kc_json_path(claims, paths[i]));

        if (text && *text)
            return text;
    }
    return NULL;
}

void kc_audit_hash(const char *text, char out[KC_AUDIT_HASH_TEXT + 1])
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];

    out[0] = '\0';
    if (text && *text && kc_crypto_sha256(kc_buf_text(text), digest, NULL) == KC_OK)
        kc_buf_hex_to(digest, KC_AUDIT_HASH_TEXT / 2, out);
}

/* --- rate --- */

static int may_be_anybodys(const kc_audit_event_t *event)
{
    return event->kind == KC_AUDIT_SIGN_IN_REFUSED || event->kind == KC_AUDIT_BEARER_REFUSED;
}

/* Each event moves the time when the burst is whole again. A clock that was set back counts as
 * whole. */
int kc_audit_rate_allows(kc_audit_rate_t *rate, const kc_audit_event_t *event, int64_t now_ms)
{
    const int64_t each = 1000 / KC_AUDIT_RATE_SECOND, burst = each * KC_AUDIT_RATE_BURST;
    int64_t full_at;

    if (!may_be_anybodys(event))
        return 1;
    full_at = rate->full_at > now_ms && rate->full_at <= now_ms + burst ? rate->full_at : now_ms;
    if (full_at + each > now_ms + burst) {
        rate->omitted++;
        return 0;
    }
    rate->full_at = full_at + each;
    return 1;
}

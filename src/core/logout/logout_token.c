/* Back-channel logout: the checks of a logout token, and its effect.
 * SPDX-License-Identifier: Apache-2.0 */
#include "logout/logout_token.h"

#include <string.h>

#include "audit/audit.h"
#include "base/query.h"
#include "crypto/crypto.h"
#include "crypto/jws.h"
#include "provider/claims.h"
#include "provider/id_token.h"
#include "provider/token_signature.h"
#include "provider/token_type.h"
#include "rp.h"
#include "session/revocation.h"

static const char event_name[] = "http://schemas.openid.net/event/backchannel-logout";
static const char marker_purpose[] = "logout token";

/* The clocks of nodes that share a store may differ, so a marker is kept longer than its token. */
enum { MARKER_MORE = 60 /* seconds */ };

/* ---------------------------------------------------------------- content */

/* Keycloak signs all tokens with the same keys for the same issuer; the types distinguish them. */
static kc_rc_t check_type(const kc_jws_t *token, kc_err_t *err)
{
    const kc_json_t *typ = kc_json_member(token->claims, "typ");
    const char *text = kc_json_string(typ);

    if (token->typ && !kc_token_type_is(token->typ, "JWT") &&
        !kc_token_type_is(token->typ, "logout+jwt"))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE, "header typ is %.100s, not logout+jwt",
                       token->typ);
    if (typ && (!text || strcmp(text, "Logout") != 0))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE, "typ is %.100s, not Logout",
                       text ? text : "no string");
    if (kc_json_has(token->claims, "nonce"))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE, "it has a nonce: an ID token");
    return KC_OK;
}

static kc_rc_t check_event(const kc_json_t *claims, kc_err_t *err)
{
    const kc_json_t *events = kc_json_member(claims, "events"), *event;

    if (!events || kc_json_type(events) != KC_JSON_OBJECT)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGOUT_TOKEN, "events is absent or no object");
    event = kc_json_member(events, event_name);
    if (!event || kc_json_type(event) != KC_JSON_OBJECT)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGOUT_TOKEN,
                       "events has no object for back-channel logout");
    return KC_OK;
}

/* 1 when aud is the client, or an array of strings that has it. */
static int is_for(const kc_json_t *audience, const char *client_id)
{
    const char *text = kc_json_string(audience);
    int is_found = 0;
    size_t i;

    if (text)
        return strcmp(text, client_id) == 0;
    if (!audience || kc_json_type(audience) != KC_JSON_ARRAY)
        return 0;
    for (i = 0; i < kc_json_size(audience); i++) {
        text = kc_json_string(kc_json_at(audience, i));
        if (!text)
            return 0;
        is_found |= strcmp(text, client_id) == 0;
    }
    return is_found;
}

/* A logout token has no azp (section 2.4), even with several audiences; if there is one it must be
 * right. */
static kc_rc_t check_origin(const kc_json_t *claims, const kc_id_token_expect_t *expect,
                            kc_err_t *err)
{
    const kc_json_t *party = kc_json_member(claims, "azp");
    const char *issuer = kc_json_member_string(claims, "iss"), *text = kc_json_string(party);

    if (!issuer || strcmp(issuer, expect->issuer) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ISSUER, "iss is %.100s, not %.100s",
                       issuer ? issuer : "absent or no string", expect->issuer);
    if (!is_for(kc_json_member(claims, "aud"), expect->client_id))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_AUDIENCE, "aud does not hold %.100s",
                       expect->client_id);
    if (party && (!text || strcmp(text, expect->client_id) != 0))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_AUDIENCE, "azp is %.100s, not %.100s",
                       text ? text : "no string", expect->client_id);
    return KC_OK;
}

/* A time that is there: 1 and *out. Absent: 0 and KC_OK. */
static int read_time(const kc_json_t *claims, const char *name, int64_t *out, kc_rc_t *rc,
                     kc_err_t *err)
{
    const kc_json_t *value = kc_json_member(claims, name);

    if (!value || *rc != KC_OK)
        return 0;
    if (kc_json_seconds(value, out))
        return 1;
    *rc = KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "%s is no time in seconds", name);
    return 0;
}

static kc_rc_t check_begin(const char *name, int64_t begin, const kc_id_token_expect_t *expect,
                           kc_err_t *err)
{
    if (begin > expect->now + expect->skew)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "%s is %lld s in the future", name,
                       (long long)(begin - expect->now));
    return KC_OK;
}

/* Keycloak up to 22 and others send no exp, because drafts of the specification did not have it.
 * iat always tells whether a token is too old. */
static kc_rc_t check_times(const kc_json_t *claims, const kc_id_token_expect_t *expect,
                           int64_t *iat, kc_err_t *err)
{
    int64_t end, begin;
    kc_rc_t rc = KC_OK;

    if (read_time(claims, "iat", iat, &rc, err))
        rc = check_begin("iat", *iat, expect, err);
    else if (rc == KC_OK)
        rc = KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "iat is absent");
    if (read_time(claims, "exp", &end, &rc, err)) {
        if (end <= expect->now - expect->skew)
            rc = KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "exp is %lld s in the past",
                         (long long)(expect->now - end));
        else if (end <= *iat)
            rc = KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "exp is not after iat");
    }
    if (read_time(claims, "nbf", &begin, &rc, err))
        rc = check_begin("nbf", begin, expect, err);
    if (rc == KC_OK && *iat < expect->now - expect->skew - KC_LOGOUT_TOKEN_AGE)
        rc = KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "iat is %lld s in the past",
                     (long long)(expect->now - *iat));
    return rc;
}

/* A text claim with the form of a sub, or absent: *out is NULL then. */
static kc_rc_t read_text(const kc_json_t *claims, const char *name, const char **out, kc_err_t *err)
{
    const kc_json_t *value = kc_json_member(claims, name);

    *out = kc_json_string(value);
    if (value && !kc_claims_is_id_text(*out))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGOUT_TOKEN,
                       "%s is empty, no string, over %d bytes or has control characters", name,
                       KC_CLAIMS_TEXT_MAX);
    return KC_OK;
}

static kc_rc_t read_whom(const kc_json_t *claims, kc_logout_token_t *out, kc_err_t *err)
{
    if (read_text(claims, "jti", &out->jti, err) != KC_OK ||
        read_text(claims, "sub", &out->sub, err) != KC_OK ||
        read_text(claims, "sid", &out->sid, err) != KC_OK)
        return KC_REFUSED;
    if (!out->jti)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGOUT_TOKEN, "jti is absent");
    if (!out->sub && !out->sid)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGOUT_TOKEN, "both sub and sid are absent");
    return KC_OK;
}

kc_rc_t kc_logout_token_verify(const kc_jws_t *token, const kc_id_token_expect_t *expect,
                               kc_logout_token_t *out, kc_err_t *err)
{
    kc_rc_t rc = check_type(token, err);

    if (rc == KC_OK)
        rc = check_origin(token->claims, expect, err);
    if (rc == KC_OK)
        rc = check_times(token->claims, expect, &out->issued, err);
    if (rc == KC_OK)
        rc = check_event(token->claims, err);
    return rc == KC_OK ? read_whom(token->claims, out, err) : rc;
}

/* ---------------------------------------------------------------- one use */

/* Store keys of a token's one-use marker, one by each configured seal key. So nodes that have any
 * seal key in common find each other's markers, whichever key is the newest on each. */
typedef struct markers_t {
    char text[KC_SEAL_KEYS_MAX][KC_STORE_KEY_LEN + 1];
    size_t count;
} markers_t;

static kc_rc_t name_markers(const kc_rp_t *rp, const char *jti, markers_t *out, kc_err_t *err)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE];
    const kc_bytes_t name = {digest, sizeof(digest)};
    kc_rc_t rc = kc_crypto_sha256(kc_buf_text(jti), digest, err);

    for (out->count = 0; rc == KC_OK && out->count < rp->keys->count; out->count++) {
        rc = kc_rp_realm_key(rp, rp->keys->key[out->count], marker_purpose, name,
                             out->text[out->count], err);
    }
    return rc;
}

/* KC_EXISTS: another node has just used it. */
static kc_rc_t add_markers(const kc_rp_t *rp, const kc_logout_token_t *token,
                           const markers_t *markers, kc_err_t *err)
{
    static const kc_bytes_t marker = {(const unsigned char *)"1", 1};
    int64_t end = token->issued + KC_LOGOUT_TOKEN_AGE + 2 * rp->conf->clock_skew + MARKER_MORE;
    kc_rc_t rc = KC_OK;
    size_t i;

    for (i = 0; rc == KC_OK && i < markers->count; i++)
        rc = kc_store_add(rp->env->sessions, markers->text[i], marker, end, err);
    return rc;
}

/* KC_EXISTS: there is one. */
static kc_rc_t look_for_markers(const kc_rp_t *rp, const markers_t *markers, apr_pool_t *pool,
                                kc_err_t *err)
{
    kc_store_item_t items[KC_SEAL_KEYS_MAX];
    const char *keys[KC_SEAL_KEYS_MAX];
    kc_rc_t rc;
    size_t i;

    for (i = 0; i < markers->count; i++)
        keys[i] = markers->text[i];
    rc = kc_store_get(rp->env->sessions, keys, markers->count, items, pool, err);
    for (i = 0; rc == KC_OK && i < markers->count; i++) {
        if (items[i].value.data)
            rc = KC_EXISTS;
    }
    return rc;
}

/* ---------------------------------------------------------------- effect */

static kc_rc_t add_revocation(const kc_rp_t *rp, const kc_logout_token_t *token, kc_err_t *err)
{
    return token->sid ? kc_revocation_add(rp, KC_REVOCATION_SID, token->sid, err)
                      : kc_revocation_add(rp, KC_REVOCATION_SUB, token->sub, err);
}

/* The revocation entry first: whatever fails then, the logout is not lost, and may be repeated.
 * When the same token reaches two nodes at once both act on it, which ends nothing more. */
static kc_rc_t act(const kc_rp_t *rp, const kc_logout_token_t *token, apr_pool_t *pool,
                   kc_err_t *err)
{
    markers_t markers;
    kc_rc_t rc = name_markers(rp, token->jti, &markers, err);

    if (rc == KC_OK)
        rc = look_for_markers(rp, &markers, pool, err);
    if (rc == KC_EXISTS)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGOUT_REPLAY, "its jti was used before");
    if (rc == KC_OK)
        rc = add_revocation(rp, token, err);
    if (rc == KC_OK)
        rc = add_markers(rp, token, &markers, err);
    return rc == KC_EXISTS ? KC_OK : rc;
}

static kc_rc_t read_form(const char *form, size_t len, apr_pool_t *pool, const char **compact,
                         kc_err_t *err)
{
    const kc_query_t *query;
    kc_rc_t rc = kc_query_parse_form(form, len, pool, &query, err);

    if (rc == KC_OK)
        rc = kc_query_single(query, "logout_token", compact, err);
    if (rc == KC_MISS)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "the form has no logout_token");
    if (rc == KC_REFUSED && err)
        err->reason = KC_ERR_FORM;
    return rc;
}

static kc_rc_t read_token(const kc_rp_t *rp, const char *compact, apr_pool_t *pool,
                          kc_logout_token_t *out, kc_err_t *err)
{
    const kc_id_token_expect_t expect = {
        .issuer = rp->conf->issuer,
        .client_id = rp->conf->client_id,
        .now = rp->env->now(rp->env->context),
        .skew = rp->conf->clock_skew,
    };
    const kc_metadata_snapshot_t *snapshot;
    kc_jws_t token;
    kc_rc_t rc;

    if (strlen(compact) > KC_LOGOUT_TOKEN_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SIZE,
                       "the logout token has %zu bytes, more than %d", strlen(compact),
                       KC_LOGOUT_TOKEN_MAX);
    rc = kc_metadata_get(rp->metadata, pool, &snapshot, err);
    if (rc == KC_OK)
        rc = kc_token_signature_verify_untrusted(rp->metadata, compact, pool, &snapshot, &token,
                                                 err);
    return rc == KC_OK ? kc_logout_token_verify(&token, &expect, out, err) : rc;
}

/* Reasons that belong to a user's sign-in have status 401. The provider gets 400 (section 2.8), and
 * the administrator gets both. */
static void blame_token(kc_err_t *err)
{
    kc_err_t cause = *err;

    if (cause.reason == KC_ERR_LOGOUT_TOKEN)
        return;
    (void)kc_err_set(err, KC_REFUSED, KC_ERR_LOGOUT_TOKEN, cause.file, cause.line, "%s: %.200s",
                     kc_err_row(cause.reason)->slug, cause.detail);
}

static void tell(const kc_rp_t *rp, const kc_logout_token_t *token)
{
    const kc_audit_event_t event = {.kind = KC_AUDIT_SESSION_ENDED,
                                    .reason = KC_ERR_EVENT_BACKCHANNEL,
                                    .cause = "back-channel",
                                    .sub = token->sub,
                                    .sid = token->sid};

    kc_audit_tell(rp->env, &event);
}

static kc_rc_t take(const kc_rp_t *rp, const char *form, size_t len, apr_pool_t *pool,
                    kc_logout_token_t *out, kc_err_t *err)
{
    const char *compact;
    kc_rc_t rc = read_form(form, len, pool, &compact, err);

    if (rc != KC_OK)
        return rc;
    rc = read_token(rp, compact, pool, out, err);
    if (rc == KC_REFUSED && err)
        blame_token(err);
    if (rc == KC_OK)
        rc = act(rp, out, pool, err);
    if (rc == KC_OK)
        tell(rp, out);
    return rc;
}

kc_rc_t kc_logout_token_take(const kc_rp_t *rp, const char *form, size_t len, apr_pool_t *pool,
                             kc_logout_token_t *out, kc_err_t *err)
{
    kc_rc_t rc = take(rp, form, len, pool, out, err);

    kc_metrics_add(rp->env->metrics,
                   KC_METRICS_CELL(sign_outs, KC_METRICS_BACK_CHANNEL, kc_metrics_outcome(rc),
                                   kc_metrics_tag(rc, err)),
                   1);
    return rc;
}

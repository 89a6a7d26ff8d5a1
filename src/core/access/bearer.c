/* Bearer tokens: read, verified, and kept as a view in the first tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access/bearer.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "crypto/jws.h"
#include "provider/claims.h"
#include "provider/id_token.h"
#include "provider/metadata.h"
#include "provider/token_signature.h"
#include "provider/token_type.h"
#include "rp.h"
#include "session/absent_claim.h"
#include "session/identity.h"
#include "session/revocation.h"
#include "session/session_audit.h"
#include "session/session_view.h"
#include "session/token_set.h"
#include "session/unknown.h"

static const char scheme[] = "Bearer";
static const char id_purpose[] = "bearer";

/* ---------------------------------------------------------------- the header */

static int is_scheme(const char *text, size_t len)
{
    return len == sizeof(scheme) - 1 && strncasecmp(text, scheme, len) == 0;
}

/* 1 when another value behind a comma is a bearer token. */
static int has_another(const char *value)
{
    while ((value = strchr(value, ','))) {
        value += 1 + strspn(value + 1, " \t,");
        if (is_scheme(value, strcspn(value, " \t,")))
            return 1;
    }
    return 0;
}

/* 1 when it has no character that separates two tokens. The characters of a token are checked
 * when it is verified, and not here, for each request. */
static int is_one(const char *text, size_t len)
{
    return !memchr(text, ' ', len) && !memchr(text, '\t', len) && !memchr(text, ',', len);
}

kc_rc_t kc_bearer_read(const char *authorization, kc_bytes_t *token, kc_err_t *err)
{
    const char *at = authorization;
    size_t len = at ? strcspn(at, " \t,") : 0;

    if (!is_scheme(at, len)) {
        if (at && has_another(at))
            return KC_FAIL(err, KC_REFUSED, KC_ERR_INVALID_TOKEN, "several Authorization headers");
        return KC_MISS;
    }
    at += len;
    at += strspn(at, " \t");
    len = strlen(at);
    if (!len)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_INVALID_TOKEN, "the bearer token is empty");
    if (len > KC_JWS_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_INVALID_TOKEN,
                       "the bearer token has %zu bytes, more than %d", len, KC_JWS_MAX);
    if (!is_one(at, len))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_INVALID_TOKEN, "the bearer token is one of several");
    token->data = (const unsigned char *)at;
    token->len = len;
    return KC_OK;
}

/* ---------------------------------------------------------------- the checks */

/* All of a provider's tokens are signed by the same keys for the same issuer. */
static kc_rc_t check_type(const kc_jws_t *token, const kc_conf_t *conf, kc_err_t *err)
{
    kc_token_type_t type = kc_token_type_of(token, conf->issuer);
    const char *text = kc_json_member_string(token->claims, "typ");
    int is_access = type == KC_TOKEN_TYPE_ACCESS;

    if (kc_json_member(token->claims, "events"))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE, "it has events: a logout token");
    if (type == KC_TOKEN_TYPE_OTHER)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE,
                       "header typ %.60s and typ %.60s are neither an access token's nor an ID "
                       "token's",
                       token->typ ? token->typ : "(none)", text ? text : "(none)");
    if (is_access ? conf->bearer == KC_BEARER_ID : conf->bearer == KC_BEARER_ACCESS)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE, "an %s token, which is not taken",
                       is_access ? "access" : "ID");
    if (kc_json_member(token->claims, "cnf"))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE,
                       "it is bound to a key (cnf), and nothing proves that the client has it");
    return KC_OK;
}

static int is_listed(const kc_conf_t *conf, const char *audience)
{
    int i;

    if (!conf->audience)
        return !strcmp(audience, conf->client_id);
    for (i = 0; i < conf->audience->nelts; i++) {
        if (!strcmp(audience, APR_ARRAY_IDX(conf->audience, i, const char *)))
            return 1;
    }
    return 0;
}

/* RFC 7519 section 4.1.3: a text, or an array of texts. */
static kc_rc_t check_audience(const kc_json_t *claims, const kc_conf_t *conf, kc_err_t *err)
{
    const kc_json_t *audience = kc_json_member(claims, "aud");
    const char *text = kc_json_string(audience);
    int is_found = text && is_listed(conf, text);
    size_t i;

    for (i = 0; !text && i < kc_json_size(audience); i++) {
        const char *each = kc_json_string(kc_json_at(audience, i));

        if (!each)
            return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_AUDIENCE, "aud has what is no text");
        is_found |= is_listed(conf, each);
    }
    if (is_found)
        return KC_OK;
    return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_AUDIENCE,
                   "aud has none of KeycloakAudience%s%.60s", text ? ": it is " : "",
                   text ? text : "");
}

kc_rc_t kc_bearer_verify(const kc_jws_t *token, const kc_conf_t *conf, int64_t now, kc_err_t *err)
{
    const kc_id_token_expect_t expect = {
        .issuer = conf->issuer, .now = now, .skew = conf->clock_skew};
    kc_rc_t rc = check_type(token, conf, err);

    if (rc == KC_OK)
        rc = kc_id_token_verify_bearer(token, &expect, err);
    return rc == KC_OK ? check_audience(token->claims, conf, err) : rc;
}

/* ---------------------------------------------------------------- a lookup */

/* What is known of a token while it is looked up. */
typedef struct lookup_t {
    const kc_rp_t *rp;
    apr_pool_t *pool;
    kc_bytes_t token;
    int64_t now;
    int64_t now_ms;
    unsigned char id[KC_VIEW_CACHE_ID_SIZE];
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    kc_session_t cached; /* the view, decoded */
    int has_view;
    const char *sub; /* of a token whose signature is right, for the audit log, like the next */
    const char *act;
} lookup_t;

/* The id of a token in the first tier: a keyed hash of the whole token, by the same fast
 * function that names sessions. */
static kc_rc_t lookup_begin(lookup_t *lookup, kc_err_t *err)
{
    const kc_rp_t *rp = lookup->rp;
    kc_view_cache_t *cache = rp->env->cache;

    lookup->now_ms = rp->env->now_ms(rp->env->context);
    lookup->now = lookup->now_ms / 1000;
    lookup->has_view = 0;
    memset(lookup->id, 0, sizeof(lookup->id));
    if (!cache)
        return kc_crypto_derive(rp->keys->key[0], id_purpose, lookup->token, lookup->id, err);
    kc_view_cache_stamp(cache, lookup->token, lookup->id);
    if (kc_view_cache_find(cache, rp->bearer_scope, lookup->id, lookup->now, lookup->pool,
                           &lookup->ticket, &lookup->view))
        lookup->has_view =
            lookup->now < lookup->view.moment &&
            kc_session_codec_decode(lookup->view.bytes, &lookup->cached, NULL) == KC_OK &&
            lookup->cached.user_key; /* not a view that an older version wrote */
    return KC_OK;
}

static kc_session_state_t finish(const lookup_t *lookup, kc_session_t *session)
{
    session->rp = lookup->rp;
    session->id = apr_pmemdup(lookup->pool, lookup->id, sizeof(lookup->id));
    kc_buf_hex_to(lookup->id, sizeof(lookup->id), session->key);
    session->idle_end = 0;
    session->is_bearer = 1;
    return KC_SESSION_LIVE;
}

static kc_session_state_t from_view(const lookup_t *lookup, kc_session_t *session)
{
    *session = lookup->cached;
    return finish(lookup, session);
}

static void put_view(const lookup_t *lookup, const kc_session_t *session)
{
    const kc_rp_t *rp = lookup->rp;
    int64_t end = kc_session_view_earlier(session->expires, lookup->now + KC_BEARER_TRUST);
    kc_view_cache_view_t view = {{NULL, 0}, lookup->now_ms, end, "", ""};

    if (rp->env->cache &&
        kc_session_codec_encode(session, lookup->pool, &view.bytes, NULL) == KC_OK)
        kc_metrics_add(rp->env->metrics, KC_METRICS_CELL(first_tier_evictions, 0, 0, 0),
                       kc_view_cache_put(rp->env->cache, &lookup->ticket, &view, lookup->now));
}

/* ---------------------------------------------------------------- verifying */

/* Roles are read from access tokens; an ID token tells only of roles that it has itself. */
static const kc_json_t *access_claims(const kc_jws_t *token)
{
    const char *typ = kc_json_member_string(token->claims, "typ");

    return typ && !strcmp(typ, "ID") ? NULL : token->claims;
}

/* A revocation entry is stored for KeycloakSessionMax: no token may outlive the entry that ended
 * it. */
static kc_rc_t to_session(const lookup_t *lookup, const kc_jws_t *token, kc_session_t *session,
                          kc_err_t *err)
{
    const kc_conf_t *conf = lookup->rp->conf;
    kc_identity_t identity;
    const char *acr = kc_json_member_string(token->claims, "acr");
    int dropped = 0;
    kc_rc_t rc = kc_identity_make(conf, token->claims, access_claims(token), lookup->pool,
                                  &identity, &dropped, err);

    memset(session, 0, sizeof(*session));
    if (rc != KC_OK)
        return rc;
    kc_token_set_identify(&identity, lookup->pool, session);
    kc_absent_claim_report(lookup->rp, identity.sub, token->claims, access_claims(token),
                           lookup->pool);
    kc_unknown_report(lookup->rp, identity.sub, identity.unknown,
                      apr_psprintf(lookup->pool,
                                   "the bearer token does not tell them, or over %d, or some that "
                                   "are no names",
                                   KC_CLAIMS_LIST_MAX),
                      lookup->pool);
    kc_groups_header_report(lookup->rp, identity.sub, &identity.groups_header, lookup->pool);
    session->acr = acr ? acr : "";
    session->auth_time = kc_json_member_seconds(token->claims, "auth_time");
    session->created = kc_json_member_seconds(token->claims, "iat");
    session->token_expires = kc_json_member_seconds(token->claims, "exp");
    session->expires = kc_session_view_earlier(session->token_expires + conf->clock_skew,
                                               session->created + conf->session_max);
    session->claims = token->payload;
    if (lookup->now >= session->expires)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "iat is over KeycloakSessionMax ago");
    return KC_OK;
}

static kc_rc_t verify(lookup_t *lookup, kc_session_t *session, kc_err_t *err)
{
    const kc_rp_t *rp = lookup->rp;
    const char *compact = kc_buf_copy(lookup->token.data, lookup->token.len, lookup->pool);
    const kc_metadata_snapshot_t *snapshot;
    kc_jws_t token;
    kc_rc_t rc = kc_metadata_get(rp->metadata, lookup->pool, &snapshot, err);

    if (rc == KC_OK)
        rc = kc_token_signature_verify_untrusted(rp->metadata, compact, lookup->pool, &snapshot,
                                                 &token, err);
    if (rc == KC_OK) {
        lookup->sub = kc_json_member_string(token.claims, "sub");
        lookup->act = kc_audit_actor(token.claims);
    }
    if (rc == KC_OK)
        rc = kc_bearer_verify(&token, rp->conf, lookup->now, err);
    if (rc == KC_OK)
        rc = to_session(lookup, &token, session, err);
    if (rc == KC_OK)
        rc = kc_revocation_begin(rp, session, (session->created - rp->conf->clock_skew) * 1000,
                                 lookup->pool, err);
    return rc;
}

void kc_bearer_tell_refusal(const kc_rp_t *rp, const char *sub, const char *act, kc_reason_t reason)
{
    const kc_audit_event_t event = {
        .kind = KC_AUDIT_BEARER_REFUSED, .reason = reason, .sub = sub, .act = act};

    kc_audit_tell(rp->env, &event);
}

/* The client gets one reason; the logs and the metrics have the cause. */
static kc_session_state_t refuse(const lookup_t *lookup, kc_err_t *err)
{
    kc_err_t cause = *err;

    kc_bearer_tell_refusal(lookup->rp, lookup->sub, lookup->act, cause.reason);
    kc_metrics_add(lookup->rp->env->metrics,
                   KC_METRICS_CELL(bearer_tokens, KC_METRICS_REFUSED, cause.reason, 0), 1);
    (void)kc_err_set(err, KC_REFUSED, KC_ERR_INVALID_TOKEN, cause.file, cause.line, "%s: %.200s",
                     kc_err_row(cause.reason)->slug, cause.detail);
    return KC_SESSION_REFUSED;
}

static void count_view(const lookup_t *lookup, kc_metrics_result_t result)
{
    kc_metrics_add(lookup->rp->env->metrics, KC_METRICS_CELL(first_tier, result, 0, 0), 1);
}

/* Asks the store whether a token that was verified before has been signed out since. */
static kc_session_state_t from_first_tier(lookup_t *lookup, kc_session_t *session, kc_err_t *err)
{
    if (kc_session_view_is_fresh(lookup->rp->conf, &lookup->ticket, &lookup->view,
                                 lookup->now_ms)) {
        count_view(lookup, KC_METRICS_HIT);
        return from_view(lookup, session);
    }
    count_view(lookup, KC_METRICS_STALE);
    switch (kc_revocation_check(lookup->rp, &lookup->cached, lookup->pool, err)) {
    case KC_OK:
        kc_view_cache_vouch(&lookup->ticket, &lookup->view, lookup->now_ms);
        return from_view(lookup, session);
    case KC_REFUSED:
        kc_view_cache_drop(lookup->rp->env->cache, &lookup->ticket);
        lookup->sub = lookup->cached.sub;
        lookup->act = NULL;
        return refuse(lookup, err);
    case KC_DOWN:
        if (!kc_session_view_is_within_grace(lookup->rp->conf, &lookup->view, lookup->now_ms))
            return KC_SESSION_UNKNOWN;
        err->reason = KC_ERR_NONE;
        return from_view(lookup, session);
    default:
        return KC_SESSION_UNKNOWN;
    }
}

/* A token is new once for each time that the first tier keeps it. */
static kc_session_state_t accept_new(const lookup_t *lookup, kc_session_t *session)
{
    const kc_audit_event_t event = {
        .kind = KC_AUDIT_BEARER_ACCEPTED, .reason = KC_ERR_EVENT_BEARER, .act = lookup->act};

    put_view(lookup, session);
    (void)finish(lookup, session);
    kc_session_audit_tell(lookup->rp, session, &event);
    return KC_SESSION_LIVE;
}

static kc_session_state_t find(lookup_t *lookup, kc_session_t *session, kc_err_t *err)
{
    if (lookup->has_view)
        return from_first_tier(lookup, session, err);
    lookup->sub = lookup->act = NULL;
    count_view(lookup, KC_METRICS_MISS);
    switch (verify(lookup, session, err)) {
    case KC_OK:
        return accept_new(lookup, session);
    case KC_REFUSED:
    case KC_MISS:
        return refuse(lookup, err);
    default:
        return KC_SESSION_UNKNOWN;
    }
}

static kc_session_state_t count(const kc_rp_t *rp, kc_session_state_t state, const kc_err_t *err)
{
    const kc_metrics_t *metrics = rp->env->metrics;

    if (state == KC_SESSION_LIVE)
        kc_metrics_add(metrics, KC_METRICS_CELL(bearer_tokens, KC_METRICS_DONE, 0, 0), 1);
    if (state == KC_SESSION_UNKNOWN)
        kc_metrics_add(metrics,
                       KC_METRICS_CELL(bearer_tokens, KC_METRICS_UNAVAILABLE, err->reason, 0), 1);
    return state;
}

kc_session_state_t kc_bearer_find(const kc_rp_t *rp, kc_bytes_t token, apr_pool_t *pool,
                                  kc_session_t *session, kc_err_t *err)
{
    lookup_t lookup;

    lookup.rp = rp;
    lookup.pool = pool;
    lookup.token = token;
    if (lookup_begin(&lookup, err) != KC_OK)
        return count(rp, KC_SESSION_UNKNOWN, err);
    return count(rp, find(&lookup, session, err), err);
}

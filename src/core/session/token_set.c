/* Token sets: checked, and made into sessions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/token_set.h"

#include <apr_strings.h>
#include <string.h>

#include "audit/audit.h"
#include "crypto/jws.h"
#include "provider/claims.h"
#include "provider/id_token.h"
#include "provider/token_signature.h"
#include "provider/token_size.h"
#include "rp.h"
#include "session/absent_claim.h"
#include "session/identity.h"
#include "session/session_pack.h"
#include "session/unknown.h"

enum {
    EARLY_SHARE = 4, /* tokens are renewed when this fraction of their lifetime is left */
    EARLY_MAX = 60,  /* seconds: but not earlier than this before their end */
    LIFETIME = 300   /* seconds: of tokens that do not tell their lifetime */
};

kc_rc_t kc_token_set_verify(kc_token_set_t *token_set, kc_err_t *err)
{
    const kc_rp_t *rp = token_set->rp;
    kc_jws_t *token = &token_set->id_token;
    kc_id_token_expect_t expect = {
        .issuer = rp->conf->issuer,
        .client_id = rp->conf->client_id,
        .nonce = token_set->nonce,
        .access_token = token_set->tokens.access_token,
        .now = rp->env->now(rp->env->context),
        .skew = rp->conf->clock_skew,
        .is_renewed = token_set->is_renewed,
    };
    kc_rc_t rc = kc_token_size_check("ID", token_set->tokens.id_token, token_set->pool, err);

    if (rc == KC_OK)
        rc = kc_token_signature_verify(rp->metadata, token_set->tokens.id_token, token_set->pool,
                                       &token_set->snapshot, token, err);
    if (rc == KC_OK)
        rc = kc_id_token_verify(token, &expect, err);
    token_set->claims = token->claims;
    return rc;
}

/* 1 when the claims are from this issuer and about this user. */
static int is_theirs(const kc_token_set_t *token_set, const kc_json_t *claims)
{
    const char *issuer = kc_json_member_string(claims, "iss");
    const char *owner = kc_json_member_string(claims, "sub");
    const char *sub = kc_json_member_string(token_set->id_token.claims, "sub");

    return issuer && !strcmp(issuer, token_set->rp->conf->issuer) && owner && !strcmp(owner, sub);
}

/* Verifies the access token. Its key may be unknown yet and is then fetched, as for an ID token. */
static kc_rc_t open_access(kc_token_set_t *token_set, kc_jws_t *token, kc_err_t *err)
{
    kc_rc_t rc =
        kc_token_size_check("access", token_set->tokens.access_token, token_set->pool, err);

    return rc == KC_OK
               ? kc_token_signature_verify(token_set->rp->metadata, token_set->tokens.access_token,
                                           token_set->pool, &token_set->snapshot, token, err)
               : rc;
}

/* The access token's claims, because Keycloak puts some roles only there. NULL, with the reason in
 * why, when the token is opaque or does not verify as one of this issuer and user. */
static const kc_json_t *access_claims(kc_token_set_t *token_set, kc_err_t *why)
{
    kc_jws_t token;

    if (open_access(token_set, &token, why) != KC_OK)
        return NULL;
    if (is_theirs(token_set, token.claims))
        return token.claims;
    (void)KC_FAIL(
        why, KC_REFUSED, KC_ERR_TOKEN_SUBJECT,
        "its iss or sub is absent or another one (a lightweight token, or a client without "
        "the client scope basic?)");
    return NULL;
}

/* What the log says of lists that are not completely known. */
static const char *explain(const kc_token_set_t *token_set, unsigned int unknown,
                           const kc_err_t *why)
{
    if (unknown == KC_UNKNOWN_GROUPS)
        return apr_psprintf(token_set->pool,
                            "the claim %.100s is absent, has over %d entries, or some that cannot "
                            "be header values",
                            token_set->rp->conf->groups_claim, KC_CLAIMS_LIST_MAX);
    if (why->reason == KC_ERR_NONE)
        return apr_psprintf(token_set->pool,
                            "the access token does not tell them (a lightweight token, or no "
                            "mapper?), or over %d, or some that are no names",
                            KC_CLAIMS_LIST_MAX);
    return apr_psprintf(token_set->pool, "the access token cannot be used: %s", why->detail);
}

/* Keeps the ID token, which logout needs; the refresh token, if it will be used; and the claims, if
 * there are more than the ID token has. */
static kc_rc_t pack_contents(const kc_token_set_t *token_set, kc_session_t *session, kc_err_t *err)
{
    kc_pack_t contents = {token_set->tokens.id_token, NULL, NULL, {NULL, 0}};

    if (token_set->rp->conf->refresh)
        contents.refresh_token = token_set->tokens.refresh_token;
    if (token_set->claims != token_set->id_token.claims)
        contents.claims = kc_buf_text(kc_json_dump(token_set->claims, token_set->pool));
    return kc_session_pack_close(&contents, token_set->pool, session, err);
}

/* The time for a renewal: early enough that requests during the renewal can still use the old
 * tokens. */
static int64_t before_end(int64_t now, int64_t end)
{
    int64_t left = end - now;

    return end - (left / EARLY_SHARE < EARLY_MAX ? left / EARLY_SHARE : EARLY_MAX);
}

/* Before the ID token ends, and before the refresh token ends. Where Keycloak's SSO Session Idle
 * is shorter than the tokens' lifetime, the refresh token ends first, and each renewal moves its
 * end. */
static int64_t refresh_time(const kc_token_set_t *token_set, int64_t expires)
{
    const kc_token_endpoint_answer_t *tokens = &token_set->tokens;
    int64_t now = token_set->rp->env->now(token_set->rp->env->context),
            time = before_end(now, expires), end;

    if (!token_set->rp->conf->refresh || !tokens->refresh_token)
        return 0;
    end = now + tokens->refresh_expires_in;
    return tokens->refresh_expires_in && before_end(now, end) < time ? before_end(now, end) : time;
}

kc_rc_t kc_token_set_check_subject(kc_token_set_t *token_set, const char *sub, kc_err_t *err)
{
    const char *issuer, *owner;
    kc_jws_t token;

    if (open_access(token_set, &token, NULL) != KC_OK)
        return KC_OK;
    issuer = kc_json_member_string(token.claims, "iss");
    owner = kc_json_member_string(token.claims, "sub");
    if (!issuer || strcmp(issuer, token_set->rp->conf->issuer) != 0 || !owner ||
        !strcmp(owner, sub))
        return KC_OK;
    return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SUBJECT, "the renewed token has another sub");
}

kc_rc_t kc_token_set_keep_id_token(const kc_token_set_t *token_set, const kc_pack_t *before,
                                   kc_session_t *session, kc_err_t *err)
{
    int64_t span = token_set->tokens.expires_in ? token_set->tokens.expires_in : LIFETIME;

    session->token_expires = token_set->rp->env->now(token_set->rp->env->context) + span;
    session->refresh_at = refresh_time(token_set, session->token_expires);
    return kc_token_set_keep_tokens(token_set, before, session, err);
}

kc_rc_t kc_token_set_keep_tokens(const kc_token_set_t *token_set, const kc_pack_t *before,
                                 kc_session_t *session, kc_err_t *err)
{
    kc_pack_t contents = *before;

    contents.refresh_token = token_set->tokens.refresh_token;
    return kc_session_pack_close(&contents, token_set->pool, session, err);
}

void kc_token_set_identify(const kc_identity_t *identity, apr_pool_t *pool, kc_session_t *session)
{
    session->sub = identity->sub;
    session->sid = identity->sid;
    session->user = identity->user;
    session->email = identity->email;
    session->groups = identity->groups;
    session->headers = kc_session_list_make(identity->header_list, pool);
    session->group_list = kc_session_list_make(identity->group_list, pool);
    session->realm_roles = kc_session_list_make(identity->realm_role_list, pool);
    session->client_roles = kc_session_list_make(identity->client_role_list, pool);
    session->unknown = identity->unknown;
}

kc_rc_t kc_token_set_to_session(kc_token_set_t *token_set, kc_session_t *session, kc_err_t *err)
{
    kc_identity_t identity;
    kc_err_t why = {KC_ERR_NONE, NULL, 0, ""};
    const kc_json_t *access = access_claims(token_set, &why);
    kc_rc_t rc = kc_identity_make(token_set->rp->conf, token_set->claims, access, token_set->pool,
                                  &identity, &token_set->dropped, err);

    memset(session, 0, sizeof(*session));
    token_set->act = kc_audit_actor(token_set->claims);
    if (!token_set->act)
        token_set->act = kc_audit_actor(access);
    if (rc != KC_OK)
        return rc;
    kc_absent_claim_report(token_set->rp, identity.sub, token_set->claims, access, token_set->pool);
    kc_unknown_report(token_set->rp, identity.sub, identity.unknown,
                      explain(token_set, identity.unknown, &why), token_set->pool);
    kc_groups_header_report(token_set->rp, identity.sub, &identity.groups_header, token_set->pool);
    kc_token_set_identify(&identity, token_set->pool, session);
    session->auth_time = kc_json_member_seconds(token_set->id_token.claims, "auth_time");
    session->acr = kc_json_member_string(token_set->id_token.claims, "acr");
    if (!session->acr)
        session->acr = "";
    session->token_expires = kc_json_member_seconds(token_set->id_token.claims, "exp");
    session->refresh_at = refresh_time(token_set, session->token_expires);
    return pack_contents(token_set, session, err);
}

/* Userinfo, requested at a sign-in and a renewal.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/userinfo.h"

#include <apr_strings.h>
#include <string.h>

#include "crypto/jws.h"
#include "provider/claims.h"
#include "provider/token_signature.h"
#include "rp.h"
#include "session/identity.h"

static int is_asked(const kc_token_set_t *token_set)
{
    const kc_conf_t *conf = token_set->rp->conf;

    if (conf->user_info == KC_USER_INFO_OFF || !token_set->snapshot->provider->userinfo_endpoint)
        return 0;
    return conf->user_info == KC_USER_INFO_ON ||
           kc_identity_is_incomplete(conf, token_set->id_token.claims);
}

static int is_for_client(const kc_json_t *audience, const char *client_id)
{
    const char *text = kc_json_string(audience);
    size_t i;

    for (i = 0; !text && i < kc_json_size(audience); i++) {
        const char *each = kc_json_string(kc_json_at(audience, i));

        if (each && strcmp(each, client_id) == 0)
            return 1;
    }
    return text && strcmp(text, client_id) == 0;
}

/* iss and aud should be there, but they are only checked where they are. */
static kc_rc_t check_signed(const kc_token_set_t *token_set, const kc_jws_t *token, kc_err_t *err)
{
    const kc_rp_t *rp = token_set->rp;
    const char *issuer = kc_json_member_string(token->claims, "iss");
    const kc_json_t *audience = kc_json_member(token->claims, "aud");
    const kc_json_t *exp = kc_json_member(token->claims, "exp");
    int64_t end = 0;

    if (kc_json_member(token->claims, "iss") && (!issuer || strcmp(issuer, rp->conf->issuer) != 0))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_USERINFO, "iss is %.100s", issuer ? issuer : "odd");
    if (audience && !is_for_client(audience, rp->conf->client_id))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_USERINFO, "aud does not hold %.100s",
                       rp->conf->client_id);
    if (exp && (!kc_json_seconds(exp, &end) ||
                end <= rp->env->now(rp->env->context) - rp->conf->clock_skew))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_USERINFO, "exp is in the past, or no time");
    return kc_token_endpoint_check_userinfo(
        token->claims, kc_json_member_string(token_set->id_token.claims, "sub"), err);
}

static kc_rc_t open_signed(kc_token_set_t *token_set, const char *jwt, const kc_json_t **out,
                           kc_err_t *err)
{
    kc_err_t why = {0};
    kc_jws_t token;
    kc_rc_t rc = kc_token_signature_verify(token_set->rp->metadata, jwt, token_set->pool,
                                           &token_set->snapshot, &token, &why);

    if (rc == KC_OK) {
        *out = token.claims;
        rc = check_signed(token_set, &token, &why);
    }
    if (rc == KC_REFUSED)
        rc = KC_FAIL(err, KC_REFUSED, KC_ERR_USERINFO, "the signed answer: %.200s", why.detail);
    else if (err)
        *err = why;
    return rc;
}

/* *out: the answer's claims, also when they cannot be used. */
static kc_rc_t ask(kc_token_set_t *token_set, const kc_json_t **out, kc_err_t *err)
{
    kc_token_endpoint_userinfo_t answer;
    kc_rc_t rc = kc_token_endpoint_userinfo(
        token_set->rp->conf, token_set->rp->env, token_set->snapshot->provider,
        token_set->tokens.access_token, kc_json_member_string(token_set->id_token.claims, "sub"),
        token_set->pool, &answer, err);

    *out = answer.claims;
    return rc == KC_OK && answer.jwt ? open_signed(token_set, answer.jwt, out, err) : rc;
}

/* An answer with another sub is not a failed answer but one for the wrong user: something is mixed
 * up. */
static int is_of_another(const kc_token_set_t *token_set, const kc_json_t *userinfo)
{
    const char *sub = kc_json_member_string(token_set->id_token.claims, "sub");
    const char *theirs = kc_json_member_string(userinfo, "sub");

    return sub && theirs && strcmp(sub, theirs) != 0;
}

/* For a negated Require, an absent claim would allow access. */
static int is_claim_missing(const kc_token_set_t *token_set)
{
    const apr_array_header_t *paths = token_set->rp->asked_claims;
    int i;

    for (i = 0; paths && i < paths->nelts; i++) {
        if (!kc_json_path(token_set->id_token.claims, APR_ARRAY_IDX(paths, i, const char *)))
            return 1;
    }
    return 0;
}

/* 1 when something that is needed is missing in the ID token. */
static int is_needed(const kc_token_set_t *token_set)
{
    const kc_rp_t *rp = token_set->rp;
    kc_conf_t wanted = *rp->conf;

    /* without them the groups header is empty, which is also valid for a user without groups */
    if (!rp->asks_groups)
        wanted.groups_claim = NULL;
    return rp->conf->user_info == KC_USER_INFO_ON || is_claim_missing(token_set) ||
           token_set->has_known_more ||
           kc_identity_is_incomplete(&wanted, token_set->id_token.claims);
}

static void report(const kc_token_set_t *token_set, const kc_err_t *why)
{
    const kc_rp_t *rp = token_set->rp;
    const unsigned char reason = (unsigned char)why->reason;
    const kc_bytes_t name = {&reason, 1};

    if (!kc_rp_is_news(rp, "userinfo", name))
        return;
    kc_env_log(
        rp->env, KC_ERR_USERINFO,
        "%s: users sign in without userinfo, which no Require or header needs: %s: %s. To stop "
        "these requests, add a mapper for the ID token (%.100s), or set KeycloakUserInfo off",
        kc_err_row(KC_ERR_USERINFO)->slug, kc_err_row(why->reason)->slug, why->detail,
        rp->conf->groups_claim ? rp->conf->groups_claim : "groups");
}

kc_rc_t kc_userinfo_add(kc_token_set_t *token_set, kc_err_t *err)
{
    const kc_json_t *userinfo = NULL;
    kc_err_t why = {0};
    kc_rc_t rc;

    if (!is_asked(token_set))
        return KC_OK;
    rc = ask(token_set, &userinfo, &why);
    if (rc == KC_OK) {
        token_set->claims =
            kc_claims_merge_userinfo(token_set->id_token.claims, userinfo, token_set->pool);
        return KC_OK;
    }
    if (!is_needed(token_set) && !is_of_another(token_set, userinfo)) {
        report(token_set, &why);
        return KC_OK;
    }
    if (err)
        *err = why;
    return rc;
}

/* Claims: the ID token's checks, one after the other, and the identity that its claims make.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/claims.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/client_role.h"
#include "conf/transform.h"
#include "crypto/crypto.h"
#include "provider/token_type.h"

/* C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 two bytes). */
static int has_control(const char *text)
{
    const unsigned char *at;

    for (at = (const unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f))
            return 1;
    }
    return 0;
}

int kc_claims_is_id_text(const char *text)
{
    return text && *text && strlen(text) <= KC_CLAIMS_TEXT_MAX && !has_control(text);
}

/* 1 for text that arrives in a header as it is: recipients trim spaces at its ends, so that "
 * admin" would become "admin" on the way. */
static int is_header_text(const char *text)
{
    size_t len = strlen(text);

    return !len || (!has_control(text) && text[0] != ' ' && text[len - 1] != ' ');
}

typedef kc_rc_t (*check_t)(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                           kc_err_t *err);

/* A provider's refresh, logout and access tokens are signed by the same keys for the same issuer;
 * what tells them from ID tokens is their types. */
static kc_rc_t check_type(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                          kc_err_t *err)
{
    const kc_json_t *typ = kc_json_member(token->claims, "typ");
    const char *text = kc_json_string(typ);

    if (!kc_token_type_is_id(token, expect->issuer))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE,
                       "header typ %.60s and typ %.60s are no ID token's",
                       token->typ ? token->typ : "(none)",
                       text  ? text
                       : typ ? "that is no string"
                             : "(none)");
    if (kc_json_member(token->claims, "events"))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TYPE, "it has events: a logout token");
    return KC_OK;
}

static kc_rc_t check_issuer(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                            kc_err_t *err)
{
    const char *issuer = kc_json_member_string(token->claims, "iss");

    if (!issuer)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ISSUER, "iss is absent or no string");
    if (strcmp(issuer, expect->issuer) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ISSUER, "iss is %.100s, not %.100s", issuer,
                       expect->issuer);
    return KC_OK;
}

/* 1 when aud is client_id, or an array of strings, client_id among them; *is_alone: it has no
 * other.
 */
static int is_for_client(const kc_json_t *audience, const char *client_id, int *is_alone)
{
    const char *text = kc_json_string(audience);
    size_t i;
    int is_found = 0;

    *is_alone = 1;
    if (text)
        return !strcmp(text, client_id);
    if (kc_json_type(audience) != KC_JSON_ARRAY)
        return 0;
    for (i = 0; i < kc_json_size(audience); i++) {
        text = kc_json_string(kc_json_at(audience, i));
        if (!text)
            return 0;
        *is_alone &= !strcmp(text, client_id);
        is_found |= !strcmp(text, client_id);
    }
    return is_found;
}

/* Whom azp names matters where the token is for others too: then those may not be trusted ones
 * (OpenID Connect Core 1.0 with errata set 2, section 3.1.3.7, items 3 and 4). */
static kc_rc_t check_audience(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                              kc_err_t *err)
{
    const kc_json_t *audience = kc_json_member(token->claims, "aud");
    const kc_json_t *party = kc_json_member(token->claims, "azp");
    const char *text = kc_json_string(party);
    int is_alone;

    if (!audience || !is_for_client(audience, expect->client_id, &is_alone))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_AUDIENCE, "aud does not hold %.100s",
                       expect->client_id);
    if (party && (!text || (!is_alone && strcmp(text, expect->client_id) != 0)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_AUDIENCE, "azp is %.100s, not %.100s",
                       text ? text : "no string", expect->client_id);
    return KC_OK;
}

static kc_rc_t read_time(const kc_json_t *claims, const char *name, int64_t *out, kc_err_t *err)
{
    const kc_json_t *value = kc_json_member(claims, name);

    if (!value)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "%s is absent", name);
    if (!kc_json_seconds(value, out))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "%s is no time in seconds", name);
    return KC_OK;
}

static kc_rc_t check_begin(const char *name, int64_t begin, const kc_claims_expect_t *expect,
                           kc_err_t *err)
{
    if (begin > expect->now + expect->skew)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "%s is %lld s in the future", name,
                       (long long)(begin - expect->now));
    return KC_OK;
}

static kc_rc_t check_time(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                          kc_err_t *err)
{
    int64_t end = 0;
    int64_t begin = 0;

    if (read_time(token->claims, "exp", &end, err) != KC_OK ||
        read_time(token->claims, "iat", &begin, err) != KC_OK)
        return KC_REFUSED;
    if (end <= expect->now - expect->skew)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "exp is %lld s in the past",
                       (long long)(expect->now - end));
    if (end <= begin)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_TIME, "exp is not after iat");
    return check_begin("iat", begin, expect, err);
}

static kc_rc_t check_not_before(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                                kc_err_t *err)
{
    int64_t begin = 0;

    if (!kc_json_member(token->claims, "nbf"))
        return KC_OK;
    if (read_time(token->claims, "nbf", &begin, err) != KC_OK)
        return KC_REFUSED;
    return check_begin("nbf", begin, expect, err);
}

static kc_rc_t check_subject(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                             kc_err_t *err)
{
    (void)expect;
    if (!kc_claims_is_id_text(kc_json_member_string(token->claims, "sub")))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_SUBJECT,
                       "sub is absent, empty, no string, over %d bytes or has control characters",
                       KC_CLAIMS_TEXT_MAX);
    return KC_OK;
}

static kc_rc_t check_nonce(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                           kc_err_t *err)
{
    const char *nonce = kc_json_member_string(token->claims, "nonce");

    if (expect->is_renewed && (!kc_json_member(token->claims, "nonce") || !expect->nonce))
        return KC_OK;
    if (!nonce || !expect->nonce ||
        !kc_crypto_is_equal(nonce, strlen(nonce), expect->nonce, strlen(expect->nonce)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_NONCE, "nonce is %s",
                       nonce ? "another" : "absent or no string");
    return KC_OK;
}

/* The size in bits that ends an algorithm's name; 0 for a name of another form. */
static int hash_bits(const char *alg)
{
    if (strlen(alg) != 5)
        return 0;
    if (!strcmp(alg + 2, "256"))
        return 256;
    if (!strcmp(alg + 2, "384"))
        return 384;
    return strcmp(alg + 2, "512") ? 0 : 512;
}

/* The left half of the access token's hash, in base64url (OpenID Connect Core 1.0 section 3.1.3.6).
 */
static kc_rc_t half_hash(const char *alg, const char *access_token, char *out, kc_err_t *err)
{
    unsigned char hash[KC_CRYPTO_SHA_MAX];
    size_t len = 0;
    int bits = hash_bits(alg);
    kc_rc_t rc;

    if (!bits)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_ALG, "%.20s names no hash for at_hash", alg);
    rc = kc_crypto_sha2(bits, kc_buf_text(access_token), hash, &len, err);
    if (rc == KC_OK)
        kc_buf_base64url_to(hash, len / 2, out);
    return rc;
}

static kc_rc_t check_access_hash(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                                 kc_err_t *err)
{
    const kc_json_t *member = kc_json_member(token->claims, "at_hash");
    const char *text = kc_json_string(member);
    char hash[(KC_CRYPTO_SHA_MAX / 2 * 4 + 2) / 3 + 1];
    kc_rc_t rc;

    if (!member || (text && !expect->access_token))
        return KC_OK;
    if (!text)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM, "at_hash is no string");
    rc = half_hash(token->alg, expect->access_token, hash, err);
    if (rc == KC_OK && !kc_crypto_is_equal(text, strlen(text), hash, strlen(hash)))
        rc = KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM,
                     "at_hash does not belong to the access token");
    return rc;
}

static kc_rc_t check_session(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                             kc_err_t *err)
{
    const kc_json_t *sid = kc_json_member(token->claims, "sid");
    int64_t auth_time;

    (void)expect;
    if (sid && !kc_claims_is_id_text(kc_json_string(sid)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM,
                       "sid is empty, no string, over %d bytes or has control characters",
                       KC_CLAIMS_TEXT_MAX);
    if (kc_json_member(token->claims, "auth_time") &&
        read_time(token->claims, "auth_time", &auth_time, NULL) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_TOKEN_CLAIM, "auth_time is no time in seconds");
    return KC_OK;
}

static kc_rc_t check_all(const check_t *checks, size_t count, const kc_jose_token_t *token,
                         const kc_claims_expect_t *expect, kc_err_t *err)
{
    size_t i;

    for (i = 0; i < count; i++) {
        kc_rc_t rc = checks[i](token, expect, err);

        if (rc != KC_OK)
            return rc;
    }
    return KC_OK;
}

/* In this order, as the next, so that the reason given is the most telling one: a foreign token is
 * told from an old one. */
static const check_t origin_checks[] = {
    check_issuer,
    check_audience,
    check_time,
    check_not_before,
};

kc_rc_t kc_claims_verify_origin(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                                kc_err_t *err)
{
    return check_all(origin_checks, sizeof(origin_checks) / sizeof(origin_checks[0]), token, expect,
                     err);
}

static const check_t bearer_checks[] = {
    check_issuer, check_time, check_not_before, check_subject, check_session,
};

kc_rc_t kc_claims_verify_bearer(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                                kc_err_t *err)
{
    return check_all(bearer_checks, sizeof(bearer_checks) / sizeof(bearer_checks[0]), token, expect,
                     err);
}

static const check_t checks[] = {
    check_type,  kc_claims_verify_origin, check_subject,
    check_nonce, check_access_hash,       check_session,
};

kc_rc_t kc_claims_verify(const kc_jose_token_t *token, const kc_claims_expect_t *expect,
                         kc_err_t *err)
{
    return check_all(checks, sizeof(checks) / sizeof(checks[0]), token, expect, err);
}

/* ---- identity ---- */

static int is_email_checked(const kc_conf_t *conf)
{
    return conf->verified_email && !strcmp(conf->user_claim, "email");
}

static const kc_json_t *find_claim(const kc_json_t *claims, const char *path)
{
    const kc_json_t *value = path ? kc_json_path(claims, path) : NULL;

    return value && kc_json_type(value) != KC_JSON_NULL ? value : NULL;
}

int kc_claims_is_incomplete(const kc_conf_t *conf, const kc_json_t *claims)
{
    int i;

    if (!find_claim(claims, conf->user_claim) ||
        (conf->groups_claim && !find_claim(claims, conf->groups_claim)) ||
        (is_email_checked(conf) && !find_claim(claims, "email_verified")))
        return 1;
    for (i = 0; conf->headers && i < conf->headers->nelts; i++) {
        if (!find_claim(claims, APR_ARRAY_IDX(conf->headers, i, kc_conf_pair_t).value))
            return 1;
    }
    return 0;
}

/* What the making of an identity works on. */
typedef struct {
    const kc_conf_t *conf;
    const kc_json_t *claims;
    apr_pool_t *pool;
    int dropped;
    unsigned int unknown;
} maker_t;

static const char *user_text(const kc_json_t *value, apr_pool_t *pool)
{
    if (kc_json_type(value) == KC_JSON_INTEGER)
        return kc_json_scalar_text(value, pool);
    return kc_json_string(value);
}

static kc_rc_t make_user(const maker_t *maker, const char **out, kc_err_t *err)
{
    const kc_conf_t *conf = maker->conf;
    const kc_json_t *value = find_claim(maker->claims, conf->user_claim);
    const char *user;

    if (!value)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_USER_MISSING, "claim %.100s is absent",
                       conf->user_claim);
    user = user_text(value, maker->pool);
    if (user)
        user = kc_transform_apply(conf->user_transforms, user, maker->pool);
    if (user && !*user)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_USER_MISSING, "claim %.100s is empty",
                       conf->user_claim);
    if (user && conf->user_prefix)
        user = apr_pstrcat(maker->pool, conf->user_prefix, user, NULL);
    if (!kc_claims_is_id_text(user) || !is_header_text(user))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_USER_FORM,
                       "claim %.100s is no text, over %d bytes, or has control characters or "
                       "spaces at an end",
                       conf->user_claim, KC_CLAIMS_TEXT_MAX);
    *out = apr_pstrdup(maker->pool, user);
    return KC_OK;
}

static kc_rc_t check_email(const maker_t *maker, kc_err_t *err)
{
    const kc_json_t *verified = kc_json_member(maker->claims, "email_verified");
    const char *text = kc_json_string(verified);

    if (!is_email_checked(maker->conf) || kc_json_is_true(verified) ||
        (text && !strcmp(text, "true")))
        return KC_OK;
    return KC_FAIL(err, KC_REFUSED, KC_ERR_EMAIL_UNVERIFIED, "email_verified is %s",
                   verified ? "not true" : "absent");
}

/* A member of the identity's own: "" when it is absent or cannot be used. */
static const char *own_text(maker_t *maker, const char *name, int is_for_header)
{
    const char *text = kc_json_member_string(maker->claims, name);

    if (!text)
        return "";
    if (kc_claims_is_id_text(text) && (!is_for_header || is_header_text(text)))
        return apr_pstrdup(maker->pool, text);
    maker->dropped++;
    return "";
}

/* A list has lost something. */
static void cut(maker_t *maker, unsigned int list)
{
    maker->dropped++;
    maker->unknown |= list;
}

static const char *group_name(const char *text)
{
    return text && *text == '/' ? text + 1 : text;
}

static void push_group(maker_t *maker, const kc_json_t *value, apr_array_header_t *list)
{
    const char *name = group_name(kc_json_string(value));

    if (!name || !*name || strchr(name, ',') || !is_header_text(name) ||
        list->nelts >= KC_CLAIMS_LIST_MAX) {
        cut(maker, KC_UNKNOWN_GROUPS);
        return;
    }
    APR_ARRAY_PUSH(list, const char *) = apr_pstrdup(maker->pool, name);
}

static apr_array_header_t *make_groups(maker_t *maker)
{
    apr_array_header_t *list = apr_array_make(maker->pool, 8, sizeof(const char *));
    const kc_json_t *value = find_claim(maker->claims, maker->conf->groups_claim);
    size_t i;

    if (!value)
        maker->unknown |= KC_UNKNOWN_GROUPS;
    if (value && kc_json_type(value) != KC_JSON_ARRAY)
        push_group(maker, value, list);
    else
        for (i = 0; i < kc_json_size(value); i++)
            push_group(maker, kc_json_at(value, i), list);
    return list;
}

typedef struct {
    maker_t *maker;
    unsigned int bit; /* of unknown.h */
    apr_array_header_t *list;
} roles_t;

/* Puts roles at the end of the list, each behind prefix. One alone, of a mapper that is not
 * multivalued, is none in Keycloak's own claim, which is a list. */
static void push_roles(const roles_t *to, const kc_json_t *roles, const char *prefix)
{
    int is_one = kc_json_type(roles) == KC_JSON_STRING &&
                 strcmp(to->maker->conf->roles_claim, "realm_access.roles") != 0;
    size_t count = is_one ? 1 : kc_json_size(roles), i;

    if (!is_one && kc_json_type(roles) != KC_JSON_ARRAY) {
        to->maker->unknown |= to->bit;
        return;
    }
    for (i = 0; i < count; i++) {
        const char *role = kc_json_string(is_one ? roles : kc_json_at(roles, i));

        if (!role || !*role || has_control(role) || to->list->nelts >= KC_CLAIMS_LIST_MAX)
            cut(to->maker, to->bit);
        else
            APR_ARRAY_PUSH(to->list, const char *) =
                apr_pstrcat(to->maker->pool, prefix, role, NULL);
    }
}

/* Keycloak's defaults put roles into access tokens alone; mappers can put them into ID tokens. */
static const kc_json_t *role_source(const maker_t *maker, const kc_json_t *access, const char *path)
{
    const kc_json_t *value = path ? kc_json_path(access, path) : NULL;

    return value || !path ? value : kc_json_path(maker->claims, path);
}

static void push_client_roles(void *context, const char *client, const kc_json_t *value)
{
    const roles_t *to = context;
    const kc_json_t *roles = kc_json_member(value, "roles");

    if (!*client || has_control(client))
        cut(to->maker, to->bit);
    else
        push_roles(to, kc_json_type(roles) == KC_JSON_ARRAY ? roles : NULL,
                   kc_client_role_prefix(client, to->maker->pool));
}

/* Keycloak leaves a claim out for who has no role of that kind, and also where its mapper is not
 * there, not for (lightweight) access tokens, or not in scope; each kind has a mapper of its own.
 * So what one claim tells says nothing of the other. */
static void make_roles(maker_t *maker, const kc_json_t *access, kc_identity_t *out)
{
    const kc_json_t *realm = role_source(maker, access, maker->conf->roles_claim);
    const kc_json_t *clients = role_source(maker, access, "resource_access");
    roles_t of_realm = {maker, KC_UNKNOWN_REALM_ROLES, NULL};
    roles_t of_clients = {maker, KC_UNKNOWN_CLIENT_ROLES, NULL};

    of_realm.list = out->realm_role_list = apr_array_make(maker->pool, 8, sizeof(const char *));
    of_clients.list = out->client_role_list = apr_array_make(maker->pool, 8, sizeof(const char *));
    push_roles(&of_realm, realm, "");
    if (kc_json_type(clients) == KC_JSON_OBJECT)
        kc_json_each(clients, push_client_roles, &of_clients);
    else
        maker->unknown |= KC_UNKNOWN_CLIENT_ROLES;
}

/* An array's elements for a header; those that would look like several, or like others, and those
 * that there is no room for, are left out. */
static const char *array_text(maker_t *maker, const kc_json_t *array)
{
    apr_array_header_t *list = apr_array_make(maker->pool, 8, sizeof(const char *));
    const char *text;
    int left_out;
    size_t i;

    for (i = 0; i < kc_json_size(array); i++) {
        text = kc_json_scalar_text(kc_json_at(array, i), maker->pool);

        if (!text || !*text || strchr(text, ',') || !is_header_text(text) ||
            list->nelts >= KC_CLAIMS_LIST_MAX)
            maker->dropped++;
        else
            APR_ARRAY_PUSH(list, const char *) = text;
    }
    text = kc_groups_header_join(list, maker->pool, &left_out);
    maker->dropped += left_out;
    return text;
}

static const char *header_text(maker_t *maker, const char *path)
{
    const kc_json_t *value = find_claim(maker->claims, path);
    const char *text;

    if (!value)
        return "";
    if (kc_json_type(value) == KC_JSON_ARRAY)
        return array_text(maker, value);
    text = kc_json_scalar_text(value, maker->pool);
    if (text && is_header_text(text) && strlen(text) <= KC_CLAIMS_HEADER_MAX)
        return apr_pstrdup(maker->pool, text);
    maker->dropped++;
    return "";
}

static apr_array_header_t *make_headers(maker_t *maker)
{
    const apr_array_header_t *pairs = maker->conf->headers;
    apr_array_header_t *list = apr_array_make(maker->pool, 4, sizeof(const char *));
    int i;

    for (i = 0; pairs && i < pairs->nelts; i++)
        APR_ARRAY_PUSH(list, const char *) =
            header_text(maker, APR_ARRAY_IDX(pairs, i, kc_conf_pair_t).value);
    return list;
}

kc_rc_t kc_claims_identity(const kc_conf_t *conf, const kc_json_t *claims, const kc_json_t *access,
                           apr_pool_t *pool, kc_identity_t *out, int *dropped, kc_err_t *err)
{
    maker_t maker = {conf, claims, pool, 0, 0};
    kc_rc_t rc;

    memset(out, 0, sizeof(*out));
    *dropped = 0;
    rc = make_user(&maker, &out->user, err);
    if (rc == KC_OK)
        rc = check_email(&maker, err);
    if (rc != KC_OK)
        return rc;
    out->sub = own_text(&maker, "sub", 0);
    out->sid = own_text(&maker, "sid", 0);
    out->email = own_text(&maker, "email", 1);
    out->group_list = make_groups(&maker);
    kc_groups_header_make(conf, out->group_list, pool, &out->groups_header);
    out->groups = out->groups_header.value;
    make_roles(&maker, access, out);
    out->header_list = make_headers(&maker);
    out->unknown = maker.unknown;
    *dropped = maker.dropped;
    return KC_OK;
}

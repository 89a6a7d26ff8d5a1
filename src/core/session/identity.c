/* Makes an identity from the claims of a token.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/identity.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/client_role.h"
#include "conf/transform.h"
#include "provider/claims.h"
#include "session/unknown.h"

static int is_email_checked(const kc_conf_t *conf)
{
    return conf->verified_email && !strcmp(conf->user_claim, "email");
}

static const kc_json_t *find_claim(const kc_json_t *claims, const char *path)
{
    const kc_json_t *value = path ? kc_json_path(claims, path) : NULL;

    return value && kc_json_type(value) != KC_JSON_NULL ? value : NULL;
}

int kc_identity_is_incomplete(const kc_conf_t *conf, const kc_json_t *claims)
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

/* State while an identity is made. */
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
    if (!kc_claims_is_id_text(user) || !kc_claims_is_header_text(user))
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

/* A text claim of the identity itself: "" when it is absent or cannot be used. */
static const char *own_text(maker_t *maker, const char *name, int is_for_header)
{
    const char *text = kc_json_member_string(maker->claims, name);

    if (!text)
        return "";
    if (kc_claims_is_id_text(text) && (!is_for_header || kc_claims_is_header_text(text)))
        return apr_pstrdup(maker->pool, text);
    maker->dropped++;
    return "";
}

/* Notes that something was left out of a list. */
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

    if (!name || !*name || strchr(name, ',') || !kc_claims_is_header_text(name) ||
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

/* Appends roles to the list, each with prefix in front. A single text, from a mapper that is not
 * multivalued, counts as one role. It does not in Keycloak's own claim, which is always a list. */
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

        if (!role || !*role || kc_claims_has_control(role) || to->list->nelts >= KC_CLAIMS_LIST_MAX)
            cut(to->maker, to->bit);
        else
            APR_ARRAY_PUSH(to->list, const char *) =
                apr_pstrcat(to->maker->pool, prefix, role, NULL);
    }
}

/* By default Keycloak puts roles only into access tokens; mappers can put them into ID tokens. */
static const kc_json_t *role_source(const maker_t *maker, const kc_json_t *access, const char *path)
{
    const kc_json_t *value = path ? kc_json_path(access, path) : NULL;

    return value || !path ? value : kc_json_path(maker->claims, path);
}

static void push_client_roles(void *context, const char *client, const kc_json_t *value)
{
    const roles_t *to = context;
    const kc_json_t *roles = kc_json_member(value, "roles");

    if (!*client || kc_claims_has_control(client))
        cut(to->maker, to->bit);
    else
        push_roles(to, kc_json_type(roles) == KC_JSON_ARRAY ? roles : NULL,
                   kc_client_role_prefix(client, to->maker->pool));
}

/* Keycloak leaves a claim out for users without a role of that kind. It is also missing when its
 * mapper is missing, out of scope, or off for (lightweight) access tokens. Each kind has its own
 * mapper, so one claim tells nothing about the other. */
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

/* An array's elements as a header value. Elements that would look like several, or like others, or
 * for which there is no room, are left out. */
static const char *array_text(maker_t *maker, const kc_json_t *array)
{
    apr_array_header_t *list = apr_array_make(maker->pool, 8, sizeof(const char *));
    const char *text;
    int left_out;
    size_t i;

    for (i = 0; i < kc_json_size(array); i++) {
        text = kc_json_scalar_text(kc_json_at(array, i), maker->pool);

        if (!text || !*text || strchr(text, ',') || !kc_claims_is_header_text(text) ||
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
    if (text && kc_claims_is_header_text(text) && strlen(text) <= KC_CLAIMS_HEADER_MAX)
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

kc_rc_t kc_identity_make(const kc_conf_t *conf, const kc_json_t *claims, const kc_json_t *access,
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

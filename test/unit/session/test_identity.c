/* Tests of identity.h: the identity that a token's claims give, and which of them fit into headers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/glob.h"
#include "conf/groups_filter.h"
#include "session/identity.h"
#include "session/unknown.h"
#include "testlib.h"
#include "variant.h"

Suite *kc_test_identity(void);

#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))

/* What Keycloak 26 puts into an ID token. */
static const char id_token[] =
    "{\"exp\":1700000300,\"iat\":1700000000,\"auth_time\":1699999990,\"jti\":\"j\","
    "\"iss\":\"https://id.example.com/realms/r\",\"aud\":\"site\",\"sub\":\"u-1\",\"typ\":\"ID\","
    "\"azp\":\"site\",\"nonce\":\"n-1\",\"sid\":\"s-1\",\"email\":\"alice@example.com\","
    "\"email_verified\":true}";

static kc_conf_t *conf;
static kc_err_t err;
static kc_identity_t identity;
static int dropped;

static void setup(void)
{
    testlib_setup();
    conf = kc_conf_create(testlib_pool);
    memset(&err, 0, sizeof(err));
    memset(&identity, 0, sizeof(identity));
    dropped = -1;
}

static kc_rc_t make(const char *claims, const char *access)
{
    return kc_identity_make(conf, variant_json(claims), access ? variant_json(access) : NULL,
                            testlib_pool, &identity, &dropped, &err);
}

static const char *joined(const apr_array_header_t *list)
{
    return apr_array_pstrcat(testlib_pool, list, '|');
}

START_TEST(identity_of_a_plain_token)
{
    ck_assert_int_eq(make(id_token, NULL), KC_OK);
    ck_assert_str_eq(identity.sub, "u-1");
    ck_assert_str_eq(identity.sid, "s-1");
    ck_assert_str_eq(identity.user, "alice@example.com");
    ck_assert_str_eq(identity.email, "alice@example.com");
    ck_assert_str_eq(identity.groups, "");
    ck_assert_int_eq(identity.group_list->nelts, 0);
    ck_assert_int_eq(identity.realm_role_list->nelts, 0);
    ck_assert_int_eq(identity.client_role_list->nelts, 0);
    ck_assert_int_eq(identity.header_list->nelts, 0);
    ck_assert_int_eq(dropped, 0);
}
END_TEST

START_TEST(absent_parts_are_empty)
{
    ck_assert_int_eq(make(variant_of(id_token, "sid", NULL), NULL), KC_OK);
    ck_assert_str_eq(identity.sid, "");
    conf->user_claim = "sub";
    ck_assert_int_eq(make(variant_of(id_token, "email", NULL), NULL), KC_OK);
    ck_assert_str_eq(identity.email, "");
    ck_assert_str_eq(identity.user, "u-1");
}
END_TEST

/* What the claim `name` makes of the user; H 118 among them. */
static const struct {
    const char *value;
    const char *user; /* NULL: refused */
    kc_reason_t reason;
} users[] = {
    {"\"bob\"", "bob", KC_ERR_NONE},
    {"\"a,b\"", "a,b", KC_ERR_NONE},
    {"\"a b\"", "a b", KC_ERR_NONE},
    {"\"J\\u00fcrgen \\u674e\"", "J\xc3\xbcrgen \xe6\x9d\x8e", KC_ERR_NONE},
    {"4711", "4711", KC_ERR_NONE},
    {NULL, NULL, KC_ERR_USER_MISSING},
    {"null", NULL, KC_ERR_USER_MISSING},
    {"\"\"", NULL, KC_ERR_USER_MISSING},
    {"\"a\\r\\nkubeflow-userid: root\"", NULL, KC_ERR_USER_FORM},
    {"\"a\\nb\"", NULL, KC_ERR_USER_FORM},
    {"\"a\\tb\"", NULL, KC_ERR_USER_FORM},
    {"\"a\\u007fb\"", NULL, KC_ERR_USER_FORM},
    {"\"a\\u0080b\"", NULL, KC_ERR_USER_FORM},
    {"\"a\\u009fb\"", NULL, KC_ERR_USER_FORM},
    {"\"a\\u00a0b\"",
     "a\xc2\xa0"
     "b",
     KC_ERR_NONE},
    {"\" a\"", NULL, KC_ERR_USER_FORM},
    {"\"a \"", NULL, KC_ERR_USER_FORM},
    {"[\"bob\"]", NULL, KC_ERR_USER_FORM},
    {"{\"bob\":1}", NULL, KC_ERR_USER_FORM},
    {"true", NULL, KC_ERR_USER_FORM},
    {"1.5", NULL, KC_ERR_USER_FORM},
};

START_TEST(user_is_well_formed)
{
    conf->user_claim = "name";
    if (users[_i].user) {
        ck_assert_int_eq(make(variant_of(id_token, "name", users[_i].value), NULL), KC_OK);
        ck_assert_str_eq(identity.user, users[_i].user);
    } else {
        ck_assert_int_eq(make(variant_of(id_token, "name", users[_i].value), NULL), KC_REFUSED);
        ck_assert_int_eq(err.reason, users[_i].reason);
        ck_assert_ptr_null(identity.user);
    }
}
END_TEST

START_TEST(user_has_a_size)
{
    conf->user_claim = "name";
    ck_assert_int_eq(make(variant_of(id_token, "name", variant_text('x', 255)), NULL), KC_OK);
    ck_assert_int_eq(make(variant_of(id_token, "name", variant_text('x', 256)), NULL), KC_REFUSED);
    conf->user_prefix = "p";
    ck_assert_int_eq(make(variant_of(id_token, "name", variant_text('x', 255)), NULL), KC_REFUSED);
    ck_assert_int_eq(make(variant_of(id_token, "name", variant_text('x', 254)), NULL), KC_OK);
}
END_TEST

static void set(kc_conf_index_t index, int argc, const char *a, const char *b)
{
    const char *argv[2] = {a, b};

    ck_assert_int_eq(kc_conf_set(conf, index, argc, argv, "test", 1, testlib_pool, &err), KC_OK);
}

START_TEST(user_is_transformed_and_then_prefixed)
{
    const char *claims = variant_of(id_token, "email", "\"Alice@Example.com\"");

    conf->user_prefix = "KC:";
    set(KC_CONF_ROW_user_transforms, 1, "lower", NULL);
    ck_assert_int_eq(make(claims, NULL), KC_OK);
    ck_assert_str_eq(identity.user, "KC:alice@example.com");
    ck_assert_str_eq(identity.email, "Alice@Example.com");
    conf = kc_conf_merge(conf, kc_conf_create(testlib_pool), testlib_pool);
    conf->position[KC_CONF_ROW_user_transforms].file = NULL; /* as in a virtual host of its own */
    set(KC_CONF_ROW_user_transforms, 2, "^([^@]*)@Example\\.com$", "\\1");
    ck_assert_int_eq(make(claims, NULL), KC_OK);
    ck_assert_str_eq(identity.user, "KC:Alice");
    conf->position[KC_CONF_ROW_user_transforms].file = NULL;
    set(KC_CONF_ROW_user_transforms, 2, ".*", "");
    ck_assert_int_eq(make(claims, NULL), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_USER_MISSING);
}
END_TEST

START_TEST(user_claim_may_be_a_path)
{
    conf->user_claim = "id.name";
    ck_assert_int_eq(make(variant_of(id_token, "id", "{\"name\":\"bob\"}"), NULL), KC_OK);
    ck_assert_str_eq(identity.user, "bob");
}
END_TEST

static const struct {
    const char *value;
    kc_rc_t rc;
} verifieds[] = {
    {"true", KC_OK},          {"\"true\"", KC_OK},  {"false", KC_REFUSED},
    {"\"True\"", KC_REFUSED}, {"\"\"", KC_REFUSED}, {"1", KC_REFUSED},
    {"null", KC_REFUSED},     {NULL, KC_REFUSED},   {"[true]", KC_REFUSED},
};

START_TEST(email_must_be_verified)
{
    const char *claims = variant_of(id_token, "email_verified", verifieds[_i].value);

    ck_assert_int_eq(make(claims, NULL), verifieds[_i].rc);
    ck_assert_int_eq(err.reason, verifieds[_i].rc == KC_OK ? KC_ERR_NONE : KC_ERR_EMAIL_UNVERIFIED);
    conf->verified_email = 0;
    ck_assert_int_eq(make(claims, NULL), KC_OK);
    conf->verified_email = 1;
    conf->user_claim = "sub";
    ck_assert_int_eq(make(claims, NULL), KC_OK);
}
END_TEST

static const struct {
    const char *value;
    const char *header;
    int dropped;
} groups[] = {
    {NULL, "", 0},
    {"null", "", 0},
    {"[]", "", 0},
    {"[\"a\",\"b\"]", "a,b", 0},
    {"[\"/team/a\",\"/team/b\",\"c\"]", "team/a,team/b,c", 0},
    {"\"/only\"", "only", 0},
    {"\"a,b\"", "", 1},
    {"[\"a\",\"b,admin\",\"c\"]", "a,c", 1},
    {"[\"a\\r\\nx: y\",\"b\\u007f\",\"c\\u0085\",\"\\u0001\",\"ok\"]", "ok", 4},
    {"[\" admin\",\"admin \",\"/ admin\",\"b\"]", "b", 3},
    {"[\"\",\"/\",1,true,null,[\"x\"],{},\"d\"]", "d", 7},
    {"[\"J\\u00fcrgen\"]", "J\xc3\xbcrgen", 0},
    {"{\"a\":1}", "", 1},
    {"7", "", 1},
};

START_TEST(groups_are_joined)
{
    ck_assert_int_eq(make(variant_of(id_token, "groups", groups[_i].value), NULL), KC_OK);
    ck_assert_str_eq(identity.groups, groups[_i].header);
    ck_assert_int_eq(dropped, groups[_i].dropped);
    ck_assert_str_eq(apr_array_pstrcat(testlib_pool, identity.group_list, ','), groups[_i].header);
}
END_TEST

/* KeycloakGroupsFilter, the groups of the token, and the header that comes of both. */
static const struct {
    const char *filter, *groups, *header;
    int left_out;
} filters[] = {
    {NULL, "[\"/b\",\"a\",\"b\"]", "b,a,b", 0},
    {"*", "[\"/b\",\"a\"]", "b,a", 0},
    {"order:token", "[\"b\",\"a\"]", "b,a", 0},
    {"order:sorted", "[\"b\",\"B\",\"a/b\",\"a\",\"a-b\",\"\u00e4\"]", "B,a,a-b,a/b,b,\xc3\xa4", 0},
    {"limit:2", "[\"c\",\"b\",\"a\"]", "c,b", 1},
    {"limit:3", "[\"c\",\"b\",\"a\"]", "c,b,a", 0},
    {"limit:2 order:sorted", "[\"c\",\"b\",\"a\"]", "a,b", 1},
    {"team-*", "[\"/team-a\",\"staff\",\"team-\",\"ateam-b\",\"/x/team-c\"]", "team-a,team-", 0},
    {"/team-*", "[\"/team-a\",\"team-b\",\"x/team-c\"]", "team-a,team-b", 0},
    {"kubeflow/*", "[\"/kubeflow/a/b\",\"/kubeflow\",\"/kubeflows/c\"]", "kubeflow/a/b", 0},
    {"*/admin", "[\"/x/admin\",\"admin\",\"/a/b/admin\",\"x/admins\"]", "x/admin,a/b/admin", 0},
    {"a*b*c", "[\"abc\",\"aXbYc\",\"acb\",\"abcbc\",\"abcb\"]", "abc,aXbYc,abcbc", 0},
    {"a b limit:1", "[\"b\",\"x\",\"a\"]", "b", 1},
    {"staff team-* limit:2", "[\"team-a\",\"x\",\"staff\",\"y\"]", "team-a,staff", 0},
    {"Team-*", "[\"team-a\"]", "", 0},
    {"none-such", "[\"a\",\"b\"]", "", 0},
    {"*", "[]", "", 0},
    {"*", "[\"\",\"/\",\"a,b\",7,null,[\"c\"],{\"d\":1},\" e\",\"f\"]", "f", 0},
};

START_TEST(the_header_has_the_groups_that_are_chosen)
{
    apr_array_header_t *words = apr_array_make(testlib_pool, 4, sizeof(const char *));
    char *last, *word, *text = apr_pstrdup(testlib_pool, filters[_i].filter);

    for (word = text ? apr_strtok(text, " ", &last) : NULL; word;
         word = apr_strtok(NULL, " ", &last))
        APR_ARRAY_PUSH(words, const char *) = word;
    conf->groups_filter = text ? words : NULL;
    ck_assert_msg(kc_groups_filter_check(conf, testlib_pool, &err) == KC_OK, "%s", err.detail);
    ck_assert_int_eq(make(variant_of(id_token, "groups", filters[_i].groups), NULL), KC_OK);
    ck_assert_str_eq(identity.groups, filters[_i].header);
    ck_assert_int_eq(identity.groups_header.left_out, filters[_i].left_out);
}
END_TEST

/* Whole groups from the first on, as many as there is room for; a short one behind finds its. */
START_TEST(the_header_has_what_there_is_room_for)
{
    const char *long_one = variant_text('x', 100), *text;
    int i;

    for (i = 78; i <= 81; i++) { /* 80 of 100 and their commas: 8,079 bytes */
        apr_array_header_t *list = apr_array_make(testlib_pool, i, sizeof(const char *));
        int k, kept = i < 79 ? i : 79;

        for (k = 0; k < i; k++)
            APR_ARRAY_PUSH(list, const char *) = long_one;
        APR_ARRAY_PUSH(list, const char *) = "\"short\"";
        text =
            apr_pstrcat(testlib_pool, "[", apr_array_pstrcat(testlib_pool, list, ','), "]", NULL);
        ck_assert_int_eq(make(variant_of(id_token, "groups", text), NULL), KC_OK);
        ck_assert_int_eq((int)strlen(identity.groups), kept * 101 - 1 + 6);
        ck_assert_str_eq(identity.groups + kept * 101, "short");
        ck_assert_int_eq(identity.groups_header.left_out, i - kept);
        ck_assert_int_eq((int)identity.groups_header.bytes, i * 101 + 5);
        ck_assert_int_eq(identity.group_list->nelts, i + 1);
        ck_assert_int_eq(dropped, 0);
    }
}
END_TEST

/* Many stars against a name that almost fits: no more steps than its length times the pattern's. */
START_TEST(patterns_with_many_stars_end)
{
    char *name = apr_palloc(testlib_pool, 200001), *pattern = apr_palloc(testlib_pool, 256);
    int i;

    memset(name, 'a', 200000);
    name[200000] = '\0';
    for (i = 0; i < 254; i += 2)
        memcpy(pattern + i, "*a", 2);
    memcpy(pattern + 254, "b", 2);
    ck_assert_int_eq(kc_glob_is_met(name, name + 200000, pattern, pattern + 255), 0);
    name[199999] = 'b';
    ck_assert_int_eq(kc_glob_is_met(name, name + 200000, pattern, pattern + 255), 1);
}
END_TEST

/* A JSON array of count texts of len characters. */
static const char *long_array(int count, int len)
{
    apr_array_header_t *list = apr_array_make(testlib_pool, count, sizeof(const char *));
    int i;

    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(list, const char *) = variant_text('g', len);
    return apr_pstrcat(testlib_pool, "[", apr_array_pstrcat(testlib_pool, list, ','), "]", NULL);
}

START_TEST(groups_have_bounds)
{
    ck_assert_int_eq(make(variant_of(id_token, "groups", long_array(5000, 3)), NULL), KC_OK);
    ck_assert_int_eq(identity.group_list->nelts, 5000);
    ck_assert_int_eq(make(variant_of(id_token, "groups", long_array(5003, 3)), NULL), KC_OK);
    ck_assert_int_eq(identity.group_list->nelts, 5000);
    ck_assert_int_eq(dropped, 3);
    ck_assert_int_eq(make(variant_of(id_token, "groups", long_array(1, 8000)), NULL), KC_OK);
    ck_assert_int_eq((int)strlen(identity.groups), 8000);
    ck_assert_int_eq(make(variant_of(id_token, "groups", long_array(1, 8001)), NULL), KC_OK);
    ck_assert_str_eq(identity.groups, "");
    ck_assert_int_eq(identity.group_list->nelts, 1);
    ck_assert_int_eq(dropped, 0);
    ck_assert_int_eq(identity.groups_header.left_out, 1);
}
END_TEST

START_TEST(roles_come_from_the_access_token)
{
    const char *claims = variant_of(id_token, "realm_access", "{\"roles\":[\"old\"]}");
    const char *access = "{\"realm_access\":{\"roles\":[\"admin\",\"user\",1,\"\",\"a\\nb\"]},"
                         "\"resource_access\":{\"c\":{\"roles\":[\"r\",\"s\"]},"
                         "\"d\":{\"roles\":\"x\"},\"e\":1,\"f\":{\"roles\":[\"t\"]}}}";

    ck_assert_int_eq(make(claims, access), KC_OK);
    ck_assert_str_eq(joined(identity.realm_role_list), "admin|user");
    ck_assert_str_eq(joined(identity.client_role_list), "c:r|c:s|f:t");
    ck_assert_int_eq(dropped, 3);
}
END_TEST

/* A role "b:c" of client "a" is not the role "c" of client "a:b". */
START_TEST(colons_of_a_clients_id_are_told_from_its_roles)
{
    ck_assert_int_eq(make(id_token, "{\"resource_access\":{\"a\":{\"roles\":[\"b:c\",\"50%\"]},"
                                    "\"a:b\":{\"roles\":[\"c\"]},\"a%3Ab\":{\"roles\":[\"c\"]},"
                                    "\"https://sp/:\":{\"roles\":[\":\"]}}}"),
                     KC_OK);
    ck_assert_str_eq(joined(identity.client_role_list),
                     "a:b:c|a:50%|a%3Ab:c|a%253Ab:c|https%3A//sp/%3A::");
}
END_TEST

START_TEST(roles_come_from_the_id_token_otherwise)
{
    const char *claims = variant_of(variant_of(id_token, "realm_access", "{\"roles\":[\"a\"]}"),
                                    "resource_access", "{\"c\":{\"roles\":[\"r\"]}}");

    ck_assert_int_eq(make(claims, NULL), KC_OK);
    ck_assert_str_eq(joined(identity.realm_role_list), "a");
    ck_assert_str_eq(joined(identity.client_role_list), "c:r");
    ck_assert_int_eq(make(claims, "{\"realm_access\":{\"roles\":[\"b\"]}}"), KC_OK);
    ck_assert_str_eq(joined(identity.realm_role_list), "b");
    ck_assert_str_eq(joined(identity.client_role_list), "c:r");
    ck_assert_int_eq(make(claims, "{\"realm_access\":{\"roles\":[]},\"resource_access\":{}}"),
                     KC_OK);
    ck_assert_int_eq(identity.realm_role_list->nelts + identity.client_role_list->nelts, 0);
}
END_TEST

#define REALM KC_UNKNOWN_REALM_ROLES
#define CLIENTS KC_UNKNOWN_CLIENT_ROLES

#define REALM_A "{\"realm_access\":{\"roles\":[\"a\"]}}"
#define WITH_CLIENTS(realm) "{\"resource_access\":{},\"realm_access\":" realm "}"
#define WITH_REALM(clients) "{\"realm_access\":{\"roles\":[\"a\"]},\"resource_access\":" clients "}"

/* What a token tells of roles, and what is unknown then. */
static const struct {
    const char *claims; /* members more of the ID token; NULL: none */
    const char *access; /* NULL: there is no access token that counts */
    unsigned int unknown;
} told[] = {
    {NULL, NULL, REALM | CLIENTS},
    {NULL, "{}", REALM | CLIENTS},
    {NULL, "{\"sub\":\"x\"}", REALM | CLIENTS},
    {NULL, REALM_A, CLIENTS}, /* of each kind its own claim tells, and no other */
    {NULL, "{\"realm_access\":{\"roles\":[]}}", CLIENTS},
    {NULL, "{\"resource_access\":{\"c\":{\"roles\":[\"a\"]}}}", REALM},
    {NULL, "{\"resource_access\":{}}", REALM},
    {NULL, "{\"realm_access\":{\"roles\":[]},\"resource_access\":{}}", 0},
    {NULL, "{\"realm_access\":null,\"resource_access\":{}}", REALM},
    {NULL, "{\"realm_access\":{\"roles\":[]},\"resource_access\":null}", CLIENTS},
    {NULL, WITH_CLIENTS("{}"), REALM},
    {NULL, WITH_CLIENTS("[\"a\"]"), REALM},
    {NULL, WITH_CLIENTS("\"a\""), REALM},
    {NULL, WITH_CLIENTS("{\"roles\":\"a\"}"), REALM},
    {NULL, WITH_CLIENTS("{\"roles\":{\"a\":1}}"), REALM},
    {NULL, WITH_CLIENTS("{\"roles\":[\"a\",1]}"), REALM},
    {NULL, WITH_CLIENTS("{\"roles\":[\"a\",[\"b\"]]}"), REALM},
    {NULL, WITH_CLIENTS("{\"roles\":[\"a\",\"\"]}"), REALM},
    {NULL, WITH_CLIENTS("{\"roles\":[\"a\",\"a\"]}"), 0},
    {NULL, WITH_REALM("7"), CLIENTS},
    {NULL, WITH_REALM("[]"), CLIENTS},
    {NULL, WITH_REALM("{\"c\":{\"roles\":[1]}}"), CLIENTS},
    {NULL, WITH_REALM("{\"c\":{\"roles\":[[\"a\"]]}}"), CLIENTS},
    {NULL, WITH_REALM("{\"\":{\"roles\":[\"a\"]}}"), CLIENTS},
    {NULL, WITH_REALM("{\"c\":{}}"), CLIENTS},
    {NULL, WITH_REALM("{\"c\":null}"), CLIENTS},
    {NULL, WITH_REALM("{\"c\":{\"roles\":[]}}"), 0},
    {"resource_access", REALM_A, 0},
    {"realm_access", NULL, CLIENTS},
    {"resource_access", NULL, REALM},
    {"realm_access", "{}", CLIENTS},
};

/* Wherever a mapper puts them: the access token first, else ID token and userinfo. */
START_TEST(realm_roles_come_from_the_claim_that_is_set)
{
    static const struct {
        const char *path, *claims, *access, *roles;
    } rows[] = {
        {"roles", "{\"roles\":[\"a\",\"b\"]}", NULL, "a|b"},
        {"roles", "{\"roles\":\"a\"}", "{\"sub\":\"x\"}", "a"},
        {"roles", "{\"roles\":[\"a\"]}", "{\"roles\":[\"b\"]}", "b"},
        {"roles", "{\"realm_access\":{\"roles\":[\"a\"]}}", NULL, NULL},
        {"app.roles.list", "{\"app\":{\"roles\":{\"list\":[\"a\"]}}}", NULL, "a"},
        {"https://a\\.example/roles", "{\"https://a.example/roles\":[\"a\"]}", NULL, "a"},
        {"roles", "{\"roles\":null}", "{\"roles\":[\"b\"]}", "b"},
        {"roles", "{\"roles\":{\"a\":1}}", NULL, NULL},
        {"realm_access.roles", "{\"realm_access\":{\"roles\":[\"a\"]}}", "{}", "a"},
    };
    const char *rest = variant_of(id_token, "none", NULL);
    const char *claims = apr_psprintf(testlib_pool, "{%.*s,%s", (int)strlen(rest) - 2, rest + 1,
                                      rows[_i].claims + 1);

    conf->roles_claim = rows[_i].path;
    ck_assert_int_eq(make(claims, rows[_i].access), KC_OK);
    ck_assert_int_eq(!(identity.unknown & KC_UNKNOWN_REALM_ROLES), rows[_i].roles != NULL);
    ck_assert_str_eq(joined(identity.realm_role_list), rows[_i].roles ? rows[_i].roles : "");
}
END_TEST

START_TEST(roles_that_no_token_tells_are_unknown)
{
    const char *claims = variant_of(id_token, "groups", "[]");

    if (told[_i].claims && !strcmp(told[_i].claims, "realm_access"))
        claims = variant_of(claims, "realm_access", "{\"roles\":[\"a\"]}");
    else if (told[_i].claims)
        claims = variant_of(claims, "resource_access", "{\"c\":{\"roles\":[\"a\"]}}");
    ck_assert_int_eq(make(claims, told[_i].access), KC_OK);
    ck_assert_uint_eq(identity.unknown, told[_i].unknown);
}
END_TEST

START_TEST(lists_that_are_cut_are_unknown)
{
    static const char access[] = "{\"realm_access\":{\"roles\":[]},\"resource_access\":{}}";
    const char *many = long_array(5001, 3);

    ck_assert_int_eq(make(variant_of(id_token, "groups", many), access), KC_OK);
    ck_assert_uint_eq(identity.unknown, KC_UNKNOWN_GROUPS);
    ck_assert_int_eq(make(variant_of(id_token, "groups", long_array(5000, 3)), access), KC_OK);
    ck_assert_uint_eq(identity.unknown, 0);
    ck_assert_int_eq(make(variant_of(id_token, "groups", "[\"a,b\"]"), access), KC_OK);
    ck_assert_uint_eq(identity.unknown, KC_UNKNOWN_GROUPS);
    ck_assert_int_eq(make(id_token, access), KC_OK);
    ck_assert_uint_eq(identity.unknown, KC_UNKNOWN_GROUPS);
    /* too long for a header, but all there */
    ck_assert_int_eq(make(variant_of(id_token, "groups", long_array(1, 8001)), access), KC_OK);
    ck_assert_uint_eq(identity.unknown, 0);
    ck_assert_int_eq(
        make(variant_of(id_token, "groups", "[]"),
             apr_pstrcat(testlib_pool, "{\"resource_access\":{},\"realm_access\":{\"roles\":", many,
                         "}}", NULL)),
        KC_OK);
    ck_assert_uint_eq(identity.unknown, KC_UNKNOWN_REALM_ROLES);
    ck_assert_int_eq(make(variant_of(id_token, "groups", "[]"),
                          apr_pstrcat(testlib_pool,
                                      "{\"realm_access\":{\"roles\":[]},"
                                      "\"resource_access\":{\"c\":{\"roles\":",
                                      many, "}}}", NULL)),
                     KC_OK);
    ck_assert_uint_eq(identity.unknown, KC_UNKNOWN_CLIENT_ROLES);
}
END_TEST

/* "a:b" of no client would be a role of client a. */
START_TEST(clients_without_a_name_have_no_roles)
{
    ck_assert_int_eq(make(id_token, "{\"resource_access\":{\"\":{\"roles\":[\"a:b\"]},"
                                    "\"c\":{\"roles\":[\"r\"]},"
                                    "\"x\\ny\":{\"roles\":[\"r\"]}}}"),
                     KC_OK);
    ck_assert_str_eq(joined(identity.client_role_list), "c:r");
    ck_assert_int_eq(dropped, 2);
}
END_TEST

static const struct {
    const char *value;
    const char *header;
    int dropped;
} headers[] = {
    {NULL, "", 0},
    {"null", "", 0},
    {"\"\"", "", 0},
    {"\"x, y\"", "x, y", 0},
    {"12", "12", 0},
    {"false", "false", 0},
    {"1.5", "1.5", 0},
    {"\"J\\u00fcrgen\"", "J\xc3\xbcrgen", 0},
    {"\"x\\r\\ny: z\"", "", 1},
    {"\"x\\u007f\"", "", 1},
    {"\"x\\u0080\"", "", 1},
    {"\" x\"", "", 1},
    {"\"x \"", "", 1},
    {"[\"a\",2,true]", "a,2,true", 0},
    {"[\"a\",\"b,c\",\"d\\n\",\"e\",\" f\",null,[],{}]", "a,e", 6},
    {"[]", "", 0},
    {"{\"a\":1}", "", 1},
};

START_TEST(claims_become_headers)
{
    set(KC_CONF_ROW_headers, 2, "X-Sub", "sub");
    set(KC_CONF_ROW_headers, 2, "X-Claim", "some.claim");
    ck_assert_int_eq(
        make(variant_of(id_token, "some",
                        headers[_i].value
                            ? apr_psprintf(testlib_pool, "{\"claim\":%s}", headers[_i].value)
                            : "{}"),
             NULL),
        KC_OK);
    ck_assert_int_eq(identity.header_list->nelts, 2);
    ck_assert_str_eq(APR_ARRAY_IDX(identity.header_list, 0, const char *), "u-1");
    ck_assert_str_eq(APR_ARRAY_IDX(identity.header_list, 1, const char *), headers[_i].header);
    ck_assert_int_eq(dropped, headers[_i].dropped);
}
END_TEST

START_TEST(headers_have_a_size)
{
    set(KC_CONF_ROW_headers, 2, "X-Name", "name");
    ck_assert_int_eq(make(variant_of(id_token, "name", variant_text('x', 8000)), NULL), KC_OK);
    ck_assert_int_eq((int)strlen(APR_ARRAY_IDX(identity.header_list, 0, const char *)), 8000);
    ck_assert_int_eq(make(variant_of(id_token, "name", variant_text('x', 8001)), NULL), KC_OK);
    ck_assert_str_eq(APR_ARRAY_IDX(identity.header_list, 0, const char *), "");
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(make(variant_of(id_token, "name", long_array(9, 1000)), NULL), KC_OK);
    ck_assert_int_eq((int)strlen(APR_ARRAY_IDX(identity.header_list, 0, const char *)), 7006);
    ck_assert_int_eq(dropped, 2);
}
END_TEST

START_TEST(unusable_email_is_left_out)
{
    conf->user_claim = "sub";
    ck_assert_int_eq(make(variant_of(id_token, "email", "\"a\\nb@example.com\""), NULL), KC_OK);
    ck_assert_str_eq(identity.email, "");
    ck_assert_int_eq(dropped, 1);
}
END_TEST

static TCase *identity_tests(void)
{
    TCase *tests = tcase_create("identity");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, identity_of_a_plain_token);
    tcase_add_test(tests, absent_parts_are_empty);
    tcase_add_loop_test(tests, user_is_well_formed, 0, ROWS(users));
    tcase_add_test(tests, user_has_a_size);
    tcase_add_test(tests, user_is_transformed_and_then_prefixed);
    tcase_add_test(tests, user_claim_may_be_a_path);
    tcase_add_loop_test(tests, email_must_be_verified, 0, ROWS(verifieds));
    tcase_add_loop_test(tests, groups_are_joined, 0, ROWS(groups));
    tcase_add_test(tests, groups_have_bounds);
    tcase_add_loop_test(tests, the_header_has_the_groups_that_are_chosen, 0, ROWS(filters));
    tcase_add_test(tests, the_header_has_what_there_is_room_for);
    tcase_add_test(tests, patterns_with_many_stars_end);
    tcase_add_test(tests, roles_come_from_the_access_token);
    tcase_add_test(tests, roles_come_from_the_id_token_otherwise);
    tcase_add_test(tests, colons_of_a_clients_id_are_told_from_its_roles);
    tcase_add_loop_test(tests, realm_roles_come_from_the_claim_that_is_set, 0, 9);
    tcase_add_loop_test(tests, roles_that_no_token_tells_are_unknown, 0, ROWS(told));
    tcase_add_test(tests, lists_that_are_cut_are_unknown);
    tcase_add_test(tests, clients_without_a_name_have_no_roles);
    tcase_add_loop_test(tests, claims_become_headers, 0, ROWS(headers));
    tcase_add_test(tests, headers_have_a_size);
    tcase_add_test(tests, unusable_email_is_left_out);
    return tests;
}

Suite *kc_test_identity(void)
{
    Suite *suite = suite_create("identity");

    suite_add_tcase(suite, identity_tests());
    return suite;
}

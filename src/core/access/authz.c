/* Authorization: Require lines, read at start and held against a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access/authz.h"

#include <apr_strings.h>
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/client_role.h"
#include "session/session_tokens.h"
#include "session/unknown.h"

enum { REGEX_MESSAGE_MAX = 100 /* bytes */ };

typedef enum {
    RELATION_EXISTS,
    RELATION_EQUAL,
    RELATION_UNEQUAL,
    RELATION_CONTAINS,
    RELATION_MATCHES,
    RELATION_LESS,
    RELATION_LESS_EQUAL,
    RELATION_MORE,
    RELATION_MORE_EQUAL
} relation_t;

static const struct {
    const char *word;
    relation_t relation;
} operators[] = {
    {"exists", RELATION_EXISTS},     {"=", RELATION_EQUAL},         {"!=", RELATION_UNEQUAL},
    {"contains", RELATION_CONTAINS}, {"matches", RELATION_MATCHES}, {"<", RELATION_LESS},
    {"<=", RELATION_LESS_EQUAL},     {">", RELATION_MORE},          {">=", RELATION_MORE_EQUAL},
};

struct kc_authz_rule_t {
    kc_authz_kind_t kind;
    int count;           /* of roles or groups */
    const char **words;  /* these; of a claim rule: its path */
    relation_t relation; /* of a claim rule, as the members below */
    const char *value;
    regex_t regex;
};

/* A number as written: exact when it is an integer of 64 bits. */
typedef struct {
    int is_integer;
    long long integer;
    double real;
} number_t;

/* 1 for a decimal number. What strtod accepts besides ("inf", "0x10", " 1") is not one. */
static int read_number(const char *text, number_t *out)
{
    char *end;
    size_t start = text[0] == '-';

    if (text[start] < '0' || text[start] > '9' || text[strspn(text, "0123456789+-.eE")] != '\0')
        return 0;
    errno = 0;
    out->integer = strtoll(text, &end, 10);
    out->is_integer = !*end && errno == 0;
    out->real = strtod(text, &end);
    return !*end && isfinite(out->real);
}

static int compare(const number_t *a, const number_t *b)
{
    if (a->is_integer && b->is_integer)
        return (a->integer > b->integer) - (a->integer < b->integer);
    return (a->real > b->real) - (a->real < b->real);
}

/* ---- reading ---- */

static apr_status_t free_regex(void *data)
{
    regfree(data);
    return APR_SUCCESS;
}

static kc_rc_t compile(kc_authz_rule_t *rule, apr_pool_t *pool, kc_err_t *err)
{
    int code = regcomp(&rule->regex, rule->value, REG_EXTENDED | REG_NOSUB);
    char message[REGEX_MESSAGE_MAX];

    if (code) {
        (void)regerror(code, &rule->regex, message, sizeof(message));
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "'%.100s' is no expression: %s", rule->value,
                       message);
    }
    apr_pool_cleanup_register(pool, &rule->regex, free_regex, apr_pool_cleanup_null);
    return KC_OK;
}

static kc_rc_t read_operator(const char *word, relation_t *out, kc_err_t *err)
{
    size_t i;

    for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (!strcmp(word, operators[i].word)) {
            *out = operators[i].relation;
            return KC_OK;
        }
    }
    return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG,
                   "knows = != contains exists matches < <= > >= but not '%.60s'", word);
}

static kc_rc_t check_value(kc_authz_rule_t *rule, apr_pool_t *pool, kc_err_t *err)
{
    number_t number;

    if (rule->relation == RELATION_MATCHES)
        return compile(rule, pool, err);
    if (rule->relation >= RELATION_LESS && !read_number(rule->value, &number))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "compares with a number, not with '%.100s'",
                       rule->value);
    return KC_OK;
}

static kc_rc_t read_claim(kc_authz_rule_t *rule, int argc, const char *const *argv,
                          apr_pool_t *pool, kc_err_t *err)
{
    kc_rc_t rc;

    if (argc < 2 || !argv[0][0])
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "takes CLAIM-PATH OPERATOR VALUE");
    rc = read_operator(argv[1], &rule->relation, err);
    if (rc != KC_OK)
        return rc;
    if (rule->relation == RELATION_EXISTS)
        return argc == 2 ? KC_OK : KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "exists takes no value");
    if (argc != 3)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG,
                       "%s takes one value (put quotes around one with spaces), not %d", argv[1],
                       argc - 2);
    rule->value = apr_pstrdup(pool, argv[2]);
    return check_value(rule, pool, err);
}

static kc_rc_t check_word(kc_authz_kind_t kind, const char *word, kc_err_t *err)
{
    if (!*word)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "takes names, and an empty one is none");
    /* httpd has no comments at the end of a line: the words would become names that grant
     * access. */
    if (word[0] == '#')
        return KC_FAIL(
            err, KC_REFUSED, KC_ERR_CONFIG,
            "takes names, and '%.60s' looks like a comment, which needs a line of its own", word);
    if (kind == KC_AUTHZ_CLIENT_ROLE && !kc_client_role_is(word))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG,
                       "takes CLIENT:ROLE, with a colon in the client's id as %%3A and a percent "
                       "sign as %%25, not '%.100s'",
                       word);
    if (kind == KC_AUTHZ_CLIENT_ROLE && strstr(word, "://"))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG,
                       "takes CLIENT:ROLE, and reads a client '%.*s' there: write a colon in the "
                       "client's id as %%3A",
                       (int)strcspn(word, ":"), word);
    return KC_OK;
}

static kc_rc_t read_words(kc_authz_rule_t *rule, int argc, kc_err_t *err)
{
    int i;

    if (argc < 1)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "takes at least one name");
    for (i = 0; i < argc; i++) {
        /* The session's list has groups without the slash. */
        if (rule->kind == KC_AUTHZ_GROUP && rule->words[i][0] == '/')
            rule->words[i]++;
        if (check_word(rule->kind, rule->words[i], err) != KC_OK)
            return KC_REFUSED;
    }
    rule->count = argc;
    return KC_OK;
}

kc_rc_t kc_authz_parse(kc_authz_kind_t kind, int argc, const char *const *argv, apr_pool_t *pool,
                       const kc_authz_rule_t **out, kc_err_t *err)
{
    kc_authz_rule_t *rule = apr_pcalloc(pool, sizeof(*rule));
    kc_rc_t rc;
    int i;

    rule->kind = kind;
    rule->words = apr_pcalloc(pool, ((size_t)argc + 1) * sizeof(*rule->words));
    for (i = 0; i < argc; i++)
        rule->words[i] = apr_pstrdup(pool, argv[i]);
    rc = kind == KC_AUTHZ_CLAIM ? read_claim(rule, argc, argv, pool, err)
                                : read_words(rule, argc, err);
    if (rc == KC_OK)
        *out = rule;
    return rc;
}

/* ---- comparing ---- */

/* The claims of a request, parsed once and kept with its pool. The bytes are compared, not the
 * session's address: the stack of a caller may give that to another session. */
typedef struct {
    kc_bytes_t claims;
    kc_bytes_t packed;
    const unsigned char *id;
    const kc_json_t *parsed;
} parsed_claims_t;

static const char parsed_claims_key[] = "kc_authz_claims";

static int is_same_view(kc_bytes_t a, kc_bytes_t b)
{
    return a.data == b.data && a.len == b.len;
}

static const kc_json_t *find_claims(const kc_session_t *session, apr_pool_t *pool)
{
    void *found = NULL;
    parsed_claims_t *kept;

    (void)apr_pool_userdata_get(&found, parsed_claims_key, pool);
    kept = found;
    if (kept && is_same_view(kept->claims, session->claims) &&
        is_same_view(kept->packed, session->packed) && kept->id == session->id)
        return kept->parsed;
    kept = apr_palloc(pool, sizeof(*kept));
    kept->claims = session->claims;
    kept->packed = session->packed;
    kept->id = session->id;
    kept->parsed = kc_session_tokens_claims(session, pool);
    (void)apr_pool_userdata_setn(kept, parsed_claims_key, NULL, pool);
    return kept->parsed;
}

static int is_number(const kc_json_t *value)
{
    return kc_json_type(value) == KC_JSON_INTEGER || kc_json_type(value) == KC_JSON_REAL;
}

static int is_equal(const kc_authz_rule_t *rule, const kc_json_t *scalar, const char *text)
{
    number_t a;
    number_t b;

    if (!strcmp(text, rule->value))
        return 1;
    return is_number(scalar) && read_number(text, &a) && read_number(rule->value, &b) &&
           compare(&a, &b) == 0;
}

/* Compares numbers, and texts that are decimal numbers: Keycloak's mappers write attributes as
 * texts by default. */
static int is_ordered(const kc_authz_rule_t *rule, const char *text)
{
    number_t a;
    number_t b;
    int order;

    if (!read_number(text, &a) || !read_number(rule->value, &b))
        return 0;
    order = compare(&a, &b);
    switch (rule->relation) {
    case RELATION_LESS:
        return order < 0;
    case RELATION_LESS_EQUAL:
        return order <= 0;
    case RELATION_MORE:
        return order > 0;
    default:
        return order >= 0;
    }
}

static int is_scalar_met(const kc_authz_rule_t *rule, const kc_json_t *scalar, apr_pool_t *pool)
{
    const char *text = kc_json_scalar_text(scalar, pool);

    if (!text)
        return 0;
    switch (rule->relation) {
    case RELATION_EQUAL:
        return is_equal(rule, scalar, text);
    case RELATION_UNEQUAL:
        return !is_equal(rule, scalar, text);
    case RELATION_CONTAINS:
        return strstr(text, rule->value) != NULL;
    case RELATION_MATCHES:
        return regexec(&rule->regex, text, 0, NULL, 0) == 0;
    default:
        return is_ordered(rule, text);
    }
}

static int is_element_met(const kc_authz_rule_t *rule, const kc_json_t *element, apr_pool_t *pool)
{
    const char *text = kc_json_scalar_text(element, pool);

    /* An array contains what equals one of its elements. A part of an element ("not-admin") is
     * not the word of the rule. */
    if (rule->relation == RELATION_CONTAINS)
        return text && is_equal(rule, element, text);
    return is_scalar_met(rule, element, pool);
}

/* One element that meets the rule is enough. For != each element must be comparable, and
 * different. Arrays have no order. */
static int is_array_met(const kc_authz_rule_t *rule, const kc_json_t *array, apr_pool_t *pool)
{
    int is_each = rule->relation == RELATION_UNEQUAL;
    size_t i;

    if (rule->relation >= RELATION_LESS)
        return 0;
    for (i = 0; i < kc_json_size(array); i++) {
        if (is_element_met(rule, kc_json_at(array, i), pool) != is_each)
            return !is_each;
    }
    return is_each;
}

/* 1 when the path leads to or into the claim. */
static int is_path_into(const char *path, const char *claim)
{
    size_t len = strlen(claim);

    return !strncmp(path, claim, len) && (!path[len] || path[len] == '.');
}

/* Distributed claims (OpenID Connect Core 1.0 section 5.6.2), which this module does not fetch:
 * groups, when there are too many for a token. */
static int is_kept_elsewhere(const kc_json_t *claims, const char *path, apr_pool_t *pool)
{
    const kc_json_t *names = kc_json_member(claims, "_claim_names");

    return names && (kc_json_path(names, path) ||
                     kc_json_member(names, apr_pstrndup(pool, path, strcspn(path, "."))));
}

/* With KeycloakUserInfo on, userinfo may have claims that a bearer token does not have. */
static int is_told_by_userinfo(const kc_session_t *session)
{
    return session->is_bearer && session->rp && session->rp->conf->user_info == KC_USER_INFO_ON;
}

/* An absent claim does not meet the rule, unless it can be somewhere else. */
static kc_authz_answer_t answer_absent(const kc_authz_rule_t *rule, const kc_session_t *session,
                                       const kc_json_t *claims, apr_pool_t *pool)
{
    const char *path = rule->words[0];
    const char *groups = session->rp ? session->rp->conf->groups_claim : NULL;
    const char *roles = session->rp ? session->rp->conf->roles_claim : NULL;

    if (is_kept_elsewhere(claims, path, pool) || is_told_by_userinfo(session) ||
        is_path_into(path, "realm_access") || is_path_into(path, "resource_access") ||
        (roles && (session->unknown & KC_UNKNOWN_REALM_ROLES) && is_path_into(path, roles)) ||
        (groups && (session->unknown & KC_UNKNOWN_GROUPS) && is_path_into(path, groups)))
        return KC_AUTHZ_UNKNOWN;
    return KC_AUTHZ_UNMET;
}

static int is_comparable(const kc_authz_rule_t *rule, const kc_json_t *value, apr_pool_t *pool)
{
    const char *text = kc_json_scalar_text(value, pool);
    number_t number;

    if (!text)
        return kc_json_type(value) == KC_JSON_NULL;
    return rule->relation < RELATION_LESS || read_number(text, &number);
}

/* 0 when the rule cannot be applied to the value: an object, an array inside an array, or a
 * value that is not a number where one is needed. */
static int is_of_kind(const kc_authz_rule_t *rule, const kc_json_t *value, apr_pool_t *pool)
{
    size_t i;

    if (kc_json_type(value) != KC_JSON_ARRAY)
        return is_comparable(rule, value, pool);
    if (rule->relation >= RELATION_LESS)
        return !kc_json_size(value);
    for (i = 0; i < kc_json_size(value); i++) {
        if (!is_comparable(rule, kc_json_at(value, i), pool))
            return 0;
    }
    return 1;
}

static kc_authz_answer_t ask_claim(const kc_authz_rule_t *rule, const kc_session_t *session,
                                   apr_pool_t *pool)
{
    const kc_json_t *claims = find_claims(session, pool);
    const kc_json_t *value = kc_json_path(claims, rule->words[0]);
    int is_met;

    if (!claims)
        return KC_AUTHZ_UNKNOWN;
    if (!value || kc_json_type(value) == KC_JSON_NULL)
        return answer_absent(rule, session, claims, pool);
    if (rule->relation == RELATION_EXISTS)
        return KC_AUTHZ_MET;
    is_met = kc_json_type(value) == KC_JSON_ARRAY ? is_array_met(rule, value, pool)
                                                  : is_scalar_met(rule, value, pool);
    if (is_met)
        return KC_AUTHZ_MET;
    return is_of_kind(rule, value, pool) ? KC_AUTHZ_UNMET : KC_AUTHZ_UNKNOWN;
}

static int is_wanted(const kc_authz_rule_t *rule, kc_bytes_t name)
{
    int i;

    for (i = 0; i < rule->count; i++) {
        if (!strncmp(rule->words[i], (const char *)name.data, name.len) &&
            !rule->words[i][name.len])
            return 1;
    }
    return 0;
}

static int is_listed(const kc_authz_rule_t *rule, const kc_session_list_t *list)
{
    kc_bytes_t at = {NULL, 0};

    while (kc_session_list_walk(list, &at)) {
        if (is_wanted(rule, at))
            return 1;
    }
    return 0;
}

static kc_authz_answer_t ask_list(const kc_authz_rule_t *rule, const kc_session_list_t *list,
                                  unsigned int unknown)
{
    if (is_listed(rule, list))
        return KC_AUTHZ_MET;
    return unknown ? KC_AUTHZ_UNKNOWN : KC_AUTHZ_UNMET;
}

kc_authz_answer_t kc_authz_ask(const kc_authz_rule_t *rule, const kc_session_t *session,
                               apr_pool_t *pool)
{
    switch (rule->kind) {
    case KC_AUTHZ_REALM_ROLE:
        return ask_list(rule, &session->realm_roles, session->unknown & KC_UNKNOWN_REALM_ROLES);
    case KC_AUTHZ_CLIENT_ROLE:
        return ask_list(rule, &session->client_roles, session->unknown & KC_UNKNOWN_CLIENT_ROLES);
    case KC_AUTHZ_GROUP:
        return ask_list(rule, &session->group_list, session->unknown & KC_UNKNOWN_GROUPS);
    case KC_AUTHZ_CLAIM:
        return ask_claim(rule, session, pool);
    default:
        return KC_AUTHZ_UNKNOWN;
    }
}

int kc_authz_is_met(const kc_authz_rule_t *rule, const kc_session_t *session, apr_pool_t *pool)
{
    return kc_authz_ask(rule, session, pool) == KC_AUTHZ_MET;
}

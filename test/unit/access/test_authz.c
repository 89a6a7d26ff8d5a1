/* Tests of authz.h: every kind of Require line and every operator, met and not met, and malformed
 * lines.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <errno.h>
#include <regex.h>
#include <string.h>

#include "access/authz.h"
#include "rp.h"
#include "session/pack.h"
#include "session/unknown.h"
#include "testlib.h"

Suite *kc_test_authz(void);

#define ROWS(table) (int)(sizeof(table) / sizeof(table[0]))

enum { WORDS_MAX = 4 };

static const char claims[] =
    "{\"department\":\"research\",\"level\":5,\"ratio\":1.5,\"big\":9007199254740993,\"admin\":"
    "true,"
    "\"text_level\":\"10\",\"version\":\"1.10\",\"nothing\":null,\"empty\":\"\",\"none\":[],"
    "\"teams\":[\"red\",\"not-admin\",7],\"mixed\":[\"a\",{\"b\":1}],\"org\":{\"unit\":\"x\"},"
    "\"nested\":[[\"x\"]],\"gaps\":[null],"
    "\"_claim_names\":{\"far\":\"a\",\"so.far\":\"a\"},"
    "\"dotted.name\":\"d\",\"negative\":-3,\"odd\":\"inf\",\"hex\":\"0x10\",\"bigger\":"
    "9223372036854775807}";

static kc_session_t session;
static kc_err_t err;

static kc_session_list_t list_of(const char *a, const char *b)
{
    apr_array_header_t *texts = apr_array_make(testlib_pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(texts, const char *) = a;
    APR_ARRAY_PUSH(texts, const char *) = b;
    return kc_session_list_make(texts, testlib_pool);
}

static void setup(void)
{
    testlib_setup();
    memset(&session, 0, sizeof(session));
    memset(&err, 0, sizeof(err));
    session.realm_roles = list_of("user", "admin");
    session.client_roles = list_of("grafana:viewer", "kubeflow:edit");
    session.group_list = list_of("team/a", "staff");
    session.headers.text = "";
    session.claims = kc_buf_text(claims);
}

typedef struct {
    kc_authz_kind_t kind;
    const char *words[WORDS_MAX]; /* up to a NULL */
    int is_met;                   /* -1: refused at start */
} row_t;

static kc_rc_t parse(const row_t *row, const kc_authz_rule_t **rule)
{
    int count = 0;

    while (count < WORDS_MAX && row->words[count])
        count++;
    return kc_authz_parse(row->kind, count, row->words, testlib_pool, rule, &err);
}

#define R KC_AUTHZ_REALM_ROLE
#define C KC_AUTHZ_CLIENT_ROLE
#define G KC_AUTHZ_GROUP
#define M KC_AUTHZ_CLAIM

static const row_t rows[] = {
    {R, {"admin"}, 1},
    {R, {"user"}, 1},
    {R, {"root", "admin"}, 1},
    {R, {"root"}, 0},
    {R, {"Admin"}, 0},
    {R, {"adm"}, 0},
    {R, {"admins"}, 0},
    {R, {"viewer"}, 0},
    {R, {"a,b"}, 0},
    {R, {NULL}, -1},
    {R, {""}, -1},
    {R, {"admin", ""}, -1},
    {R, {"admin", "#", "of"}, -1},
    {R, {"admin", "#or"}, -1},
    {G, {"/staff", "#", "x"}, -1},
    {C, {"kubeflow:edit"}, 1},
    {C, {"grafana:viewer"}, 1},
    {C, {"x:y", "kubeflow:edit"}, 1},
    {C, {"grafana:edit"}, 0},
    {C, {"kubeflow:viewer"}, 0},
    {C, {"kubeflow:edit:x"}, 0},
    {C, {"https%3A//sp:x"}, 0},
    {C, {"100%25:x"}, 0},
    {C, {"https://sp:x"}, -1},
    {C, {"100%:x"}, -1},
    {C, {"a%3a:x"}, -1},
    {C, {"a%2:x"}, -1},
    {C, {"a:50%"}, 0},
    {C, {"edit"}, -1},
    {C, {":edit"}, -1},
    {C, {"kubeflow:"}, -1},
    {C, {"kubeflow:edit", "edit"}, -1},
    {C, {NULL}, -1},
    {G, {"staff"}, 1},
    {G, {"/staff"}, 1},
    {G, {"team/a"}, 1},
    {G, {"/team/a"}, 1},
    {G, {"x", "/staff"}, 1},
    {G, {"team"}, 0},
    {G, {"a"}, 0},
    {G, {"//staff"}, 0},
    {G, {"staff/"}, 0},
    {G, {"/"}, -1},
    {G, {""}, -1},
    {G, {NULL}, -1},
    {M, {"department", "=", "research"}, 1},
    {M, {"department", "=", "Research"}, 0},
    {M, {"department", "=", "resear"}, 0},
    {M, {"absent", "=", ""}, 0},
    {M, {"empty", "=", ""}, 1},
    {M, {"nothing", "=", "null"}, 0},
    {M, {"level", "=", "5"}, 1},
    {M, {"level", "=", "5.0"}, 1},
    {M, {"level", "=", "6"}, 0},
    {M, {"ratio", "=", "1.50"}, 1},
    {M, {"big", "=", "9007199254740993"}, 1},
    {M, {"big", "=", "9007199254740992"}, 0},
    {M, {"admin", "=", "true"}, 1},
    {M, {"admin", "=", "1"}, 0},
    {M, {"version", "=", "1.1"}, 0},
    {M, {"teams", "=", "red"}, 1},
    {M, {"teams", "=", "7.0"}, 1},
    {M, {"teams", "=", "blue"}, 0},
    {M, {"none", "=", ""}, 0},
    {M, {"org", "=", "x"}, 0},
    {M, {"org.unit", "=", "x"}, 1},
    {M, {"dotted.name", "=", "d"}, 1},
    {M, {"department", "!=", "sales"}, 1},
    {M, {"department", "!=", "research"}, 0},
    {M, {"absent", "!=", "x"}, 0},
    {M, {"nothing", "!=", "x"}, 0},
    {M, {"level", "!=", "5.0"}, 0},
    {M, {"level", "!=", "4"}, 1},
    {M, {"teams", "!=", "blue"}, 1},
    {M, {"teams", "!=", "red"}, 0},
    {M, {"teams", "!=", "not-admin"}, 0},
    {M, {"none", "!=", "x"}, 1},
    {M, {"org", "!=", "x"}, 0},
    {M, {"mixed", "!=", "z"}, 0},
    {M, {"department", "contains", "sear"}, 1},
    {M, {"department", "contains", "Sear"}, 0},
    {M, {"absent", "contains", ""}, 0},
    {M, {"teams", "contains", "red"}, 1},
    {M, {"teams", "contains", "7"}, 1},
    {M, {"teams", "contains", "admin"}, 0},
    {M, {"teams", "contains", "not-admin"}, 1},
    {M, {"mixed", "contains", "a"}, 1},
    {M, {"org", "contains", "unit"}, 0},
    {M, {"department", "exists"}, 1},
    {M, {"empty", "exists"}, 1},
    {M, {"none", "exists"}, 1},
    {M, {"org", "exists"}, 1},
    {M, {"nothing", "exists"}, 0},
    {M, {"absent", "exists"}, 0},
    {M, {"org.absent", "exists"}, 0},
    {M, {"department", "matches", "^res.*h$"}, 1},
    {M, {"department", "matches", "ear"}, 1},
    {M, {"department", "matches", "^ear"}, 0},
    {M, {"level", "matches", "^[0-9]+$"}, 1},
    {M, {"teams", "matches", "^not-"}, 1},
    {M, {"teams", "matches", "^admin"}, 0},
    {M, {"absent", "matches", ".*"}, 0},
    {M, {"org", "matches", ".*"}, 0},
    {M, {"level", "<", "6"}, 1},
    {M, {"level", "<", "5"}, 0},
    {M, {"ratio", ">", "0.5"}, 1},
    {M, {"level", ">", "0"}, 1},
    {M, {"bigger", ">", "9223372036854775806"}, 1},
    {M, {"bigger", "=", "9223372036854775806"}, 0},
    {M, {"level", "<=", "5"}, 1},
    {M, {"level", "<=", "4.9"}, 0},
    {M, {"level", ">", "4"}, 1},
    {M, {"level", ">", "5"}, 0},
    {M, {"level", ">=", "5"}, 1},
    {M, {"level", ">=", "5.1"}, 0},
    {M, {"level", ">", "10"}, 0},
    {M, {"text_level", ">", "9"}, 1},
    {M, {"text_level", "<", "9"}, 0},
    {M, {"ratio", ">", "1"}, 1},
    {M, {"ratio", "<", "1.6e0"}, 1},
    {M, {"negative", "<", "-2"}, 1},
    {M, {"negative", "<", "-3"}, 0},
    {M, {"big", ">", "9007199254740992"}, 1},
    {M, {"department", ">", "1"}, 0},
    {M, {"department", "<", "1"}, 0},
    {M, {"odd", ">", "1"}, 0},
    {M, {"hex", ">", "1"}, 0},
    {M, {"empty", "<", "1"}, 0},
    {M, {"admin", ">=", "1"}, 0},
    {M, {"absent", "<", "1"}, 0},
    {M, {"nothing", "<=", "1"}, 0},
    {M, {"teams", ">", "1"}, 0},
    {M, {"teams", "<", "8"}, 0},
    {M, {"none", "<=", "1"}, 0},
    {M, {NULL}, -1},
    {M, {"department"}, -1},
    {M, {"", "exists"}, -1},
    {M, {"department", "="}, -1},
    {M, {"department", "=", "a", "b"}, -1},
    {M, {"department", "==", "research"}, -1},
    {M, {"department", "EXISTS"}, -1},
    {M, {"department", "exists", "x"}, -1},
    {M, {"department", "matches", "("}, -1},
    {M, {"department", "matches"}, -1},
    {M, {"level", ">", "many"}, -1},
    {M, {"level", "<", "many"}, -1},
    {M, {"level", "<=", "many"}, -1},
    {M, {"level", ">", ""}, -1},
    {M, {"level", ">", "0x10"}, -1},
    {M, {"level", ">", "nan"}, -1},
    {M, {"level", ">", "1e999"}, -1},
    {M, {"level", ">", " 1"}, -1},
    {M, {"level", ">", "1 "}, -1},
};

START_TEST(line_is_held_against_a_session)
{
    const row_t *row = &rows[_i];
    const kc_authz_rule_t *rule = NULL;
    kc_rc_t rc = parse(row, &rule);

    if (row->is_met < 0) {
        ck_assert_int_eq(rc, KC_REFUSED);
        ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
        ck_assert_str_ne(err.detail, "");
        ck_assert_ptr_null(rule);
        return;
    }
    ck_assert_msg(rc == KC_OK, "%s", err.detail);
    ck_assert_msg(kc_authz_is_met(rule, &session, testlib_pool) == row->is_met, "%s %s %s",
                  row->words[0], row->words[1], row->words[2]);
}
END_TEST

START_TEST(nobody_without_lists_is_let_in)
{
    static const row_t lines[] = {{R, {"admin"}, 0},
                                  {C, {"kubeflow:edit"}, 0},
                                  {G, {"staff"}, 0},
                                  {M, {"department", "exists"}, 0},
                                  {M, {"department", "!=", "x"}, 0}};
    const kc_authz_rule_t *rule = NULL;

    memset(&session, 0, sizeof(session));
    session.realm_roles.text = session.client_roles.text = session.group_list.text = "";
    ck_assert_int_eq(parse(&lines[_i], &rule), KC_OK);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 0);
}
END_TEST

START_TEST(claims_may_be_the_id_tokens)
{
    static const row_t line = {M, {"department", "=", "research"}, 1};
    const kc_authz_rule_t *rule = NULL;

    kc_pack_t contents = {NULL, NULL, NULL, {NULL, 0}};

    contents.id_token = apr_pstrcat(testlib_pool, "e30.",
                                    kc_buf_base64url(session.claims, testlib_pool), ".c2ln", NULL);
    session.claims.len = 0;
    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &session.packed, NULL), KC_OK);
    ck_assert_int_eq(parse(&line, &rule), KC_OK);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
}
END_TEST

/* What one session's claims were must not be remembered for the next, though it lies at the same
 * address. */
START_TEST(sessions_are_kept_apart)
{
    static const row_t line = {M, {"department", "=", "research"}, 1};
    const kc_authz_rule_t *rule = NULL;

    ck_assert_int_eq(parse(&line, &rule), KC_OK);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
    session.claims = kc_buf_text("{\"department\":\"sales\"}");
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 0);
    session.claims = kc_buf_text(claims);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
}
END_TEST

START_TEST(rule_keeps_its_own_words)
{
    char word[] = "/staff";
    const char *argv[] = {word};
    const kc_authz_rule_t *rule = NULL;

    ck_assert_int_eq(kc_authz_parse(G, 1, argv, testlib_pool, &rule, &err), KC_OK);
    memset(word, 'x', 6);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
    ck_assert_ptr_eq(argv[0], word);
}
END_TEST

START_TEST(long_lists_are_walked_to_their_end)
{
    apr_array_header_t *texts = apr_array_make(testlib_pool, 1000, sizeof(const char *));
    const char *last = "g999";
    const kc_authz_rule_t *rule = NULL;
    int i;

    for (i = 0; i < 1000; i++)
        APR_ARRAY_PUSH(texts, const char *) = apr_psprintf(testlib_pool, "g%d", i);
    session.group_list = kc_session_list_make(texts, testlib_pool);
    ck_assert_int_eq(kc_authz_parse(G, 1, &last, testlib_pool, &rule, &err), KC_OK);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
    last = "g1000";
    ck_assert_int_eq(kc_authz_parse(G, 1, &last, testlib_pool, &rule, &err), KC_OK);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 0);
}
END_TEST

/* Nor when the other's are as long, begin at the same place, or came of another session's tokens.
 */
START_TEST(claims_of_the_same_length_are_kept_apart)
{
    static const row_t line = {M, {"d", "=", "a"}, 1};
    static const unsigned char ids[2][KC_SESSION_ID_SIZE] = {{1}, {2}};
    static char text[] = "{\"d\":\"a\"} ";
    const kc_authz_rule_t *rule = NULL;

    ck_assert_int_eq(parse(&line, &rule), KC_OK);
    session.id = ids[0];
    session.claims = kc_buf_text("{\"d\":\"a\"}");
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
    session.claims = kc_buf_text("{\"d\":\"b\"}");
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 0);
    session.claims = kc_buf_text(text);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
    text[6] = 'b';
    session.claims.len--;
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 0);
    text[6] = 'a';
    session.id = ids[1];
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
    session.packed = kc_buf_text("x");
    text[6] = 'b';
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 0);
}
END_TEST

/* Each further rule of the same request costs no parsing: that is seen by changing the text. */
START_TEST(claims_are_parsed_once_for_a_request)
{
    static const row_t line = {M, {"d", "=", "a"}, 1};
    static const unsigned char id[KC_SESSION_ID_SIZE] = {1};
    static char text[] = "{\"d\":\"a\"}";
    const kc_authz_rule_t *rule = NULL;
    apr_pool_t *other;

    ck_assert_int_eq(parse(&line, &rule), KC_OK);
    session.id = id;
    session.packed = kc_buf_text("x");
    session.claims = kc_buf_text(text);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
    text[6] = 'b';
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 1);
    ck_assert_int_eq(apr_pool_create(&other, testlib_pool), APR_SUCCESS);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, other), 0);
}
END_TEST

/* What failed elsewhere before has no say in how exact a number is. */
START_TEST(an_old_errno_makes_no_number_inexact)
{
    static const row_t line = {M, {"big", "=", "9007199254740992"}, 0};
    const kc_authz_rule_t *rule = NULL;

    ck_assert_int_eq(parse(&line, &rule), KC_OK);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 0);
    errno = ERANGE; /* reading the claims would have changed it */
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool), 0);
}
END_TEST

START_TEST(a_bad_line_is_explained)
{
    static const row_t values = {M, {"department", "=", "a", "b"}, -1},
                       bad = {M, {"department", "matches", "("}, -1};
    const kc_authz_rule_t *rule = NULL;
    char message[100];
    regex_t regex;
    int code = regcomp(&regex, "(", REG_EXTENDED | REG_NOSUB);

    ck_assert_int_eq(parse(&values, &rule), KC_REFUSED);
    ck_assert_str_eq(err.detail, "= takes one value (put quotes around one with spaces), not 2");
    (void)regerror(code, &regex, message, sizeof(message));
    ck_assert_int_eq(parse(&bad, &rule), KC_REFUSED);
    ck_assert_str_eq(err.detail,
                     apr_pstrcat(testlib_pool, "'(' is no expression: ", message, NULL));
}
END_TEST

/* threats.md R 206, 215: what is listed is there, of what is not nobody knows. */
static const struct {
    unsigned int unknown;
    row_t row;
    kc_authz_answer_t answer;
} doubts[] = {
    {0, {R, {"root"}, 0}, KC_AUTHZ_UNMET},
    {KC_UNKNOWN_REALM_ROLES, {R, {"root"}, 0}, KC_AUTHZ_UNKNOWN},
    {KC_UNKNOWN_REALM_ROLES, {R, {"root", "user"}, 0}, KC_AUTHZ_MET},
    {KC_UNKNOWN_CLIENT_ROLES | KC_UNKNOWN_GROUPS, {R, {"root"}, 0}, KC_AUTHZ_UNMET},
    {KC_UNKNOWN_CLIENT_ROLES, {C, {"x:y"}, 0}, KC_AUTHZ_UNKNOWN},
    {KC_UNKNOWN_CLIENT_ROLES, {C, {"kubeflow:edit"}, 0}, KC_AUTHZ_MET},
    {KC_UNKNOWN_REALM_ROLES | KC_UNKNOWN_GROUPS, {C, {"x:y"}, 0}, KC_AUTHZ_UNMET},
    {KC_UNKNOWN_GROUPS, {G, {"x"}, 0}, KC_AUTHZ_UNKNOWN},
    {KC_UNKNOWN_GROUPS, {G, {"/staff"}, 0}, KC_AUTHZ_MET},
    {KC_UNKNOWN_REALM_ROLES | KC_UNKNOWN_CLIENT_ROLES, {G, {"x"}, 0}, KC_AUTHZ_UNMET},
    {KC_UNKNOWN_ALL, {M, {"department", "=", "x"}, 0}, KC_AUTHZ_UNMET},
    {KC_UNKNOWN_ALL, {M, {"absent", "=", "x"}, 0}, KC_AUTHZ_UNMET},
    {0, {M, {"realm_access.roles", "contains", "x"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"realm_access", "exists"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"resource_access.c.roles", "=", "x"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"realm_accessory", "exists"}, 0}, KC_AUTHZ_UNMET},
    {0, {M, {"org", "=", "x"}, 0}, KC_AUTHZ_UNKNOWN}, /* an object, as what follows */
    {0, {M, {"org", "!=", "x"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"org", "contains", "x"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"org", "exists"}, 0}, KC_AUTHZ_MET},
    {0, {M, {"mixed", "=", "x"}, 0}, KC_AUTHZ_UNKNOWN}, /* or one in an array */
    {0, {M, {"mixed", "contains", "a"}, 0}, KC_AUTHZ_MET},
    {0, {M, {"nested", "contains", "x"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"nested", "matches", "x"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"teams", "=", "x"}, 0}, KC_AUTHZ_UNMET},
    {0, {M, {"gaps", "=", "x"}, 0}, KC_AUTHZ_UNMET},    /* a null is no value */
    {0, {M, {"teams", ">", "1"}, 0}, KC_AUTHZ_UNKNOWN}, /* no number */
    {0, {M, {"none", "<", "1"}, 0}, KC_AUTHZ_UNMET},
    {0, {M, {"department", "<", "1"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"empty", ">=", "1"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"admin", "<=", "1"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"level", "<", "1"}, 0}, KC_AUTHZ_UNMET},
    {0, {M, {"text_level", "<", "1"}, 0}, KC_AUTHZ_UNMET},
    {0, {M, {"far", "contains", "x"}, 0}, KC_AUTHZ_UNKNOWN}, /* the provider keeps it elsewhere */
    {0, {M, {"far.away", "exists"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"so.far", "=", "x"}, 0}, KC_AUTHZ_UNKNOWN},
    {0, {M, {"farther", "=", "x"}, 0}, KC_AUTHZ_UNMET},
    {0, {M, {"groups", "contains", "x"}, 0}, KC_AUTHZ_UNMET},
};

START_TEST(what_is_not_known_is_not_unmet)
{
    const kc_authz_rule_t *rule = NULL;

    session.unknown = doubts[_i].unknown;
    ck_assert_int_eq(parse(&doubts[_i].row, &rule), KC_OK);
    ck_assert_int_eq(kc_authz_ask(rule, &session, testlib_pool), doubts[_i].answer);
    ck_assert_int_eq(kc_authz_is_met(rule, &session, testlib_pool),
                     doubts[_i].answer == KC_AUTHZ_MET);
}
END_TEST

/* Userinfo is asked at a sign-in, and may have what a bearer token has not. */
START_TEST(what_userinfo_alone_may_tell_is_unknown_of_a_bearer_token)
{
    static const struct {
        int user_info, is_bearer;
        kc_authz_answer_t absent;
    } cases[] = {
        {KC_USER_INFO_ON, 1, KC_AUTHZ_UNKNOWN},
        {KC_USER_INFO_ON, 0, KC_AUTHZ_UNMET},
        {KC_USER_INFO_AUTO, 1, KC_AUTHZ_UNMET},
        {KC_USER_INFO_OFF, 1, KC_AUTHZ_UNMET},
    };
    static const char *const absent[] = {"suspended", "=", "true"};
    static const char *const there[] = {"department", "=", "x"};
    kc_conf_t conf;
    kc_rp_t rp;
    const kc_authz_rule_t *rule;

    memset(&conf, 0, sizeof(conf));
    memset(&rp, 0, sizeof(rp));
    memset(&session, 0, sizeof(session));
    conf.user_info = cases[_i].user_info;
    rp.conf = &conf;
    session.rp = &rp;
    session.is_bearer = cases[_i].is_bearer;
    session.claims = kc_buf_text("{\"department\":\"research\"}");
    ck_assert_int_eq(kc_authz_parse(KC_AUTHZ_CLAIM, 3, absent, testlib_pool, &rule, NULL), KC_OK);
    ck_assert_int_eq(kc_authz_ask(rule, &session, testlib_pool), cases[_i].absent);
    ck_assert_int_eq(kc_authz_parse(KC_AUTHZ_CLAIM, 3, there, testlib_pool, &rule, NULL), KC_OK);
    ck_assert_int_eq(kc_authz_ask(rule, &session, testlib_pool), KC_AUTHZ_UNMET);
}
END_TEST

START_TEST(claims_that_cannot_be_had_are_unknown)
{
    static const row_t lines[] = {{M, {"department", "=", "research"}, 0},
                                  {M, {"absent", "exists"}, 0},
                                  {M, {"department", "!=", "x"}, 0}};
    static const char *const texts[] = {"", "no json", "[1]"};
    const kc_authz_rule_t *rule = NULL;

    session.claims = kc_buf_text(texts[_i / 3]);
    ck_assert_int_eq(parse(&lines[_i % 3], &rule), KC_OK);
    ck_assert_int_eq(kc_authz_ask(rule, &session, testlib_pool),
                     _i / 3 == 2 ? KC_AUTHZ_UNMET : KC_AUTHZ_UNKNOWN);
}
END_TEST

Suite *kc_test_authz(void)
{
    Suite *suite = suite_create("authz");
    TCase *tests = tcase_create("authz");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_loop_test(tests, line_is_held_against_a_session, 0, ROWS(rows));
    tcase_add_loop_test(tests, nobody_without_lists_is_let_in, 0, 5);
    tcase_add_test(tests, claims_may_be_the_id_tokens);
    tcase_add_test(tests, sessions_are_kept_apart);
    tcase_add_test(tests, claims_of_the_same_length_are_kept_apart);
    tcase_add_test(tests, claims_are_parsed_once_for_a_request);
    tcase_add_test(tests, an_old_errno_makes_no_number_inexact);
    tcase_add_test(tests, a_bad_line_is_explained);
    tcase_add_test(tests, rule_keeps_its_own_words);
    tcase_add_test(tests, long_lists_are_walked_to_their_end);
    tcase_add_loop_test(tests, what_is_not_known_is_not_unmet, 0, ROWS(doubts));
    tcase_add_loop_test(tests, claims_that_cannot_be_had_are_unknown, 0, 6);
    tcase_add_loop_test(tests, what_userinfo_alone_may_tell_is_unknown_of_a_bearer_token, 0, 4);
    suite_add_tcase(suite, tests);
    return suite;
}

/* Tests of absent_claim.h: a claim that Require lines ask for and no token has is logged once, with
 * the cure.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "session/absent_claim.h"
#include "session/unknown.h"
#include "testlib.h"

Suite *kc_test_absent_claim(void);

static kc_fake_site_t *site;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    site->rp->asked_claims = apr_array_make(testlib_pool, 4, sizeof(const char *));
}

static const kc_json_t *parsed(const char *text)
{
    const kc_json_t *json = NULL;

    if (text)
        ck_assert_int_eq(kc_json_parse(text, strlen(text), testlib_pool, &json, NULL), KC_OK);
    return json;
}

/* How many lines are told of somebody with these claims. */
static int lines_of(const char *sub, const char *claims, const char *access)
{
    int before = site->fake->log->nelts;

    kc_absent_claim_report(site->rp, sub, parsed(claims), parsed(access), testlib_pool);
    return site->fake->log->nelts - before;
}

static void ask(const char *path)
{
    APR_ARRAY_PUSH(site->rp->asked_claims, const char *) = path;
}

START_TEST(what_nobody_asks_for_is_not_missed)
{
    ck_assert_int_eq(lines_of("alice", "{}", NULL), 0);
    ck_assert_int_eq(lines_of("alice", "{}", "{}"), 0);
}
END_TEST

START_TEST(groups_are_told_once_with_person_and_mapper)
{
    const kc_fake_log_t *line;

    site->rp->asks_groups = 1;
    ck_assert_int_eq(lines_of("bob", "{\"groups\":[]}", NULL), 0);
    ck_assert_int_eq(lines_of("alice", "{\"email\":\"a@example.com\"}", NULL), 1);
    ck_assert_int_eq(lines_of("alice", "{}", NULL), 0);
    ck_assert_int_eq(lines_of("carol", "{\"groups\":null}", NULL), 0);
    line = &APR_ARRAY_IDX(site->fake->log, 0, kc_fake_log_t);
    ck_assert_int_eq(line->level, KC_LOG_WARNING);
    ck_assert(kc_fake_log_has(site->fake, "KC0420: claim-absent: a Require keycloak-group asks"));
    ck_assert(kc_fake_log_has(site->fake, "no token of sub alice has the claim groups: "));
    ck_assert(kc_fake_log_has(site->fake, "add the mapper Group Membership"));
}
END_TEST

START_TEST(another_claim_of_groups_is_named)
{
    site->rp->asks_groups = 1;
    site->conf->groups_claim = "ext.teams";
    kc_fake_site_renew(site);
    site->rp->asks_groups = 1;
    ck_assert_int_eq(lines_of("bob", "{\"ext\":{\"teams\":\"x\"}}", NULL), 0);
    ck_assert_int_eq(lines_of("alice", "{\"groups\":[\"x\"],\"ext\":{}}", NULL), 1);
    ck_assert(kc_fake_log_has(site->fake, "has the claim ext.teams: "));
}
END_TEST

START_TEST(each_claim_of_a_line_is_told_for_itself)
{
    ask("department");
    ask("address.country");
    ask("address.country");
    ck_assert_int_eq(
        lines_of("bob", "{\"department\":\"x\",\"address\":{\"country\":false}}", NULL), 0);
    ck_assert_int_eq(lines_of("alice", "{\"address\":{\"city\":\"x\"}}", NULL), 2);
    ck_assert_int_eq(lines_of("dora", "{}", NULL), 0);
    ck_assert(kc_fake_log_has(site->fake, "no token of sub alice has the claim department: "));
    ck_assert(kc_fake_log_has(site->fake, "no token of sub alice has the claim address.country: "));
    ck_assert(!kc_fake_log_has(site->fake, "the access token alone"));
}
END_TEST

START_TEST(what_the_access_token_alone_has_gets_another_cure)
{
    ask("department");
    ck_assert_int_eq(lines_of("alice", "{}", "{\"department\":\"x\"}"), 1);
    ck_assert(kc_fake_log_has(site->fake, "the access token alone has it"));
}
END_TEST

/* Both kinds absent is what unknown.c tells. */
START_TEST(roles_of_one_kind_are_missed_where_those_of_the_other_are_there)
{
    static const char realm[] = "{\"realm_access\":{\"roles\":[\"a\"]}}";
    static const char client[] = "{\"resource_access\":{\"app\":{\"roles\":[\"a\"]}}}";

    site->rp->asks_roles = KC_UNKNOWN_REALM_ROLES;
    ck_assert_int_eq(lines_of("alice", "{}", realm), 0);
    ck_assert_int_eq(lines_of("alice", "{}", "{}"), 0);
    ck_assert_int_eq(lines_of("alice", "{}", client), 1);
    ck_assert(kc_fake_log_has(site->fake, "has the claim realm_access.roles: "));
    site->rp->asks_roles = KC_UNKNOWN_CLIENT_ROLES;
    ck_assert_int_eq(lines_of("alice", client, realm), 0);
    ck_assert_int_eq(lines_of("alice", realm, NULL), 1);
    ck_assert(kc_fake_log_has(site->fake, "keycloak-client-role"));
    ck_assert(kc_fake_log_has(site->fake, "has the claim resource_access: "));
}
END_TEST

Suite *kc_test_absent_claim(void)
{
    Suite *suite = suite_create("absent_claim");
    TCase *told = tcase_create("told");

    tcase_add_checked_fixture(told, setup, testlib_teardown);
    tcase_add_test(told, what_nobody_asks_for_is_not_missed);
    tcase_add_test(told, groups_are_told_once_with_person_and_mapper);
    tcase_add_test(told, another_claim_of_groups_is_named);
    tcase_add_test(told, each_claim_of_a_line_is_told_for_itself);
    tcase_add_test(told, what_the_access_token_alone_has_gets_another_cure);
    tcase_add_test(told, roles_of_one_kind_are_missed_where_those_of_the_other_are_there);
    suite_add_tcase(suite, told);
    return suite;
}

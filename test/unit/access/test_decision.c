/* Tests of decision.h: every cell of the decision table.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "access/decision.h"
#include "access/request_class.h"

Suite *kc_test_decision(void);

typedef struct cell_t {
    kc_session_state_t state;
    kc_request_class_t kind;
    kc_decision_t action;
} cell_t;

/* clang-format off */
static const cell_t cells[] = {
    {KC_SESSION_NONE,    KC_REQUEST_CLASS_NAVIGATION, KC_DECISION_LOGIN},
    {KC_SESSION_NONE,    KC_REQUEST_CLASS_API,        KC_DECISION_DENY},
    {KC_SESSION_NONE,    KC_REQUEST_CLASS_OPTIONAL,       KC_DECISION_ALLOW_ANONYMOUS},
    {KC_SESSION_NONE,    KC_REQUEST_CLASS_CALLBACK,   KC_DECISION_LOGIN},
    {KC_SESSION_NONE,    KC_REQUEST_CLASS_LOGOUT,     KC_DECISION_SKIP_LOGOUT},
    {KC_SESSION_NONE,    KC_REQUEST_CLASS_SUBREQUEST, KC_DECISION_DENY},
    {KC_SESSION_LIVE,    KC_REQUEST_CLASS_NAVIGATION, KC_DECISION_ALLOW},
    {KC_SESSION_LIVE,    KC_REQUEST_CLASS_API,        KC_DECISION_ALLOW},
    {KC_SESSION_LIVE,    KC_REQUEST_CLASS_OPTIONAL,       KC_DECISION_ALLOW},
    {KC_SESSION_LIVE,    KC_REQUEST_CLASS_CALLBACK,   KC_DECISION_RETURN_TO_PAGE},
    {KC_SESSION_LIVE,    KC_REQUEST_CLASS_LOGOUT,     KC_DECISION_END_SESSION},
    {KC_SESSION_LIVE,    KC_REQUEST_CLASS_SUBREQUEST, KC_DECISION_ALLOW},
    {KC_SESSION_STALE,   KC_REQUEST_CLASS_NAVIGATION, KC_DECISION_LOGIN},
    {KC_SESSION_STALE,   KC_REQUEST_CLASS_API,        KC_DECISION_DENY},
    {KC_SESSION_STALE,   KC_REQUEST_CLASS_OPTIONAL,       KC_DECISION_ALLOW_ANONYMOUS},
    {KC_SESSION_STALE,   KC_REQUEST_CLASS_CALLBACK,   KC_DECISION_LOGIN},
    {KC_SESSION_STALE,   KC_REQUEST_CLASS_LOGOUT,     KC_DECISION_END_SESSION},
    {KC_SESSION_STALE,   KC_REQUEST_CLASS_SUBREQUEST, KC_DECISION_DENY},
    {KC_SESSION_ENDED,   KC_REQUEST_CLASS_NAVIGATION, KC_DECISION_LOGIN},
    {KC_SESSION_ENDED,   KC_REQUEST_CLASS_API,        KC_DECISION_DENY},
    {KC_SESSION_ENDED,   KC_REQUEST_CLASS_OPTIONAL,       KC_DECISION_ALLOW_ANONYMOUS},
    {KC_SESSION_ENDED,   KC_REQUEST_CLASS_CALLBACK,   KC_DECISION_LOGIN},
    {KC_SESSION_ENDED,   KC_REQUEST_CLASS_LOGOUT,     KC_DECISION_SKIP_LOGOUT},
    {KC_SESSION_ENDED,   KC_REQUEST_CLASS_SUBREQUEST, KC_DECISION_DENY},
    {KC_SESSION_UNKNOWN, KC_REQUEST_CLASS_NAVIGATION, KC_DECISION_UNAVAILABLE},
    {KC_SESSION_UNKNOWN, KC_REQUEST_CLASS_API,        KC_DECISION_UNAVAILABLE},
    {KC_SESSION_UNKNOWN, KC_REQUEST_CLASS_OPTIONAL,       KC_DECISION_UNAVAILABLE},
    {KC_SESSION_UNKNOWN, KC_REQUEST_CLASS_CALLBACK,   KC_DECISION_UNAVAILABLE},
    {KC_SESSION_UNKNOWN, KC_REQUEST_CLASS_LOGOUT,     KC_DECISION_UNAVAILABLE},
    {KC_SESSION_UNKNOWN, KC_REQUEST_CLASS_SUBREQUEST, KC_DECISION_UNAVAILABLE},
    {KC_SESSION_WEAK,    KC_REQUEST_CLASS_NAVIGATION, KC_DECISION_LOGIN},
    {KC_SESSION_WEAK,    KC_REQUEST_CLASS_API,        KC_DECISION_DENY},
    {KC_SESSION_WEAK,    KC_REQUEST_CLASS_OPTIONAL,       KC_DECISION_ALLOW_ANONYMOUS},
    {KC_SESSION_WEAK,    KC_REQUEST_CLASS_CALLBACK,   KC_DECISION_LOGIN},
    {KC_SESSION_WEAK,    KC_REQUEST_CLASS_LOGOUT,     KC_DECISION_END_SESSION},
    {KC_SESSION_WEAK,    KC_REQUEST_CLASS_SUBREQUEST, KC_DECISION_DENY},
    {KC_SESSION_REFUSED, KC_REQUEST_CLASS_NAVIGATION, KC_DECISION_DENY},
    {KC_SESSION_REFUSED, KC_REQUEST_CLASS_API,        KC_DECISION_DENY},
    {KC_SESSION_REFUSED, KC_REQUEST_CLASS_OPTIONAL,       KC_DECISION_DENY},
    {KC_SESSION_REFUSED, KC_REQUEST_CLASS_CALLBACK,   KC_DECISION_DENY},
    {KC_SESSION_REFUSED, KC_REQUEST_CLASS_LOGOUT,     KC_DECISION_DENY},
    {KC_SESSION_REFUSED, KC_REQUEST_CLASS_SUBREQUEST, KC_DECISION_DENY},
};
/* clang-format on */

enum { CELLS = sizeof(cells) / sizeof(cells[0]) };

START_TEST(each_cell_is_decided_as_written_here)
{
    ck_assert_int_eq(kc_decision_of(cells[_i].state, cells[_i].kind), cells[_i].action);
}
END_TEST

START_TEST(the_list_above_visits_every_cell_once)
{
    int seen[KC_SESSION_STATES][KC_REQUEST_CLASSES] = {{0}};
    int i;

    ck_assert_int_eq(CELLS, (int)KC_SESSION_STATES * (int)KC_REQUEST_CLASSES);
    for (i = 0; i < CELLS; i++)
        ck_assert_int_eq(seen[cells[i].state][cells[i].kind]++, 0);
}
END_TEST

START_TEST(only_a_live_session_gives_an_identity)
{
    int is_go =
        cells[_i].action == KC_DECISION_ALLOW || cells[_i].action == KC_DECISION_RETURN_TO_PAGE;

    ck_assert(!is_go || cells[_i].state == KC_SESSION_LIVE);
}
END_TEST

START_TEST(where_the_state_settles_it_the_kind_does_not_matter)
{
    static const kc_request_class_t kinds[] = {KC_REQUEST_CLASS_API, KC_REQUEST_CLASS_OPTIONAL,
                                               KC_REQUEST_CLASS_SUBREQUEST};
    int state;
    size_t i;

    for (state = 0; state < KC_SESSION_STATES; state++) {
        int differ = 0;

        for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
            differ |= kc_decision_of((kc_session_state_t)state, kinds[i]) !=
                      kc_decision_of((kc_session_state_t)state, KC_REQUEST_CLASS_NAVIGATION);
        if (kc_decision_is_settled((kc_session_state_t)state))
            ck_assert_int_eq(differ, 0);
    }
    ck_assert_int_eq(kc_decision_is_settled(KC_SESSION_LIVE), 1);
    ck_assert_int_eq(kc_decision_is_settled(KC_SESSION_NONE), 0);
}
END_TEST

START_TEST(what_is_no_cell_lets_nobody_in)
{
    ck_assert_int_eq(kc_decision_of(KC_SESSION_STATES, KC_REQUEST_CLASS_NAVIGATION),
                     KC_DECISION_UNAVAILABLE);
    ck_assert_int_eq(kc_decision_of(KC_SESSION_LIVE, KC_REQUEST_CLASSES), KC_DECISION_UNAVAILABLE);
    ck_assert_int_eq(kc_decision_of((kc_session_state_t)-1, KC_REQUEST_CLASS_API),
                     KC_DECISION_UNAVAILABLE);
    ck_assert_int_eq(kc_decision_of(KC_SESSION_LIVE, (kc_request_class_t)-1),
                     KC_DECISION_UNAVAILABLE);
}
END_TEST

Suite *kc_test_decision(void)
{
    Suite *suite = suite_create("decision");
    TCase *table = tcase_create("table");

    tcase_add_loop_test(table, each_cell_is_decided_as_written_here, 0, CELLS);
    tcase_add_test(table, the_list_above_visits_every_cell_once);
    tcase_add_loop_test(table, only_a_live_session_gives_an_identity, 0, CELLS);
    tcase_add_test(table, where_the_state_settles_it_the_kind_does_not_matter);
    tcase_add_test(table, what_is_no_cell_lets_nobody_in);
    suite_add_tcase(suite, table);
    return suite;
}

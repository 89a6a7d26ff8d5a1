/* Tests of decision.h: every cell of the decision table, and how pages and API calls are
 * distinguished.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <string.h>

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

typedef struct kind_case_t {
    kc_request_class_headers_t signs; /* method, accept, requested_with, fetch_mode, upgrade */
    kc_request_class_t kind;
} kind_case_t;

#define BROWSER "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

static const kind_case_t kinds[] = {
    {{"GET", BROWSER, NULL, "navigate", NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"GET", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"HEAD", BROWSER, NULL, "navigate", NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"GET", NULL, NULL, NULL, NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"GET", "TEXT/HTML", NULL, "Navigate", NULL}, KC_REQUEST_CLASS_NAVIGATION},
    {{"GET", "application/xml, text/html;q=0.1", NULL, NULL, NULL}, KC_REQUEST_CLASS_NAVIGATION},
    /* Accept without text/html */
    {{"GET", "application/json", NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", "*/*", NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", "", NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", "text/htm", NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", "text/event-stream", NULL, "navigate", NULL}, KC_REQUEST_CLASS_API},
    /* X-Requested-With, whatever it says */
    {{"GET", BROWSER, "XMLHttpRequest", NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, "", "navigate", NULL}, KC_REQUEST_CLASS_API},
    /* Sec-Fetch-Mode */
    {{"GET", BROWSER, NULL, "cors", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, NULL, "no-cors", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, NULL, "same-origin", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, NULL, "websocket", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", NULL, NULL, "cors", NULL}, KC_REQUEST_CLASS_API},
    {{"GET", BROWSER, NULL, "", NULL}, KC_REQUEST_CLASS_API},
    /* WebSocket and other upgrades */
    {{"GET", BROWSER, NULL, "navigate", "websocket"}, KC_REQUEST_CLASS_API},
    {{"GET", NULL, NULL, NULL, "h2c"}, KC_REQUEST_CLASS_API},
    /* methods */
    {{"POST", BROWSER, NULL, "navigate", NULL}, KC_REQUEST_CLASS_API},
    {{"PUT", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"DELETE", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"OPTIONS", NULL, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"get", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
    {{"GETX", BROWSER, NULL, NULL, NULL}, KC_REQUEST_CLASS_API},
};

START_TEST(pages_are_told_from_api_calls)
{
    ck_assert_int_eq(kc_request_class_of(&kinds[_i].signs), kinds[_i].kind);
}
END_TEST

/* ---------------------------------------------------------------- who has asked */

#define PUBLIC "https://kubeflow.example.com"

static const struct {
    kc_request_class_origin_t traces;
    kc_request_class_source_t source;
} sources[] = {
    {{NULL, NULL, NULL}, KC_REQUEST_CLASS_UNKNOWN_SITE},
    {{"same-origin", NULL, NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{"none", NULL, NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{"same-site", NULL, NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"cross-site", NULL, NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"anything", NULL, NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"cross-site", PUBLIC, NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"cross-site", NULL, PUBLIC "/x"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{"cross-site", "https://partner.example.com", NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{"same-origin", "null", NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, PUBLIC, NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, "null", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "null", PUBLIC "/x"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "http://kubeflow.example.com", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, PUBLIC ":8443", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, PUBLIC ".evil.example.com", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "https://kubeflow.example.com@evil.example.com", NULL}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "https://evil.example.com", PUBLIC "/x"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, "https://partner.example.com", NULL}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, NULL, PUBLIC "/x?y=\\ //"}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, NULL, PUBLIC}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, NULL, PUBLIC "?x"}, KC_REQUEST_CLASS_SAME_SITE},
    {{NULL, NULL, "https://evil.example.com/" PUBLIC "/"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, NULL, "https://evil.example.com#" PUBLIC}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, NULL, "/x"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, NULL, "//kubeflow.example.com/"}, KC_REQUEST_CLASS_CROSS_SITE},
    {{NULL, NULL, "javascript://kubeflow.example.com/"}, KC_REQUEST_CLASS_CROSS_SITE},
};

START_TEST(pages_of_other_sites_are_told_from_ours)
{
    apr_array_header_t *hosts;
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    hosts = apr_array_make(pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(hosts, const char *) = "partner.example.com";
    ck_assert_int_eq(kc_request_class_source(&sources[_i].traces, PUBLIC, hosts, pool),
                     sources[_i].source);
    apr_pool_destroy(pool);
}
END_TEST

static void start_apr(void)
{
    ck_assert_int_eq(apr_initialize(), APR_SUCCESS);
}

Suite *kc_test_decision(void)
{
    Suite *suite = suite_create("decision");
    TCase *table = tcase_create("table");
    TCase *kind = tcase_create("kind");
    TCase *path = tcase_create("path");

    tcase_add_loop_test(table, each_cell_is_decided_as_written_here, 0, CELLS);
    tcase_add_test(table, the_list_above_visits_every_cell_once);
    tcase_add_loop_test(table, only_a_live_session_gives_an_identity, 0, CELLS);
    tcase_add_test(table, where_the_state_settles_it_the_kind_does_not_matter);
    tcase_add_test(table, what_is_no_cell_lets_nobody_in);
    tcase_add_loop_test(kind, pages_are_told_from_api_calls, 0,
                        (int)(sizeof(kinds) / sizeof(kinds[0])));
    tcase_add_checked_fixture(path, start_apr, apr_terminate);
    tcase_add_loop_test(path, pages_of_other_sites_are_told_from_ours, 0,
                        (int)(sizeof(sources) / sizeof(sources[0])));
    suite_add_tcase(suite, path);
    suite_add_tcase(suite, table);
    suite_add_tcase(suite, kind);
    return suite;
}

/* The decision table. Every cell is filled; test_decision.c visits each of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access/decision.h"

#include "access/request_class.h"

/* clang-format off */
static const kc_decision_t table[KC_REQUEST_CLASSES][KC_SESSION_STATES] = {
    /*                       no session           live         stale                ended                store down           weak                 refused */
    [KC_REQUEST_CLASS_NAVIGATION] = { KC_DECISION_LOGIN,       KC_DECISION_ALLOW,  KC_DECISION_LOGIN,       KC_DECISION_LOGIN,       KC_DECISION_UNAVAILABLE, KC_DECISION_LOGIN,       KC_DECISION_DENY },
    [KC_REQUEST_CLASS_API]        = { KC_DECISION_DENY,        KC_DECISION_ALLOW,  KC_DECISION_DENY,        KC_DECISION_DENY,        KC_DECISION_UNAVAILABLE, KC_DECISION_DENY,        KC_DECISION_DENY },
    [KC_REQUEST_CLASS_OPTIONAL]       = { KC_DECISION_ALLOW_ANONYMOUS, KC_DECISION_ALLOW,  KC_DECISION_ALLOW_ANONYMOUS, KC_DECISION_ALLOW_ANONYMOUS, KC_DECISION_UNAVAILABLE, KC_DECISION_ALLOW_ANONYMOUS, KC_DECISION_DENY },
    [KC_REQUEST_CLASS_CALLBACK]   = { KC_DECISION_LOGIN,       KC_DECISION_RETURN_TO_PAGE, KC_DECISION_LOGIN,    KC_DECISION_LOGIN,       KC_DECISION_UNAVAILABLE, KC_DECISION_LOGIN,       KC_DECISION_DENY },
    [KC_REQUEST_CLASS_LOGOUT]     = { KC_DECISION_SKIP_LOGOUT,       KC_DECISION_END_SESSION, KC_DECISION_END_SESSION,         KC_DECISION_SKIP_LOGOUT,       KC_DECISION_UNAVAILABLE, KC_DECISION_END_SESSION,         KC_DECISION_DENY },
    [KC_REQUEST_CLASS_SUBREQUEST] = { KC_DECISION_DENY,        KC_DECISION_ALLOW,  KC_DECISION_DENY,        KC_DECISION_DENY,        KC_DECISION_UNAVAILABLE, KC_DECISION_DENY,        KC_DECISION_DENY },
};
/* clang-format on */

kc_decision_t kc_decision_of(kc_session_state_t state, kc_request_class_t kind)
{
    if ((unsigned int)state >= KC_SESSION_STATES || (unsigned int)kind >= KC_REQUEST_CLASSES)
        return KC_DECISION_UNAVAILABLE;
    return table[kind][state];
}

int kc_decision_is_settled(kc_session_state_t state)
{
    return state == KC_SESSION_LIVE;
}

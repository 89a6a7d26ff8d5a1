/* The decision table: what is done for each kind of request in each state of its session.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_DECISION_H
#define KC_DECISION_H

#include "access/request_class.h"
#include "session/session.h"

/* What is done: the cells. */
typedef enum {
    KC_DECISION_ALLOW,           /* export the identity and let the request pass */
    KC_DECISION_ALLOW_ANONYMOUS, /* let the request pass without identity */
    KC_DECISION_LOGIN,           /* begin a sign-in */
    KC_DECISION_DENY,            /* 401 with the reason */
    KC_DECISION_RETURN_TO_PAGE,  /* already signed in: redirect to the page */
    KC_DECISION_END_SESSION,     /* end the session here and at Keycloak */
    KC_DECISION_SKIP_LOGOUT,     /* nothing to end: redirect to the page after logout */
    KC_DECISION_UNAVAILABLE,     /* 503: it is not known who this is */
    KC_DECISION_ASK_AGAIN /* not in the table: instead of LOGIN (access.h). A page makes the browser
                             ask again, so that it sends the cookie */
} kc_decision_t;

/* The cell of the table. Thread safe, pure. */
kc_decision_t kc_decision_of(kc_session_state_t state, kc_request_class_t kind);
/* 1 when navigations, API calls, optional pages and subrequests have the same decision in this
 * state, so that the request need not be classified. */
int kc_decision_is_settled(kc_session_state_t state);

#endif

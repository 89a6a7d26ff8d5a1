/* Audit events: who has signed in or out, what has ended sessions, which bearer tokens were used.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_AUDIT_H
#define KC_AUDIT_H

#include "base/err.h"
#include "base/json.h"
#include "env.h"

typedef enum {
    KC_AUDIT_SIGN_IN,
    KC_AUDIT_STEP_UP,         /* the sign-in that a place with higher requirements has asked for */
    KC_AUDIT_SIGN_IN_REFUSED, /* a browser came back from the provider, and got no session */
    KC_AUDIT_SIGN_OUT,
    KC_AUDIT_SESSION_ENDED, /* not by its user, and not by time */
    KC_AUDIT_BEARER_ACCEPTED,
    KC_AUDIT_BEARER_REFUSED,
    KC_AUDIT_OPERATOR,
    KC_AUDIT_KINDS
} kc_audit_kind_t;

enum { KC_AUDIT_HASH_TEXT = 16 /* characters of a short hash */ };

/* One event. Texts are valid during the call; NULL or "": not known, or there is none. */
typedef struct kc_audit_event_t {
    kc_audit_kind_t kind;
    kc_reason_t reason; /* its tag is that of the line in the error log */
    const char *cause;  /* of an event that has several: a fixed word */
    const char *user;   /* who it is about */
    const char *sub;
    const char *act; /* who acts as that user (kc_audit_actor) */
    const char *by;  /* the operator */
    const char *acr;
    const char *sid; /* the session at the provider; only its hash is written */
    char session[KC_AUDIT_HASH_TEXT + 1]; /* hash of the session; "" */
} kc_audit_event_t;

/* Hands the event to env->audit. Does nothing where that is NULL. Thread safe. */
void kc_audit_tell(const kc_env_t *env, const kc_audit_event_t *event);

/* Who acts as the user that the claims are about: act.sub (RFC 8693 section 4.1), or the username
 * or id of Keycloak's claim impersonator. NULL: nobody. The text is the claims'. */
const char *kc_audit_actor(const kc_json_t *claims);

/* A short one-way hash of a text: the same text always has the same hash, which tells nothing of
 * the text. "" for NULL, "" and after a failure. Thread safe. */
void kc_audit_hash(const char *text, char out[KC_AUDIT_HASH_TEXT + 1]);

/* --- the rate of events that any client can cause --- */

enum { KC_AUDIT_RATE_BURST = 100, KC_AUDIT_RATE_SECOND = 20 /* events */ };

/* All zeros at first. */
typedef struct kc_audit_rate_t {
    int64_t full_at; /* milliseconds: when the whole burst is there again */
    unsigned int omitted;
} kc_audit_rate_t;

/* 1 when the event may be written, at a time of a monotonic clock. Of refusals, which any client
 * can cause as often as it likes, KC_AUDIT_RATE_BURST may at once, and KC_AUDIT_RATE_SECOND in each
 * second. The rest is counted in rate->omitted. All other events always may. Not thread safe. */
int kc_audit_rate_allows(kc_audit_rate_t *rate, const kc_audit_event_t *event, int64_t now_ms);

#endif

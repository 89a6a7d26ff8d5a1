/* The state of a pending sign-in: sealed in the browser; the server keeps nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_STATE_H
#define KC_LOGIN_STATE_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

#include "base/err.h"
#include "browser.h"
#include "rp.h"
#include "session/step_up.h"

enum {
    KC_LOGIN_AT_ONCE_MAX = 5,    /* pending sign-ins in one browser */
    KC_LOGIN_COOKIES_MAX = 4096, /* bytes of their cookies together */
    KC_LOGIN_ROUNDS_MAX = 3,     /* rounds within KC_LOGIN_ROUNDS_SECONDS */
    KC_LOGIN_STEPS_MAX = 6,      /* the same for sign-ins of a user that is signed in already */
    KC_LOGIN_ROUNDS_SECONDS = 60,
    KC_LOGIN_STATE_SIZE = 32,    /* bytes */
    KC_LOGIN_STATE_TEXT = 43,    /* base64url characters */
    KC_LOGIN_NONCE_SIZE = 16,    /* bytes; 22 characters */
    KC_LOGIN_VERIFIER_SIZE = 32, /* bytes; 43 characters (RFC 7636 section 4.1) */
    KC_LOGIN_STATE_MARKER = 320, /* bytes of a one-use marker */
    KC_LOGIN_TAG_LEN = 16,       /* characters of the state that name its cookie */
    KC_LOGIN_CARRIED_MAX = 512,  /* bytes of a return URL that is part of the state itself */
    KC_LOGIN_COOKIE_MAX = 4000 /* bytes of one cookie, which browsers accept; a return URL that does
                                  not fit, deflated, is "/" */
};

/* How often a sign-in was begun again. {0, 0} is a first one. */
typedef struct kc_login_round_t {
    unsigned int number;
    int64_t since; /* seconds since 1970: when the first one began; 0: now */
} kc_login_round_t;

/* A request to sign in. All zero except return_url: an ordinary one, begun for the first time. */
typedef struct kc_login_request_t {
    const char *return_url; /* the page afterwards */
    kc_login_round_t round;
    kc_step_up_t step_up; /* the step-up requirement */
    int is_silent;        /* the user is not asked anything (prompt=none) */
    int is_step_up;       /* a user is signed in: the session is renewed or made stronger */
    const apr_array_header_t *parameters; /* kc_conf_pair_t, passed on to the authorization URL; or
                                             NULL */
    int64_t begun; /* set by kc_login_state_again: when it was begun last, in seconds since 1970 */
    unsigned int finished; /* sign-ins that this browser had finished within the minute before */
} kc_login_request_t;

/* A pending sign-in. */
typedef struct kc_login_state_t {
    unsigned char raw[KC_LOGIN_STATE_SIZE];
    const char *text;       /* the parameter `state` */
    const char *return_url; /* checked before it was sealed; "/" when it is too long */
    kc_bytes_t kept;        /* what of the return URL is in the cookie: nothing, itself, or
                               deflated */
    kc_step_up_t step_up;
    int is_silent;
    int is_step_up;
    unsigned int finished; /* as in its request, at most KC_LOGIN_STEPS_MAX */
    char nonce[(KC_LOGIN_NONCE_SIZE * 4 + 2) / 3 + 1];
    char verifier[(KC_LOGIN_VERIFIER_SIZE * 4 + 2) / 3 + 1];
} kc_login_state_t;

/* Makes a new state; its cookie has up to KC_LOGIN_COOKIE_MAX bytes. The request's return URL must
 * have been checked. */
kc_rc_t kc_login_state_make(const kc_rp_t *rp, const kc_browser_t *client,
                            const kc_login_request_t *request, apr_pool_t *pool,
                            kc_login_state_t *out, kc_err_t *err);
/* Adds its cookie to cookies (const char *, values of Set-Cookie). Deletes the oldest ones until
 * there are at most KC_LOGIN_AT_ONCE_MAX cookies and KC_LOGIN_COOKIES_MAX bytes. */
kc_rc_t kc_login_state_keep(const kc_rp_t *rp, const kc_browser_t *client,
                            const kc_login_state_t *state, apr_pool_t *pool,
                            apr_array_header_t *cookies, kc_err_t *err);
/* Finds and opens the cookie of a state, and adds its deletion to cookies. KC_MISS with
 * KC_ERR_STATE_UNKNOWN (absent, foreign, changed: one uniform error) or _EXPIRED. KC_REFUSED with
 * KC_ERR_CALLBACK when text is not a state of this module. */
kc_rc_t kc_login_state_find(const kc_rp_t *rp, const kc_browser_t *client, const char *text,
                            apr_pool_t *pool, kc_login_state_t *out, apr_array_header_t *cookies,
                            kc_err_t *err);
/* 1 when this browser has so many pending sign-ins that one more cookie may have replaced one of
 * theirs. The names of its cookies tell that, so the browser can forge it. */
int kc_login_state_is_crowded(const kc_rp_t *rp, const kc_browser_t *client, apr_pool_t *pool);
/* Stores a one-use marker for a state, for as long as the sign-in may take, so that codes which
 * Keycloak refuses do not fill the store. KC_MISS with KC_ERR_STATE_SPENT when it was used
 * already. */
kc_rc_t kc_login_state_spend(const kc_rp_t *rp, const kc_login_state_t *state, kc_err_t *err);
/* After success: extends the marker for as long as the state could be used. */
void kc_login_state_settle(const kc_rp_t *rp, const kc_login_state_t *state);
/* Removes the marker: Keycloak was not asked, so the same callback may come again. */
void kc_login_state_give_back(const kc_rp_t *rp, const kc_login_state_t *state);
/* When it was made, in seconds since 1970. */
int64_t kc_login_state_begun(const kc_login_state_t *state);
/* What a state tells without its cookie: its return URL ("/" when it does not carry one), its kind,
 * when it was begun, and the next round. KC_REFUSED with KC_ERR_LOGIN_LOOP when that is one too
 * many. Everything except the return URL is not authenticated: a forged state stops or loops only
 * the forger's browser. *out has no step-up requirement, because only the cookie has it. */
kc_rc_t kc_login_state_again(const kc_rp_t *rp, const char *text, apr_pool_t *pool,
                             kc_login_request_t *out, kc_err_t *err);

#endif

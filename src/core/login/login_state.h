/* The state of a sign-in under way: sealed in the browser, nothing of it on the server.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGIN_STATE_H
#define KC_LOGIN_STATE_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stdint.h>

#include "base/err.h"
#include "browser.h"
#include "session/step_up.h"
#include "rp.h"

enum {
    KC_LOGIN_AT_ONCE_MAX = 5,    /* sign-ins under way in one browser */
    KC_LOGIN_COOKIES_MAX = 4096, /* bytes of their cookies together */
    KC_LOGIN_ROUNDS_MAX = 3,     /* rounds within KC_LOGIN_ROUNDS_SECONDS */
    KC_LOGIN_STEPS_MAX = 6,      /* and sign-ins of somebody who is signed in already */
    KC_LOGIN_ROUNDS_SECONDS = 60,
    KC_LOGIN_STATE_SIZE = 32,    /* bytes */
    KC_LOGIN_STATE_TEXT = 43,    /* base64url characters */
    KC_LOGIN_NONCE_SIZE = 16,    /* bytes; 22 characters */
    KC_LOGIN_VERIFIER_SIZE = 32, /* bytes; 43 characters (RFC 7636 section 4.1) */
    KC_LOGIN_STATE_MARKER = 320, /* bytes of a one-use marker */
    KC_LOGIN_TAG_LEN = 16,       /* characters of the state that name its cookie */
    KC_LOGIN_CARRIED_MAX = 512,  /* bytes of a return URL that travels in the state itself */
    KC_LOGIN_COOKIE_MAX = 4000 /* bytes of one cookie, as browsers keep them; a return URL that does
                                  not fit, deflated, is "/" */
};

/* How often a sign-in was begun again. {0, 0} is a first one. */
typedef struct kc_login_round_t {
    unsigned int number;
    int64_t since; /* seconds since 1970: when the first one began; 0: now */
} kc_login_round_t;

/* What a sign-in is for. All zero but return_url: an ordinary one, begun for the first time. */
typedef struct kc_login_request_t {
    const char *return_url; /* the page afterwards */
    kc_login_round_t round;
    kc_step_up_t demand; /* what it has to bring */
    int is_silent;       /* nobody is asked anything (prompt=none) */
    int is_step_up;      /* somebody is signed in: their session is renewed or made stronger */
    const apr_array_header_t *parameters; /* kc_conf_pair_t, go on to the authorization URL; or
                                             NULL */
    int64_t begun; /* of kc_login_state_again: when it was begun last, in seconds since 1970 */
    unsigned int finished; /* sign-ins that this browser had finished within the minute before */
} kc_login_request_t;

/* A sign-in under way. */
typedef struct kc_login_state_t {
    unsigned char raw[KC_LOGIN_STATE_SIZE];
    const char *text;       /* the parameter `state` */
    const char *return_url; /* judged before it was sealed; "/" when it is too long */
    kc_bytes_t kept;        /* what of it goes into the cookie: nothing, itself or deflated */
    kc_step_up_t demand;
    int is_silent;
    int is_step_up;
    unsigned int finished; /* as of its request, KC_LOGIN_STEPS_MAX at most */
    char nonce[(KC_LOGIN_NONCE_SIZE * 4 + 2) / 3 + 1];
    char verifier[(KC_LOGIN_VERIFIER_SIZE * 4 + 2) / 3 + 1];
} kc_login_state_t;

/* Makes a fresh one, whose cookie has up to KC_LOGIN_COOKIE_MAX bytes. The request's return URL was
 * judged. */
kc_rc_t kc_login_state_make(const kc_rp_t *rp, const kc_browser_t *client,
                            const kc_login_request_t *request, apr_pool_t *pool,
                            kc_login_state_t *out, kc_err_t *err);
/* Adds its cookie to cookies (const char *, values of Set-Cookie), and deletes the oldest ones
 * until there are KC_LOGIN_AT_ONCE_MAX and KC_LOGIN_COOKIES_MAX bytes at most. */
kc_rc_t kc_login_state_keep(const kc_rp_t *rp, const kc_browser_t *client,
                            const kc_login_state_t *state, apr_pool_t *pool,
                            apr_array_header_t *cookies, kc_err_t *err);
/* Finds and opens the cookie of a state, and adds its deletion to cookies. KC_MISS with
 * KC_ERR_STATE_UNKNOWN (absent, foreign, changed: one uniform error) or _EXPIRED; KC_REFUSED with
 * KC_ERR_CALLBACK when text is no state of ours. */
kc_rc_t kc_login_state_find(const kc_rp_t *rp, const kc_browser_t *client, const char *text,
                            apr_pool_t *pool, kc_login_state_t *out, apr_array_header_t *cookies,
                            kc_err_t *err);
/* 1 when so many sign-ins of this browser were begun lately and are under way that the cookie of
 * one more may have made room for theirs. Cookies' names tell it, so it is the browser's own word.
 */
int kc_login_state_is_crowded(const kc_rp_t *rp, const kc_browser_t *client, apr_pool_t *pool);
/* Marks a state as used in the store, for as long as the sign-in may take: whoever brings codes
 * that Keycloak refuses fills no store with them. KC_MISS with KC_ERR_STATE_SPENT when it was
 * already. */
kc_rc_t kc_login_state_spend(const kc_rp_t *rp, const kc_login_state_t *state, kc_err_t *err);
/* The sign-in has succeeded: the mark stays as long as the state could be used. */
void kc_login_state_settle(const kc_rp_t *rp, const kc_login_state_t *state);
/* Takes the mark back: nobody was asked, so that the same callback may come again. */
void kc_login_state_give_back(const kc_rp_t *rp, const kc_login_state_t *state);
/* When it was made, in seconds since 1970. */
int64_t kc_login_state_begun(const kc_login_state_t *state);
/* What a state without its cookie still tells: its return URL ("/" when it does not carry one), of
 * which kind it is, when it was begun, and the next round. KC_REFUSED with KC_ERR_LOGIN_LOOP when
 * that is one too many. All but the return URL is the state's own word: a forged one stops or loops
 * only the forger's browser. *out demands nothing: that is known to the cookie alone. */
kc_rc_t kc_login_state_again(const kc_rp_t *rp, const char *text, apr_pool_t *pool,
                             kc_login_request_t *out, kc_err_t *err);

#endif

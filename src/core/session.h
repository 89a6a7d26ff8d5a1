/* Sessions: their model, their compact form, and their life in the store.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_H
#define KC_SESSION_H

#include <apr_pools.h>
#include <stdint.h>

#include "buf.h"
#include "claims.h"
#include "err.h"
#include "json.h"
#include "rp.h"

enum {
    KC_SESSION_FORMAT = 1,   /* version byte of the compact form */
    KC_SESSION_ID_SIZE = 32, /* bytes */
    KC_SESSION_ID_TEXT = 43  /* base64url characters, without the closing NUL */
};

/* What a request finds. Columns of the decision table in flow.c. */
typedef enum {
    KC_SESSION_NONE,  /* no cookie, a malformed one, or an unknown, foreign or unreadable session */
    KC_SESSION_LIVE,  /* go on */
    KC_SESSION_STALE, /* the ID token's time is over, the session's is not */
    KC_SESSION_ENDED, /* signed out, revoked, or past its end */
    KC_SESSION_UNKNOWN, /* the store does not answer */
    KC_SESSION_STATES
} kc_session_state_t;

/* A list inside the compact form: texts, each NUL-terminated, one behind the other. */
typedef struct kc_session_list_t {
    const char *text;
    size_t size; /* bytes, the NULs included */
} kc_session_list_t;

/* A session as read from its compact form: views into the opened plaintext, which the pool owns.
 * All texts are NUL-terminated and never NULL. */
typedef struct kc_session_t {
    int64_t created;       /* seconds since 1970 */
    int64_t expires;       /* absolute end of the session */
    int64_t token_expires; /* exp of the ID token */
    int64_t auth_time;     /* 0 when the token has none */
    const char *sub;
    const char *sid;
    const char *user;
    const char *email;
    const char *groups;        /* header value */
    kc_session_list_t headers; /* values of conf->headers in their order */
    kc_session_list_t group_list;
    kc_session_list_t realm_roles;
    kc_session_list_t client_roles;
    kc_bytes_t id_token[3]; /* the ID token's header, payload and signature, base64url undone */
    kc_bytes_t claims;      /* JSON of the merged claims; empty: those of the ID token's payload */
} kc_session_t;

/* Writes the compact form; KC_REFUSED with KC_ERR_STORE_VALUE when it is too large. Texts must not
 * be NULL. */
kc_rc_t kc_session_encode(const kc_session_t *session, apr_pool_t *pool, kc_bytes_t *out,
                          kc_err_t *err);
/* Reads it; KC_REFUSED with KC_ERR_SESSION_FORMAT for another version or anything that does not add
 * up. */
kc_rc_t kc_session_decode(kc_bytes_t compact, kc_session_t *out, kc_err_t *err);

/* Walks a list: the text after `at` (one of the list's; NULL: the first), NULL at the end. */
const char *kc_session_list_next(const kc_session_list_t *list, const char *at);
/* Makes a list of an array of const char *, in pool. */
kc_session_list_t kc_session_list_make(const apr_array_header_t *texts, apr_pool_t *pool);
/* The ID token in compact form, for id_token_hint, in pool. */
const char *kc_session_id_token(const kc_session_t *session, apr_pool_t *pool);
/* The session's claims as JSON, parsed anew at each call; NULL when there are none. */
const kc_json_t *kc_session_claims(const kc_session_t *session, apr_pool_t *pool);

/* The value of the session's cookie in a Cookie header (NULL: none): a view into it. data is NULL
 * when the cookie is absent, empty or there twice. */
kc_bytes_t kc_session_cookie(const kc_rp_t *rp, int is_https, const char *header);

/* Puts a new session under a fresh random id. id_text has room for KC_SESSION_ID_TEXT + 1 bytes. */
kc_rc_t kc_session_create(const kc_rp_t *rp, const kc_session_t *session, apr_pool_t *pool,
                          char *id_text, kc_err_t *err);
/* Finds the session of a cookie's value (NULL data: no cookie), with its revocation mark, in one
 * round trip of the store, and moves its idle end at most each tenth of the idle window. *session
 * is filled when LIVE or STALE. err tells the reason of every state but NONE without a cookie and
 * LIVE. A malformed id costs no look-up. */
kc_session_state_t kc_session_find(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err);
/* Deletes the session and leaves a mark, so that an old copy is refused. KC_OK also when there was
 * none. KC_DOWN: it may live on. */
kc_rc_t kc_session_end(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool, kc_err_t *err);

#endif

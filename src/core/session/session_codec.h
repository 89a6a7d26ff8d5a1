/* A session: its struct and its compact encoding.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_CODEC_H
#define KC_SESSION_CODEC_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "rp.h"
#include "session/session_list.h"
#include "session/unknown.h"

enum {
    KC_SESSION_CODEC_VERSION =
        6, /* first byte of the encoding; the two versions before are read as well */
    KC_SESSION_CODEC_VERSION_WIDE = 7,   /* the same, of a session with a text or list over
                                            SHORT_MAX */
    KC_SESSION_CODEC_SHORT_MAX = 0xffff, /* bytes of each text and list, including the NULs */
    KC_SESSION_ID_SIZE = 32,             /* bytes */
    KC_SESSION_ID_TEXT = 43,   /* characters of an id in base64url, without the closing NUL */
    KC_SESSION_NAME_SIZE = 32, /* bytes: half of a store key's characters */
    KC_SESSION_NO_SLOT = 0
};

/* A session as decoded: pointers into memory that a pool owns. All texts are NUL-terminated and
 * never NULL. At most one of packed and claims is there. */
typedef struct kc_session_t {
    int64_t created;               /* seconds since 1970, like all times here: 0 to 4294967295 */
    int64_t expires;               /* absolute end of the session */
    int64_t token_expires;         /* exp of the ID token */
    int64_t auth_time;             /* 0 when the token has none */
    int64_t refresh_at;            /* when the tokens are due for renewal; 0: they cannot be
                                      renewed */
    const unsigned char *sub_key;  /* KC_SESSION_NAME_SIZE bytes: key of the revocation entry of
                                       its sub (revocation.h); NULL is encoded as zeros */
    const unsigned char *sid_key;  /* the same of its session at Keycloak */
    const unsigned char *user_key; /* the same of its user name; NULL when decoded from a version
                                       without it (kc_revocation_adopt) */
    int64_t sub_seen;  /* time (milliseconds since 1970) of the revocation entry of its sub that
                          existed when it began, and does not end it; 0: there was none */
    int64_t user_seen; /* the same of its user name */
    unsigned int slot; /* in the user's session index, or KC_SESSION_NO_SLOT */
    const char *sub;
    const char *sid;
    const char *user;
    const char *email;
    const char *acr;              /* authentication context class of the sign-in, as the provider
                                     names it */
    const char *groups;           /* header value */
    kc_session_list_t headers;    /* values of conf->headers in their order */
    kc_session_list_t group_list; /* when decoded, often the header value itself, with its commas */
    kc_session_list_t realm_roles;
    kc_session_list_t client_roles;
    kc_bytes_t packed;    /* tokens and claims as made by pack.h: what the store keeps */
    kc_bytes_t claims;    /* JSON text of the claims: what a view may have in place of packed */
    unsigned int unknown; /* lists that are incomplete (unknown.h) */
    const char *id_token; /* in compact form, in views that are to have it; NULL: none */
    /* Where the session was found, and fields of views only. Not part of the encoding. */
    const kc_rp_t *rp;
    const unsigned char *id;        /* KC_SESSION_ID_SIZE bytes */
    char key[KC_STORE_KEY_LEN + 1]; /* in the store */
    int64_t idle_end;               /* when it ends unless it is used; 0: not known */
    int is_bearer; /* made of a bearer token (bearer.h): it is in no store, and ends with the
                      token */
} kc_session_t;

/* Encodes a session. KC_REFUSED with KC_ERR_STORE_VALUE when a text, a list or the whole is too
 * large. Thread safe, like all functions here. */
kc_rc_t kc_session_codec_encode(const kc_session_t *session, apr_pool_t *pool, kc_bytes_t *out,
                                kc_err_t *err);
/* Decodes a session without a copy: *out points into compact. KC_REFUSED with KC_ERR_SESSION_FORMAT
 * for another version or any inconsistency. Must be cheap: it is on the request path. */
kc_rc_t kc_session_codec_decode(kc_bytes_t compact, kc_session_t *out, kc_err_t *err);

#endif

/* A session: its model and its compact form.
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
        6, /* first byte of the compact form; the two before are read as well */
    KC_SESSION_CODEC_VERSION_WIDE = 7,   /* the same of one with a text or list over SHORT_MAX */
    KC_SESSION_CODEC_SHORT_MAX = 0xffff, /* bytes of each text and list, their NULs included */
    KC_SESSION_ID_SIZE = 32,             /* bytes */
    KC_SESSION_NAME_SIZE = 32,           /* bytes: half of a store key's characters */
    KC_SESSION_NO_SLOT = 0
};

/* A session as read from its compact form: views into memory that a pool owns. All texts are
 * NUL-terminated and never NULL. Of packed and claims at most one is there. */
typedef struct kc_session_t {
    int64_t created;                /* seconds since 1970, as all times here: 0 to 4294967295 */
    int64_t expires;                /* absolute end of the session */
    int64_t token_expires;          /* exp of the ID token */
    int64_t auth_time;              /* 0 when the token has none */
    int64_t refresh_at;             /* when the tokens are to be renewed; 0: they cannot be */
    const unsigned char *sub_mark;  /* KC_SESSION_NAME_SIZE bytes: where a mark of its sub would be
                                       in the store (revocation.h); NULL when it is written: zeros */
    const unsigned char *sid_mark;  /* the same of its session at Keycloak */
    const unsigned char *user_mark; /* the same of its user's name; NULL when it is read: of a form
                                       that has none (kc_revocation_adopt) */
    int64_t sub_seen;  /* the moment of the sub's mark that there was when it began (milliseconds
                          since 1970), which is none of its own; 0: there was none */
    int64_t user_seen; /* the same of its user's name */
    unsigned int slot; /* in the user's roster, or KC_SESSION_NO_SLOT */
    const char *sub;
    const char *sid;
    const char *user;
    const char *email;
    const char *acr;              /* how it was signed in, in the provider's words */
    const char *groups;           /* header value */
    kc_session_list_t headers;    /* values of conf->headers in their order */
    kc_session_list_t group_list; /* as read: often the header value itself, with its commas */
    kc_session_list_t realm_roles;
    kc_session_list_t client_roles;
    kc_bytes_t packed;    /* tokens and claims as pack.h has them: what the store keeps */
    kc_bytes_t claims;    /* JSON text of the claims: what a view has in their place, if anything */
    unsigned int unknown; /* lists that are not all there (unknown.h) */
    const char *id_token; /* in compact form, of a view that is to have it; NULL: none */
    /* Where it was found, and the rest of one that a view was made of; not part of the form. */
    const kc_rp_t *rp;
    const unsigned char *id;        /* KC_SESSION_ID_SIZE bytes */
    char key[KC_STORE_KEY_LEN + 1]; /* in the store */
    int64_t idle_end;               /* when it ends unless it is used; 0: not known */
    int is_bearer; /* made of a bearer token (bearer.h): it is in no store, and ends with that */
} kc_session_t;

/* Writes the compact form; KC_REFUSED with KC_ERR_STORE_VALUE when a text, a list or the whole is
 * too large. Thread safe, as everything here. */
kc_rc_t kc_session_codec_encode(const kc_session_t *session, apr_pool_t *pool, kc_bytes_t *out,
                                kc_err_t *err);
/* Reads it, without a copy: *out points into compact. KC_REFUSED with KC_ERR_SESSION_FORMAT for
 * another version or anything that does not add up. Cheap: this is on the request path. */
kc_rc_t kc_session_codec_decode(kc_bytes_t compact, kc_session_t *out, kc_err_t *err);

#endif

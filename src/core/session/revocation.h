/* Marks: all sessions of a user, or of a session at Keycloak, have been ended.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_REVOCATION_H
#define KC_REVOCATION_H

#include <apr_pools.h>

#include "base/err.h"
#include "rp.h"
#include "session/session_codec.h"

/*
 * A mark lies in the store under a name made of the sub, the user's name or the sid, which a
 * session knows of itself from its beginning; whoever asks the store for a session asks for its
 * marks as well. So nobody needs to know which sessions there are to end them, one that is written
 * too late included. A mark stays as long as a session of before it could, and is written as what
 * must not be lost.
 *
 * A session knows the moments of the marks of its sub and its user's name that were there when it
 * began; any other one that it meets is later, and ends it. So once a session is there no two
 * clocks are compared.
 */

enum { KC_REVOCATION_UNSEEN_SIZE = 320 /* bytes */ };

typedef enum {
    KC_REVOCATION_SUB,  /* ends the sessions of a person that were begun before it */
    KC_REVOCATION_USER, /* the same by the name that backends know, of all relying parties that name
                      people alike: for who does not know the sub */
    KC_REVOCATION_SID,  /* ends every session of this sid, which Keycloak never gives again */
    KC_REVOCATION_KINDS
} kc_revocation_kind_t;

/* Store keys of a session's marks. */
typedef struct kc_revocation_keys_t {
    char text[KC_REVOCATION_KINDS][KC_STORE_KEY_LEN + 1];
    size_t count; /* two when the session has no sid, else three */
} kc_revocation_keys_t;

/* A mark's name by the newest key. text: the sub, name or sid. out: KC_SESSION_NAME_SIZE bytes.
 * Thread safe, as all here. */
kc_rc_t kc_revocation_name(const kc_rp_t *rp, kc_revocation_kind_t kind, const char *text,
                           unsigned char *out, kc_err_t *err);
/* Fills in the names of a new session's marks, in pool, as if there were none yet. */
kc_rc_t kc_revocation_prepare(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool,
                              kc_err_t *err);
/* The name of the user's mark for a session that has none: one of before they were kept, or of a
 * user who is called otherwise now. Any such mark that is there ends it. In pool. */
kc_rc_t kc_revocation_adopt(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool,
                            kc_err_t *err);
/* The same, and whether its user has some already.
 * begun_ms: when its tokens were asked for, in milliseconds since 1970. KC_MISS with
 * KC_ERR_SIGNED_OUT_NOW: it has been ended since, as far as clocks that differ by KeycloakClockSkew
 * can tell. */
kc_rc_t kc_revocation_begin(const kc_rp_t *rp, kc_session_t *session, int64_t begun_ms,
                            apr_pool_t *pool, kc_err_t *err);
/* Asks the store for a session's marks of sub, user and sid. KC_REFUSED with KC_ERR_SIGNED_OUT: one
 * of them ends it. */
kc_rc_t kc_revocation_check(const kc_rp_t *rp, const kc_session_t *session, apr_pool_t *pool,
                            kc_err_t *err);
/* Gives fresh, which takes the place of a session that was found, the marks of that. KC_MISS with
 * KC_ERR_SIGNED_OUT: its user is called otherwise now, and it has been ended meanwhile. */
kc_rc_t kc_revocation_keep(const kc_session_t *stored, kc_session_t *fresh, apr_pool_t *pool,
                           kc_err_t *err);
/* Leaves a mark, of this moment, under its names by all keys, for as long as a session of any
 * relying party of this process with the same issuer and client could live. KC_DOWN: too few
 * servers have taken it (KC_STORE_MARK), and sessions may live on. */
kc_rc_t kc_revocation_add(const kc_rp_t *rp, kc_revocation_kind_t kind, const char *text,
                          kc_err_t *err);
/* The name of the mark that a session's own end leaves: the session's name in the store
 * (KC_STORE_KEY_LEN characters) read backwards. mark has room for KC_STORE_KEY_LEN + 1 bytes. */
void kc_revocation_own_key(const char *key, char *mark);
/* Ends a session by its key in the store: leaves its own mark, so that an old copy is refused, and
 * deletes it there; the first tier lets go of it within KeycloakCacheTTL. expires: the session's
 * absolute end, when it is known, else 0. KC_DOWN: it may live on. */
kc_rc_t kc_revocation_end_session(const kc_rp_t *rp, const char *key, int64_t expires,
                                  kc_err_t *err);
/* The same for a session that nobody has seen, but that may be where nobody could look. Strangers
 * make names up: in memcached such marks lie, by their size, with what else those have written
 * (KC_LOGIN_STATE_MARKER), and push out no other ones. */
kc_rc_t kc_revocation_end_unseen(const kc_rp_t *rp, const char *key, kc_err_t *err);
/* What to ask the store for besides, in the order of their kinds. */
void kc_revocation_keys(const kc_session_t *session, kc_revocation_keys_t *keys);
/* 1 when what the store gave for these keys, in their order, ends the session. */
int kc_revocation_is_revoked(const kc_session_t *session, const kc_revocation_keys_t *keys,
                             const kc_store_item_t *items);

#endif

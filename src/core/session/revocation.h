/* Revocation entries: all sessions of a user, or of one session at Keycloak, have been ended.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_REVOCATION_H
#define KC_REVOCATION_H

#include <apr_pools.h>

#include "base/err.h"
#include "rp.h"
#include "session/session_codec.h"

/* A revocation entry is stored under a key that is derived from the sub, the user's name or the
 * sid. Each session records these keys when it is created. Every request that reads a session from
 * the store also reads its revocation entries. So sessions can be ended without a list of them, and
 * one that is written too late is refused as well. An entry is kept as long as a session that began
 * before it could live. It is written as a value that must not be lost (KC_STORE_CRITICAL).
 *
 * A session records the times of the entries of its sub and user name that existed when it began.
 * Any other entry found later is newer and ends the session. So, once a session exists, the clocks
 * of two hosts are never compared. */

enum { KC_REVOCATION_UNSEEN_SIZE = 320 /* bytes */ };

typedef enum {
    KC_REVOCATION_SUB,  /* ends the sessions of a user that began before it */
    KC_REVOCATION_USER, /* the same by the user name that backends get, for all relying parties that
                           form names in the same way; for callers that do not know the sub */
    KC_REVOCATION_SID,  /* ends every session of this sid, which Keycloak never reuses */
    KC_REVOCATION_KINDS
} kc_revocation_kind_t;

/* Store keys of a session's revocation entries. */
typedef struct kc_revocation_keys_t {
    char text[KC_REVOCATION_KINDS][KC_STORE_KEY_LEN + 1];
    size_t count; /* two when the session has no sid, else three */
} kc_revocation_keys_t;

/* The key of a revocation entry, by the newest seal key. text: the sub, user name or sid. out:
 * KC_SESSION_NAME_SIZE bytes. Thread safe, like all functions here. */
kc_rc_t kc_revocation_name(const kc_rp_t *rp, kc_revocation_kind_t kind, const char *text,
                           unsigned char *out, kc_err_t *err);
/* Fills in the keys of a new session's revocation entries, in pool, as if no entries existed
 * yet. */
kc_rc_t kc_revocation_prepare(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool,
                              kc_err_t *err);
/* Fills in the key of the user name's revocation entry for a session that has none. Such a session
 * was stored before these keys were, or its user has a new name. Any entry under that key then ends
 * it. In pool. */
kc_rc_t kc_revocation_adopt(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool,
                            kc_err_t *err);
/* Like kc_revocation_prepare, and records which entries exist already. begun_ms: when its tokens
 * were requested, in milliseconds since 1970. KC_MISS with KC_ERR_SIGNED_OUT_NOW: it has been ended
 * since then, as far as clocks that differ by KeycloakClockSkew can tell. */
kc_rc_t kc_revocation_begin(const kc_rp_t *rp, kc_session_t *session, int64_t begun_ms,
                            apr_pool_t *pool, kc_err_t *err);
/* Reads a session's revocation entries of sub, user and sid from the store. KC_REFUSED with
 * KC_ERR_SIGNED_OUT: one of them ends it. */
kc_rc_t kc_revocation_check(const kc_rp_t *rp, const kc_session_t *session, apr_pool_t *pool,
                            kc_err_t *err);
/* Copies the recorded keys and times of stored, a session that was found, into fresh, which
 * replaces it. KC_MISS with KC_ERR_SIGNED_OUT: the user's name has changed, and the session has
 * been ended meanwhile. */
kc_rc_t kc_revocation_keep(const kc_session_t *stored, kc_session_t *fresh, apr_pool_t *pool,
                           kc_err_t *err);
/* Adds a revocation entry with the present time, under its keys by all seal keys. It is kept as
 * long as a session could live of any relying party of this process with the same issuer and
 * client. KC_DOWN: too few servers have stored it (KC_STORE_CRITICAL), and sessions may live on. */
kc_rc_t kc_revocation_add(const kc_rp_t *rp, kc_revocation_kind_t kind, const char *text,
                          kc_err_t *err);
/* The key of the entry that the end of one session adds: the session's store key (KC_STORE_KEY_LEN
 * characters) reversed. entry has room for KC_STORE_KEY_LEN + 1 bytes. */
void kc_revocation_own_key(const char *key, char *entry);
/* Ends a session by its store key: adds its own revocation entry, so that an old copy is refused,
 * and deletes it from the store. Views in the first tier expire within KeycloakCacheTTL. expires:
 * the session's absolute end, or 0 when it is not known. KC_DOWN: the session may live on. */
kc_rc_t kc_revocation_end_session(const kc_rp_t *rp, const char *key, int64_t expires,
                                  kc_err_t *err);
/* Like kc_revocation_end_session, for a session that was not found but may be on a server that does
 * not answer. Clients can invent ids of such sessions. So these entries have the size of other
 * values that clients can cause (KC_LOGIN_STATE_MARKER). memcached then evicts them among those
 * values, and they evict no others. */
kc_rc_t kc_revocation_end_unseen(const kc_rp_t *rp, const char *key, kc_err_t *err);
/* Fills in the store keys of the session's revocation entries, in the order of their kinds. */
void kc_revocation_keys(const kc_session_t *session, kc_revocation_keys_t *keys);
/* 1 when the values that the store has for these keys, in their order, end the session. */
int kc_revocation_is_revoked(const kc_session_t *session, const kc_revocation_keys_t *keys,
                             const kc_store_item_t *items);

#endif

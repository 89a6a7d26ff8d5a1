/* The look-up of a session: its keys, and what the first tier and the store have of it. Everything
 * that these functions return lives as long as the pool of the look-up.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_LOOKUP_H
#define KC_SESSION_LOOKUP_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "rp.h"
#include "session/session_codec.h"
#include "store/store.h"
#include "store/view_cache.h"

/* The detail of KC_ERR_SESSION_IDLE when the store has no such session. */
#define KC_SESSION_ABSENT "it is stored no more: not used, ended, or pushed out of a full store"

/* The look-up of a session by its id, from which its store key and its seal key are derived, and
 * what has been found so far. */
typedef struct kc_session_lookup_t {
    const kc_rp_t *rp;
    apr_pool_t *pool;
    kc_bytes_t id;
    int64_t now;
    int64_t now_ms;
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    kc_session_t seen; /* the view, decoded */
    int has_view;
    int is_use;                     /* the request counts as use of the session */
    int is_revoked;                 /* the session has a revocation entry of its own */
    const kc_session_t *successor;  /* sessions of its sub and sid are not ended; NULL: any session
                                       is */
    char key[KC_STORE_KEY_LEN + 1]; /* of the session in the store; "" until it is known */
    char revocation[KC_STORE_KEY_LEN + 1];
    char used[KC_STORE_KEY_LEN + 1]; /* of the record of its last use */
} kc_session_lookup_t;

/* What the store has of a session. */
typedef struct kc_session_found_t {
    kc_store_item_t session;
    kc_bytes_t used; /* the record of its last use (session_idle.h) */
} kc_session_found_t;

/* Begins the look-up of id, which must outlive it. Asks no store, and knows no key yet. */
void kc_session_lookup_init(kc_session_lookup_t *lookup, const kc_rp_t *rp, kc_bytes_t id,
                            apr_pool_t *pool);
/* Derives the keys in the store (session, own revocation entry, last use) by a seal key. */
kc_rc_t kc_session_lookup_derive_keys(kc_session_lookup_t *lookup, const kc_crypto_key_t *key,
                                      kc_err_t *err);
/* Takes the keys from the view: deriving them again would cost more than the rest of a look-up. */
void kc_session_lookup_take_key(kc_session_lookup_t *lookup);
/* What a session is sealed for: its id and its relying party (doc/formats.md). */
kc_seal_use_t kc_session_lookup_seal_use(const kc_rp_t *rp, kc_bytes_t id);
/* Decodes the id and looks into the first tier. KC_MISS: the cookie is malformed. */
kc_rc_t kc_session_lookup_begin(kc_session_lookup_t *lookup, const kc_rp_t *rp, kc_bytes_t cookie,
                                apr_pool_t *pool, kc_err_t *err);
/* Fetches the session at lookup->key, its last use and its revocation entries in one round trip:
 * its own entry always, those of its user and sid when known tells them. KC_MISS: there is no
 * session; KC_REFUSED: it was revoked. */
kc_rc_t kc_session_lookup_fetch(kc_session_lookup_t *lookup, const kc_session_t *known,
                                kc_session_found_t *found, kc_err_t *err);
/* With a view: looks only at the key that it has (a session never changes its key). Otherwise tries
 * each seal key, newest first. */
kc_rc_t kc_session_lookup_fetch_any(kc_session_lookup_t *lookup, kc_session_found_t *found,
                                    kc_err_t *err);
/* Opens the sealed session. KC_REFUSED: it cannot be read; KC_MISS: it is past its end. */
kc_rc_t kc_session_lookup_open(const kc_session_lookup_t *lookup, const kc_store_item_t *item,
                               kc_session_t *session, kc_err_t *err);
/* Sets what the encoded session does not have. */
void kc_session_lookup_locate(const kc_session_lookup_t *lookup, const char *key,
                              kc_session_t *session);
/* Begins the look-up of a session that was found before; it has the session's key. */
void kc_session_lookup_resume(kc_session_lookup_t *lookup, const kc_session_t *session,
                              apr_pool_t *pool);

#endif

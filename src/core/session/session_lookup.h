/* The look-up of a session: its keys, and what the first tier and the store have of it.
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

/* A session's id, which both names and opens it, and what a request has learnt under it. */
typedef struct kc_session_lookup_t {
    const kc_rp_t *rp;
    apr_pool_t *pool;
    kc_bytes_t id;
    int64_t now;
    int64_t now_ms;
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    kc_session_t seen; /* the view, read */
    int has_view;
    int is_use;                     /* the request counts as use of the session */
    int has_own_mark;               /* it has been ended by itself */
    const kc_session_t *successor;  /* ends no session of its sub and sid; NULL: ends any */
    char key[KC_STORE_KEY_LEN + 1]; /* in the store; "" until it is known */
    char mark[KC_STORE_KEY_LEN + 1];
    char used[KC_STORE_KEY_LEN + 1]; /* where its last use is noted */
} kc_session_lookup_t;

/* What the store has of a session. */
typedef struct kc_session_found_t {
    kc_store_item_t session;
    kc_bytes_t used; /* the record of its last use (session_idle.h) */
} kc_session_found_t;

void kc_session_lookup_init(kc_session_lookup_t *visit, const kc_rp_t *rp, kc_bytes_t id,
                            apr_pool_t *pool);
kc_rc_t kc_session_lookup_derive_keys(kc_session_lookup_t *visit, const kc_crypto_key_t *key,
                                      kc_err_t *err);
/* A view knows the name; deriving it again would cost more than all else that is done here. */
void kc_session_lookup_take_key(kc_session_lookup_t *visit);
kc_seal_use_t kc_session_lookup_seal_use(const kc_rp_t *rp, kc_bytes_t id);
/* Reads the id and looks into the first tier. KC_MISS: the cookie is malformed. */
kc_rc_t kc_session_lookup_begin(kc_session_lookup_t *visit, const kc_rp_t *rp, kc_bytes_t cookie,
                                apr_pool_t *pool, kc_err_t *err);
/* Looks the session up under the name that the visit has, with its last use and its marks: the own
 * one, and, when the session is known from before, those of its user and sid. KC_MISS: there is
 * none; KC_REFUSED: ended by a mark. */
kc_rc_t kc_session_lookup_fetch(kc_session_lookup_t *visit, const kc_session_t *known,
                                kc_session_found_t *found, kc_err_t *err);
/* The same where its view says, for a session never moves; else under each key in turn, newest
 * first. */
kc_rc_t kc_session_lookup_fetch_any(kc_session_lookup_t *visit, kc_session_found_t *found,
                                    kc_err_t *err);
/* KC_REFUSED: it cannot be read; KC_MISS: it is past its end. */
kc_rc_t kc_session_lookup_open(const kc_session_lookup_t *visit, const kc_store_item_t *item,
                               kc_session_t *session, kc_err_t *err);
/* What the form does not hold. */
void kc_session_lookup_locate(const kc_session_lookup_t *visit, const char *key,
                              kc_session_t *session);
/* The visit that found a session, once more. */
void kc_session_lookup_resume(kc_session_lookup_t *visit, const kc_session_t *session,
                              apr_pool_t *pool);

#endif

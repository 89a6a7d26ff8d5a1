/* Sessions: how they are created, found, replaced and ended, in the first tier and the store.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_H
#define KC_SESSION_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "rp.h"
#include "session/session_codec.h"

/* The state of the session that a request finds. These are the columns of the decision table in
 * decision.c. */
typedef enum {
    KC_SESSION_NONE,  /* no cookie, a malformed one, or an unknown, foreign or unreadable session */
    KC_SESSION_LIVE,  /* valid */
    KC_SESSION_STALE, /* the ID token has expired, the session has not */
    KC_SESSION_ENDED, /* signed out, revoked, or past its end */
    KC_SESSION_UNKNOWN, /* the store does not answer */
    KC_SESSION_WEAK,    /* live, but the sign-in is weaker or older than the location requires
                           (step_up.h) */
    KC_SESSION_REFUSED, /* the request has a bearer token that is not accepted; any session is
                           ignored */
    KC_SESSION_STATES
} kc_session_state_t;

/* Stores a new session under a fresh random id and fills in its store key. Also fills in the keys
 * of its revocation entries, unless kc_revocation_begin has done so. id_text has room for
 * KC_SESSION_ID_TEXT + 1 bytes. */
kc_rc_t kc_session_create(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool, char *id_text,
                          kc_err_t *err);
/* Finds the session of a cookie's value (NULL data: no cookie). A view of the first tier is used
 * while it is younger than KeycloakCacheTTL. Otherwise the store is asked for the session and its
 * revocation entries (revocation.h). That takes one round trip, or two when no view tells the user
 * and sid. Of all requests that see a view in the last tenth of its time, only one asks the store.
 * When the store does not answer, a view up to KeycloakStoreGrace older is used. The idle end is
 * moved at most once in each tenth of the idle time.
 *
 * *session is filled when the state is LIVE or STALE, and lives as long as pool. err has the reason
 * of every state, except of LIVE, and of NONE without a cookie. A malformed id costs no look-up. */
kc_session_state_t kc_session_find(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err);
/* Like kc_session_find, for a request that does not count as activity: the idle end is not
 * moved. */
kc_session_state_t kc_session_peek(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err);
/* Reads a session that was found again from the store, without the first tier. KC_MISS: it is no
 * longer there, was ended, or cannot be read. KC_DOWN: the store does not answer. */
kc_rc_t kc_session_reload(const kc_session_t *session, apr_pool_t *pool, kc_session_t *out,
                          kc_err_t *err);
/* Replaces a session that was found or reloaded by fresh, under the same id, which is copied
 * into fresh. KC_MISS: the session was ended meanwhile, and is gone. KC_DOWN: the store does not
 * answer. */
kc_rc_t kc_session_replace(const kc_session_t *stored, kc_session_t *fresh, apr_pool_t *pool,
                           kc_err_t *err);
/* Deletes the session in both tiers and adds a revocation entry, so that an old copy is refused.
 * KC_OK also when there was no session. When servers that may have it do not answer, the entry is
 * stored for them. KC_DOWN: the session may live on. */
kc_rc_t kc_session_end(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool, kc_err_t *err);
/* Like kc_session_end, called before fresh replaces the session in the browser. A session of the
 * same sub and sid is not ended: requests and streams that began with it may continue. It ends at
 * the browser's sign-out, which adds a revocation entry of the sid, or when it expires. */
kc_rc_t kc_session_succeed(const kc_rp_t *rp, kc_bytes_t cookie, const kc_session_t *fresh,
                           apr_pool_t *pool, kc_err_t *err);

#endif

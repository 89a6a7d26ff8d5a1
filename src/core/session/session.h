/* Sessions: their life in the two tiers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_H
#define KC_SESSION_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "rp.h"
#include "session/session_codec.h"

enum { KC_SESSION_ID_TEXT = 43 /* base64url characters, without the closing NUL */ };

/* The detail of KC_ERR_SESSION_IDLE where the store has no such session. */
#define KC_SESSION_ABSENT "it is stored no more: not used, ended, or pushed out of a full store"

/* What a request finds. Columns of the decision table in decision.c. */
typedef enum {
    KC_SESSION_NONE,  /* no cookie, a malformed one, or an unknown, foreign or unreadable session */
    KC_SESSION_LIVE,  /* go on */
    KC_SESSION_STALE, /* the ID token's time is over, the session's is not */
    KC_SESSION_ENDED, /* signed out, revoked, or past its end */
    KC_SESSION_UNKNOWN, /* the store does not answer */
    KC_SESSION_WEAK,    /* live, but not signed in as strongly or lately as the place asks; the glue
                           finds that out */
    KC_SESSION_REFUSED, /* a bearer token that does not do, whatever session there is besides */
    KC_SESSION_STATES
} kc_session_state_t;

/* Puts a new session under a fresh random id, and fills in its key, and the names of its marks
 * unless kc_revocation_begin has. id_text has room for KC_SESSION_ID_TEXT + 1 bytes. */
kc_rc_t kc_session_create(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool, char *id_text,
                          kc_err_t *err);
/* Finds the session of a cookie's value (NULL data: no cookie). A view of the first tier that is
 * younger than KeycloakCacheTTL does; else the store is asked, in one round trip with the session's
 * marks (revocation.h), or in two when no view tells whose it is. Of all requests that see a view
 * in the last tenth of its time one asks, and the others go on. When the store does not answer, a
 * view up to KeycloakStoreGrace older does too. The idle end is moved at most each tenth of the
 * idle window. *session is filled when LIVE or STALE, and lives as long as pool. err tells the
 * reason of every state but NONE without a cookie and LIVE. A malformed id costs no look-up. */
kc_session_state_t kc_session_find(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err);
/* The same for a request that is no use of the session: its idle end stays where it is. */
kc_session_state_t kc_session_peek(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool,
                                   kc_session_t *session, kc_err_t *err);
/* Reads a session that was found from the store again, whatever the first tier says. KC_MISS: it is
 * not there any more, was ended, or cannot be read; KC_DOWN: the store does not answer. */
kc_rc_t kc_session_reload(const kc_session_t *session, apr_pool_t *pool, kc_session_t *out,
                          kc_err_t *err);
/* Puts fresh in the place of a session that was found or reloaded, under the same id, which fresh
 * is told. KC_MISS: it was ended meanwhile, and is gone; KC_DOWN: the store does not answer. */
kc_rc_t kc_session_replace(const kc_session_t *stored, kc_session_t *fresh, apr_pool_t *pool,
                           kc_err_t *err);
/* Deletes the session in both tiers and leaves a mark, so that an old copy is refused. KC_OK also
 * when there was none; when servers that may have it do not answer, the mark is left for these.
 * KC_DOWN: it may live on. */
kc_rc_t kc_session_end(const kc_rp_t *rp, kc_bytes_t cookie, apr_pool_t *pool, kc_err_t *err);
/* The same before fresh takes its place in the browser, unless it is a session of the same sub and
 * sid: that goes on, for requests and streams that were begun with it, until the browser signs out
 * (which leaves a mark of the sid), or it ends by itself. */
kc_rc_t kc_session_succeed(const kc_rp_t *rp, kc_bytes_t cookie, const kc_session_t *fresh,
                           apr_pool_t *pool, kc_err_t *err);

#endif

/* Bearer tokens: a request without a session, judged as whom its token names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_BEARER_H
#define KC_BEARER_H

#include <apr_pools.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"
#include "crypto/jws.h"
#include "rp.h"
#include "session/session.h"

/* How long a token that was verified is believed before its signature is verified anew. */
enum { KC_BEARER_TRUST = 300 /* seconds */ };

/* Reads the value of an Authorization header (NULL: none; several headers joined by commas). KC_OK:
 * *token is the bearer token, a view into it (RFC 6750 section 2.1). KC_MISS: there is none, or it
 * is of another scheme. KC_REFUSED with KC_ERR_INVALID_TOKEN: an empty one, one over
 * KC_JWS_MAX bytes (httpd's LimitRequestFieldSize bounds it before), or one beside another.
 * Thread safe. */
kc_rc_t kc_bearer_read(const char *authorization, kc_bytes_t *token, kc_err_t *err);

/* Checks a token whose signature is verified already. It is an access token or an ID token
 * (token_type.h), not bound to a key of its holder (cnf), as far as
 * KeycloakBearer takes that kind; aud has one of KeycloakAudience; the rest as of
 * kc_id_token_verify_bearer. now: seconds since 1970. KC_REFUSED with the KC_ERR_TOKEN_… that names
 * what is wrong. Thread safe. */
kc_rc_t kc_bearer_verify(const kc_jws_t *token, const kc_conf_t *conf, int64_t now, kc_err_t *err);

/* Who a token names; err tells the reason of every other state than LIVE, and is not NULL. LIVE:
 * *session is filled and lives as long as pool, but for what nobody can have of a bearer token: it
 * is in no store, has no tokens, and is never renewed. REFUSED with KC_ERR_INVALID_TOKEN. UNKNOWN:
 * the provider's keys, or the store that would know whether its session or user has been signed
 * out, are not to be had.
 *
 * What was verified is kept in the first tier for up to KC_BEARER_TRUST, under a keyed hash of the
 * whole token and without the token; like a session's view it is believed for KeycloakCacheTTL,
 * after which the store is asked for marks again (revocation.h). A mark of the user ends tokens
 * issued before it, and as much later as clocks may differ. Thread safe. */
kc_session_state_t kc_bearer_find(const kc_rp_t *rp, kc_bytes_t token, apr_pool_t *pool,
                                  kc_session_t *session, kc_err_t *err);

#endif

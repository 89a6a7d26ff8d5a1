/* Bearer tokens: requests that are identified by a token instead of a session.
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

/* For how long the signature of a verified token is not verified again. */
enum { KC_BEARER_TRUST = 300 /* seconds */ };

/* Reads the value of an Authorization header (NULL: none; several headers joined by commas). KC_OK:
 * *token is the bearer token, a view into it (RFC 6750 section 2.1). KC_MISS: there is none, or it
 * is of another scheme. KC_REFUSED with KC_ERR_INVALID_TOKEN: an empty one, one over
 * KC_JWS_MAX bytes (httpd's LimitRequestFieldSize bounds it before), or one beside another.
 * Thread safe. */
kc_rc_t kc_bearer_read(const char *authorization, kc_bytes_t *token, kc_err_t *err);

/* Checks a token whose signature has been verified. It must be an access token or an ID token
 * (token_type.h), as KeycloakBearer allows, and must not be bound to a key (cnf). Its aud must
 * have one of KeycloakAudience; the other checks are those of kc_id_token_verify_bearer. now:
 * seconds since 1970. KC_REFUSED with the KC_ERR_TOKEN_… that names the fault. Thread safe. */
kc_rc_t kc_bearer_verify(const kc_jws_t *token, const kc_conf_t *conf, int64_t now, kc_err_t *err);

/* Finds the user of a token. err is not NULL, and has the reason of every state but LIVE. LIVE:
 * *session is filled and lives as long as pool; it is in no store, has no tokens, and is never
 * renewed. REFUSED with KC_ERR_INVALID_TOKEN. UNKNOWN: the provider's keys, or the
 * store that knows whether the session or user has been signed out, cannot be reached.
 *
 * A verified token is kept in the first tier for up to KC_BEARER_TRUST, under a keyed hash of
 * the whole token, and without the token. Like the view of a session it is used for
 * KeycloakCacheTTL; then the store is asked for revocation entries (revocation.h). The entry of
 * a user ends tokens issued before it, and later ones as far as clocks may differ. Thread safe. */
kc_session_state_t kc_bearer_find(const kc_rp_t *rp, kc_bytes_t token, apr_pool_t *pool,
                                  kc_session_t *session, kc_err_t *err);

/* Tells the audit log of a token that is not accepted, and why. sub and act: who the token is
 * about, when the realm has signed it; else NULL. Thread safe. */
void kc_bearer_tell_refusal(const kc_rp_t *rp, const char *sub, const char *act,
                            kc_reason_t reason);

#endif

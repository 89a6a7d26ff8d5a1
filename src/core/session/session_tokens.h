/* What a session keeps of its tokens and claims, unpacked when somebody asks.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_TOKENS_H
#define KC_SESSION_TOKENS_H

#include <apr_pools.h>

#include "base/err.h"
#include "base/json.h"
#include "rp.h"
#include "session/pack.h"
#include "session/session_codec.h"

/* Tokens and claims, unpacked into pool; of a session that was found in the first tier they are
 * fetched from the store. KC_MISS: there are none (any more), KC_DOWN: the store does not answer,
 * KC_REFUSED: they cannot be read. */
kc_rc_t kc_session_tokens_get(const kc_session_t *session, apr_pool_t *pool, kc_pack_t *contents,
                              kc_err_t *err);
/* Packs contents for the session beside which they will be kept: of what it says elsewhere (its
 * groups and roles) they take next to no room. Those two lists must stay what they are now, or the
 * contents cannot be unpacked. Failures as of kc_pack_close. */
kc_rc_t kc_session_tokens_pack(const kc_pack_t *contents, apr_pool_t *pool, kc_session_t *session,
                               kc_err_t *err);
/* Gives a view of the session what its relying party wants one to have of these: the claims, the ID
 * token, or nothing; in pool. */
void kc_session_tokens_view(const kc_rp_t *rp, const kc_session_t *session, apr_pool_t *pool,
                            kc_session_t *view);
/* The ID token in compact form, in pool or where a view has it; NULL when it cannot be had. */
const char *kc_session_tokens_id_token(const kc_session_t *session, apr_pool_t *pool);
/* The session's claims as JSON, parsed anew at each call; NULL when they cannot be had. */
const kc_json_t *kc_session_tokens_claims(const kc_session_t *session, apr_pool_t *pool);
/* The claims as JSON text: those kept apart, or else the ID token's payload; no bytes when there
 * are none. */
kc_bytes_t kc_session_tokens_text(const kc_pack_t *contents, apr_pool_t *pool);

#endif

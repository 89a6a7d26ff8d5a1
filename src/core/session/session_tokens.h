/* The tokens and claims of a session, unpacked when they are needed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_TOKENS_H
#define KC_SESSION_TOKENS_H

#include <apr_pools.h>

#include "base/err.h"
#include "base/json.h"
#include "rp.h"
#include "session/pack.h"
#include "session/session_codec.h"

/* Tokens and claims, unpacked into pool. For a session that was found in the first tier they are
 * fetched from the store. KC_MISS: there are none (any more). KC_DOWN: the store does not answer.
 * KC_REFUSED: they cannot be read. */
kc_rc_t kc_session_tokens_get(const kc_session_t *session, apr_pool_t *pool, kc_pack_t *contents,
                              kc_err_t *err);

/* The ID token in compact form, in pool or in the view; NULL when it is not available. */
const char *kc_session_tokens_id_token(const kc_session_t *session, apr_pool_t *pool);
/* The session's claims as JSON, parsed at each call; NULL when they are not available. */
const kc_json_t *kc_session_tokens_claims(const kc_session_t *session, apr_pool_t *pool);

#endif

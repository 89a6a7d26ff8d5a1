/* The tokens and claims of a session, packed into the session. Nothing here asks a store. Thread
 * safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SESSION_PACK_H
#define KC_SESSION_PACK_H

#include <apr_pools.h>

#include "base/buf.h"
#include "base/err.h"
#include "rp.h"
#include "session/pack.h"
#include "session/session_codec.h"

/* Packs contents for the session that will keep them. Text that also stands in its lists of groups
 * and roles takes almost no room. These lists must not change afterwards, or the contents cannot be
 * unpacked. Fails like kc_pack_close. */
kc_rc_t kc_session_pack_close(const kc_pack_t *contents, apr_pool_t *pool, kc_session_t *session,
                              kc_err_t *err);
/* Unpacks the tokens and claims of a session that was read from the store, into pool. KC_MISS: it
 * has none; KC_REFUSED: they cannot be read. */
kc_rc_t kc_session_pack_open(const kc_session_t *session, apr_pool_t *pool, kc_pack_t *contents,
                             kc_err_t *err);
/* The claims as JSON text: those kept separately, else the ID token's payload. No bytes when there
 * are none. */
kc_bytes_t kc_session_pack_text(const kc_pack_t *contents, apr_pool_t *pool);
/* Gives a view of the session what its relying party wants in views: the claims, the ID token, or
 * nothing. In pool. */
void kc_session_pack_view(const kc_rp_t *rp, const kc_session_t *session, apr_pool_t *pool,
                          kc_session_t *view);

#endif

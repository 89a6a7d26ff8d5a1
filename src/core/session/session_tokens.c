/* The tokens and claims of a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_tokens.h"

#include <string.h>

#include "rp.h"
#include "session/session.h"
#include "session/session_pack.h"

kc_rc_t kc_session_tokens_get(const kc_session_t *session, apr_pool_t *pool, kc_pack_t *contents,
                              kc_err_t *err)
{
    kc_session_t stored;

    if (!session->packed.len && session->rp && !session->is_bearer) {
        kc_rc_t rc = kc_session_reload(session, pool, &stored, err);

        if (rc != KC_OK)
            return rc;
        session = &stored;
    }
    return kc_session_pack_open(session, pool, contents, err);
}

const char *kc_session_tokens_id_token(const kc_session_t *session, apr_pool_t *pool)
{
    kc_pack_t contents;

    if (session->id_token)
        return session->id_token;
    return kc_session_tokens_get(session, pool, &contents, NULL) == KC_OK ? contents.id_token
                                                                          : NULL;
}

const kc_json_t *kc_session_tokens_claims(const kc_session_t *session, apr_pool_t *pool)
{
    kc_bytes_t text = session->claims;
    const kc_json_t *claims;
    kc_pack_t contents;

    if (!text.len && kc_session_tokens_get(session, pool, &contents, NULL) == KC_OK)
        text = kc_session_pack_text(&contents, pool);
    if (!text.len || kc_json_parse((const char *)text.data, text.len, pool, &claims, NULL) != KC_OK)
        return NULL;
    return claims;
}

/* The tokens and claims of a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_tokens.h"

#include <string.h>

#include "rp.h"
#include "session/session.h"

enum { KNOWN_MAX = 1024 * 1024 /* bytes; longer text is not used as known text */ };

/* Writes each text of the list as in JSON, with `before` in front of it. */
static void put_list(kc_buf_t *buf, const kc_session_list_t *list, const char *before)
{
    kc_bytes_t text = {NULL, 0};

    while (kc_session_list_walk(list, &text)) {
        kc_buf_put_text(buf, before);
        kc_buf_put(buf, text.data, text.len);
    }
}

/* The lists of a session as its ID token may have them: groups with a slash and without. A renewal
 * must not be able to change them later. */
static kc_bytes_t known_text(const kc_session_t *session, apr_pool_t *pool)
{
    const kc_bytes_t nothing = {NULL, 0};
    kc_bytes_t known;
    kc_buf_t buf;

    kc_buf_init(&buf, KNOWN_MAX, pool);
    put_list(&buf, &session->realm_roles, "\",\"");
    put_list(&buf, &session->group_list, "\",\"");
    put_list(&buf, &session->group_list, "\",\"/");
    return kc_buf_bytes(&buf, &known) == KC_OK ? known : nothing;
}

kc_rc_t kc_session_tokens_pack(const kc_pack_t *contents, apr_pool_t *pool, kc_session_t *session,
                               kc_err_t *err)
{
    return kc_pack_close_beside(contents, known_text(session, pool), pool, &session->packed, err);
}

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
    if (!session->packed.len)
        return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_ENDED, "no tokens are kept");
    return kc_pack_open_beside(session->packed, known_text(session, pool), pool, contents, err);
}

const char *kc_session_tokens_id_token(const kc_session_t *session, apr_pool_t *pool)
{
    kc_pack_t contents;

    if (session->id_token)
        return session->id_token;
    return kc_session_tokens_get(session, pool, &contents, NULL) == KC_OK ? contents.id_token
                                                                          : NULL;
}

void kc_session_tokens_view(const kc_rp_t *rp, const kc_session_t *session, apr_pool_t *pool,
                            kc_session_t *view)
{
    const kc_bytes_t nothing = {NULL, 0};
    kc_pack_t contents;

    view->packed = view->claims = nothing;
    view->id_token = NULL;
    if ((!rp->keeps_claims && !rp->conf->id_token_header) ||
        kc_session_tokens_get(session, pool, &contents, NULL) != KC_OK)
        return;
    if (rp->keeps_claims)
        view->claims = kc_session_tokens_text(&contents, pool);
    if (rp->conf->id_token_header)
        view->id_token = contents.id_token;
}

kc_bytes_t kc_session_tokens_text(const kc_pack_t *contents, apr_pool_t *pool)
{
    const char *payload = contents->id_token ? strchr(contents->id_token, '.') : NULL;
    kc_bytes_t text = contents->claims;

    if (!text.len && payload &&
        kc_buf_unbase64url(payload + 1, strcspn(payload + 1, "."), pool, &text) != KC_OK)
        text.len = 0;
    return text;
}

const kc_json_t *kc_session_tokens_claims(const kc_session_t *session, apr_pool_t *pool)
{
    kc_bytes_t text = session->claims;
    const kc_json_t *claims;
    kc_pack_t contents;

    if (!text.len && kc_session_tokens_get(session, pool, &contents, NULL) == KC_OK)
        text = kc_session_tokens_text(&contents, pool);
    if (!text.len || kc_json_parse((const char *)text.data, text.len, pool, &claims, NULL) != KC_OK)
        return NULL;
    return claims;
}

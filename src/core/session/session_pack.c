/* The tokens and claims of a session, packed with its lists as known text.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_pack.h"

#include <string.h>

#include "rp.h"

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

kc_rc_t kc_session_pack_close(const kc_pack_t *contents, apr_pool_t *pool, kc_session_t *session,
                              kc_err_t *err)
{
    return kc_pack_close_beside(contents, known_text(session, pool), pool, &session->packed, err);
}

kc_rc_t kc_session_pack_open(const kc_session_t *session, apr_pool_t *pool, kc_pack_t *contents,
                             kc_err_t *err)
{
    if (!session->packed.len)
        return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_ENDED, "no tokens are kept");
    return kc_pack_open_beside(session->packed, known_text(session, pool), pool, contents, err);
}

kc_bytes_t kc_session_pack_text(const kc_pack_t *contents, apr_pool_t *pool)
{
    const char *payload = contents->id_token ? strchr(contents->id_token, '.') : NULL;
    kc_bytes_t text = contents->claims;

    if (!text.len && payload &&
        kc_buf_unbase64url(payload + 1, strcspn(payload + 1, "."), pool, &text) != KC_OK)
        text.len = 0;
    return text;
}

void kc_session_pack_view(const kc_rp_t *rp, const kc_session_t *session, apr_pool_t *pool,
                          kc_session_t *view)
{
    const kc_bytes_t nothing = {NULL, 0};
    kc_pack_t contents;

    view->packed = view->claims = nothing;
    view->id_token = NULL;
    if ((!rp->keeps_claims && !rp->conf->id_token_header) ||
        kc_session_pack_open(session, pool, &contents, NULL) != KC_OK)
        return;
    if (rp->keeps_claims)
        view->claims = kc_session_pack_text(&contents, pool);
    if (rp->conf->id_token_header)
        view->id_token = contents.id_token;
}

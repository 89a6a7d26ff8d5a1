/* The look-up of a session: its keys, and what the first tier and the store have of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_lookup.h"

#include <string.h>

#include "rp.h"
#include "session/revocation.h"
#include "session/session_idle.h"

static const char key_purpose[] = "sid"; /* short: the derivation takes one block of SHA-256 */
static const char seal_purpose[] = "session";

static void name_others(kc_session_lookup_t *visit)
{
    kc_revocation_own_key(visit->key, visit->mark);
    kc_session_idle_name(visit->key, visit->used);
}

void kc_session_lookup_init(kc_session_lookup_t *visit, const kc_rp_t *rp, kc_bytes_t id,
                            apr_pool_t *pool)
{
    visit->rp = rp;
    visit->pool = pool;
    visit->id = id;
    visit->has_view = 0;
    visit->is_use = 1;
    visit->has_own_mark = 0;
    visit->successor = NULL;
    visit->key[0] = '\0';
    visit->now_ms = rp->env->now_ms(rp->env->context);
    visit->now = visit->now_ms / 1000;
}

kc_rc_t kc_session_lookup_derive_keys(kc_session_lookup_t *visit, const kc_crypto_key_t *key,
                                      kc_err_t *err)
{
    kc_rc_t rc = kc_rp_store_key(visit->rp, key, key_purpose, visit->id, visit->key, err);

    name_others(visit);
    return rc;
}

void kc_session_lookup_take_key(kc_session_lookup_t *visit)
{
    memcpy(visit->key, visit->view.key, KC_STORE_KEY_LEN);
    visit->key[KC_STORE_KEY_LEN] = '\0';
    name_others(visit);
}

kc_seal_use_t kc_session_lookup_seal_use(const kc_rp_t *rp, kc_bytes_t id)
{
    kc_seal_use_t use = {seal_purpose, id, {rp->id, KC_RP_ID_SIZE}};

    return use;
}

kc_rc_t kc_session_lookup_begin(kc_session_lookup_t *visit, const kc_rp_t *rp, kc_bytes_t cookie,
                                apr_pool_t *pool, kc_err_t *err)
{
    kc_view_cache_t *cache = rp->env->cache;
    kc_bytes_t id;

    if (cookie.len != KC_SESSION_ID_TEXT ||
        kc_buf_unbase64url((const char *)cookie.data, cookie.len, pool, &id) != KC_OK)
        return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_INVALID, "the session cookie is malformed");
    kc_session_lookup_init(visit, rp, id, pool);
    if (cache && kc_view_cache_find(cache, rp->scope, id.data, visit->now, pool, &visit->ticket,
                                    &visit->view))
        visit->has_view = kc_session_codec_decode(visit->view.bytes, &visit->seen, NULL) == KC_OK &&
                          visit->seen.user_mark; /* none of before an update */
    return KC_OK;
}

enum { OWN_KEYS = 3 /* the session's, its own mark's, its last use's */ };

kc_rc_t kc_session_lookup_fetch(kc_session_lookup_t *visit, const kc_session_t *known,
                                kc_session_found_t *found, kc_err_t *err)
{
    const char *keys[OWN_KEYS + KC_REVOCATION_KINDS] = {visit->key, visit->mark, visit->used};
    kc_store_item_t items[OWN_KEYS + KC_REVOCATION_KINDS];
    kc_revocation_keys_t marks = {.count = 0};
    kc_rc_t rc;
    size_t i;

    if (known)
        kc_revocation_keys(known, &marks);
    for (i = 0; i < marks.count; i++)
        keys[OWN_KEYS + i] = marks.text[i];
    rc = kc_store_get(visit->rp->env->sessions, keys, OWN_KEYS + marks.count, items, visit->pool,
                      err);
    if (rc != KC_OK)
        return rc;
    found->session = items[0];
    found->used = items[2].value;
    visit->has_own_mark = items[1].value.data != NULL;
    if (visit->has_own_mark || (known && kc_revocation_is_revoked(known, &marks, items + OWN_KEYS)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SIGNED_OUT, "the session was signed out");
    if (!items[0].value.data)
        return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_IDLE, KC_SESSION_ABSENT);
    return KC_OK;
}

static kc_rc_t explain_miss(const kc_session_lookup_t *visit, kc_err_t *err)
{
    const kc_rp_t *rp = visit->rp;

    if (visit->has_view || kc_seal_has_key(rp->keys, visit->id.data[KC_SESSION_ID_SIZE - 1]))
        return KC_MISS;
    kc_rp_warn_of_key(rp, "a session", visit->pool);
    return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_IDLE, "the session was " KC_RP_FOREIGN_KEY);
}

kc_rc_t kc_session_lookup_fetch_any(kc_session_lookup_t *visit, kc_session_found_t *found,
                                    kc_err_t *err)
{
    const kc_seal_keys_t *keys = visit->rp->keys;
    kc_rc_t rc = KC_MISS;
    size_t i;

    if (visit->has_view) {
        kc_session_lookup_take_key(visit);
        return kc_session_lookup_fetch(visit, &visit->seen, found, err);
    }
    for (i = 0; rc == KC_MISS && i < keys->count; i++) {
        rc = kc_session_lookup_derive_keys(visit, keys->key[i], err);
        if (rc == KC_OK)
            rc = kc_session_lookup_fetch(visit, NULL, found, err);
    }
    return rc == KC_MISS ? explain_miss(visit, err) : rc;
}

kc_rc_t kc_session_lookup_open(const kc_session_lookup_t *visit, const kc_store_item_t *item,
                               kc_session_t *session, kc_err_t *err)
{
    const kc_rp_t *rp = visit->rp;
    kc_seal_use_t use = kc_session_lookup_seal_use(rp, visit->id);
    kc_bytes_t compact;
    kc_rc_t rc =
        kc_seal_open(rp->keys, &use, visit->now, item->value, visit->pool, &compact, NULL, err);

    if (rc == KC_OK)
        rc = kc_session_codec_decode(compact, session, err);
    return rc == KC_OK && !session->user_mark ? kc_revocation_adopt(rp, session, visit->pool, err)
                                              : rc;
}

void kc_session_lookup_locate(const kc_session_lookup_t *visit, const char *key,
                              kc_session_t *session)
{
    session->rp = visit->rp;
    session->id = visit->id.data;
    memcpy(session->key, key, KC_STORE_KEY_LEN);
    session->key[KC_STORE_KEY_LEN] = '\0';
}

void kc_session_lookup_resume(kc_session_lookup_t *visit, const kc_session_t *session,
                              apr_pool_t *pool)
{
    const kc_bytes_t id = {session->id, KC_SESSION_ID_SIZE};

    kc_session_lookup_init(visit, session->rp, id, pool);
    memcpy(visit->key, session->key, sizeof(visit->key));
    name_others(visit);
}

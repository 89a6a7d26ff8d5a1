/* The look-up of a session: its keys, and what the first tier and the store have of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_lookup.h"

#include <string.h>

#include "rp.h"
#include "session/revocation.h"
#include "session/session_idle.h"

static const char key_purpose[] = "sid"; /* short: the derivation takes one block of SHA-256 */
static const char seal_purpose[] = "session";

static void derive_other_keys(kc_session_lookup_t *lookup)
{
    kc_revocation_own_key(lookup->key, lookup->revocation);
    kc_session_idle_name(lookup->key, lookup->used);
}

void kc_session_lookup_init(kc_session_lookup_t *lookup, const kc_rp_t *rp, kc_bytes_t id,
                            apr_pool_t *pool)
{
    lookup->rp = rp;
    lookup->pool = pool;
    lookup->id = id;
    lookup->has_view = 0;
    lookup->is_use = 1;
    lookup->is_revoked = 0;
    lookup->successor = NULL;
    lookup->key[0] = '\0';
    lookup->now_ms = rp->env->now_ms(rp->env->context);
    lookup->now = lookup->now_ms / 1000;
}

kc_rc_t kc_session_lookup_derive_keys(kc_session_lookup_t *lookup, const kc_crypto_key_t *key,
                                      kc_err_t *err)
{
    kc_rc_t rc = kc_rp_store_key(lookup->rp, key, key_purpose, lookup->id, lookup->key, err);

    derive_other_keys(lookup);
    return rc;
}

void kc_session_lookup_take_key(kc_session_lookup_t *lookup)
{
    memcpy(lookup->key, lookup->view.key, KC_STORE_KEY_LEN);
    lookup->key[KC_STORE_KEY_LEN] = '\0';
    derive_other_keys(lookup);
}

kc_seal_use_t kc_session_lookup_seal_use(const kc_rp_t *rp, kc_bytes_t id)
{
    kc_seal_use_t use = {seal_purpose, id, {rp->id, KC_RP_ID_SIZE}};

    return use;
}

kc_rc_t kc_session_lookup_begin(kc_session_lookup_t *lookup, const kc_rp_t *rp, kc_bytes_t cookie,
                                apr_pool_t *pool, kc_err_t *err)
{
    kc_view_cache_t *cache = rp->env->cache;
    kc_bytes_t id;

    if (cookie.len != KC_SESSION_ID_TEXT ||
        kc_buf_unbase64url((const char *)cookie.data, cookie.len, pool, &id) != KC_OK)
        return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_INVALID, "the session cookie is malformed");
    kc_session_lookup_init(lookup, rp, id, pool);
    if (cache && kc_view_cache_find(cache, rp->scope, id.data, lookup->now, pool, &lookup->ticket,
                                    &lookup->view))
        lookup->has_view =
            kc_session_codec_decode(lookup->view.bytes, &lookup->seen, NULL) == KC_OK &&
            lookup->seen.user_key; /* none in views from before an update */
    return KC_OK;
}

enum { OWN_KEYS = 3 /* of the session, its own revocation entry, its last use */ };

kc_rc_t kc_session_lookup_fetch(kc_session_lookup_t *lookup, const kc_session_t *known,
                                kc_session_found_t *found, kc_err_t *err)
{
    const char *keys[OWN_KEYS + KC_REVOCATION_KINDS] = {lookup->key, lookup->revocation,
                                                        lookup->used};
    kc_store_item_t items[OWN_KEYS + KC_REVOCATION_KINDS];
    kc_revocation_keys_t revocations = {.count = 0};
    kc_rc_t rc;
    size_t i;

    if (known)
        kc_revocation_keys(known, &revocations);
    for (i = 0; i < revocations.count; i++)
        keys[OWN_KEYS + i] = revocations.text[i];
    rc = kc_store_get(lookup->rp->env->sessions, keys, OWN_KEYS + revocations.count, items,
                      lookup->pool, err);
    if (rc != KC_OK)
        return rc;
    found->session = items[0];
    found->used = items[2].value;
    lookup->is_revoked = items[1].value.data != NULL;
    if (lookup->is_revoked ||
        (known && kc_revocation_is_revoked(known, &revocations, items + OWN_KEYS)))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SIGNED_OUT, "the session was signed out");
    if (!items[0].value.data)
        return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_IDLE, KC_SESSION_ABSENT);
    return KC_OK;
}

static kc_rc_t explain_miss(const kc_session_lookup_t *lookup, kc_err_t *err)
{
    const kc_rp_t *rp = lookup->rp;

    if (lookup->has_view || kc_seal_has_key(rp->keys, lookup->id.data[KC_SESSION_ID_SIZE - 1]))
        return KC_MISS;
    kc_rp_warn_of_key(rp, "a session");
    return KC_FAIL(err, KC_MISS, KC_ERR_SESSION_IDLE, "the session was " KC_RP_FOREIGN_KEY);
}

kc_rc_t kc_session_lookup_fetch_any(kc_session_lookup_t *lookup, kc_session_found_t *found,
                                    kc_err_t *err)
{
    const kc_seal_keys_t *keys = lookup->rp->keys;
    kc_rc_t rc = KC_MISS;
    size_t i;

    if (lookup->has_view) {
        kc_session_lookup_take_key(lookup);
        return kc_session_lookup_fetch(lookup, &lookup->seen, found, err);
    }
    for (i = 0; rc == KC_MISS && i < keys->count; i++) {
        rc = kc_session_lookup_derive_keys(lookup, keys->key[i], err);
        if (rc == KC_OK)
            rc = kc_session_lookup_fetch(lookup, NULL, found, err);
    }
    return rc == KC_MISS ? explain_miss(lookup, err) : rc;
}

kc_rc_t kc_session_lookup_open(const kc_session_lookup_t *lookup, const kc_store_item_t *item,
                               kc_session_t *session, kc_err_t *err)
{
    const kc_rp_t *rp = lookup->rp;
    kc_seal_use_t use = kc_session_lookup_seal_use(rp, lookup->id);
    kc_bytes_t compact;
    kc_rc_t rc =
        kc_seal_open(rp->keys, &use, lookup->now, item->value, lookup->pool, &compact, NULL, err);

    if (rc == KC_OK)
        rc = kc_session_codec_decode(compact, session, err);
    return rc == KC_OK && !session->user_key ? kc_revocation_adopt(rp, session, lookup->pool, err)
                                             : rc;
}

void kc_session_lookup_locate(const kc_session_lookup_t *lookup, const char *key,
                              kc_session_t *session)
{
    session->rp = lookup->rp;
    session->id = lookup->id.data;
    memcpy(session->key, key, KC_STORE_KEY_LEN);
    session->key[KC_STORE_KEY_LEN] = '\0';
}

void kc_session_lookup_resume(kc_session_lookup_t *lookup, const kc_session_t *session,
                              apr_pool_t *pool)
{
    const kc_bytes_t id = {session->id, KC_SESSION_ID_SIZE};

    kc_session_lookup_init(lookup, session->rp, id, pool);
    memcpy(lookup->key, session->key, sizeof(lookup->key));
    derive_other_keys(lookup);
}

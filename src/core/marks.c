/* Marks: left by a logout, read with a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "marks.h"

#include <string.h>

static const char *const purposes[KC_MARKS_KINDS] = {"mark of sub", "mark of sid"};

static kc_rc_t name_by(const kc_rp_t *rp, const kc_crypto_key_t *key, kc_marks_kind_t kind,
                       const char *text, unsigned char *out, kc_err_t *err)
{
    unsigned char digest[KC_CRYPTO_SHA256_SIZE], context[KC_RP_ID_SIZE + sizeof(digest)];
    const kc_bytes_t bytes = {context, sizeof(context)};
    kc_rc_t rc = kc_crypto_sha256(kc_buf_text(text), digest, err);

    if (rc != KC_OK)
        return rc;
    memcpy(context, rp->id, KC_RP_ID_SIZE);
    memcpy(context + KC_RP_ID_SIZE, digest, sizeof(digest));
    return kc_crypto_derive(key, purposes[kind], bytes, out, err);
}

kc_rc_t kc_marks_name(const kc_rp_t *rp, kc_marks_kind_t kind, const char *text, unsigned char *out,
                      kc_err_t *err)
{
    return name_by(rp, rp->keys->key[0], kind, text, out, err);
}

kc_rc_t kc_marks_leave(const kc_rp_t *rp, kc_marks_kind_t kind, const char *text, kc_err_t *err)
{
    int64_t now = rp->env->now(rp->env->context);
    unsigned char name[KC_SESSION_NAME_SIZE], moment[8];
    const kc_bytes_t value = {moment, sizeof(moment)};
    char key[KC_STORE_KEY_LEN + 1];
    kc_rc_t rc = KC_OK;
    size_t i;

    for (i = 0; i < sizeof(moment); i++)
        moment[i] = (unsigned char)((uint64_t)now >> (8 * (sizeof(moment) - 1 - i)));
    for (i = 0; rc == KC_OK && i < rp->keys->count; i++) {
        rc = name_by(rp, rp->keys->key[i], kind, text, name, err);
        kc_buf_hex_to(name, sizeof(name), key);
        if (rc == KC_OK)
            rc = kc_store_put(rp->env->sessions, key, value, now + rp->conf->session_max, err);
    }
    return rc;
}

/* That spares each request a derivation; and whoever can write to the store, and so sees which mark
 * is whose, could as well delete all marks. */
void kc_marks_own(const char *key, char *mark)
{
    size_t i;

    for (i = 0; i < KC_STORE_KEY_LEN; i++)
        mark[i] = key[KC_STORE_KEY_LEN - 1 - i];
    mark[i] = '\0';
}

void kc_marks_of(const kc_session_t *session, kc_marks_keys_t *keys)
{
    kc_buf_hex_to(session->sub_mark, KC_SESSION_NAME_SIZE, keys->text[KC_MARKS_SUB]);
    keys->count = 1;
    if (!*session->sid)
        return;
    kc_buf_hex_to(session->sid_mark, KC_SESSION_NAME_SIZE, keys->text[KC_MARKS_SID]);
    keys->count = 2;
}

int kc_marks_is_ended(const kc_session_t *session, const kc_marks_keys_t *keys,
                      const kc_store_item_t *items)
{
    const kc_bytes_t *sub = &items[KC_MARKS_SUB].value;
    kc_reader_t reader;
    int64_t moment;

    if (keys->count > 1 && items[KC_MARKS_SID].value.data)
        return 1;
    if (!sub->data)
        return 0;
    kc_buf_reader_init(&reader, *sub);
    moment = (int64_t)kc_buf_read_u64(&reader);
    /* one that cannot be read ends the session: nobody else writes there */
    return reader.is_short || session->created <= moment;
}

/* Marks: all sessions of a user, or of a session at Keycloak, have been ended.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_MARKS_H
#define KC_MARKS_H

#include <apr_pools.h>

#include "err.h"
#include "rp.h"
#include "session_form.h"

/*
 * A mark lies in the store under a name made of the sub or the sid, which a session knows of itself
 * from its beginning; whoever asks the store for a session asks for its marks as well. So nobody
 * needs to know which sessions there are to end them, one that is written too late included. A mark
 * stays as long as a session of before it could.
 */

typedef enum {
    KC_MARKS_SUB, /* ends the sessions of a user that were made up to its moment */
    KC_MARKS_SID, /* ends every session of this sid, which Keycloak never gives again */
    KC_MARKS_KINDS
} kc_marks_kind_t;

/* Store keys of a session's marks. */
typedef struct kc_marks_keys_t {
    char text[KC_MARKS_KINDS][KC_STORE_KEY_LEN + 1];
    size_t count; /* one when the session has no sid, else two */
} kc_marks_keys_t;

/* A mark's name by the newest key. text: the sub or sid. out: KC_SESSION_NAME_SIZE bytes. Thread
 * safe, as all here. */
kc_rc_t kc_marks_name(const kc_rp_t *rp, kc_marks_kind_t kind, const char *text, unsigned char *out,
                      kc_err_t *err);
/* Leaves a mark, of this moment, under its names by all keys. KC_DOWN: sessions may live on. */
kc_rc_t kc_marks_leave(const kc_rp_t *rp, kc_marks_kind_t kind, const char *text, kc_err_t *err);
/* The name of the mark that a session's own end leaves: the session's name in the store
 * (KC_STORE_KEY_LEN characters) read backwards. mark has room for KC_STORE_KEY_LEN + 1 bytes. */
void kc_marks_own(const char *key, char *mark);
/* What to ask the store for besides. */
void kc_marks_of(const kc_session_t *session, kc_marks_keys_t *keys);
/* 1 when what the store gave for these keys, in their order, ends the session. */
int kc_marks_is_ended(const kc_session_t *session, const kc_marks_keys_t *keys,
                      const kc_store_item_t *items);

#endif

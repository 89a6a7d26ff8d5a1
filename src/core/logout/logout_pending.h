/* Refresh tokens of people who are on their way through the provider's sign-out: revoked when they
 * do not come back. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGOUT_PENDING_H
#define KC_LOGOUT_PENDING_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"
#include "rp.h"

/*
 * The end_session endpoint needs the provider's session alive, to pass the sign-out on to a broker
 * or to other clients, and revoking a refresh token ends that session. So the token lies, sealed,
 * in one of a bounded number of slots in the store until the browser is back. One thread of each
 * host looks at all slots (a second after the other while this host has something pending, else
 * each KC_LOGOUT_PENDING_IDLE seconds) and revokes what is due. Slots belong to all nodes with the
 * same store and settings, so that any of them does what a node that has stopped left behind.
 */

enum {
    KC_LOGOUT_PENDING_SECONDS = 10, /* that the browser has to come back */
    KC_LOGOUT_PENDING_KEEP = 600,   /* seconds more that it is tried while the provider fails */
    KC_LOGOUT_PENDING_IDLE = 300,   /* seconds from one look at others' slots to the next */
    KC_LOGOUT_PENDING_SLOTS = 144
};

/* Keeps the refresh token. state: random bytes that the browser will bring back. key gets the
 * slot's name and has room for KC_STORE_KEY_LEN + 1 bytes. KC_REFUSED: nobody would look at it (no
 * background thread), or there is no free slot; KC_DOWN: the store does not answer; then the token
 * has to be revoked at once. Thread safe, as all here. */
kc_rc_t kc_logout_pending_keep(const kc_rp_t *rp, const char *refresh_token, kc_bytes_t state,
                               apr_pool_t *pool, char *key);
/* The browser is back, or the token has been revoked: nothing is left to be done. Only the slot's
 * own state frees it. What the store does not take leads to one revocation too many, which does no
 * harm. */
void kc_logout_pending_forget(const kc_rp_t *rp, const char *key, kc_bytes_t state,
                              apr_pool_t *pool);
/* Revokes what is due, over http, if it is this child's turn; called several times a second by one
 * thread of each child. Ends with the first one that the provider does not answer. *stop not 0: at
 * once; NULL: never. Logs what could not be revoked. */
void kc_logout_pending_look(const kc_rp_t *rp, kc_http_t *http, const uint32_t *stop);

#endif

/* Refresh tokens of browsers that were redirected to the provider's logout: revoked when the
 * browser does not come back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOGOUT_PENDING_H
#define KC_LOGOUT_PENDING_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/http.h"
#include "rp.h"

/* The end_session endpoint needs a live session at the provider, to pass the logout on to a broker
 * or to other clients. Revoking a refresh token ends that session. So until the browser is back the
 * sealed token stays in one of a fixed number of slots in the store. One thread of each host checks
 * all slots and revokes the tokens that are due. It does so every second while this host has
 * something pending, else every KC_LOGOUT_PENDING_IDLE seconds. Slots are shared by all nodes with
 * the same store and settings, so any of them can finish what a stopped node left. */

enum {
    KC_LOGOUT_PENDING_SECONDS = 10, /* that the browser has to come back */
    KC_LOGOUT_PENDING_KEEP = 600,   /* further seconds during which it is tried while the provider
                                       fails */
    KC_LOGOUT_PENDING_IDLE = 300,   /* seconds between two checks of other nodes' slots */
    KC_LOGOUT_PENDING_SLOTS = 144
};

/* Keeps the refresh token. state: random bytes that the browser will bring back. key gets the
 * slot's store key and has room for KC_STORE_KEY_LEN + 1 bytes. KC_REFUSED: there is no background
 * thread to check it, or no free slot. KC_DOWN: the store does not answer. In both cases the token
 * must be revoked at once. Thread safe, like all functions here. */
kc_rc_t kc_logout_pending_keep(const kc_rp_t *rp, const char *refresh_token, kc_bytes_t state,
                               apr_pool_t *pool, char *key);
/* The browser is back, or the token has been revoked: frees the slot, if it belongs to this state.
 * If the store fails, the token is revoked once more, which does no harm. */
void kc_logout_pending_forget(const kc_rp_t *rp, const char *key, kc_bytes_t state,
                              apr_pool_t *pool);
/* Revokes what is due, over http, if it is this child's turn. Called several times a second by one
 * thread of each child. Stops at the first token for which the provider does not answer. *stop not
 * 0: stops at once; NULL: never. Logs what could not be revoked. */
void kc_logout_pending_look(const kc_rp_t *rp, kc_http_t *http, const uint32_t *stop);

#endif
